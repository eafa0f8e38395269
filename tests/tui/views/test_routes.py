"""Routes, and one of them in sentences."""

from __future__ import annotations

import pytest

from appliance.tui.rows import plain
from appliance.tui.text import width
from appliance.tui.views import routes
from tests.kit.dashboards import edge, scene

EDGE = edge()


@pytest.mark.parametrize(("cells", "count"), [(160, 50), (120, 31), (80, 19), (60, 15), (40, 8)])
def test_it_fits(cells: int, count: int) -> None:
    """At each size."""
    lines = [plain(line) for line in routes.lines(scene(4, EDGE), cells, count)]
    assert len(lines) == count
    assert {width(line) for line in lines} == {cells}


def test_what_clients_see_and_what_it_took() -> None:
    """Effective and single tries side by side."""
    drawn = "\n".join(plain(line) for line in routes.lines(scene(4, EDGE, cursor={4: "search"}), 150, 31))
    assert "clients see 4.1% failed; of single tries 4.1% failed" in drawn
    assert "edge.yaml:63" in drawn
    assert "0s ago" in drawn
