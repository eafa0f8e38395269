"""A window counts what is young enough, and nothing else, to within one slot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.policy.window import SLOTS, Window

STEPS = st.lists(st.tuples(st.floats(0, 30, allow_nan=False), st.booleans()), max_size=60)


@given(length=st.sampled_from([0.5, 1.0, 10.0, 600.0]), start=st.floats(0, 1e9), steps=STEPS)
def test_it_counts_what_a_list_of_results_would(
    length: float, start: float, steps: list[tuple[float, bool]]
) -> None:
    """Everything younger than nine tenths of the window, nothing that is older than all of it."""
    window, results, now = Window(length), [], start
    for pause, failed in steps:
        now += pause
        window.add(failed, now)
        results.append((now, failed))
        slack = 1e-6 * length + now * 1e-12
        least = [bad for at, bad in results if at > now - length * (SLOTS - 1) / SLOTS + slack]
        most = [bad for at, bad in results if at > now - length - slack]
        assert len(least) <= window.total <= len(most)
        assert sum(least) <= window.failed <= sum(most)


def test_time_alone_empties_it() -> None:
    """Looking at a later time forgets; at an earlier one it does not."""
    window = Window(10.0)
    window.add(True, 100.0)
    window.add(False, 103.0)
    window.advance(101.0)
    assert (window.total, window.failed) == (2, 1)
    window.advance(110.5)
    assert (window.total, window.failed) == (1, 0)
    window.advance(1e6)
    assert (window.total, window.failed) == (0, 0)


def test_late_results_count_now() -> None:
    """The clock of one worker does not go back; a result that seems to is not lost."""
    window = Window(1.0)
    window.add(False, 50.0)
    window.add(True, 49.0)
    assert (window.total, window.failed) == (2, 1)
    window.clear()
    assert (window.total, window.failed) == (0, 0)


def test_a_window_has_a_length() -> None:
    """Else every division by it would fail later."""
    with pytest.raises(ValueError, match="longer"):
        Window(0.0)
