"""The timeline with its future."""

from __future__ import annotations

import pytest

from appliance.tui.rows import plain
from appliance.tui.text import width
from appliance.tui.views import events
from tests.kit.dashboards import edge, scene

EDGE = edge()


def lines(cells: int = 120, count: int = 31, **more: object) -> list[str]:
    return [plain(line) for line in events.lines(scene(6, EDGE, **more), cells, count)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("cells", "count"), [(160, 50), (120, 31), (80, 19), (60, 15), (40, 8)])
def test_it_fits(cells: int, count: int) -> None:
    """At each size."""
    drawn = lines(cells, count)
    assert len(drawn) == count
    assert {width(line) for line in drawn} == {cells}


def test_what_is_due_stands_above_now() -> None:
    """The soonest next to it."""
    drawn = lines()
    now = next(index for index, line in enumerate(drawn) if "── now " in line)
    assert "half-open" in drawn[now - 1]
    assert "a certificate ends" in drawn[now - 3]
    assert "in 13d00h" in drawn[now - 3]
    assert "5 failures in a row" in drawn[now + 1]


def test_a_filter_is_a_part_of_the_line() -> None:
    """Kind, subject or text."""
    assert len(events.listed(scene(6, EDGE, filters={6: "flood"}))) == 1
    assert len(events.listed(scene(6, EDGE, filters={6: "legacy/10.0.6.11"}))) == 2


def test_the_cursor_is_kept_in_sight() -> None:
    """Also in a short list."""
    drawn = lines(80, 7, cursor={6: "9"})
    assert sum(line.startswith("▶") for line in drawn) == 1
