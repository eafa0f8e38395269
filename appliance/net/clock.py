"""Trio's clock without the random offset that trio adds per process.

Several workers compare times through shared memory, so all of them must read the same clock. The value
is ``time.monotonic()``; code on the fast path may call that directly and get the same time line.
"""

from __future__ import annotations

import time

from trio.abc import Clock


class MonotonicClock(Clock):
    """A trio clock that is ``time.monotonic`` (CLOCK_MONOTONIC, seconds)."""

    def start_clock(self) -> None:
        """Do nothing: the clock always runs."""

    def current_time(self) -> float:
        """Give the monotonic time in seconds."""
        return time.monotonic()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Give the seconds from now until ``deadline``."""
        return deadline - time.monotonic()
