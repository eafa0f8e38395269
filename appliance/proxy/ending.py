"""Where every exchange ends, answered or not: one place, one order, synchronous, once.

The attempt first (its connection may serve the next request at once, its breaker hears how it went), then
the deadline, then the record. Nothing here awaits, so no cancellation can split it.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.model.exchange import Exchange

from .access_log import AccessLog


class Ending:
    """Ends exchanges; counts them in ``total``."""

    __slots__ = ("_now", "_timed", "log", "total")

    def __init__(self, log: AccessLog | None, timed: set[Exchange], now: Callable[[], float]) -> None:
        self.log = log
        self._timed = timed
        self._now = now
        self.total = 0

    def end(self, exchange: Exchange) -> None:
        """Release what the exchange holds and write it down."""
        now = self._now()
        attempt = exchange.attempt
        if attempt is not None:
            attempt.end(exchange, exchange.fault, now)
        exchange.park = None
        if exchange.fault is not None:
            exchange.fault.__traceback__ = None  # whose frames lead back to the exchange
        if self._timed:
            self._timed.discard(exchange)
        self.total += 1
        if self.log is not None:
            self.log.record(exchange, now)
