"""The innermost service: lease a connection of the chosen endpoint, send, give the response head."""

from __future__ import annotations

from collections.abc import Awaitable
from math import inf

from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import REQUEST_TIMEOUT, Fault
from appliance.model.grpc import timeout
from appliance.model.message import Response

from .waiting import interruptible


def forward(exchange: Exchange) -> Awaitable[Response]:
    """Send the exchange to the endpoint of its attempt; raises Fault, at once or when awaited."""
    attempt = exchange.attempt
    if attempt is None:
        raise RuntimeError("forward stands below balance, which begins the attempt")
    exchange.stream.watch_hangup(exchange)
    if exchange.fault is not None:
        raise exchange.fault
    if attempt.began >= exchange.response_due:  # the endpoint has no part in it
        raise Fault(REQUEST_TIMEOUT, "the time of the route was over before this try could begin")
    if exchange.call_due < inf:
        _shorten(exchange, attempt.began)
    connection = None if exchange.fresh else attempt.endpoint.lease_nowait(attempt)
    return _open(exchange, attempt) if connection is None else connection.send(exchange, attempt)


def _shorten(exchange: Exchange, now: float) -> None:
    """Tell the endpoint of a gRPC call how much is left of the time that the client gave it."""
    left = (b"grpc-timeout", timeout(exchange.call_due - now))
    request = exchange.request
    request.headers = [left if pair[0] == b"grpc-timeout" else pair for pair in request.headers]


async def _open(exchange: Exchange, attempt: Attempt) -> Response:
    """Open a connection first; a client that leaves meanwhile, or a time that is over, ends that wait."""
    with interruptible(exchange):
        connection = await attempt.endpoint.open(attempt, exchange.response_due - attempt.began)
    return await connection.send(exchange, attempt)
