"""An upstream come to life: its endpoints, the policy that chooses among them, and what they share.

Shared by all routes that send here: the endpoints with their pools, the breakers of the upstream's own
rules, the retry budget, the cap on requests. The list of endpoints changes while it lives, when a name
resolves to other addresses; what stays keeps its connections, its breaker and its health.

An endpoint that is new, or comes back, takes its share step by step if ``slow_start`` says so: from a
tenth of its weight to all of it, in a straight line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from appliance.config.plan import EndpointPlan, UpstreamPlan
from appliance.model.address import Address
from appliance.net.handshake import handshake_client
from appliance.net.tls_context import ClientTls
from appliance.net.transport import Transport
from appliance.policy import balance
from appliance.policy.breaker import Shift, State
from appliance.policy.health import Health
from appliance.policy.retry import Budget

from .breakers import BreakerShift, Fuse, Fuses, Look
from .crowd import Crowd
from .discover import Resolve, lookup
from .endpoint import Dial, Endpoint, Speaks

_FIRST_SHARE = 0.1
_FINE = 100  # weights are multiplied by this where they grow in steps


@dataclass(frozen=True, slots=True)
class Outside:
    """What an upstream needs from outside.

    Connections, the time, chance, somebody to tell of what changes (``BreakerShift`` and the like),
    ``spawn`` for tasks that end with the worker, and the resolver of names.
    """

    dial: Dial
    now: Callable[[], float]
    chance: Random
    told: Callable[[object], None]
    spawn: Callable[..., object]
    resolve: Resolve = lookup


class Cluster:
    """A named group of endpoints. ``fuses`` are the breakers of its own rules, ``others`` those of routes."""

    __slots__ = (
        "_found",
        "_outside",
        "_tls",
        "_warming",
        "budget",
        "crowd",
        "endpoints",
        "fuses",
        "name",
        "others",
        "plan",
        "policy",
    )

    def __init__(self, plan: UpstreamPlan, outside: Outside) -> None:
        self.name = plan.name
        self.plan = plan
        self.crowd = Crowd(plan.name, plan.limits)
        self.fuses = Fuses(plan.name, plan.breaker, outside.now, self.moved)
        self.others: list[Fuses] = []
        self.budget = Budget(plan.retry.budget.ratio, plan.retry.budget.floor)
        self.endpoints: list[Endpoint] = []
        self.policy = balance.make(plan.balance, [], outside.chance)
        self._outside = outside
        self._tls = None if plan.tls is None else ClientTls(plan.tls, plan.protocol)
        self._warming: dict[Endpoint, float] = {}
        self._found: dict[EndpointPlan, tuple[str, ...]] = {}
        self._arrange([self._endpoint(entry) for entry, _ in self._entries()], [])

    @property
    def chance(self) -> Random:
        """Give what draws lots here."""
        return self._outside.chance

    def now(self) -> float:
        """Give the time (seconds)."""
        return self._outside.now()

    def resolved(
        self, name: EndpointPlan, addresses: tuple[str, ...]
    ) -> tuple[list[Endpoint], list[Endpoint]]:
        """Take the addresses that ``name`` has now; gives the endpoints that came and those that went.

        Those that stay are the same objects as before. Those that went finish what they have.
        """
        first = name not in self._found
        self._found[name] = addresses
        old = {each.name: each for each in self.endpoints}
        new: dict[str, Endpoint] = {}
        for entry, source in self._entries():
            text = str(entry.address)
            if text not in new:
                new[text] = old.get(text) or self._endpoint(entry, source)
        came = [each for each in new.values() if each.name not in old]
        gone = [each for each in old.values() if each.name not in new]
        self._arrange(list(new.values()), gone)
        if not first:
            for endpoint in came:
                self.warm(endpoint)
        return came, gone

    def addresses(self, name: EndpointPlan) -> tuple[str, ...]:
        """Give the addresses that ``name`` was last known to have."""
        return self._found.get(name, ())

    def _entries(self) -> Iterator[tuple[EndpointPlan, EndpointPlan | None]]:
        """Give every endpoint that there is to be, with the entry whose name gave it, as written."""
        for entry in self.plan.endpoints:
            if entry.address.kind != "dns":
                yield entry, None
            for host in self._found.get(entry, ()):
                yield replace(entry, address=Address("tcp", host=host, port=entry.address.port)), entry

    def warm(self, endpoint: Endpoint) -> None:
        """Let an endpoint that comes back take its share step by step, if the profile says so."""
        if self.plan.slow_start:
            self._warming[endpoint] = self.now()
            self._weigh(self.now())

    def look(self, fuses: Fuses) -> tuple[Look, ...]:
        """Give what the endpoints look like now, with the breakers of ``fuses``."""
        rows = []
        for endpoint in self.endpoints:
            fuse = fuses.of(endpoint.name)
            healthy = endpoint.health is None or endpoint.health.healthy
            state = None if fuse is None else fuse.breaker.state
            drained = endpoint.drained or not endpoint.full_weight
            rows.append(Look(endpoint.name, state, endpoint.in_flight, healthy, drained))
        return tuple(rows)

    def moved(self, fuses: Fuses, fuse: Fuse, shift: Shift) -> None:
        """Hear that a breaker over these endpoints has moved, and tell whoever wants to know."""
        if shift.new is State.CLOSED and self.plan.slow_start:
            for endpoint in self.endpoints:
                if fuses.of(endpoint.name) is fuse:
                    self.warm(endpoint)
        self._outside.told(BreakerShift(fuse.name, shift, fuse.rules, self.look(fuses)))

    def heard(self, endpoint: str, seconds: float, failed: bool, now: float) -> None:
        """Tell the policy how long an endpoint took to answer."""
        for index, each in enumerate(self.endpoints):
            if each.name == endpoint:
                self.policy.heard(index, seconds, failed, now)

    def tick(self, now: float) -> None:
        """Close pooled connections that have been idle for too long; let what warms up grow.

        Who waits for a place is asked again: an endpoint may have recovered, or a breaker be ready.
        """
        if self.crowd.turns:
            self.crowd.offer()
        for endpoint in self.endpoints:
            endpoint.expire(now)
        if self._warming:
            self._weigh(now)

    def close(self) -> None:
        """Close all pooled connections."""
        for endpoint in self.endpoints:
            endpoint.close()

    def _endpoint(self, plan: EndpointPlan, source: EndpointPlan | None = None) -> Endpoint:
        speaks = Speaks(self.plan.protocol, self._outside.spawn, self.plan.limits.max_connections)
        outside, tls, health = self._outside, self.plan.tls, self.plan.health
        dial = probe_dial = outside.dial
        if self._tls is not None and tls is not None:
            host = (source or plan).address.host or "localhost"
            dial = partial(_dial_tls, dial, outside.now, self._tls, host)
            if health is not None and health.protocol != "tcp":
                probe = ClientTls(tls, "http2" if health.protocol == "grpc" else "http1")
                probe_dial = partial(_dial_tls, probe_dial, outside.now, probe, host)
        endpoint = Endpoint(plan, self.plan.timeouts, dial, self.crowd, source, speaks)
        endpoint.probe_dial = probe_dial
        if self.plan.slow_start:
            endpoint.weight = endpoint.full_weight * _FINE
        if self.plan.health is not None:
            endpoint.health = Health(self.plan.health.healthy_after, self.plan.health.unhealthy_after)
        return endpoint

    def _arrange(self, endpoints: list[Endpoint], gone: list[Endpoint]) -> None:
        """Put another list of endpoints in place of the present one."""
        self.endpoints = endpoints
        self.policy = balance.make(self.plan.balance, endpoints, self._outside.chance, self.policy)
        for endpoint in gone:
            endpoint.close()
            for fuses in (self.fuses, *self.others):
                fuses.forget(endpoint.name)
            self._warming.pop(endpoint, None)

    def _weigh(self, now: float) -> None:
        for endpoint, since in list(self._warming.items()):
            share = _FIRST_SHARE + (1 - _FIRST_SHARE) * (now - since) / self.plan.slow_start
            if share >= 1:
                share = 1.0
                del self._warming[endpoint]
            endpoint.weight = (
                max(1, round(endpoint.full_weight * _FINE * share)) if endpoint.full_weight else 0
            )
        self.policy.reweigh()


async def _dial_tls(
    dial: Dial, now: Callable[[], float], tls: ClientTls, host: str, address: Address, limit: float
) -> Transport:
    """Connect and open TLS, both within ``limit`` seconds."""
    due = now() + limit
    transport = await dial(address, limit)
    return await handshake_client(transport, tls, host, max(0.0, due - now()))
