"""A plan brought to life: immutable, replaced as a whole, read once by each exchange at its birth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.config.plan import ListenerPlan, Plan
from appliance.model.exchange import Exchange
from appliance.model.service import Service
from appliance.routing.match import Match
from appliance.routing.rewrite import Redirect
from appliance.upstream.cluster import Cluster, Outside

from .layers.rate_limit import Limit
from .layers.shed import Pressure
from .reply import redirect
from .stack import build_front, build_routes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one generation of the profile means while the proxy runs; ``limits`` are its rate limits."""

    plan: Plan
    service: Service
    to_https: Service
    clusters: Mapping[str, Cluster]
    limits: tuple[Limit, ...]

    def service_of(self, listener: ListenerPlan) -> Service:
        """Give what answers the requests of ``listener``."""
        return self.to_https if listener.redirect_https else self.service


def revive(plan: Plan, outside: Outside, timed: set[Exchange], pressure: Pressure) -> Snapshot:
    """Bring ``plan`` to life; ``outside`` opens its connections, none yet."""
    clusters = {upstream.name: Cluster(upstream, outside) for upstream in plan.upstreams}
    limits: list[Limit] = []
    routes = build_routes(plan, clusters, timed, outside, limits)
    to_https = redirect(Redirect(status=308, scheme="https", port=443), Match())
    limit = None if plan.rate_limit is None else Limit(plan.rate_limit, plan.name, outside.now)
    if limit is not None:
        limits.append(limit)
    service, to_https = (build_front(inner, pressure, limit, outside) for inner in (routes, to_https))
    return Snapshot(plan, service, to_https, clusters, tuple(limits))
