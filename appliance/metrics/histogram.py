"""Times in buckets of a width that grows with them: any quantile to within 3.2 %, from a few integers.

Below 32 us each microsecond has a bucket; above, each doubling is divided into sixteen (the layout of
HdrHistogram, with five significant bits). Counts add up: histograms of parts, or of seconds, are merged by
adding, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

_BITS: Final = 4
_LINEAR: Final = 2 << _BITS
LONGEST: Final = (1 << 32) - 1
"""Microseconds, an hour and some: what takes longer counts as this."""

Counts = dict[int, int]
"""How many times fell into each bucket that has any."""


def bucket(us: int) -> int:
    """Give the bucket of a time in microseconds."""
    if us < _LINEAR:
        return us if us > 0 else 0
    us = min(us, LONGEST)
    shift = us.bit_length() - _BITS - 1
    return (shift << _BITS) + (us >> shift)


def bounds(index: int) -> tuple[int, int]:
    """Give the first microsecond of a bucket, and the first behind it."""
    if index < _LINEAR:
        return index, index + 1
    shift = (index >> _BITS) - 1
    first = ((index & (1 << _BITS) - 1) + (1 << _BITS)) << shift
    return first, first + (1 << shift)


def merge(parts: Iterable[Mapping[int, int]]) -> Counts:
    """Add counts up."""
    whole: Counts = {}
    for part in parts:
        for index, count in part.items():
            whole[index] = whole.get(index, 0) + count
    return whole


def quantiles(counts: Mapping[int, int], shares: Iterable[float]) -> list[float | None]:
    """Give for each share (0 to 1, ascending) the microseconds within which so many were; None of nothing.

    It is the middle of the bucket in which the one lies that has so many before it (nearest rank).
    """
    total = sum(counts.values())
    wanted = list(shares)
    if not total:
        return [None] * len(wanted)
    found: list[float | None] = []
    ranks = [max(1, -(-int(share * total * 1_000_000) // 1_000_000)) for share in wanted]
    seen = 0
    rows = iter(sorted(counts.items()))
    index = 0
    for rank in ranks:
        while seen < rank:
            index, count = next(rows)
            seen += count
        first, behind = bounds(index)
        found.append((first + behind - 1) / 2)
    return found


def largest(counts: Mapping[int, int]) -> int | None:
    """Give the last microsecond of the highest bucket that has any."""
    return bounds(max(counts))[1] - 1 if counts else None
