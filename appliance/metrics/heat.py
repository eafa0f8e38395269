"""How long requests took over the last minutes: columns of time, rows of powers of two."""

from __future__ import annotations

from collections import deque
from typing import Final

from .histogram import Counts, bounds

STEP: Final = 5.0
"""Seconds of a column."""
COLUMNS: Final = 60
BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Milliseconds; the rows are what took less than each, and what took no less than the last."""


class Heat:
    """Counts of times by column and row; the newest column grows until its time is over."""

    __slots__ = ("_columns",)

    def __init__(self) -> None:
        self._columns: deque[tuple[int, list[int]]] = deque(maxlen=COLUMNS)

    def add(self, now: float, times: Counts) -> None:
        """Count times that ended about now (seconds)."""
        number = int(now // STEP)
        columns = self._columns
        if not columns or columns[-1][0] != number:
            columns.append((number, [0] * (len(BOUNDS) + 1)))
        rows = columns[-1][1]
        for index, count in times.items():
            ms = bounds(index)[0] / 1000
            row = 0
            while row < len(BOUNDS) and ms >= BOUNDS[row]:
                row += 1
            rows[row] += count

    def columns(self, now: float) -> list[list[int]]:
        """Give the columns of the last minutes, the oldest first; an empty one where nothing came."""
        latest = int(now // STEP)
        known = dict(self._columns)
        return [known.get(number, []) for number in range(latest - COLUMNS + 1, latest + 1)]
