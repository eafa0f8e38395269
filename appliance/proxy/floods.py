"""Connections that the proxy has ended because of what their client did: counted, and told now and then.

Whoever attacks comes back at once, so there is one line for the first, and every ten seconds one for all
that came since. The counts go on for ever; statistics read them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

PAUSE: Final = 10.0  # seconds between two lines about the same
BROKEN: Final = "protocol error"
"""What is no flood, but a rule of HTTP/2 that the client broke."""


@dataclass(frozen=True, slots=True)
class FloodEvent:
    """A client has been cut off; ``count`` are all of its kind since the last event, of whatever clients."""

    listener: str
    peer: str
    kind: str
    why: str
    count: int


class FloodLedger:
    """Counts connections that were ended, by listener and kind; ``told`` gets an event now and then."""

    __slots__ = ("_now", "_quiet_until", "_seen", "_told", "counts")

    def __init__(self, told: Callable[[FloodEvent], None], now: Callable[[], float]) -> None:
        self._told = told
        self._now = now
        self.counts: Counter[tuple[str, str]] = Counter()
        self._seen: Counter[tuple[str, str]] = Counter()
        self._quiet_until: dict[tuple[str, str], float] = {}

    def ended(self, listener: str, peer: str, kind: str, why: str) -> None:
        """Count a connection that was ended."""
        key = (listener, kind or BROKEN)
        self.counts[key] += 1
        self._seen[key] += 1
        now = self._now()
        if now >= self._quiet_until.get(key, now):
            self._quiet_until[key] = now + PAUSE
            self._told(FloodEvent(listener, peer, key[1], why, self._seen.pop(key)))
