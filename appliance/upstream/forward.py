"""The innermost service: lease a connection of the chosen endpoint, send, give the response head."""

from __future__ import annotations

import trio

from appliance.model.exchange import Attempt, Connection, Exchange
from appliance.model.fault import UPSTREAM_RESET, Fault
from appliance.model.message import Response

_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))


async def forward(exchange: Exchange) -> Response:
    """Send the exchange to the endpoint of its attempt; raises Fault.

    A pooled connection that dies before its first byte was most likely closed by the peer as we wrote:
    an idempotent request without a body is then sent once more, on a fresh connection (RFC 9110
    section 9.2.2, RFC 9112 section 9.3.1).
    """
    attempt = exchange.attempt
    if attempt is None:
        raise RuntimeError("forward stands below balance, which begins the attempt")
    exchange.stream.watch_hangup(exchange)
    if exchange.fault is not None:
        raise exchange.fault
    connection = attempt.endpoint.lease_nowait(attempt) or await _open(exchange, attempt)
    try:
        return await connection.send(exchange, attempt)
    except Fault as fault:
        request = exchange.request
        stale = fault.reason is UPSTREAM_RESET and attempt.reused
        if not (stale and request.body.length == 0 and request.method in _IDEMPOTENT):
            raise
    connection.release()
    attempt.connection = None
    connection = await _open(exchange, attempt)
    return await connection.send(exchange, attempt)


async def _open(exchange: Exchange, attempt: Attempt) -> Connection:
    """Open a connection; a client that leaves meanwhile, or a time that is over, ends the wait at once."""
    with trio.CancelScope() as scope:
        exchange.park = _Scope(scope)
        connection = await attempt.endpoint.open(attempt)
    if exchange.fault is not None:
        raise exchange.fault
    return connection


class _Scope:
    """A cancel scope that an exchange can be found in while it waits for more than one park."""

    def __init__(self, scope: trio.CancelScope) -> None:
        self._scope = scope

    def interrupt(self, _fault: Fault) -> None:
        """End the wait; the fault itself stands in the exchange."""
        self._scope.cancel()
