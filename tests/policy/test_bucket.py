"""No key is ever granted more than its burst and its rate, across forgetting and overflow."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.policy.bucket import Buckets

SECOND = 1_000_000


def test_a_burst_and_then_the_rate() -> None:
    """Five at once, then one each tenth of a second."""
    buckets = Buckets(10.0, 5)
    assert [buckets.take("a", 0) for _ in range(6)] == [0, 0, 0, 0, 0, SECOND // 10]
    assert buckets.take("a", SECOND // 10 - 1) == 1
    assert buckets.take("a", SECOND // 10) == 0
    assert buckets.take("b", 0) == 0


def test_what_is_left_is_what_can_be_taken() -> None:
    """At any moment, and it fills up to the burst and no further."""
    buckets = Buckets(10.0, 5)
    assert (buckets.left("a", 7), buckets.full_after("a", 7)) == (5, 0)
    for _ in range(3):
        buckets.take("a", 0)
    assert (buckets.left("a", 0), buckets.full_after("a", 0)) == (2, 300_000)
    assert buckets.left("a", 99_999) == 2
    assert buckets.left("a", 100_000) == 3
    assert buckets.left("a", 60 * SECOND) == 5


@pytest.mark.parametrize(("rate", "burst"), [(0.0, 1), (-1.0, 1), (1.0, 0)])
def test_a_bucket_holds_something(rate: float, burst: int) -> None:
    """One that never fills would refuse everybody for ever."""
    with pytest.raises(ValueError, match="rate above 0"):
        Buckets(rate, burst)


def test_only_full_buckets_are_forgotten() -> None:
    """With no room, a newcomer takes the place of a full one; else it shares the overflow."""
    buckets = Buckets(1.0, 2, max_keys=3)
    for key in "abc":
        buckets.take(key, 0)
    assert len(buckets) == 3
    assert [buckets.take(key, 0) for key in "dede"] == [0, 0, SECOND, SECOND]
    assert buckets.take("a", 0) == 0
    assert len(buckets) == 3
    assert buckets.take("f", 2 * SECOND) == 0
    assert buckets.left("f", 2 * SECOND) == 1
    buckets.sweep(10 * SECOND)
    assert len(buckets) == 0


STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([0, 1, 1000, 99_999, 100_000, 250_000, 3_000_000])),
    max_size=120,
)


@settings(max_examples=200)
@given(
    rate=st.sampled_from([1.0, 3.0, 10.0, 1000.0]),
    burst=st.integers(1, 4),
    room=st.integers(1, 6),
    steps=STEPS,
)
def test_never_more_than_rate_and_burst(
    rate: float, burst: int, room: int, steps: list[tuple[int, int]]
) -> None:
    """Over every stretch of time between two grants of one key, however few keys there is room for."""
    buckets = Buckets(rate, burst, max_keys=room)
    granted: dict[int, list[int]] = defaultdict(list)
    now = 0
    for key, pause in steps:
        now += pause
        waits = buckets.take(key, now)
        if waits:
            assert buckets.left(key, now) == 0
        else:
            granted[key].append(now)
        assert len(buckets) <= room
    for times in granted.values():
        for first in range(len(times)):
            for last in range(first, len(times)):
                seconds = (times[last] - times[first]) / SECOND
                assert last - first + 1 <= burst + seconds * rate * (1 + 1e-6) + 1e-6


@settings(max_examples=200)
@given(rate=st.sampled_from([1.0, 10.0]), burst=st.integers(1, 4), steps=STEPS)
def test_with_room_it_is_the_bucket_that_everybody_knows(
    rate: float, burst: int, steps: list[tuple[int, int]]
) -> None:
    """Beside tokens that are counted and refilled: the same answers, and after the wait a token is there."""
    buckets = Buckets(rate, burst)
    tokens: dict[int, tuple[float, int]] = {}
    now = 0
    for key, pause in steps:
        now += pause
        amount, at = tokens.get(key, (float(burst), now))
        amount = min(burst, amount + (now - at) * rate / SECOND)
        waits = buckets.take(key, now)
        assert (waits == 0) == (amount >= 1 - 1e-9)
        tokens[key] = (amount - (waits == 0), now)
        if waits:
            assert amount + waits * rate / SECOND >= 1 - 1e-6
            assert amount + (waits - 1) * rate / SECOND < 1
