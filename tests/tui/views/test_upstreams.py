"""The tree of upstreams and endpoints."""

from __future__ import annotations

import pytest

from appliance.tui.rows import plain
from appliance.tui.text import width
from appliance.tui.views import upstreams
from tests.kit.dashboards import edge, scene

EDGE = edge()


def text(cells: int = 120, count: int = 40, **more: object) -> str:
    return "\n".join(plain(line) for line in upstreams.lines(scene(3, EDGE, **more), cells, count))  # type: ignore[arg-type]


@pytest.mark.parametrize(("cells", "count"), [(160, 50), (120, 31), (80, 19), (60, 15), (40, 8)])
def test_it_fits(cells: int, count: int) -> None:
    """At each size."""
    lines = text(cells, count).split("\n")
    assert len(lines) == count
    assert {width(line) for line in lines} == {cells}


def test_endpoints_stand_below_their_upstream() -> None:
    """The last with another branch; folded they are gone."""
    keys = [key for key, _ in upstreams.tree(scene(3, EDGE), 3)]
    assert keys[:4] == ["payments", *(f"payments/10.0.8.{n}:8080" for n in (11, 12, 13))]
    folded = [key for key, _ in upstreams.tree(scene(3, EDGE, folded={"payments"}), 3)]
    assert folded[:2] == ["payments", "legacy"]


def test_a_filter_finds_endpoints_and_shows_where_they_are() -> None:
    """With their upstream above."""
    found = [key for key, _ in upstreams.tree(scene(3, EDGE, filters={3: "state=down"}), 3)]
    assert found == ["search", "search/10.0.6.15:8080"]


def test_each_state_is_a_word() -> None:
    """And who drained an endpoint, why, until when."""
    drawn = text(cursor={3: "legacy/10.0.6.12:8080"})
    assert "DRAINED" in drawn
    assert "DOWN" in drawn
    assert "✗ refused" in drawn
    assert "drained by admin (uid 1000), ends by itself in 21m29s" in drawn
    assert '"disk swap"' in drawn
    assert "7 upstreams · 22 endpoints · 1 open · 1 down · 1 drained" in drawn


def test_many_endpoints_begin_folded() -> None:
    """Five hundred would bury the rest."""
    known = edge()
    for number in range(500):
        known.state["ep"][f"users/x{number}"] = {"up": "users", "addr": f"x{number}", "state": "up"}
    keys = [key for key, _ in upstreams.tree(scene(3, known), 3)]
    assert len(keys) == 7
    assert len(upstreams.tree(scene(3, known, unfolded={"users"}), 3)) == 7 + 503
