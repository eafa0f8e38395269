"""What keeps an upstream's list of endpoints true: names are looked up, endpoints checked, each in its loop.

The loops end with the worker; that of an endpoint ends when its address is gone. What changes is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import trio

from appliance.config.plan import UpstreamPlan
from appliance.model.address import Address

from .cluster import Cluster, Outside
from .discover import addresses_of, resolve_forever
from .endpoint import Endpoint
from .probe import check_forever


@dataclass(frozen=True, slots=True)
class HealthShift:
    """The checks of an endpoint say something else than before; ``why`` it is not healthy."""

    upstream: str
    endpoint: str
    healthy: bool
    why: str


@dataclass(frozen=True, slots=True)
class NameShift:
    """A name has other addresses than before, or cannot be resolved (``why``) and keeps those it had."""

    upstream: str
    name: str
    came: tuple[str, ...]
    gone: tuple[str, ...]
    count: int
    why: str = ""


class Watch:
    """The loops of one upstream."""

    def __init__(self, cluster: Cluster, outside: Outside) -> None:
        self._cluster = cluster
        self._outside = outside
        self._checks: dict[Endpoint, trio.CancelScope] = {}
        self._lookups: dict[Address, trio.CancelScope] = {}
        self._unknown: set[Address] = set()
        self._known = trio.Event()

    def start(self) -> None:
        """Begin to look up and to check."""
        self._unknown = set(_names(self._cluster)) - set(self._lookups)
        for address in self._unknown:
            scope = self._lookups[address] = trio.CancelScope()
            self._outside.spawn(self._look_up_within, scope, address)
        if not self._unknown:
            self._known.set()
        for endpoint in self._cluster.endpoints:
            self._check(endpoint)

    def follow(self, cluster: Cluster) -> None:
        """Keep the list of the cluster that has taken over; only what goes on as before is not begun anew."""
        before, self._cluster = self._cluster.plan, cluster
        after = cluster.plan
        same = (before.health, before.tls, before.protocol) == (after.health, after.tls, after.protocol)
        stay = set(cluster.endpoints) if same else set()
        for endpoint in self._checks.keys() - stay:
            self._checks.pop(endpoint).cancel()
        for address in self._lookups.keys() - set(_names(cluster)):
            self._lookups.pop(address).cancel()
        self.start()

    def stop(self) -> None:
        """End all loops."""
        for scope in (*self._checks.values(), *self._lookups.values()):
            scope.cancel()

    async def wait_known(self) -> None:
        """Wait until every name has been looked up once, with or without success."""
        await self._known.wait()

    async def _look_up_within(self, scope: trio.CancelScope, address: Address) -> None:
        outside = self._outside
        told, failed = partial(self._resolved, address), partial(self._unresolved, address)
        with scope:
            await resolve_forever(
                address.host, address.port, outside.resolve, told, failed, chance=outside.chance
            )

    def _resolved(self, name: Address, addresses: tuple[str, ...]) -> None:
        came, gone = self._cluster.resolved(name, addresses)
        for endpoint in gone:
            scope = self._checks.pop(endpoint, None)
            if scope is not None:
                scope.cancel()
        for endpoint in came:
            self._check(endpoint)
        new, old = tuple(each.name for each in came), tuple(each.name for each in gone)
        self._looked_up(NameShift(self._cluster.name, name.host, new, old, len(addresses)), name)

    def _unresolved(self, name: Address, why: str) -> None:
        count = len(self._cluster.addresses(name))
        self._looked_up(NameShift(self._cluster.name, name.host, (), (), count, why), name)

    def _looked_up(self, shift: NameShift, name: Address) -> None:
        self._outside.told(shift)
        self._unknown.discard(name)
        if not self._unknown:
            self._known.set()

    def _check(self, endpoint: Endpoint) -> None:
        if self._cluster.plan.health is not None and endpoint not in self._checks:
            scope = self._checks[endpoint] = trio.CancelScope()
            self._outside.spawn(self._check_within, scope, endpoint)

    async def _check_within(self, scope: trio.CancelScope, endpoint: Endpoint) -> None:
        plan, outside = self._cluster.plan.health, self._outside
        if plan is not None:
            with scope:
                told = partial(self._checked, endpoint)
                await check_forever(
                    endpoint.probe_dial, endpoint.address, endpoint.host, plan, outside.chance, told
                )

    def _checked(self, endpoint: Endpoint, _good: bool, why: str) -> None:
        health = endpoint.health
        if health is None or not health.report(why):
            return
        if health.healthy:
            self._cluster.warm(endpoint)
        self._outside.told(HealthShift(self._cluster.name, endpoint.name, health.healthy, why))


async def look_up(
    plans: Iterable[UpstreamPlan], outside: Outside, limit: float
) -> dict[Address, tuple[str, ...]]:
    """Give the addresses of the names in upstreams, of those that can be looked up within ``limit``."""
    found: dict[Address, tuple[str, ...]] = {}

    async def ask(name: Address) -> None:
        try:
            found[name] = await addresses_of(name.host, name.port, outside.resolve)
        except OSError:
            return  # whoever watches the upstream will tell

    with trio.move_on_after(limit):
        async with trio.open_nursery() as nursery:
            for name in {each.address for plan in plans for each in plan.endpoints}:
                if name.kind == "dns":
                    nursery.start_soon(ask, name)
    return found


def _names(cluster: Cluster) -> list[Address]:
    return [entry.address for entry in cluster.plan.endpoints if entry.address.kind == "dns"]
