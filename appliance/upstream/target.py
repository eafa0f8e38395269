"""An upstream as one route sends to it, and the choice of an endpoint: synchronous, in one place.

Eligible is who is healthy, not drained, has a weight, room for another connection, and a breaker that is
ready. Those not yet tried for this request come first. The policy picks among them, the breaker of the pick
gives the ticket. When nobody is left the request fails at once and says when asking again makes sense;
``when_all_open: pass`` tries somebody all the same, and those results move no breaker.
"""

from __future__ import annotations

from collections.abc import Collection
from math import ceil

from appliance.config.plan import Destination
from appliance.model.exchange import Attempt
from appliance.model.fault import NO_ENDPOINT, Fault
from appliance.model.headers import Headers
from appliance.policy.breaker import State
from appliance.policy.retry import Budget

from .breakers import Fuse
from .cluster import Cluster
from .endpoint import Endpoint

_NOBODY: Collection[object] = ()


class Target:
    """One destination of a route: a cluster, breakers, rules and a budget for tries."""

    __slots__ = ("budget", "cluster", "fuses", "plan", "weight")

    def __init__(self, plan: Destination, cluster: Cluster, route: str) -> None:
        self.plan = plan
        self.cluster = cluster
        self.weight = plan.weight
        self.fuses = cluster.fuses
        if plan.own_breaker:
            self.fuses = cluster.own_fuses(route, plan.breaker)
        self.budget = cluster.budget
        if plan.retry.budget != cluster.plan.retry.budget:
            self.budget = Budget(plan.retry.budget.ratio, plan.retry.budget.floor)

    def choose(self, key: bytes, tried: Collection[object], now: float) -> Attempt | None:
        """Begin an attempt at one endpoint, those in ``tried`` only if there is no other.

        None when the only ones that could take it have as many connections as they may have. Raises
        Fault(NO_ENDPOINT) with Retry-After when nobody can.
        """
        attempt = self._among(key, tried, now)
        if attempt is None and tried:
            attempt = self._among(key, _NOBODY, now)
        if attempt is not None:
            return attempt
        return self._nobody(key, now)

    def _among(self, key: bytes, tried: Collection[object], now: float) -> Attempt | None:
        endpoints = self.cluster.endpoints
        room = self.cluster.plan.limits.max_connections
        fuses, known = self.fuses.of, self.fuses.known

        def usable(index: int) -> bool:
            endpoint = endpoints[index]
            health = endpoint.health
            if (
                (endpoint.in_flight >= room and endpoint.full(room))
                or endpoint.drained
                or (health is not None and not health.healthy)
            ):
                return False
            if tried and endpoint in tried:
                return False
            fuse = known.get(endpoint.name) or fuses(endpoint.name)
            return fuse is None or fuse.ready(now)

        while True:
            index = self.cluster.policy.pick(usable, key, now)
            if index is None:
                return None
            endpoint = endpoints[index]
            fuse = known.get(endpoint.name) or fuses(endpoint.name)
            if fuse is None:
                return Attempt(endpoint, now)
            ticket = fuse.breaker.admit(now)
            if ticket:
                return Attempt(endpoint, now, fuse, ticket)
            tried = {*tried, endpoint}

    def _nobody(self, key: bytes, now: float) -> Attempt | None:
        """Decide what becomes of a request that no endpoint is eligible for."""
        cluster = self.cluster
        room = cluster.plan.limits.max_connections
        weighted = [each for each in cluster.endpoints if each.weight]
        if any(each.available and each.full(room) and self._ready(each, now) for each in weighted):
            return None
        rules = self.fuses.rules
        if rules is not None and rules.when_all_open == "pass":
            for wanted in (lambda each: each.available, lambda each: not each.drained):
                those = {each for each in weighted if wanted(each)}
                free = {each for each in those if not each.full(room)}
                index = cluster.policy.pick(lambda index: cluster.endpoints[index] in free, key, now)  # noqa: B023
                if index is not None:
                    return self._regardless(cluster.endpoints[index], now)
                if those:
                    return None
        raise self._refusal(weighted, now)

    def _ready(self, endpoint: Endpoint, now: float) -> bool:
        fuse = self.fuses.of(endpoint.name)
        return fuse is None or fuse.ready(now)

    def _regardless(self, endpoint: Endpoint, now: float) -> Attempt:
        """Begin an attempt that a breaker would refuse; if it would not, the attempt counts."""
        fuse = self.fuses.of(endpoint.name)
        ticket = 0 if fuse is None else fuse.breaker.admit(now)
        return Attempt(endpoint, now, fuse if ticket else None, ticket)

    def _refusal(self, weighted: list[Endpoint], now: float) -> Fault:
        """Say why nobody is left, and when somebody may be."""
        parts = []
        fuses = [fuse for each in weighted if each.available and (fuse := self.fuses.of(each.name))]
        waits = [fuse.breaker.ready_at(now) - now for fuse in fuses]
        for fuse in dict.fromkeys(fuses):
            if not fuse.ready(now):
                fuse.refused += 1
        if fuses:
            parts.append(f"{len(fuses)} behind {_states(fuses)}")
        unhealthy = sum(not each.available and not each.drained for each in weighted)
        drained = len(self.cluster.endpoints) - len(weighted) + sum(each.drained for each in weighted)
        parts += [f"{unhealthy} unhealthy"] * bool(unhealthy) + [f"{drained} drained"] * bool(drained)
        why = ", ".join(parts) or "no address is known"
        health = self.cluster.plan.health
        if unhealthy and health is not None:
            waits.append(health.interval)
        fields: Headers = []
        if waits:
            fields.append((b"retry-after", b"%d" % max(1, ceil(min(waits)))))
            why += f"; worth another try in {max(0.0, min(waits)):.3g} s"
        count = len(self.cluster.endpoints)
        return Fault(NO_ENDPOINT, f"upstream {self.cluster.name}, endpoints: {count}, of them {why}", fields)


def _states(fuses: list[Fuse]) -> str:
    """Name the states of breakers that let nobody through."""
    names = {State.OPEN: "an open breaker", State.HALF_OPEN: "a half-open breaker that is probing"}
    found = dict.fromkeys(names.get(fuse.breaker.state, "a breaker forced open") for fuse in fuses)
    return " or ".join(found)
