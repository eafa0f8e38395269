"""Rates, shares and times of the last seconds, against a list of everything that happened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.metrics.cell import Cell
from appliance.metrics.flow import RATE_WINDOW, WINDOW, Flow, Meter
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


def test_times_for_screens_are_a_second_old_at_most() -> None:
    """But for the first ones, and they are gone when the window is empty."""
    flow, cell = Flow(0.0), Cell()
    flow.tick(0.0, None)
    assert flow.lately() == (None, None, None, None)
    for now, seconds in ((0.25, 0.001), (0.5, 1.0)):
        cell.count(200, seconds, 1, failed=False)
        flow.tick(now, cell.take())
        assert flow.lately()[2] == quantiles({bucket(1000): 1}, (0.99,))[0]
    flow.tick(1.25, None)
    assert flow.lately() == flow.times
    flow.tick(1.25 + WINDOW, None)
    assert flow.lately() == (None, None, None, None)


def test_the_mix_of_statuses() -> None:
    """Of the window; a flow without any is quiet."""
    flow, cell = Flow(0.0), Cell()
    assert (flow.mix, flow.quiet) == (None, True)
    for status in (200, 200, 404, 0):
        cell.count(status, 0.1, 1, failed=False)
    flow.tick(1.0, cell.take())
    assert (flow.mix, flow.quiet) == ([0.25, 0, 0.5, 0, 0.25, 0], False)
    flow.tick(1.0 + WINDOW, None)
    flow.tick(2.0 + WINDOW, None)
    assert (flow.mix, flow.quiet) == (None, True)


def test_a_meter_is_the_growth_over_a_second() -> None:
    """Never negative: a count that began anew begins at nothing."""
    meter = Meter(0.0)
    rates = [meter.tick(now / 4, total) for now, total in enumerate((2, 4, 6, 8, 10), 1)]
    assert rates[-1] == 8
    assert meter.tick(5.0, 10) == 0
    assert meter.tick(6.0, 3) == 0


def test_retries_stand_for_tries_that_failed() -> None:
    """Two answers, one good at once, one bad after two retries: three of four tries failed."""
    flow, cell = Flow(0.0), Cell()
    assert flow.errors_by_try is None
    cell.count(200, 0.1, 1, failed=False, received=5)
    cell.count(503, 0.1, 1, failed=True, retries=2)
    flow.tick(2.0, cell.take())
    assert (flow.errors, flow.errors_by_try, flow.retries) == (0.5, 0.75, 1.0)
    assert (flow.total.received, flow.total.retries) == (5, 2)
