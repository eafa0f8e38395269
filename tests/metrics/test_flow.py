"""Rates, shares and times of the last seconds, against a list of everything that happened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.metrics.cell import Cell
from appliance.metrics.flow import RATE_WINDOW, WINDOW, Flow
from appliance.metrics.histogram import bucket, merge, quantiles

TICKS = st.lists(
    st.tuples(
        st.sampled_from([0.25, 1.0, 3.0, 30.0]),
        st.lists(st.tuples(st.booleans(), st.floats(0.0, 5.0)), max_size=5),
    ),
    max_size=60,
)


@given(TICKS)
def test_it_is_what_a_list_would_say(ticks: list[tuple[float, list[tuple[bool, float]]]]) -> None:
    """Each tick's requests count at its time; those older than the window are forgotten at once."""
    flow, cell, now = Flow(0.0), Cell(), 0.0
    history: list[tuple[float, bool, float]] = []
    times = [0.0]
    for pause, ends in ticks:
        now += pause
        for failed, seconds in ends:
            cell.count(500 if failed else 200, seconds, 1, failed=failed)
            history.append((now, failed, seconds))
        flow.tick(now, cell.take())
        times.append(now)
        recent = [each for each in history if each[0] > now - WINDOW]
        expected = merge({bucket(int(seconds * 1e6)): 1} for _, _, seconds in recent)
        assert flow.times[:3] == tuple(quantiles(expected, (0.5, 0.9, 0.99)))
        begin = max((time for time in times if time <= now - RATE_WINDOW), default=0.0)
        count = sum(time > begin for time, _, _ in history)
        assert flow.rate == pytest.approx(count / (now - begin))
        start = max((time for time in times if time <= now - WINDOW), default=0.0)
        share = [failed for time, failed, _ in history if time > start]
        assert flow.errors == (pytest.approx(sum(share) / len(share)) if share else None)
    assert (flow.total.total, flow.total.sent) == (len(history), len(history))
    assert flow.total.failed == sum(failed for _, failed, _ in history)
    assert sum(flow.total.times.values()) == len(history)


def test_of_nothing_nothing_is_known() -> None:
    """No rate is 0; no share and no time are None."""
    flow = Flow(5.0)
    assert flow.rate == 0.0
    for now in (6.0, 7.0, 99.0):
        flow.tick(now, None)
        assert (flow.rate, flow.errors, flow.refusals, flow.times) == (0.0, None, None, (None,) * 4)


def test_a_flow_stays_small() -> None:
    """After a busy time as after a quiet one."""
    flow, cell = Flow(0.0), Cell()
    for number in range(4000):
        if number < 2000:
            cell.count(200, 0.001 * number, 0, failed=False)
        flow.tick(number / 4, cell.take())
        assert len(flow._ends) <= 42
        assert len(flow._slots) <= 41
    assert flow._window == {}
