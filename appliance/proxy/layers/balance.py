"""Choose the upstream by the route's weights and an endpoint by its policy; begin the attempt.

Innermost but for sending, so that every further try chooses anew.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.model.exchange import Attempt, Exchange
from appliance.model.message import Response
from appliance.model.service import Layer, Service
from appliance.policy.balance import RoundRobin
from appliance.upstream.cluster import Cluster


def balance(targets: list[tuple[Cluster, int]], now: Callable[[], float]) -> Layer:
    """Give the layer that shares exchanges among ``targets`` in proportion to their weights."""
    clusters = [cluster for cluster, _ in targets]
    shares = RoundRobin([weight for _, weight in targets])
    only = clusters[0] if len(clusters) == 1 else None

    def wrap(inner: Service) -> Service:
        async def serve(exchange: Exchange) -> Response:
            cluster = only if only is not None else clusters[shares.pick() or 0]
            exchange.upstream = cluster.name
            exchange.attempt = Attempt(cluster.choose(), now())
            exchange.tries += 1
            return await inner(exchange)

        return serve

    return wrap
