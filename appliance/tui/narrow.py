"""Sends the terminal the cells that differ, and not all that stand to the left of them.

Textual's update of a part of the screen draws each line from where its widget begins. With one widget that is
as wide as the screen this is most of the line: seven times the bytes, which counts over ssh.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate


class Narrow(ChopsUpdate):
    """An update whose lines are cut on both sides."""

    def render_segments(self, console: Console) -> str:
        """Give what is sent: for each range of cells a move and the cells."""
        sent: list[str] = []
        for y, begin, end in self.spans:
            for until, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                left, right = max(x, begin), min(until, end)
                if strip is not None and left < right:
                    sent += [
                        Control.move_to(left, y).segment.text,
                        strip.crop(left - x, right - x).render(console),
                    ]
        return "".join(sent)


def narrowed(update: Any) -> Any:
    """Give the same update, cut on both sides; others as they are."""
    if type(update) is ChopsUpdate:
        return Narrow(update.chops, update.spans, update.chop_ends)
    return update
