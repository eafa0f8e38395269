"""Short of memory: first kept-alive connections end, then requests are refused, and it does not flap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.plan_policy import MemoryPlan
from appliance.proxy.layers.shed import Pressure
from tests.kit.origin import Origin
from tests.kit.proxy import running


@pytest.mark.parametrize(
    ("shares", "levels"),
    [
        ((0.5, 0.79, 0.8, 0.85, 0.9, 0.95), (0, 0, 1, 1, 2, 2)),
        ((0.95, 0.89, 0.88, 0.87), (2, 2, 2, 1)),
        ((0.81, 0.79, 0.78, 0.77), (1, 1, 1, 0)),
        ((0.95, 0.5, 0.95), (2, 0, 2)),
        ((0.95, None, 0.85), (2, 0, 1)),
    ],
)
def test_levels_are_left_a_little_below(shares: tuple[float | None, ...], levels: tuple[int, ...]) -> None:
    """By two hundredths; what is unknown is no reason to refuse anybody."""
    pressure = Pressure(MemoryPlan(0.8, 0.9))
    for share, level in zip(shares, levels, strict=True):
        before = pressure.level
        said = pressure.update(share)
        assert pressure.level == level
        assert bool(said) == (before != level)


@given(
    marks=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)).map(sorted),
    shares=st.lists(st.none() | st.floats(0, 1.2), max_size=40),
)
def test_levels_by_their_rules(marks: list[float], shares: list[float | None]) -> None:
    """From its mark on a level is reached; two hundredths below it is left; between, nothing changes."""
    pressure = Pressure(MemoryPlan(*marks))
    for share in shares:
        before, said = pressure.level, pressure.update(share)
        level = pressure.level
        assert bool(said) == (level != before)
        if share is None:
            assert level == 0
            continue
        for number, mark in enumerate(marks, 1):
            if share >= mark:
                assert level >= number
            elif share < mark - 0.02:
                assert level < number
            else:
                assert (level >= number) == (before >= number)


def test_changes_are_told() -> None:
    """With the share and what follows from it."""
    pressure = Pressure(MemoryPlan())
    assert pressure.update(0.85) == "memory is 85% full: kept-alive connections end"
    assert pressure.update(0.95) == "memory is 95% full: new requests get 503"
    assert pressure.update(0.5) == "memory is 50% full: normal again"
    assert pressure.update(0.9) != "" == pressure.update(0.9)
    assert pressure.update(0.0) == "memory is 0% full: normal again"
    assert pressure.update(0.9)
    assert pressure.update(None) == "nobody says how full memory is: normal again"


async def test_soft_ends_connections_and_hard_refuses(autojump_clock: object) -> None:
    """At soft an answer says that it is the last; at hard it is a 503 that costs no upstream anything."""
    origin = Origin()
    async with running(origin) as proxy:
        client = proxy.connect()
        assert (await client.get()).get(b"connection") is None
        proxy.worker.pressure.update(0.85)
        answer = await client.get()
        assert (answer.status, answer.get(b"connection")) == (200, b"close")
        proxy.worker.pressure.update(0.95)
        answer = await proxy.connect().get()
        assert (answer.status, answer.get(b"retry-after")) == (503, b"1")
        assert b"(shed, " in answer.body
        assert len(origin.requests) == 2
        assert proxy.worker.pressure.refused == 1
        proxy.worker.pressure.update(0.5)
        assert (await proxy.connect().get()).status == 200
