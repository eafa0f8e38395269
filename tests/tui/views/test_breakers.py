"""Breakers as cards and as a table, with the report of the chosen one."""

from __future__ import annotations

import pytest

from appliance.tui.rows import plain
from appliance.tui.state import Model, reduce
from appliance.tui.text import width
from appliance.tui.views import breakers
from tests.kit.dashboards import edge, hello, scene

EDGE = edge()
SEARCH = "search/10.0.6.12:8080"


def text(cells: int, count: int, **more: object) -> str:
    return "\n".join(plain(line) for line in breakers.lines(scene(2, EDGE, **more), cells, count))  # type: ignore[arg-type]


@pytest.mark.parametrize(("cells", "count"), [(160, 50), (120, 31), (100, 31), (80, 20), (60, 15), (40, 8)])
@pytest.mark.parametrize("table", [True, False, None])
def test_it_fits(cells: int, count: int, table: bool | None) -> None:
    """Either way."""
    lines = text(cells, count, table=table).split("\n")
    assert len(lines) == count
    assert {width(line) for line in lines} == {cells}


def test_the_page_follows_the_cursor() -> None:
    """Cards come page by page; the chosen one is on the page and its report is below."""
    first = text(120, 31)
    assert "page 1/4" in first
    assert "why it opened (trip #3" in first
    last = text(120, 31, cursor={2: "users/10.0.5.13:8080"})
    assert "page 4/4" in last
    assert "▶users/10.0.5.13:8080" in last
    assert "it has not opened so far" in last


def test_nothing_to_show_is_said() -> None:
    """Because of the filter, or because there is none."""
    assert "no breaker fits the filter" in text(80, 20, filters={2: "name=nobody"})
    empty = reduce(Model(), hello())
    drawn = "\n".join(plain(line) for line in breakers.lines(scene(2, empty), 80, 20))
    assert "this proxy has no breakers" in drawn


def test_only_trouble() -> None:
    """Hides what is well."""
    assert "catalog" not in text(120, 31, trouble=True)
    assert SEARCH in text(120, 31, trouble=True)
