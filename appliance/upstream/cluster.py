"""An upstream come to life: its endpoints and the policy that chooses among them."""

from __future__ import annotations

from appliance.config.plan import UpstreamPlan
from appliance.model.fault import NO_ENDPOINT, Fault
from appliance.policy.balance import RoundRobin

from .endpoint import Dial, Endpoint


class Cluster:
    """A named group of endpoints."""

    __slots__ = ("endpoints", "name", "plan", "policy")

    def __init__(self, plan: UpstreamPlan, dial: Dial) -> None:
        self.name = plan.name
        self.plan = plan
        self.endpoints = [Endpoint(endpoint, plan.timeouts, dial) for endpoint in plan.endpoints]
        self.policy = RoundRobin([endpoint.weight for endpoint in self.endpoints])

    def choose(self) -> Endpoint:
        """Give the endpoint whose turn it is; raises Fault(NO_ENDPOINT) when all weights are 0."""
        index = self.policy.pick()
        if index is None:
            raise Fault(NO_ENDPOINT, f"upstream {self.name} has no endpoint with a weight")
        return self.endpoints[index]

    def expire(self, now: float) -> None:
        """Close pooled connections that have been idle for too long."""
        for endpoint in self.endpoints:
            endpoint.expire(now)

    def close(self) -> None:
        """Close all pooled connections."""
        for endpoint in self.endpoints:
            endpoint.close()
