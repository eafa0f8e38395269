"""Lists: order, filter, what is held, the cursor, which columns give way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.tui.rows import plain
from appliance.tui.tables import Column, fitting, ordered, place_cursor, predicate, scroll, table
from appliance.tui.text import width
from tests.kit.dashboards import edge, scene

EDGE = edge()
COLUMNS = [
    Column("NAME", 10, lambda item: ((item[0], "title"),), flex=True),
    Column("A", 5, lambda item: (("a", ""),), right=True, drop=1),
    Column("B", 5, lambda item: (("b", "ok"), ("x", "")), drop=2),
]


def names(**more: object) -> list[str]:
    return [key for key, _ in ordered(scene(2, EDGE, **more), "br", 2)]  # type: ignore[arg-type]


def test_order_and_filter() -> None:
    """By trouble, by a column, turned round, only some."""
    assert names()[:2] == ["payments/10.0.8.11:8080", "legacy/10.0.6.11:8080"]
    assert names(sort={2: ("name", False)})[0].startswith("catalog")
    assert names(sort={2: ("name", True)})[0].startswith("users")
    assert names(sort={2: ("ask", False)})[0] == "search/10.0.6.12:8080"
    assert names(filters={2: "state=open"}) == ["payments/10.0.8.11:8080"]
    assert names(filters={2: "name=legacy*"}) == ["legacy/10.0.6.11:8080", "legacy/10.0.6.12:8080"]
    assert len(names(filters={2: "err>>"})) == 22  # one that cannot be read hides nothing
    assert names(trouble=True) == names()[:3]
    assert predicate(" ") is None


def test_the_order_is_held_under_the_finger() -> None:
    """For three seconds after the cursor has moved, and for good when frozen; what is new stands last."""
    here = scene(2, EDGE, moved_at=99.0)
    first = [key for key, _ in ordered(here, "br", 2)]
    here.ui.order[2] = tuple(reversed(first[1:]))
    assert [key for key, _ in ordered(here, "br", 2)] == [*reversed(first[1:]), first[0]]
    here.ui.moved_at = 96.0
    assert [key for key, _ in ordered(here, "br", 2)] == first
    here.ui.frozen = True
    here.ui.order[2] = tuple(reversed(first))
    assert [key for key, _ in ordered(here, "br", 2)] == list(reversed(first))


@given(st.integers(5, 60), st.integers(1, 30), st.integers(0, 40))
def test_a_table_has_its_size_and_shows_the_cursor(cells: int, count: int, at: int) -> None:
    """However long the list is."""
    items = [(f"thing {number}", {}) for number in range(at + 5)]
    here = scene(2, EDGE, cursor={2: f"thing {at}"})
    rows = table(here, 2, COLUMNS, items, cells, count)
    assert len(rows) <= count
    assert {width(plain(row)) for row in rows} == {cells}
    if count > 1:
        marked = [row for row in rows if any("cursor" in names for _, names in row.spans)]
        assert len(marked) == 1
        assert marked[0].hits == ((0, cells, "list", f"thing {at}"),)


@given(st.integers(1, 80))
def test_columns_give_way_in_their_order(cells: int) -> None:
    """The highest number first; what is left over goes to the one that stretches."""
    shown = fitting(COLUMNS, cells)
    titles = [column.title for column, _ in shown]
    assert titles in (["NAME", "A", "B"], ["NAME", "A"], ["NAME"])
    taken = sum(size + 1 for _, size in shown) - 1
    assert taken == max(cells, 10)


def test_the_cursor_belongs_to_a_thing() -> None:
    """Not to a line; where that is gone it is on the first."""
    items = ordered(scene(2, EDGE), "br", 2)
    assert place_cursor(scene(2, EDGE, cursor={2: items[5][0]}), 2, items) == 5
    assert place_cursor(scene(2, EDGE, cursor={2: "gone"}), 2, items) == 0
    assert place_cursor(scene(2, EDGE), 2, []) == -1
    here = scene(2, EDGE, offset={2: 90})
    assert scroll(here, 2, 0, 10, 5) == 0
