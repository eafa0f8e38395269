"""An upstream come to life: its endpoints, the policy that chooses among them, and what they share.

Shared by all routes that send here: the endpoints with their pools, the breakers of the upstream's own
rules, the retry budget, the cap on requests. The list of endpoints changes while it lives, when a name
resolves to other addresses; what stays keeps its connections, its breaker and its health.

A reload puts a cluster of the new profile beside the old one. Both have the endpoints that stay, with their
connections, health and counts, the breakers, the budget and the crowd; what these go by changes only when
the new cluster takes over. Requests of the old one go on choosing among the endpoints that it had.

An endpoint that is new, or comes back, takes its share step by step if ``slow_start`` says so: from a
tenth of its weight to all of it, in a straight line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from appliance.config.plan import EndpointPlan, UpstreamPlan
from appliance.config.plan_policy import BreakerPlan
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
    """A named group of endpoints. ``fuses`` are the breakers of its own rules, ``own`` those of routes.

    ``names`` are the addresses that names are known to have. With ``old`` it waits for ``take_over``.
    Raises OSError and ssl.SSLError where certificates cannot be used.
    """

    __slots__ = (
        "_duties",
        "_found",
        "_heirs",
        "_old",
        "_outside",
        "_tls",
        "_warming",
        "budget",
        "crowd",
        "endpoints",
        "fuses",
        "name",
        "own",
        "plan",
        "policy",
    )

    def __init__(
        self,
        plan: UpstreamPlan,
        outside: Outside,
        old: Cluster | None = None,
        names: Mapping[Address, tuple[str, ...]] | None = None,
    ) -> None:
        self.name = plan.name
        self.plan = plan
        self.own: dict[str, Fuses] = {}
        self.endpoints: list[Endpoint] = []
        self._outside = outside
        self._tls = None if plan.tls is None else ClientTls(plan.tls, plan.protocol)
        self._warming: dict[Endpoint, float] = {}
        self._found = dict(names or {})
        self._old = old
        self._heirs = {} if old is None else {each.name: each for each in old.endpoints}
        self._duties: list[Callable[[], None]] = []
        if old is None:
            self.crowd = Crowd(plan.name, plan.limits)
            self.fuses = Fuses(plan.name, plan.breaker, outside.now, self.moved)
            self.budget = Budget(plan.retry.budget.ratio, plan.retry.budget.floor)
            self.policy = balance.make(plan.balance, [], outside.chance)
        else:
            self.crowd, self.fuses, self.budget, self.policy = old.crowd, old.fuses, old.budget, old.policy
            self._found.update(old._found)
            if self._tls is not None and old._tls is not None and plan.tls == old.plan.tls:
                self._tls.sessions = old._tls.sessions
        self._arrange([self._endpoint(*each) for each in self._entries()], [])

    def own_fuses(self, route: str, rules: BreakerPlan | None) -> Fuses:
        """Give the breakers of a route that has rules of its own."""
        fuses = None if self._old is None else self._old.own.get(route)
        if fuses is None:
            fuses = Fuses(f"{route}@{self.name}", rules, self._outside.now, self.moved)
        else:
            self._duties.append(partial(fuses.follow, rules, self.moved))
        self.own[route] = fuses
        return fuses

    def take_over(self) -> None:
        """Let what is shared with the old cluster go by this one's plan, and let go of what only that had."""
        old, self._old = self._old, None
        duties, self._duties, self._heirs = self._duties, [], {}
        if old is None:
            return
        plan = self.plan
        self.crowd.limits = plan.limits
        self.fuses.follow(plan.breaker, self.moved)
        self.budget.follow(plan.retry.budget.ratio, plan.retry.budget.floor)
        for duty in duties:
            duty()
        stay = set(self.endpoints)
        self._drop([each for each in old.endpoints if each not in stay])
        self._warming = {each: since for each, since in old._warming.items() if each in stay}
        known = set(old.endpoints)
        if plan.slow_start:
            for endpoint in self.endpoints:
                if endpoint not in known:
                    self.warm(endpoint)
            self._weigh(self.now())
        else:
            self._warming.clear()
        self.policy.reweigh()

    @property
    def chance(self) -> Random:
        """Give what draws lots here."""
        return self._outside.chance

    def now(self) -> float:
        """Give the time (seconds)."""
        return self._outside.now()

    def resolved(self, name: Address, addresses: tuple[str, ...]) -> tuple[list[Endpoint], list[Endpoint]]:
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

    def addresses(self, name: Address) -> tuple[str, ...]:
        """Give the addresses that ``name`` was last known to have."""
        return self._found.get(name, ())

    def _entries(self) -> Iterator[tuple[EndpointPlan, EndpointPlan | None]]:
        """Give every endpoint that there is to be, with the entry whose name gave it, as written."""
        for entry in self.plan.endpoints:
            if entry.address.kind != "dns":
                yield entry, None
            for host in self._found.get(entry.address, ()):
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

    def set_weight(self, endpoint: Endpoint, weight: int) -> None:
        """Give an endpoint another weight, until the next reload."""
        endpoint.full_weight = weight
        endpoint.weight = weight * (_FINE if self.plan.slow_start else 1)
        self.policy.reweigh()

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
        timeouts, old = self.plan.timeouts, self._old
        known = self._heirs.get(str(plan.address))
        if known is not None and old is not None:
            anew = (old.plan.tls, old.plan.protocol) != (self.plan.tls, self.plan.protocol)
            follow = partial(known.follow, plan, timeouts, dial, source, speaks, anew=anew)
            self._duties += [follow, partial(self._settle, known, probe_dial)]
            return known
        endpoint = Endpoint(plan, timeouts, dial, self.crowd, source, speaks)
        self._settle(endpoint, probe_dial)
        return endpoint

    def _settle(self, endpoint: Endpoint, probe_dial: Dial) -> None:
        """Let an endpoint's weight and health be as the profile has them."""
        endpoint.probe_dial = probe_dial
        endpoint.weight = endpoint.full_weight * (_FINE if self.plan.slow_start else 1)
        rules = self.plan.health
        if rules is None:
            endpoint.health = None
        elif endpoint.health is None:
            endpoint.health = Health(rules.healthy_after, rules.unhealthy_after)
        else:
            endpoint.health.follow(rules.healthy_after, rules.unhealthy_after)

    def _arrange(self, endpoints: list[Endpoint], gone: list[Endpoint]) -> None:
        """Put another list of endpoints in place of the present one."""
        self.endpoints = endpoints
        self.policy = balance.make(self.plan.balance, endpoints, self._outside.chance, self.policy)
        self._drop(gone)

    def _drop(self, gone: list[Endpoint]) -> None:
        for endpoint in gone:
            endpoint.close()
            for fuses in (self.fuses, *self.own.values()):
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
