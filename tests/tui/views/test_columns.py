"""What cells show of a thing."""

from __future__ import annotations

from appliance.tui.views.columns import endpoint_state, err_cell, route_columns, times, upstream_columns
from tests.kit.dashboards import breaker, edge, scene

EDGE = edge()


def word(**row: object) -> str:
    return "".join(text for text, _ in endpoint_state(scene(3, EDGE), "users/10.0.5.11:8080", row))


def test_the_state_of_an_endpoint() -> None:
    """By its breaker where it is up, else what holds it."""
    assert word(state="up", weight=100, share=1).startswith("━━━  CLOSED")
    assert word(state="up", weight=0, share=0) == "weight 0"
    assert word(state="up", weight=100, share=0.4) == "slow-start 40%"
    assert word(state="draining", act=3) == "DRAINING 3"
    assert word(state="drained") == "DRAINED"
    assert word(state="down") == "DOWN"
    assert word(state="odd\x1b") == "odd\\x1b"


def test_columns_are_those_of_the_drawing() -> None:
    """With titles as wide as they are."""
    for columns in (upstream_columns(scene(1, EDGE)), route_columns(scene(4, EDGE))):
        assert all(len(column.title) <= column.size for column in columns)
    assert err_cell(("a", {"err": 0.02})) == (("2.0", "open"),)
    assert times({"p50": 1}) == "p50 1ms  p90 –  p99 –"


def test_a_mix_of_statuses_is_a_bar_for_each() -> None:
    """Only of those that came."""
    mix = route_columns(scene(4, EDGE))[-1].cell
    drawn = "".join(text for text, _ in mix(("a", {"mix": {"2xx": 0.5, "5xx": 0.01}})))
    assert drawn == "2xx ████ 5xx █ "
    assert mix(("a", {"mix": None})) == (("", ""),)
    assert breaker("a")["st"] == "closed"
