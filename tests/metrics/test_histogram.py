"""Buckets of times: every time has one, errors are bounded, and parts add up to the whole."""

from __future__ import annotations

from collections import Counter
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.metrics.histogram import LONGEST, bounds, bucket, largest, merge, quantiles

TIMES = st.integers(0, LONGEST)


@given(TIMES)
def test_a_time_lies_in_its_bucket(us: int) -> None:
    """Between the bounds, which are no further apart than a sixteenth."""
    first, behind = bounds(bucket(us))
    assert first <= us < behind
    assert behind - first == 1 or (behind - first) * 16 <= first


def test_buckets_follow_each_other() -> None:
    """Without gaps, from nothing to the longest."""
    behind = 0
    for index in range(bucket(LONGEST) + 1):
        first, after = bounds(index)
        assert first == behind
        behind = after
    assert behind == LONGEST + 1
    assert bucket(-5) == 0
    assert bucket(LONGEST * 9) == bucket(LONGEST)


@given(st.lists(TIMES, min_size=1), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_quantiles_are_near(times: list[int], shares: list[float]) -> None:
    """Within 3.2 % of the one that nearest rank gives."""
    shares = [round(share, 6) for share in sorted(shares)]
    for share, found in zip(shares, quantiles(Counter(map(bucket, times)), shares), strict=True):
        exact = sorted(times)[max(1, ceil(round(share * len(times), 6))) - 1]
        assert found is not None
        assert abs(found - exact) <= 0.032 * exact + 0.5


@given(st.lists(st.lists(TIMES)))
def test_parts_add_up(parts: list[list[int]]) -> None:
    """Whatever belongs to which part, and in whatever order."""
    counted = [Counter(map(bucket, part)) for part in parts]
    whole = Counter(bucket(each) for part in parts for each in part)
    assert merge(counted) == merge(reversed(counted)) == whole


def test_of_nothing_nothing_is_known() -> None:
    """None, which is not zero."""
    assert quantiles({}, [0.5, 0.99]) == [None, None]
    assert largest({}) is None
    assert largest({bucket(1000): 1}) == pytest.approx(1000, rel=0.032)
