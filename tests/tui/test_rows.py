"""Lines and boxes have exactly the size that was asked for, and what can be pointed at moves with them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.tui.glyphs import UNICODE
from appliance.tui.rows import (
    EMPTY,
    Row,
    beside,
    box,
    clip,
    filled,
    labelled,
    length,
    plain,
    pointing,
    row,
    rule,
    split,
    toned,
)
from appliance.tui.text import width

SPANS = st.lists(st.tuples(st.text("ab 漢é", max_size=8), st.sampled_from(("", "ok", "bold"))), max_size=6)


@given(SPANS, st.integers(0, 40))
def test_clipping_gives_just_so_many_cells(spans: list[tuple[str, str]], cells: int) -> None:
    """Styles stay with their text."""
    line = clip(Row(tuple(spans)), cells)
    assert length(line.spans) == cells
    if length(spans) <= cells:
        assert plain(line).rstrip() == "".join(text for text, _ in spans).rstrip()


@given(SPANS, SPANS, SPANS, st.integers(4, 60), st.integers(2, 9))
def test_a_box_has_its_size(
    title: list[tuple[str, str]],
    right: list[tuple[str, str]],
    body: list[tuple[str, str]],
    cells: int,
    count: int,
) -> None:
    """Whatever stands in it and on it; the right title goes before the left one."""
    drawn = box([Row(tuple(body))] * 3, cells, count, UNICODE, title=title, right=right)
    assert len(drawn) == count
    assert {width(plain(line)) for line in drawn} == {cells}
    assert plain(drawn[0])[0] + plain(drawn[0])[-1] == "┌┐"
    assert width(plain(rule(title, right, cells, UNICODE))) == cells
    assert width(plain(split(title, right, cells))) == cells


def test_what_is_pointed_at_moves_with_it() -> None:
    """Beside others and inside of boxes."""
    left = [clip(EMPTY, 10)]
    right = [pointing(clip(row("x"), 5), 5, "list", "a")]
    assert beside(left, right)[0].hits == ((10, 15, "list", "a"),)
    assert box(right, 9, 3, UNICODE)[1].hits == ((2, 7, "list", "a"),)
    assert clip(right[0], 3).hits == ((0, 3, "list", "a"),)


def test_odds_and_ends() -> None:
    """A tone is painted on each span; details have their label in front; a block is filled up."""
    assert toned(row("a", ("b", "ok")), "cursor").spans == (("a", "cursor"), ("b", "ok cursor"))
    assert plain(labelled("state", "up")) == "state      up"
    assert [plain(line) for line in filled([row("abc")], 2, 2)] == ["ab", "  "]
