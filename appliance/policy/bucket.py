"""Token buckets for many keys, each one number: the generic cell rate algorithm (ITU-T I.371).

The number is the time at which the bucket would be full again. A bucket that is full needs no number,
so only full ones are ever forgotten, and forgetting grants nobody a fresh burst. Where there is no
room and none is full, keys without a number share one overflow bucket. A key that gets a number later
begins with the debt of that bucket: so over any time t no key is ever granted more than
``burst + rate * t``, whatever else comes and goes.

Times are whole microseconds of any clock that does not go back.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

MAX_KEYS: Final = 65_536
_LOOKS: Final = 8
"""Buckets looked at for a full one each time that there is no room."""


class Buckets:
    """One bucket for each key: ``burst`` tokens, refilled at ``rate`` a second.

    Raises ValueError unless both are at least something.
    """

    __slots__ = ("_candidates", "_debts", "_interval", "_max_keys", "_overflow", "_tolerance", "burst")

    def __init__(self, rate: float, burst: int, max_keys: int = MAX_KEYS) -> None:
        self._set(rate, burst)
        self._max_keys = max_keys
        self._debts: dict[Hashable, int] = {}
        self._overflow = 0
        self._candidates: list[Hashable] = []

    def _set(self, rate: float, burst: int) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError("a bucket has a rate above 0 and room for at least one token")
        self.burst = burst
        self._interval = max(1, round(1e6 / rate))
        self._tolerance = self._interval * (burst - 1)

    def follow(self, rate: float, burst: int, now: int) -> None:
        """Fill at another rate from ``now`` on, to another burst: the tokens that are missing stay missing.

        Of a smaller bucket no more than all can be missing. Raises ValueError as the constructor does.
        """
        before, held = self._interval, self.burst
        self._set(rate, burst)
        if (self._interval, burst) == (before, held):
            return

        def renewed(full_at: int) -> int:
            missing = -(-max(0, full_at - now) * self._interval // before)
            return now + min(missing, self._interval * burst)

        for key, full_at in self._debts.items():
            self._debts[key] = renewed(full_at)
        self._overflow = renewed(self._overflow)

    def __len__(self) -> int:
        return len(self._debts)

    def take(self, key: Hashable, now: int) -> int:
        """Take one token; 0 if there was one, else the microseconds until there is. Refusals cost nothing."""
        full_at = self._debts.get(key)
        if full_at is None:
            return self._first(key, now)
        if full_at < now:
            full_at = now
        elif full_at - now > self._tolerance:
            return full_at - now - self._tolerance
        self._debts[key] = full_at + self._interval
        return 0

    def left(self, key: Hashable, now: int) -> int:
        """Give the tokens that a key has now; changes nothing."""
        full_at = self._debts.get(key, self._overflow)
        return self.burst - max(0, -(-(full_at - now) // self._interval))

    def full_after(self, key: Hashable, now: int) -> int:
        """Give the microseconds until the bucket of a key is full; changes nothing."""
        return max(0, self._debts.get(key, self._overflow) - now)

    def sweep(self, now: int) -> None:
        """Forget all buckets that are full; for a moment when there is time."""
        for key in [key for key, full_at in self._debts.items() if full_at <= now]:
            del self._debts[key]
        self._candidates.clear()

    def _first(self, key: Hashable, now: int) -> int:
        """Take a token for a key that has no number yet."""
        full_at = max(now, self._overflow)
        if full_at - now > self._tolerance:
            return full_at - now - self._tolerance
        if len(self._debts) < self._max_keys or self._forget_one(now):
            self._debts[key] = full_at + self._interval
        else:
            self._overflow = full_at + self._interval
        return 0

    def _forget_one(self, now: int) -> bool:
        """Look at a few buckets in turn; forget the first that is full."""
        for _ in range(_LOOKS):
            if not self._candidates:
                self._candidates = list(self._debts)
            key = self._candidates.pop()
            if self._debts.get(key, now + 1) <= now:
                del self._debts[key]
                return True
        return False
