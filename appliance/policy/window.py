"""How many of the last seconds' results were failures: counts over a window that slides.

The window is a ring of slots. A result counts in the slot of its time, a slot leaves as a whole when
it is older than the window; so what is counted is never older than the window, and never younger by
more than one slot (a tenth of it). Counting is two additions, whatever the traffic.
"""

from __future__ import annotations

SLOTS = 10


class Window:
    """Results of the last ``length`` seconds, in slots of a tenth of it."""

    __slots__ = ("_failed", "_latest", "_total", "_width", "failed", "total")

    def __init__(self, length: float) -> None:
        if length <= 0:
            raise ValueError("a window is longer than nothing")
        self._width = length / SLOTS
        self._total = [0] * SLOTS
        self._failed = [0] * SLOTS
        self._latest = 0
        self.total = 0
        self.failed = 0

    def add(self, failed: bool, now: float) -> None:
        """Count one result at ``now`` (seconds); one that is late counts in the latest slot."""
        self.advance(now)
        slot = self._latest % SLOTS
        self._total[slot] += 1
        self.total += 1
        if failed:
            self._failed[slot] += 1
            self.failed += 1

    def advance(self, now: float) -> None:
        """Forget what is older than the window at ``now``."""
        latest = int(now // self._width)
        behind = latest - self._latest
        if behind <= 0:
            return
        for number in range(latest - min(behind, SLOTS) + 1, latest + 1):
            slot = number % SLOTS
            self.total -= self._total[slot]
            self.failed -= self._failed[slot]
            self._total[slot] = self._failed[slot] = 0
        self._latest = latest

    def clear(self) -> None:
        """Forget everything."""
        self._total = [0] * SLOTS
        self._failed = [0] * SLOTS
        self.total = self.failed = 0
