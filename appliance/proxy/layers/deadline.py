"""Bound the whole exchange, all tries and both bodies included (``timeouts.request``).

Outside of retries, so that waiting between tries counts too. The housekeeper looks at the exchanges
that have a deadline; the ending forgets them.
"""

from __future__ import annotations

from collections.abc import Awaitable

from appliance.model.exchange import Exchange
from appliance.model.message import Response
from appliance.model.service import Layer, Service


def deadline(seconds: float, timed: set[Exchange]) -> Layer:
    """Give the layer that enters each exchange into ``timed`` with ``seconds`` from its start."""

    def wrap(inner: Service) -> Service:
        def serve(exchange: Exchange) -> Awaitable[Response]:
            exchange.due = exchange.started + seconds
            timed.add(exchange)
            return inner(exchange)

        return serve

    return wrap
