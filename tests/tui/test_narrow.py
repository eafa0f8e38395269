"""What is sent to the terminal begins where it differs."""

from __future__ import annotations

import re

from rich.console import Console
from rich.segment import Segment
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from appliance.tui.narrow import Narrow, narrowed

LINE = Strip([Segment("abcdefghij"), Segment("klmnopqrst")])


def sent(spans: list[tuple[int, int, int]], chops: dict[int, Strip | None], ends: list[int]) -> str:
    update = Narrow([chops] * 3, spans, [ends] * 3)
    return re.sub("\x1b", "", update.render_segments(Console(color_system=None)))


def test_only_what_differs_is_sent() -> None:
    """Cut on both sides, each range with a move to it."""
    assert sent([(0, 3, 6), (2, 9, 11)], {0: LINE}, [20]) == "[1;4Hdef[3;10Hjk"
    assert sent([(1, 0, 20)], {0: LINE}, [20]) == "[2;1Habcdefghijklmnopqrst"


def test_lines_of_several_widgets() -> None:
    """Each gives its part; what is hidden gives none."""
    chops = {0: LINE.crop(0, 10), 10: None, 15: LINE.crop(15, 20)}
    assert sent([(0, 8, 17)], chops, [10, 15, 20]) == "[1;9Hij[1;16Hpq"


def test_other_updates_are_left_alone() -> None:
    """Only those of parts of the screen are cut."""
    assert narrowed(None) is None
    update = ChopsUpdate([{0: LINE}], [(0, 1, 2)], [[20]])
    assert isinstance(narrowed(update), Narrow)
    assert narrowed(made := Narrow([{0: LINE}], [(0, 1, 2)], [[20]])) is made
