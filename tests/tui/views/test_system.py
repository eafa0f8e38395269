"""The proxy itself."""

from __future__ import annotations

import pytest

from appliance.tui.rows import plain
from appliance.tui.text import width
from appliance.tui.views import system
from tests.kit.dashboards import edge, scene

EDGE = edge()


@pytest.mark.parametrize(("cells", "count"), [(160, 50), (120, 31), (80, 19), (60, 15), (40, 8)])
def test_it_fits(cells: int, count: int) -> None:
    """At each size."""
    lines = [plain(line) for line in system.lines(scene(8, EDGE), cells, count)]
    assert len(lines) == count
    assert {width(line) for line in lines} == {cells}


def test_process_listeners_and_actions() -> None:
    """What an operator asks of a box."""
    drawn = "\n".join(plain(line) for line in system.lines(scene(8, EDGE), 170, 31))
    for words in ("pid 3977", "cpu 23%  rss 84M", "p99 3ms", "611 connections", "15m00s of the past", "97.0%",
                  "13 days !", "disk swap", "reloaded edge.yaml"):  # fmt: skip
        assert words in drawn, words
