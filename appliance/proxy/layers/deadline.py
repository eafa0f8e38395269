"""Bound the whole exchange, all tries and both bodies included: ``timeouts.request`` and ``grpc-timeout``.

Outside of retries, so that waiting between tries counts too. The housekeeper looks at the exchanges
that have a deadline; the ending forgets them.
"""

from __future__ import annotations

from collections.abc import Awaitable
from math import inf

from appliance.model.exchange import Exchange
from appliance.model.grpc import seconds as grpc_seconds
from appliance.model.headers import get
from appliance.model.message import Response
from appliance.model.service import Layer, Service


def deadline(seconds: float, timed: set[Exchange]) -> Layer:
    """Give the layer that enters exchanges into ``timed``, due ``seconds`` from their start.

    A gRPC call is due when its client says so, if that is sooner.
    """

    def wrap(inner: Service) -> Service:
        def serve(exchange: Exchange) -> Awaitable[Response]:
            due = exchange.started + seconds
            if exchange.request.method == b"POST" and exchange.grpc:
                wanted = grpc_seconds(get(exchange.request.headers, b"grpc-timeout") or b"")
                if wanted is not None:
                    exchange.call_due = exchange.started + wanted
                    due = min(due, exchange.call_due)
            if due < inf:
                exchange.due = due
                timed.add(exchange)
            return inner(exchange)

        return serve

    return wrap
