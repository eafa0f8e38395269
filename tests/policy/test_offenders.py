"""The guarantees of the sketch: never too low, too high by no more than it says, the heavy ones in it."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from appliance.policy.offenders import Offender, Offenders


@given(size=st.integers(1, 8), keys=st.lists(st.integers(0, 30), max_size=300))
def test_the_guarantees(size: int, keys: list[int]) -> None:
    """For any stream, beside a count of everything."""
    sketch, truth = Offenders(size), Counter(keys)
    for key in keys:
        sketch.count(key)
    found = sketch.top(size)
    assert len(found) <= size
    assert [each.counted for each in found] == sorted((each.counted for each in found), reverse=True)
    for each in found:
        assert each.counted - each.error <= truth[each.key] <= each.counted
    heavy = {key for key, count in truth.items() if count > len(keys) / size}
    assert heavy <= {each.key for each in found}
    assert sketch.total == len(keys)


def test_few_are_counted_exactly() -> None:
    """While there is room for all."""
    sketch = Offenders(3)
    for key in "abacab":
        sketch.count(key)
    assert sketch.top(2) == [Offender("a", 3, 0), Offender("b", 2, 0)]
    assert sketch.top(9)[2:] == [Offender("c", 1, 0)]


def test_nobody_yet() -> None:
    """An empty sketch has no offenders."""
    assert Offenders().top(5) == []
