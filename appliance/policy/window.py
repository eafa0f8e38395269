"""How many of the last seconds' results were failures: counts over a window that slides.

The window is a ring of slots. A result counts in the slot of its time, a slot leaves as a whole when
it is older than the window; so what is counted is never older than the window, and never younger by
more than one slot (a tenth of it). Counting is an addition or two, whatever the traffic.
"""

from __future__ import annotations

SLOTS = 10


class Window:
    """Results of the last ``length`` seconds, in slots of a tenth of it.

    ``total`` and ``failed`` are the sums over all slots, and all that is counted until ``until``: what the
    present slot has is worked out when it ends. So whoever counts many may add to them without a call.
    """

    __slots__ = ("_failed", "_latest", "_total", "_width", "failed", "total", "until")

    def __init__(self, length: float) -> None:
        if length <= 0:
            raise ValueError("a window is longer than nothing")
        self._width = length / SLOTS
        self._latest = 0
        self.until = 0.0
        self.clear()

    def add(self, failed: bool, now: float) -> None:
        """Count one result at ``now`` (seconds); one that is late counts in the latest slot."""
        if now >= self.until:
            self.advance(now)
        self.total += 1
        if failed:
            self.failed += 1

    def advance(self, now: float) -> None:
        """Forget what is older than the window at ``now``."""
        latest = int(now // self._width)
        behind = latest - self._latest
        if behind <= 0:
            return
        totals, faileds = self._total, self._failed
        ended = self._latest % SLOTS
        totals[ended] = self.total - sum(totals)
        faileds[ended] = self.failed - sum(faileds)
        for number in range(latest - min(behind, SLOTS) + 1, latest + 1):
            slot = number % SLOTS
            self.total -= totals[slot]
            self.failed -= faileds[slot]
            totals[slot] = faileds[slot] = 0
        self._latest = latest
        self.until = (latest + 1) * self._width

    def clear(self) -> None:
        """Forget everything."""
        self._total = [0] * SLOTS  # of the slots that have ended; that of the present one is 0
        self._failed = [0] * SLOTS
        self.total = 0
        self.failed = 0
