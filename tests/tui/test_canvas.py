"""The canvas sends what differs and nothing else."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from appliance.tui.canvas import Canvas, differing
from appliance.tui.rows import Row, clip, plain, row
from appliance.tui.text import width

LINES = st.lists(st.tuples(st.text("abc ", min_size=1, max_size=5), st.sampled_from(("", "ok"))), max_size=5)


@given(LINES, LINES)
def test_what_differs_is_within_the_range(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    """Outside of it both lines are the same, sign by sign."""
    old, new = clip(Row(tuple(one)), 30), clip(Row(tuple(other)), 30)
    begin, end = differing(old, new)
    assert 0 <= begin <= end <= 30
    assert plain(old)[:begin] == plain(new)[:begin]
    assert plain(old)[end:] == plain(new)[end:]
    if plain(old) != plain(new):
        assert end > begin


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
