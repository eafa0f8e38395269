"""Where every exchange ends, answered or not: one place, one order, synchronous, once.

The attempt first (its connection may serve the next request at once, its breaker hears how it went), then
the deadline, then the counts, then the record. Nothing here awaits, so no cancellation can split it.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.metrics.cell import Cell
from appliance.model.exchange import Exchange
from appliance.model.fault import Side
from appliance.model.message import NO_BODY
from appliance.upstream.breakers import GRPC_FAILURES, grpc_status

from .access_log import AccessLog

Listener = Callable[[Exchange, float], None]


class Ending:
    """Ends exchanges, and counts them in ``cells`` by listener and route ("" for none).

    ``live`` are the exchanges that have begun and not ended; ``listeners`` hear of each that ends, and when.
    They must not raise.
    """

    __slots__ = ("_now", "_timed", "cells", "listeners", "live", "log", "total")

    def __init__(self, log: AccessLog | None, timed: set[Exchange], now: Callable[[], float]) -> None:
        self.log = log
        self.cells: dict[tuple[str, str], Cell] = {}
        self.live: set[Exchange] = set()
        self.listeners: tuple[Listener, ...] = ()
        self.total = 0
        self._timed = timed
        self._now = now

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
        self.live.discard(exchange)
        self._count(exchange, now)
        if self.log is not None:
            self.log.record(exchange, now)
        for listener in self.listeners:
            listener(exchange, now)

    def _count(self, exchange: Exchange, now: float) -> None:
        key = (exchange.listener, exchange.route)
        cell = self.cells.get(key)
        if cell is None:
            cell = self.cells[key] = Cell()
        fault, status = exchange.fault, exchange.status
        refused = fault is not None and fault.reason.side is Side.PROXY
        failed = status >= 500 or (fault is not None and fault.reason.side is Side.UPSTREAM)
        if not failed and exchange.request.method == b"POST" and exchange.grpc:
            response = None if exchange.attempt is None else exchange.attempt.response
            failed = response is not None and grpc_status(response) in GRPC_FAILURES
        seconds = (exchange.head_at or now) - exchange.started
        stream, retries = exchange.stream, max(0, exchange.tries - 1)
        bodiless = exchange.request.body is NO_BODY and not _tunnelled(exchange)
        received = 0 if bodiless else stream.received
        cell.count(
            status,
            seconds,
            stream.sent,
            failed=failed,
            refused=refused,
            received=received,
            retries=retries,
        )


def _tunnelled(exchange: Exchange) -> bool:
    response = None if exchange.attempt is None else exchange.attempt.response
    return response is not None and response.tunnel is not None
