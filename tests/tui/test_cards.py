"""Cards of breakers: each state has its own first line, and the minute below shows what happened."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.tui.cards import CARD_LINES, card, mix, ribbon_spans, why
from appliance.tui.rows import plain
from appliance.tui.text import width
from tests.kit.dashboards import DAY, breaker, edge, scene, trip

EDGE = edge()
NAME = "payments/10.0.8.11:8080"


def drawn(row: dict[str, Any], cells: int = 40, **more: Any) -> list[str]:
    return [plain(line) for line in card(scene(2, EDGE, **more), NAME, row, cells, chosen=False)]


@pytest.mark.parametrize("cells", [24, 40, 60])
def test_a_card_has_its_size(cells: int) -> None:
    """Nine lines."""
    rows = drawn(breaker("a"), cells)
    assert (len(rows), {width(row) for row in rows}) == (CARD_LINES, {cells})


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (breaker("a", cf=3), "fuse 3/5 failures"),
        (breaker("a", n=3), "3/20 requests, not judged"),
        (breaker("a", er_max=0), "not judged"),
        (breaker("a", er=0.25), "rate 25.0% of 50%"),
        (breaker("a", st="open", since=DAY - 12_000, until=DAY + 18_000), "half-open in 18.0s"),
        (breaker("a", st="open", since=DAY - 12_000, until=DAY + 18_000), "open 12s of 30s"),
        (breaker("a", st="open", since=DAY, until=DAY), "a probe is due"),
        (breaker("a", st="half_open", probe={"ok": 1, "need": 3}), "probes 1/3 ok"),
        (breaker("a", st="forced_open", forced={"by": "ann", "reason": "x", "until": None}), 'ann, "x"'),
        (breaker("a", st="forced_closed", forced={"by": "ann", "until": DAY + 60_000}), "closed for 1m00s"),
        (breaker("a", ask=31, sent=0, rej=31), "reject 31/s"),
        (breaker("a", last="oxz"), "last ✓✗·"),
    ],
)
def test_what_a_card_says(row: dict[str, Any], words: str) -> None:
    """In every state."""
    assert words in "\n".join(drawn(row))


def test_why_it_opened() -> None:
    """By its report if that is there, by the event else."""
    row = EDGE.things("br")[NAME]
    assert why(scene(2, EDGE), NAME, row) == "5 consecutive (3x503 2xtimeout)"
    half = EDGE.things("br")["legacy/10.0.6.11:8080"]
    assert why(scene(2, EDGE), "legacy/10.0.6.11:8080", half).startswith("still failing at ")
    assert why(scene(2, EDGE), "x", breaker("x", trip="gone")) == "see its report"
    rated = {**trip(), "rule": "error_rate"}
    assert mix(rated) == "3x503 2xtimeout"
    assert mix({"requests": 7}) == ""


def test_the_minute_is_squeezed_not_cut() -> None:
    """In half as many cells the worst of each two is shown."""
    full = "".join(text for text, _ in ribbon_spans(scene(2, EDGE), "legacy/10.0.6.11:8080", 30))
    half = "".join(text for text, _ in ribbon_spans(scene(2, EDGE), "legacy/10.0.6.11:8080", 15))
    assert (len(full), len(half)) == (30, 15)
    assert full.count("╱") // 2 <= half.count("╱") <= full.count("╱") // 2 + 1
    assert "".join(text for text, _ in ribbon_spans(scene(2, EDGE), "nobody", 10)) == " " * 10


def test_a_trip_stands_out_for_a_moment() -> None:
    """Its edge is heavy; no blinking."""
    row = breaker("a", st="open", since=DAY - 100, until=DAY + 1000)
    fresh = card(scene(2, EDGE), NAME, row, 40, chosen=False)
    old = card(scene(2, EDGE, m=DAY + 5000), NAME, row, 40, chosen=False)
    assert any("heavy" in names for _, names in fresh[0].spans)
    assert not any("heavy" in names for _, names in old[0].spans)
