"""The four boxes."""

from __future__ import annotations

from appliance.tui.rows import plain
from appliance.tui.state import Model, reduce
from appliance.tui.text import width
from appliance.tui.views import kpi
from tests.kit.dashboards import edge, hello, scene


def test_four_boxes_fill_the_width() -> None:
    """Whatever it is; also when nothing is known yet."""
    for known in (edge(), reduce(Model(), hello())):
        for cells in (110, 121, 163):
            lines = [plain(line) for line in kpi.boxes(scene(1, known), cells)]
            assert (len(lines), {width(line) for line in lines}) == (8, {cells})


def test_errors_say_what_was_usual() -> None:
    """And of which kind they are."""
    drawn = "\n".join(plain(line) for line in kpi.boxes(scene(1, edge()), 120))
    assert "now 2.1%" in drawn
    assert "was 0.5%" in drawn
    assert "4xx" in drawn
