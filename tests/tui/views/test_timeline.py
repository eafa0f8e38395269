"""Events as lines: folded where they repeat, without saying twice what they are about."""

from __future__ import annotations

from appliance.tui.rows import plain
from appliance.tui.state import reduce
from appliance.tui.views.timeline import brief, due, entries, sign
from tests.kit.dashboards import DAY, edge, event, scene


def test_repeated_events_are_one_line() -> None:
    """With how many, and since when; moves of breakers are told one by one."""
    ill = "endpoint a/b is unhealthy: x"
    flaps = [event(100 + n, 5000 - n, "health", "a/b", ill, healthy=False) for n in range(9)]
    opens = [event(200 + n, 100 - n, "breaker", "a", "breaker a open", to="open") for n in range(3)]
    known = reduce(edge(), {"k": "events", "items": [*flaps, *opens]})
    found = entries(scene(6, known))
    assert [entry.kind for entry in found[:4]] == ["open", "open", "open", "down"]
    assert (found[3].count, found[3].text) == (9, "is unhealthy: x")
    assert "(x9)" in plain(brief(scene(6, known), found[3], 60)[0])


def test_what_is_due() -> None:
    """Half-open, the end of a force, of a drain, of a certificate."""
    known = edge()
    row = known.state["br"]["users/10.0.5.11:8080"]
    known.state["br"]["users/10.0.5.11:8080"] = {**row, "st": "forced_open", "forced": {"until": DAY + 5000}}
    texts = [entry.text for entry in due(scene(6, known))]
    assert texts == ["a certificate ends", "drain ends", "half-open", "forced state ends"]


def test_an_opening_says_why_below() -> None:
    """The subject is cut in its middle, the word never."""
    known = edge()
    rows = [plain(line) for line in brief(scene(1, known), entries(scene(1, known))[0], 40)]
    assert rows[0].endswith("OPENED")
    assert rows[1].strip() == "5 failures in a row"


def test_every_kind_has_a_sign() -> None:
    """Also those that nobody knows yet."""
    for kind in (
        "open",
        "half_open",
        "closed",
        "down",
        "up",
        "reload",
        "audit",
        "refused",
        "due",
        "nonsense",
    ):
        assert len("".join(text for text, _ in sign(scene(6), kind))) == 4


def test_what_somebody_did_is_told_in_short() -> None:
    """What was done and by whom; what did not work says so."""
    text = 'root (uid 0): endpoint.drain: drained endpoint a/b for 10m: no new requests "kernel"'
    done = event(300, 5, "audit", "a/b", text, op="endpoint.drain", code="ok", user="root")
    failed = event(301, 4, "audit", "a/b", "x (uid 7): breaker.reset (denied): this needs an operator",
                   op="breaker.reset", code="denied", user=None, peer="192.0.2.7")  # fmt: skip
    known = reduce(edge(), {"k": "events", "items": [done, failed]})
    texts = [entry.text for entry in entries(scene(6, known)) if entry.kind == "audit"]
    assert texts[0] == "denied: this needs an operator (192.0.2.7)"
    assert texts[1] == 'drained for 10m: no new requests "kernel" (root)'
