"""Requests on a screen."""

from __future__ import annotations

import pytest

from appliance.tui.rows import plain
from appliance.tui.tapped import Tapped
from appliance.tui.text import width
from appliance.tui.views import tap
from tests.kit.dashboards import DAY, edge, scene
from tests.tui.test_tapping import ROW

EDGE = edge()
TAP = Tapped(match="status>=500", rows=(ROW, {"rid": "b"}, {}), seen=3, shown=3, until=400.0)


@pytest.mark.parametrize(("cells", "count"), [(160, 50), (120, 32), (80, 20), (60, 15), (40, 8)])
@pytest.mark.parametrize("told", [TAP, Tapped(), Tapped(until=5.0), Tapped(why="no")])
def test_it_fits(cells: int, count: int, told: Tapped) -> None:
    """At each size, with and without requests."""
    lines = [plain(line) for line in tap.lines(scene(5, EDGE, tap=told), cells, count)]
    assert len(lines) == count
    assert {width(line) for line in lines} == {cells}


def test_a_waterfall_lies_where_the_time_went() -> None:
    """Each part begins where the one before ended."""
    drawn = [plain(line) for line in tap.waterfall(scene(5, EDGE), ROW, 128)]
    bars = [(line.index("█"), line.count("█")) for line in drawn]
    assert [count for _, count in bars] == [3, 92, 5]
    assert bars[1][0] == bars[0][0] + bars[0][1]
    assert tap.waterfall(scene(5, EDGE), {"ph": None}, 60) == []


def test_what_hangs_right_now() -> None:
    """The oldest first; what is older than a second stands out."""
    known = edge()
    known.state["live"] = {
        str(n): {"me": "GET", "path": "/x", "up": "app", "began": DAY - n * 700, "ph": "wait"}
        for n in range(9)
    }
    rows = tap.in_flight(scene(5, known), 42, 6)
    texts = [plain(row) for row in rows]
    assert texts[0].startswith(" 5.60s GET")
    assert texts[-1].startswith("… 4 more")
    assert rows[0].spans[0][1] == "open"
