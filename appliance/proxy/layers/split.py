"""Share a route's exchanges among its upstreams, in proportion to the weights.

Outside of retries: a further try goes to another endpoint of the same upstream, so that a share is one.
"""

from __future__ import annotations

from collections.abc import Awaitable

from appliance.model.exchange import Exchange
from appliance.model.message import Response
from appliance.model.service import Service
from appliance.policy.balance import RoundRobin


def split(services: list[Service], weights: list[int]) -> Service:
    """Give the service that sends each exchange to one of ``services``; one of them has a weight."""
    shares = RoundRobin(weights)

    def serve(exchange: Exchange) -> Awaitable[Response]:
        return services[shares.pick() or 0](exchange)

    return serve
