"""Change path and host of a request as its route says, after routing and before the first try."""

from __future__ import annotations

from collections.abc import Awaitable

from appliance.model.exchange import Exchange
from appliance.model.message import Response
from appliance.model.service import Layer, Service
from appliance.routing.match import Match
from appliance.routing.path import split_target
from appliance.routing.rewrite import Rewrite


def rewrite(rule: Rewrite, match: Match) -> Layer:
    """Give the layer for one route; what it changes is seen by the upstream only."""
    host = None if rule.host is None else rule.host.encode()
    paths = rule.path is not None or rule.path_prefix is not None

    def wrap(inner: Service) -> Service:
        def serve(exchange: Exchange) -> Awaitable[Response]:
            request = exchange.request
            if paths and request.path != b"*":
                target = rule.apply(request.path, request.query, match)
                request.path, request.query = split_target(target)
            if host is not None:
                request.authority = host
            return inner(exchange)

        return serve

    return wrap
