"""Begin an attempt: wait for a place if the upstream is full, choose an endpoint, take its breaker's ticket.

Innermost but for sending, so that every further try chooses anew.
"""

from __future__ import annotations

from collections.abc import Awaitable
from math import inf

from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import Fault, Side
from appliance.model.message import Response
from appliance.model.service import Layer, Service
from appliance.policy.verdict import TOO_MANY_REQUESTS
from appliance.upstream.hash_key import key_of
from appliance.upstream.target import Target

_PROBE = 0xFFFF_FFFF  # the bits of a ticket that only a probe has


def balance(target: Target) -> Layer:
    """Give the layer that sends each try to one endpoint of ``target``."""
    cluster = target.cluster
    crowd, now = cluster.crowd, cluster.now
    plan = cluster.plan
    hashed = None if plan.hash_on is None else key_of(plan.hash_on)

    def wrap(inner: Service) -> Service:
        def serve(exchange: Exchange) -> Awaitable[Response]:
            exchange.upstream = cluster.name
            began = now()
            if exchange.response_due == inf and exchange.request.body.at_hand():
                exchange.response_due = began + exchange.response_limit
            key = b"" if hashed is None else hashed(exchange)
            if not crowd.turns and crowd.in_flight < crowd.limits.max_requests:
                attempt = target.choose(key, exchange.tried, began)
                if attempt is not None:
                    exchange.attempt = attempt
                    exchange.tries += 1
                    return probe(exchange, attempt) if attempt.ticket & _PROBE else inner(exchange)
            return wait(exchange, key)

        async def wait(exchange: Exchange, key: bytes) -> Response:
            exchange.stream.watch_hangup(exchange)
            attempt = await crowd.wait(exchange, lambda: target.choose(key, exchange.tried, now()))
            exchange.attempt = attempt
            exchange.tries += 1
            return await probe(exchange, attempt)

        async def probe(exchange: Exchange, attempt: Attempt) -> Response:
            guard = attempt.guard
            if guard is not None and attempt.ticket & _PROBE:
                guard.probing(attempt, exchange)
            response = await inner(exchange)
            if guard is not None:
                guard.head(attempt, exchange, now())
            return response

        return _timed(target, serve) if plan.balance == "ewma" else serve

    return wrap


def _timed(target: Target, inner: Service) -> Service:
    """Tell the policy how long each try took until its head, and which ones failed."""
    cluster = target.cluster

    async def serve(exchange: Exchange) -> Response:
        try:
            response = await inner(exchange)
        except Fault as fault:
            if fault.reason.side is Side.UPSTREAM:
                hear(exchange, failed=True)
            raise
        hear(exchange, failed=response.status >= 500 or response.status == TOO_MANY_REQUESTS)
        return response

    def hear(exchange: Exchange, *, failed: bool) -> None:
        attempt = exchange.attempt
        if attempt is not None:
            time = cluster.now()
            cluster.heard(attempt.endpoint.name, time - attempt.began, failed, time)

    return serve
