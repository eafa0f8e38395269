"""One time line for trio and for everybody else."""

from __future__ import annotations

import time

import trio

from appliance.net.clock import MonotonicClock


def test_it_is_the_monotonic_clock() -> None:
    """No offset: processes that share memory compare its values."""
    clock = MonotonicClock()
    clock.start_clock()
    before = time.monotonic()
    now = clock.current_time()
    assert before <= now <= time.monotonic()
    assert 9.0 < clock.deadline_to_sleep_time(now + 10) <= 10


def test_trio_runs_on_it() -> None:
    """What trio calls the current time is what ``time.monotonic`` says."""

    async def main() -> tuple[float, float]:
        return time.monotonic(), trio.current_time()

    outside, inside = trio.run(main, clock=MonotonicClock())
    assert 0 <= inside - outside < 1
