"""What counts look like as they go on: how many a second, how many of them failed, how long they took.

Fed at every tick with what came since the last. Rates are of the last second, shares and times of the last
ten; what is older is forgotten, but for the totals, which only grow.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal

from .cell import Tally
from .histogram import Counts, largest, quantiles

RATE_WINDOW: Final = 1.0
WINDOW: Final = 10.0
_SHARES: Final = (0.5, 0.9, 0.99)


Times = tuple[float | None, float | None, float | None, int | None]
"""p50, p90, p99 and the longest, in microseconds."""
_End = tuple[float, int, int, int, int, tuple[int, ...]]
# when; counts until then: all, failed, refused, retries, classes


class Meter:
    """A count that only grows, and how fast over the last second."""

    __slots__ = ("_ends",)

    def __init__(self, now: float, total: float = 0) -> None:
        self._ends: deque[tuple[float, float]] = deque([(now, total)])

    def tick(self, now: float, total: float) -> float:
        """Take what the count is now; give its rate per second."""
        ends = self._ends
        ends.append((now, total))
        while len(ends) > 2 and ends[1][0] <= now - RATE_WINDOW:
            ends.popleft()
        time, before = ends[0]
        return max(0.0, total - before) / (now - time) if now > time else 0.0


class Flow:
    """The stream of one thing: of the proxy, a route, an endpoint. ``total`` is all since the beginning.

    Its times are kept there, too, if ``keep_times`` says so. A flow that stands still costs next to nothing.
    """

    __slots__ = (
        "_at",
        "_born",
        "_ends",
        "_idle",
        "_keep_times",
        "_lately",
        "_slots",
        "_timed_until",
        "_window",
        "quiet",
        "total",
    )

    def __init__(self, now: float, keep_times: bool = True) -> None:
        self.total = Tally()
        self.quiet = True
        """Whether nothing came within the window, so that nothing changes but by news."""
        self._at = self._born = now
        self._ends: deque[_End] = deque([(now, 0, 0, 0, 0, (0,) * 6)])
        self._idle: deque[float] = deque([now])
        self._slots: deque[tuple[float, Counts]] = deque()
        self._window: Counts = {}
        self._lately: Times = (None, None, None, None)
        self._timed_until = 0.0
        self._keep_times = keep_times

    def tick(self, now: float, news: Tally | None) -> None:
        """Take what came since the last tick."""
        if self.quiet:
            idle = self._idle
            if news is None:
                idle.append(now)
                while len(idle) > 2 and idle[1] <= now - RATE_WINDOW:
                    idle.popleft()
                self._at = now
                return
            self._ends = deque([(time, *self._ends[-1][1:]) for time in idle])
        total = self.total
        if news is not None:
            total.total += news.total
            total.failed += news.failed
            total.refused += news.refused
            total.sent += news.sent
            total.received += news.received
            total.retries += news.retries
            for digit, count in enumerate(news.classes):
                total.classes[digit] += count
            window = self._window
            for index, count in news.times.items():
                window[index] = window.get(index, 0) + count
            if self._keep_times:
                times = total.times
                for index, count in news.times.items():
                    times[index] = times.get(index, 0) + count
            self._slots.append((now, news.times))
        last = self._ends[-1]
        classes = last[5] if news is None else tuple(total.classes)
        self._at = now
        self._ends.append((now, total.total, total.failed, total.refused, total.retries, classes))
        while len(self._ends) > 2 and self._ends[1][0] <= now - WINDOW:
            self._ends.popleft()
        while self._slots and self._slots[0][0] <= now - WINDOW:
            for index, count in self._slots.popleft()[1].items():
                left = self._window[index] - count
                if left:
                    self._window[index] = left
                else:
                    del self._window[index]
        self.quiet = self._ends[0][1] == total.total and not self._window
        if self.quiet:
            self._idle = idle = deque(end[0] for end in self._ends)
            while len(idle) > 2 and idle[1] <= now - RATE_WINDOW:
                idle.popleft()

    @property
    def rate(self) -> float:
        """Give requests per second over the last second."""
        if self.quiet:
            return 0.0
        now, total = self._ends[-1][:2]
        for time, before, *_ in reversed(self._ends):
            if time <= now - RATE_WINDOW:
                return (total - before) / (now - time)
        time, before = self._ends[0][:2]
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
    def retries(self) -> float:
        """Give tries beyond the first per second, over the window."""
        first, last = self._ends[0], self._ends[-1]
        seconds = max(last[0] - first[0], min(WINDOW, last[0] - self._born))
        return (last[4] - first[4]) / seconds if seconds else 0.0

    @property
    def errors_by_try(self) -> float | None:
        """Give the share of single tries that failed, each retry being for one; None of nothing."""
        first, last = self._ends[0], self._ends[-1]
        again = last[4] - first[4]
        tries = last[1] - first[1] + again
        return (last[2] - first[2] + again) / tries if tries else None

    @property
    def times(self) -> Times:
        """Give p50, p90, p99 and the longest, in microseconds; None of nothing."""
        half, nine, hundred = quantiles(self._window, _SHARES)
        return half, nine, hundred, largest(self._window)

    @property
    def mix(self) -> list[float] | None:
        """Give the shares of the classes of statuses: none, 1xx ... 5xx; None of nothing."""
        first, last = self._ends[0], self._ends[-1]
        count = last[1] - first[1]
        if not count:
            return None
        return [(after - before) / count for before, after in zip(first[5], last[5], strict=True)]

    def lately(self) -> Times:
        """Give ``times`` as they were at most a second ago: they are the dearest number to work out."""
        now = self._at
        if now >= self._timed_until or self._lately[0] is None:
            self._lately = self.times
            self._timed_until = now + RATE_WINDOW
        return self._lately

    def _share(self, place: Literal[2, 3]) -> float | None:
        first, last = self._ends[0], self._ends[-1]
        count = last[1] - first[1]
        return (last[place] - first[place]) / count if count else None
