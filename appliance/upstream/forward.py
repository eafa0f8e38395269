"""The innermost service: lease a connection of the chosen endpoint, send, give the response head."""

from __future__ import annotations

from appliance.model.exchange import Attempt, Connection, Exchange
from appliance.model.message import Response

from .waiting import interruptible


async def forward(exchange: Exchange) -> Response:
    """Send the exchange to the endpoint of its attempt; raises Fault."""
    attempt = exchange.attempt
    if attempt is None:
        raise RuntimeError("forward stands below balance, which begins the attempt")
    exchange.stream.watch_hangup(exchange)
    if exchange.fault is not None:
        raise exchange.fault
    connection = None if exchange.fresh else attempt.endpoint.lease_nowait(attempt)
    if connection is None:
        connection = await _open(exchange, attempt)
    attempt.response = response = await connection.send(exchange, attempt)
    return response


async def _open(exchange: Exchange, attempt: Attempt) -> Connection:
    """Open a connection; a client that leaves meanwhile, or a time that is over, ends the wait at once."""
    with interruptible(exchange):
        return await attempt.endpoint.open(attempt, exchange.response_due - attempt.began)
    raise RuntimeError("unreachable: a wait without a limit ends with a connection or a fault")
