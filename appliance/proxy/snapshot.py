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

from .reply import redirect
from .stack import build


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one generation of the profile means while the proxy runs."""

    plan: Plan
    service: Service
    to_https: Service
    clusters: Mapping[str, Cluster]

    def service_of(self, listener: ListenerPlan) -> Service:
        """Give what answers the requests of ``listener``."""
        return self.to_https if listener.redirect_https else self.service


def revive(plan: Plan, outside: Outside, timed: set[Exchange]) -> Snapshot:
    """Bring ``plan`` to life; ``outside`` opens its connections, none yet."""
    clusters = {upstream.name: Cluster(upstream, outside) for upstream in plan.upstreams}
    service = build(plan, clusters, timed, outside)
    to_https = redirect(Redirect(status=308, scheme="https", port=443), Match())
    return Snapshot(plan, service, to_https, clusters)
