"""Where requests are counted: plain additions when one ends, taken out now and then by whoever shows them."""

from __future__ import annotations

from dataclasses import dataclass, field

from .histogram import Counts, bucket


@dataclass(slots=True)
class Tally:
    """Counts of requests, or of tries; they add up.

    ``failed`` were answered with 5xx or not at all, ``refused`` by the proxy itself without asking anybody.
    ``classes`` counts statuses by their first digit, at 0 those without one. ``sent`` is bytes of bodies to
    the client, ``received`` of those from it. ``retries`` are tries beyond the first. ``times`` are
    microseconds until the head of the answer, or the end without one, by bucket.
    """

    total: int = 0
    failed: int = 0
    refused: int = 0
    sent: int = 0
    received: int = 0
    retries: int = 0
    classes: list[int] = field(default_factory=lambda: [0] * 6)
    times: Counts = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Add another to this one."""
        self.total += other.total
        self.failed += other.failed
        self.refused += other.refused
        self.sent += other.sent
        self.received += other.received
        self.retries += other.retries
        for digit, count in enumerate(other.classes):
            self.classes[digit] += count
        times = self.times
        for index, count in other.times.items():
            times[index] = times.get(index, 0) + count


class Cell:
    """The counts of one kind of request, such as those of a listener and a route."""

    __slots__ = ("_now",)

    def __init__(self) -> None:
        self._now = Tally()

    def count(
        self,
        status: int,
        seconds: float,
        sent: int,
        *,
        failed: bool,
        refused: bool = False,
        received: int = 0,
        retries: int = 0,
    ) -> None:
        """Count one that has ended."""
        now = self._now
        now.total += 1
        now.sent += sent
        if received:
            now.received += received
        if retries:
            now.retries += retries
        if failed:
            now.failed += 1
        if refused:
            now.refused += 1
        now.classes[status // 100 if status < 600 else 0] += 1
        us = bucket(int(seconds * 1e6))
        times = now.times
        times[us] = times.get(us, 0) + 1

    def take(self) -> Tally | None:
        """Give what has been counted since the last time, None for nothing."""
        now = self._now
        if not now.total:
            return None
        self._now = Tally()
        return now
