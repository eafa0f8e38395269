"""The canvas sends what differs and nothing else."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from appliance.tui.canvas import Canvas, differing
from appliance.tui.rows import Row, clip, row
from appliance.tui.text import width

LINES = st.lists(
    st.tuples(st.text("abc 漢é̂", min_size=1, max_size=5), st.sampled_from(("", "ok"))), max_size=9
)


def cells(line: Row) -> list[tuple[str, str]]:
    """Give what stands in each cell."""
    found: list[tuple[str, str]] = []
    for text, style in line.spans:
        for sign in text:
            if width(sign) == 0 and found:
                found[-1] = (found[-1][0] + sign, found[-1][1])
            found += [(sign, style), ("", style)][: width(sign)]
    return found


@given(LINES, LINES)
def test_what_differs_is_within_the_ranges(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    """Outside of them both lines are the same, sign by sign; they are apart, and cut no sign in two."""
    old, new = clip(Row(tuple(one)), 40), clip(Row(tuple(other)), 40)
    ranges = differing(old, new)
    inside = {x for begin, end in ranges for x in range(begin, end)}
    before, after = cells(old), cells(new)
    for x, (was, now) in enumerate(zip(before, after, strict=True)):
        assert was == now or x in inside
    for begin, end in ranges:
        assert 0 <= begin < end <= 40
        assert before[begin][0] or begin == 0
        assert after[begin][0] or begin == 0
        assert end == 40 or (before[end][0] and after[end][0])
    assert all(first[1] <= then[0] for first, then in pairwise(ranges))
    assert bool(ranges) == (before != after)


def test_far_apart_is_apart() -> None:
    """The middle of a line that stays is not sent again."""
    old, new = clip(row("1" + "x" * 50 + "1"), 60), clip(row("2" + "x" * 50 + "2"), 60)
    assert differing(old, new) == [(0, 1), (51, 52)]


class Bare(App[None]):
    """A canvas alone."""

    def compose(self) -> ComposeResult:
        yield Canvas("dark")


def test_lines_that_stay_are_not_drawn_again() -> None:
    """One of ten changes: one is painted."""

    async def run() -> None:
        app = Bare()
        async with app.run_test(size=(30, 10)) as pilot:
            canvas = app.query_one(Canvas)
            rows = [clip(row(f"line {number}"), 30) for number in range(10)]
            canvas.show(rows)
            await pilot.pause()
            before = canvas.painted
            canvas.show([*rows[:3], clip(row("another"), 30), *rows[4:]])
            assert canvas.painted == before + 1
            canvas.show([*rows[:3], clip(row("another"), 30), *rows[4:]])
            assert canvas.painted == before + 1
            assert canvas.render_line(3).text.startswith("another")
            assert width(canvas.render_line(99).text) == 30

    asyncio.run(run())


def test_clicks_find_what_is_there() -> None:
    """By the cell."""

    async def run() -> None:
        found: list[tuple[str, str]] = []

        class Clicked(Bare):
            def on_canvas_pointed(self, event: Canvas.Pointed) -> None:
                found.append((event.pane, event.key))

            def on_canvas_rolled(self, event: Canvas.Rolled) -> None:
                found.append(("wheel", str(event.lines)))

        app = Clicked()
        async with app.run_test(size=(30, 4)) as pilot:
            app.query_one(Canvas).show([Row((("a" * 30, ""),), ((5, 9, "list", "x"),))] * 4)
            await pilot.click(offset=(6, 2))
            await pilot.click(offset=(20, 2))
            await pilot.pause()
        assert found == [("list", "x")]

    asyncio.run(run())
