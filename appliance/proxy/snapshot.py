"""A plan brought to life: immutable, replaced as a whole, read once by each exchange at its birth.

The next one is made beside the present one and shares with it what goes on: endpoints with their connections
and health, breakers, buckets. Nothing of that changes before ``take_over``, so a profile that cannot be
brought to life leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.config.plan import ListenerPlan, Plan
from appliance.model.address import Address
from appliance.model.exchange import Exchange
from appliance.model.service import Service
from appliance.routing.match import Match
from appliance.routing.rewrite import Redirect
from appliance.upstream.cluster import Cluster, Outside

from .layers.shed import Pressure
from .reply import redirect
from .stack import Limits, build_front, build_routes

Names = Mapping[Address, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one generation of the profile means while the proxy runs."""

    generation: int
    plan: Plan
    service: Service
    to_https: Service
    clusters: Mapping[str, Cluster]
    limits: Limits

    def service_of(self, listener: ListenerPlan) -> Service:
        """Give what answers the requests of ``listener``."""
        return self.to_https if listener.redirect_https else self.service

    def take_over(self, old: Snapshot) -> None:
        """Let what is shared with ``old`` go by this plan, and upstreams that only that one had go."""
        for cluster in self.clusters.values():
            cluster.take_over()
        self.limits.take_over()
        for name in old.clusters.keys() - self.clusters.keys():
            old.clusters[name].close()


def revive(
    plan: Plan,
    outside: Outside,
    timed: set[Exchange],
    pressure: Pressure,
    old: Snapshot | None = None,
    names: Names | None = None,
) -> Snapshot:
    """Bring ``plan`` to life; ``outside`` opens its connections, none yet. ``names``: what they resolve to.

    Raises OSError and ssl.SSLError where certificates cannot be used.
    """
    before = {} if old is None else old.clusters
    rows = plan.upstreams
    clusters = {row.name: Cluster(row, outside, before.get(row.name), names) for row in rows}
    limits = Limits({} if old is None else old.limits.all, outside)
    routes = build_routes(plan, clusters, timed, outside, limits)
    to_https = redirect(Redirect(status=308, scheme="https", port=443), Match())
    limit = None if plan.rate_limit is None else limits.layer(plan.rate_limit, "", plan.name)
    service, to_https = (build_front(inner, pressure, limit) for inner in (routes, to_https))
    generation = 1 if old is None else old.generation + 1
    return Snapshot(generation, plan, service, to_https, clusters, limits)
