"""What counts look like as they go on: how many a second, how many of them failed, how long they took.

Fed at every tick with what came since the last. Rates are of the last second, shares and times of the last
ten; what is older is forgotten, but for the totals, which only grow.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from .cell import Tally
from .histogram import Counts, largest, quantiles

RATE_WINDOW: Final = 1.0
WINDOW: Final = 10.0
_SHARES: Final = (0.5, 0.9, 0.99)


class Flow:
    """The stream of one thing: of the proxy, a route, an endpoint. ``total`` is all since the beginning."""

    __slots__ = ("_ends", "_slots", "_window", "total")

    def __init__(self, now: float) -> None:
        self.total = Tally()
        self._ends: deque[tuple[float, int, int, int]] = deque([(now, 0, 0, 0)])
        self._slots: deque[tuple[float, Counts]] = deque()
        self._window: Counts = {}

    def tick(self, now: float, news: Tally | None) -> None:
        """Take what came since the last tick."""
        total = self.total
        if news is not None:
            total.total += news.total
            total.failed += news.failed
            total.refused += news.refused
            total.sent += news.sent
            for digit, count in enumerate(news.classes):
                total.classes[digit] += count
            window = self._window
            for index, count in news.times.items():
                window[index] = window.get(index, 0) + count
                total.times[index] = total.times.get(index, 0) + count
            self._slots.append((now, news.times))
        self._ends.append((now, total.total, total.failed, total.refused))
        while len(self._ends) > 2 and self._ends[1][0] <= now - WINDOW:
            self._ends.popleft()
        while self._slots and self._slots[0][0] <= now - WINDOW:
            for index, count in self._slots.popleft()[1].items():
                left = self._window[index] - count
                if left:
                    self._window[index] = left
                else:
                    del self._window[index]

    @property
    def rate(self) -> float:
        """Give requests per second over the last second."""
        now, total, _, _ = self._ends[-1]
        for time, before, _, _ in reversed(self._ends):
            if time <= now - RATE_WINDOW:
                return (total - before) / (now - time)
        time, before, _, _ = self._ends[0]
        return (total - before) / (now - time) if now > time else 0.0

    @property
    def errors(self) -> float | None:
        """Give the share that failed, None of nothing."""
        return self._share(2)

    @property
    def refusals(self) -> float | None:
        """Give the share that the proxy has refused, None of nothing."""
        return self._share(3)

    @property
    def times(self) -> tuple[float | None, float | None, float | None, int | None]:
        """Give p50, p90, p99 and the longest, in microseconds; None of nothing."""
        half, nine, hundred = quantiles(self._window, _SHARES)
        return half, nine, hundred, largest(self._window)

    def _share(self, place: int) -> float | None:
        first, last = self._ends[0], self._ends[-1]
        count = last[1] - first[1]
        return (last[place] - first[place]) / count if count else None
