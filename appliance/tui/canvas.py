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
                begin, end = differing(old, new)
                self.painted += 1
                self.refresh(Region(begin, y, max(1, end - begin), 1))

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


def differing(old: Row, new: Row) -> tuple[int, int]:
    """Give the first cell in which two lines of one length differ, and the one behind the last."""
    begin = end = 0
    same = 0
    for before, after in zip(old.spans, new.spans, strict=False):
        if before != after:
            break
        begin += width(after[0])
        same += 1
    tail = 0
    rest_old, rest_new = old.spans[same:], new.spans[same:]
    for before, after in zip(reversed(rest_old), reversed(rest_new), strict=False):
        if before != after:
            break
        tail += width(after[0])
    end = sum(width(text) for text, _ in new.spans) - tail
    return begin, max(begin, end)
