"""Loops that keep an upstream true: who is checked, until when, and what is told; the rest are scenarios."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import trio

from appliance.config.plan import EndpointPlan, UpstreamPlan
from appliance.config.plan_policy import HealthPlan
from appliance.model.address import Address
from appliance.model.fault import CONNECT_FAILED, Fault
from appliance.upstream.cluster import Cluster, Outside
from appliance.upstream.watch import HealthShift, NameShift, Watch
from tests.kit.plans import WHERE, upstream

HEALTH = HealthPlan(interval=5.0, protocol="tcp")
NAME = EndpointPlan(Address("dns", host="app.internal", port=80), 1, WHERE)


class Connection:
    """What a dial gives."""

    def close(self) -> None:
        """Close."""


class World:
    """Addresses of names, servers that are up, and what was told."""

    def __init__(self, plan: UpstreamPlan, nursery: trio.Nursery) -> None:
        self.up = {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
        self.addresses: list[str] = []
        self.checks: list[tuple[float, str]] = []
        self.told: list[object] = []
        outside = Outside(
            self.dial, trio.current_time, Random(1), self.told.append, nursery.start_soon, self.resolve
        )
        self.cluster = Cluster(plan, outside)
        self.watch = Watch(self.cluster, outside)

    async def dial(self, address: Address, _timeout: float) -> Connection:
        self.checks.append((trio.current_time(), address.host))
        if address.host not in self.up:
            raise Fault(CONNECT_FAILED, f"{address}: Connection refused")
        return Connection()

    async def resolve(self, _host: str, _port: int) -> list[str]:
        if not self.addresses:
            raise OSError(-2, "Name or service not known")
        return self.addresses


async def test_every_endpoint_is_checked(autojump_clock: object, nursery: trio.Nursery) -> None:
    """By a loop of its own; what changes is told once, with the reason."""
    world = World(replace(upstream("app", "10.0.0.1:80", "10.0.0.2:80"), health=HEALTH), nursery)
    world.watch.start()
    await trio.sleep(60)
    assert len(world.checks) in range(22, 28)
    assert world.told == []
    world.up.remove("10.0.0.2")
    await trio.sleep(60)
    assert world.told == [HealthShift("app", "10.0.0.2:80", False, "connection refused")]
    assert [each.available for each in world.cluster.endpoints] == [True, False]
    world.up.add("10.0.0.2")
    await trio.sleep(60)
    assert world.told[1:] == [HealthShift("app", "10.0.0.2:80", True, "")]


async def test_without_checks_nobody_is_dialled(autojump_clock: object, nursery: trio.Nursery) -> None:
    """Health checks are off unless written."""
    world = World(upstream(), nursery)
    world.watch.start()
    await trio.sleep(60)
    assert world.checks == []


async def test_a_name_brings_its_endpoints(autojump_clock: object, nursery: trio.Nursery) -> None:
    """They are checked from then on; those that go are checked no more."""
    world = World(replace(upstream(), endpoints=(NAME,), health=HEALTH), nursery)
    world.addresses = ["10.0.0.1", "10.0.0.2"]
    world.watch.start()
    await world.watch.wait_known()
    assert world.told == [NameShift("app", "app.internal", ("10.0.0.1:80", "10.0.0.2:80"), (), 2)]
    await trio.sleep(20)
    world.addresses = ["10.0.0.2", "10.0.0.3"]
    await trio.sleep(20)
    assert world.told[1:] == [NameShift("app", "app.internal", ("10.0.0.3:80",), ("10.0.0.1:80",), 2)]
    world.checks.clear()
    await trio.sleep(30)
    assert {host for _, host in world.checks} == {"10.0.0.2", "10.0.0.3"}


async def test_an_unknown_name_is_told_and_does_not_hold_up(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    """``wait_known`` ends with the first failure; when the name is there, so are its endpoints."""
    world = World(replace(upstream(), endpoints=(NAME,)), nursery)
    world.watch.start()
    await world.watch.wait_known()
    assert trio.current_time() == 0
    assert world.told == [NameShift("app", "app.internal", (), (), 0, "Name or service not known")]
    world.addresses = ["10.0.0.1"]
    await trio.sleep(5)
    assert [each.name for each in world.cluster.endpoints] == ["10.0.0.1:80"]


async def test_with_nothing_to_look_up_nobody_waits(autojump_clock: object, nursery: trio.Nursery) -> None:
    """Addresses are known already."""
    world = World(upstream(), nursery)
    world.watch.start()
    await world.watch.wait_known()
    assert trio.current_time() == 0
