"""The order of the stack, written once.

Outermost first::

    shed        when memory is short, before any other work
    rate_limit  the proxy's own: a refused request costs no routing
    route       which route; nothing of a route is known above
      rate_limit  the route's own, for whatever the route does
      grpc_web  translates; all that follows sees gRPC
      deadline  total time, so it encloses everything that takes time
      inject    drills; in the time that the route has
      headers   who forwards for whom; sees the client's host, so it encloses the rewrite
      rewrite   what the upstream is asked, the same for every try
      mirror    a copy of what the upstream is asked, sent once
      split     which of the route's upstreams; outside of retries, so that a share is a share
      retry     tries again; encloses balance, so that another try goes elsewhere
      balance   waits for a place, chooses an endpoint, takes its breaker's ticket
      forward   sends

A layer that a route does not configure is not in its stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from appliance.config.plan import Destination, Forward, Plan, Respond, RoutePlan
from appliance.config.plan_policy import RateLimitPlan
from appliance.model.exchange import Exchange
from appliance.model.message import Response
from appliance.model.service import Layer, Service
from appliance.model.words import edit
from appliance.routing.rewrite import Rewrite
from appliance.upstream.cluster import Cluster, Outside
from appliance.upstream.forward import forward
from appliance.upstream.target import Target
from appliance.upstream.waiting import sleep

from .layers.balance import balance
from .layers.deadline import deadline
from .layers.grpc_web import grpc_web
from .layers.headers import headers
from .layers.inject import inject
from .layers.mirror import Mirror, mirror
from .layers.rate_limit import Limit, rate_limit
from .layers.retry import retry
from .layers.rewrite import rewrite
from .layers.route import route
from .layers.shed import Pressure, shed
from .layers.split import split
from .reply import redirect, respond


class Limits:
    """The rate limits of a plan by route, the proxy's own by ""; those of ``old`` go on."""

    def __init__(self, old: Mapping[str, Limit], outside: Outside) -> None:
        self.all: dict[str, Limit] = {}
        self._old = old
        self._outside = outside
        self._plans: dict[str, RateLimitPlan] = {}

    def layer(self, plan: RateLimitPlan, route: str, name: str) -> Layer:
        """Give the layer that asks the limit of a route."""
        limit = self._old.get(route)
        if limit is None or limit.plan.key != plan.key:
            limit = Limit(plan, name, self._outside.now)
        self.all[route] = limit
        self._plans[route] = plan
        return rate_limit(limit, plan, self._outside.now)

    def sweep(self) -> None:
        """Forget buckets that are full; for a moment when there is time."""
        for limit in self.all.values():
            limit.sweep()

    def take_over(self) -> None:
        """Let limits that go on go by their plans of now."""
        for name, limit in self.all.items():
            if limit.plan != self._plans[name]:
                limit.follow(self._plans[name])


def build_front(inner: Service, pressure: Pressure, limit: Layer | None) -> Service:
    """Give what stands before all routes, or before a listener's redirect."""
    return shed(pressure)(inner if limit is None else limit(inner))


def build_routes(
    plan: Plan,
    clusters: Mapping[str, Cluster],
    timed: set[Exchange],
    outside: Outside,
    limits: Limits,
) -> Service:
    """Give the service of all routes."""
    rows = []
    for row in plan.routes:
        service = _route_stack(row, plan, clusters, timed, outside)
        if row.rate_limit is not None:
            service = limits.layer(row.rate_limit, row.name, row.name)(service)
        rows.append((row, service))
    return route(rows)


def _route_stack(
    row: RoutePlan, plan: Plan, clusters: Mapping[str, Cluster], timed: set[Exchange], outside: Outside
) -> Service:
    action = row.action
    if isinstance(action, Forward):
        service = _forward_stack(row, action, plan, clusters, outside)
    else:
        answer = respond(action) if isinstance(action, Respond) else redirect(action, row.match)
        service = _edited(answer, row)
    if row.inject is not None:
        service = inject(row.inject, plan.name, outside.chance, sleep)(service)
    if row.timeouts.request < inf or isinstance(action, Forward):
        service = deadline(row.timeouts.request, timed)(service)
    return grpc_web(service) if row.grpc_web else service


def _forward_stack(
    row: RoutePlan, action: Forward, plan: Plan, clusters: Mapping[str, Cluster], outside: Outside
) -> Service:
    layers: list[Layer] = [headers(plan.name, row.request_headers, row.response_headers)]
    if row.rewrite != Rewrite():
        layers.append(rewrite(row.rewrite, row.match))
    if row.mirror is not None:
        copy = balance(Target(Destination(row.mirror.to), clusters[row.mirror.to], row.name))(forward)
        layers.append(mirror(Mirror(row.mirror, copy, outside.spawn, outside.chance, outside.now)))
    targets = [Target(to, clusters[to.upstream], row.name) for to in action.to]
    services = [_target_stack(target) for target in targets]
    service = services[0] if len(services) == 1 else split(services, [target.weight for target in targets])
    for layer in reversed(layers):
        service = layer(service)
    return service


def _target_stack(target: Target) -> Service:
    service = balance(target)(forward)
    return retry(target)(service) if target.plan.retry.max_retries else service


def _edited(inner: Service, row: RoutePlan) -> Service:
    """The route's response edits hold for answers that the proxy makes, too."""
    apply = edit(row.response_headers)
    if apply is None:
        return inner

    async def serve(exchange: Exchange) -> Response:
        response = await inner(exchange)
        response.headers = apply(exchange, response.headers)
        return response

    return serve
