"""Live requests for whoever asks: matched at their end, capped, and never waited for.

A tap has room for a few hundred records between two looks; beyond that, and beyond its rate, records are
counted and not made. The requests that went wrong are kept for a while without any tap, so that one can be
asked for by its id later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, Final

from appliance.config.plan_policy import TapPlan
from appliance.model.exchange import Exchange
from appliance.wire.filter import Predicate, compile_filter

from .capture import Glance, record

RING: Final = 256
KEPT: Final = 2000
"""Requests that went wrong, of which the record is kept."""
KEEP_RATE: Final = 200.0
"""Of those, records made a second: a flood of refusals must stay as cheap as refusals are."""


class Tap:
    """One tap: ``seen`` matched, ``shown`` were made, ``dropped`` were over the rate or the room."""

    def __init__(self, match: str, rate: float, until: float, sample: int, most: float, now: float) -> None:
        """``rate`` is records per second, ``sample`` N shows one of N, ``most`` ends it after so many.

        Raises FilterError.
        """
        self.match = match
        self.until = until
        self.seen = self.shown = self.dropped = 0
        self._predicate: Predicate = compile_filter(match)
        self._all = not match.strip()
        self._rate = rate
        self._sample = sample
        self._most = most
        self._room = max(1.0, rate)
        self._tokens = self._room
        self._filled = now
        self._records: deque[dict[str, Any]] = deque()

    def hear(self, exchange: Exchange, now: float, make: Callable[[], dict[str, Any]]) -> None:
        """Take an exchange that has ended."""
        if now >= self.until or self.shown >= self._most:
            return
        if not self._all and not self._predicate(Glance(exchange, now)):  # type: ignore[arg-type]
            return
        self.seen += 1
        if self._sample > 1 and (self.seen - 1) % self._sample:
            return
        self._tokens = min(self._room, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1 or len(self._records) >= RING:
            self.dropped += 1
            return
        self._tokens -= 1
        self.shown += 1
        self._records.append(make())

    def over(self, now: float) -> bool:
        """Say whether no more will come."""
        return (now >= self.until or self.shown >= self._most) and not self._records

    def take(self) -> list[dict[str, Any]]:
        """Give the records since the last time, the oldest first."""
        taken = list(self._records)
        self._records.clear()
        return taken


class Taps:
    """All taps, and what is kept of requests that went wrong; ``hear`` is for the ending of exchanges."""

    def __init__(self, plan: Callable[[], TapPlan], now: Callable[[], float], offset: float) -> None:
        self._plan = plan
        self._now = now
        self._offset = offset
        self._taps: set[Tap] = set()
        self._kept: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._room = KEEP_RATE
        self._filled = now()
        self.keep_all = False

    def start(
        self, match: str, rate: float = inf, lasts: float = inf, sample: int = 1, most: float = inf
    ) -> Tap:
        """Begin a tap, within the bounds of the profile; raises FilterError."""
        plan, now = self._plan(), self._now()
        lasts = min(lasts, plan.max_time)
        tap = Tap(match, min(rate, plan.max_rate), now + lasts, max(1, sample), most, now)
        self._taps.add(tap)
        return tap

    def stop(self, tap: Tap) -> None:
        """End a tap."""
        self._taps.discard(tap)

    @property
    def count(self) -> int:
        """How many taps there are."""
        return len(self._taps)

    def hear(self, exchange: Exchange, now: float) -> None:
        """Take an exchange that has ended."""
        wrong = (
            exchange.fault is not None
            or exchange.status >= 500
            or exchange.tries > 1
            or exchange.notes is not None
        )
        if not wrong and not self._taps and not self.keep_all:
            return
        made: dict[str, Any] | None = None

        def make() -> dict[str, Any]:
            nonlocal made
            if made is None:
                made = record(exchange, now, self._offset, self._plan().headers)
            return made

        if (wrong or self.keep_all) and self._may_keep(now):
            self._kept.append(make())
        for tap in self._taps:
            tap.hear(exchange, now, make)

    def _may_keep(self, now: float) -> bool:
        """Take a place in the rate of records that are kept without anybody having asked."""
        self._room = min(KEEP_RATE, self._room + (now - self._filled) * KEEP_RATE)
        self._filled = now
        if self._room < 1:
            return False
        self._room -= 1
        return True

    def find(self, rid: str) -> dict[str, Any] | None:
        """Give the record of a request that went wrong, by its id or the end of it."""
        for row in reversed(self._kept):
            if row["rid"] == rid or (len(rid) >= 6 and str(row["rid"]).endswith(rid)):
                found: dict[str, Any] = row
                return found
        return None
