"""The overview: layouts by size, what is unfolded, what just happened."""

from __future__ import annotations

import pytest

from appliance.tui.rows import plain
from appliance.tui.text import width
from appliance.tui.views import overview
from tests.kit.dashboards import edge, scene

EDGE = edge()


def text(cells: int, count: int, **more: object) -> str:
    return "\n".join(plain(line) for line in overview.lines(scene(1, EDGE, **more), cells, count))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cells", "count"), [(160, 40), (120, 31), (109, 31), (80, 19), (60, 15), (50, 12), (40, 7)]
)
def test_it_fits(cells: int, count: int) -> None:
    """At each size."""
    lines = text(cells, count).split("\n")
    assert len(lines) == count
    assert {width(line) for line in lines} == {cells}


def test_the_worst_is_unfolded_first() -> None:
    """Endpoints are shown as far as there is room; what is in trouble has it first."""
    wide = text(120, 34)
    assert "▾ payments" in wide
    assert "10.0.8.12:8080" in wide
    assert "▸ users" in wide
    assert "▾ users" in text(120, 90)


def test_what_is_next_stands_with_what_happened() -> None:
    """When a breaker will let a probe through."""
    assert "→ half-open at " in text(120, 31)
    assert "(18s)" in text(80, 19)


def test_big_digits_only_where_signs_are() -> None:
    """Plain terminals have the number."""
    assert "╭" in text(120, 31)
    assert "╭" not in text(120, 31, ascii=True)
    assert "╭" not in text(120, 31, low=True)
