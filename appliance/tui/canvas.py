"""The one widget that draws: it is given lines, and sends the terminal only what differs from before."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from .palette import style
from .rows import Row
from .text import width

_NEAR = 12  # cells
_NOTHING = (" ", "\0")  # the cell of a line that is too short


class Canvas(Widget, can_focus=True):
    """A grid of cells. ``show`` gives it another picture; what is clicked comes back as ``Pointed``."""

    DEFAULT_CSS = "Canvas { width: 100%; height: 100%; }"

    class Pointed(Message):
        """Somebody clicked on a thing of a pane; ``twice`` says that they did so again."""

        def __init__(self, pane: str, key: str, twice: bool) -> None:
            super().__init__()
            self.pane, self.key, self.twice = pane, key, twice

    class Rolled(Message):
        """Somebody turned the wheel by so many lines."""

        def __init__(self, lines: int) -> None:
            super().__init__()
            self.lines = lines

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.palette = theme
        self._rows: Sequence[Row] = ()
        self.painted = 0
        """Lines that were drawn anew so far."""

    def show(self, rows: Sequence[Row]) -> None:
        """Take another picture."""
        before, self._rows = self._rows, rows
        if len(before) != len(rows):
            self.painted += len(rows)
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, rows, strict=True)):
            if old.spans != new.spans:
                self.painted += 1
                self.refresh(*(Region(begin, y, end - begin, 1) for begin, end in differing(old, new)))

    def render_line(self, y: int) -> Strip:
        """Give a line to the compositor."""
        if y >= len(self._rows):
            return Strip.blank(self.size.width, style("", self.palette))
        row = self._rows[y]
        segments = [Segment(text, style(names, self.palette)) for text, names in row.spans if text]
        return Strip(segments).adjust_cell_length(self.size.width, style("", self.palette))

    def on_click(self, event: events.Click) -> None:
        """Say what was pointed at."""
        if event.y < len(self._rows):
            for begin, end, pane, key in self._rows[event.y].hits:
                if begin <= event.x < end:
                    self.post_message(self.Pointed(pane, key, event.chain > 1))
                    return

    def on_mouse_scroll_down(self) -> None:
        """Go down."""
        self.post_message(self.Rolled(3))

    def on_mouse_scroll_up(self) -> None:
        """Go up."""
        self.post_message(self.Rolled(-3))


def differing(old: Row, new: Row) -> list[tuple[int, int]]:
    """Give the ranges of cells in which two lines differ: the first, and the one behind the last.

    What lies close together is one range: a few cells sent again are cheaper than moving the cursor.
    """
    before, after = _cells(old), _cells(new)
    size = max(len(before), len(after))
    before += [_NOTHING] * (size - len(before))
    after += [_NOTHING] * (size - len(after))
    ranges: list[tuple[int, int]] = []
    for x, (one, other) in enumerate(zip(before, after, strict=True)):
        if one == other:
            continue
        begin, end = x, x + 1
        while begin > 0 and not (before[begin][0] and after[begin][0]):  # the second half of a wide sign
            begin -= 1
        while end < size and not (before[end][0] and after[end][0]):
            end += 1
        if ranges and begin - ranges[-1][1] < _NEAR:
            ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
        else:
            ranges.append((begin, end))
    return ranges


def _cells(line: Row) -> list[tuple[str, str]]:
    """Give sign and style of each cell; the second half of a wide sign is empty."""
    found: list[tuple[str, str]] = []
    for text, names in line.spans:
        if text.isascii():
            found += [(sign, names) for sign in text]
            continue
        for sign in text:
            cells = width(sign)
            if cells:
                found += [(sign, names), *[("", names)] * (cells - 1)]
            elif found:
                found[-1] = (found[-1][0] + sign, found[-1][1])
    return found
