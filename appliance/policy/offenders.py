"""Who is refused most, in a memory that does not grow: the Space-Saving sketch.

So many names are counted. A name that is not among them takes the place of the one with the lowest count and
goes on from there, so a count may be too high, by at most what it began with, and never too low; and whoever
has more than its part of all counts is among them (A. Metwally, D. Agrawal, A. El Abbadi, Efficient
Computation of Frequent and Top-k Elements in Data Streams, 2005).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Offender:
    """A name, how often it was counted at most, and by how much that may be too high."""

    key: Hashable
    counted: int
    error: int


class Offenders:
    """The names that were counted most, ``size`` of them; ``total`` counts all."""

    __slots__ = ("_counts", "_errors", "_size", "total")

    def __init__(self, size: int = 64) -> None:
        self._size = size
        self._counts: dict[Hashable, int] = {}
        self._errors: dict[Hashable, int] = {}
        self.total = 0

    def count(self, key: Hashable) -> None:
        """Count a name once more."""
        self.total += 1
        counts = self._counts
        if key in counts:
            counts[key] += 1
        elif len(counts) < self._size:
            counts[key] = 1
            self._errors[key] = 0
        else:
            least = min(counts, key=counts.__getitem__)
            base = counts.pop(least)
            del self._errors[least]
            counts[key] = base + 1
            self._errors[key] = base

    def top(self, most: int) -> list[Offender]:
        """Give those with the highest counts, the highest first."""
        ranked = sorted(self._counts.items(), key=lambda row: -row[1])[:most]
        return [Offender(key, count, self._errors[key]) for key, count in ranked]
