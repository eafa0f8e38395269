"""What follows from the state: the worst, the nearest, the trouble, in an order that does not flicker."""

from __future__ import annotations

import random

from appliance.tui import facts
from tests.kit.dashboards import DAY, breaker, edge


def test_how_far_a_breaker_is() -> None:
    """A fuse that fills by either rule, an opening that drains, probes that pass, a force that ends."""
    assert facts.progress(breaker("a", cf=3), DAY) == (0.6, "3/5 fail")
    assert facts.progress(breaker("a"), DAY) == (0.0, "0/5")
    assert facts.fuse(breaker("a", er=0.25, n=20)) == 0.5
    assert facts.fuse(breaker("a", er=0.25, n=19)) == 0.0
    opened = breaker("a", st="open", since=DAY, until=DAY + 30_000)
    assert facts.progress(opened, DAY + 12_000) == (0.6, "18.0s")
    assert facts.progress(opened, DAY + 40_000) == (0.0, "probe due")
    assert facts.progress(breaker("a", st="half_open", probe={"ok": 1, "need": 2}), DAY) == (0.5, "1/2 ok")
    forced = breaker("a", st="forced_open", forced={"until": DAY + 300_000})
    assert facts.progress(forced, DAY) == (0.5, "5m00s")
    assert facts.progress(breaker("a", st="forced_open", forced={"until": None}), DAY)[1] == "until cleared"


def test_trouble_comes_first() -> None:
    """Forced, open, half-open, nearly open, then errors, then names; whatever order they come in."""
    known = edge()
    rows = [
        ("forced", breaker("a", st="forced_open", forced={"until": None})),
        ("open", breaker("a", st="open")),
        ("half", breaker("a", st="half_open")),
        ("near", breaker("a", cf=4)),
        ("a", breaker("a")),
        ("b", breaker("a")),
    ]
    mixed = rows.copy()
    random.Random(1).shuffle(mixed)
    mixed.sort(key=lambda item: facts.trouble(known, "br", item[0], item[1], {}))
    assert mixed == rows


def test_upstreams_have_the_trouble_of_their_breakers() -> None:
    """And of their endpoints."""
    known = edge()
    fuses = facts.breakers_of(known)
    things = known.things("up")
    ups = sorted(things, key=lambda name: facts.trouble(known, "up", name, things[name], fuses))
    assert ups[:3] == ["payments", "legacy", "search"]
    found = facts.worst(fuses["payments"])
    assert found is not None
    assert found[0] == "payments/10.0.8.11:8080"
    assert facts.worst([]) is None
    assert facts.is_trouble("up", known.things("up")["payments"], fuses, "payments")
    assert not facts.is_trouble("up", known.things("up")["users"], fuses, "users")


def test_counts_and_the_nearest() -> None:
    """For the boxes of the overview."""
    known = edge()
    assert facts.count_states(known.things("br")) == {"closed": 20, "open": 1, "half_open": 1, "forced": 0}
    assert facts.nearest(known.things("br")) == "search/10.0.6.12:8080 3/5"
    assert facts.nearest({"a": breaker("a")}) == ""
    assert facts.nearest({"a": breaker("a", er=0.2)}) == "a 20.0% of 50.0%"
    assert facts.admitting(known, "payments") == (2, 3)
