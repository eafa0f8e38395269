"""Reloads, requests, faults and leaving clients in any order: who sees what, and what is left at the end.

Each generation has an address of its own beside one that all have. The model is a number: the generation in
which a client asked. Its request must have reached a server of that generation, with the header edits of
that generation, and so must its answer. At the end nothing is in flight, and no connection is left but those
in the pools of the last generation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from appliance.config.plan import Destination, Forward, Plan
from appliance.config.plan_policy import BreakerPlan, HealthPlan, RetryPlan, UpstreamTls
from appliance.model.fault import CONNECT_FAILED
from appliance.model.headers import HeaderEdits
from appliance.net.transport import PeerGone
from appliance.proxy.worker import ReloadError
from appliance.upstream.endpoint import Endpoint
from tests.kit.origin import Call, Origin, sized_bytes
from tests.kit.plans import plan, route, upstream
from tests.kit.proxy import Client, Proxy, running

COMMON = "10.0.0.1:80"
BEHAVIOURS = ("answers", "slow", "fails", "resets", "refuses")


def own(generation: int) -> str:
    """Give the address that only this generation has."""
    return f"10.0.1.{generation % 200}:80"


def generation_plan(number: int, kind: str) -> Plan:
    """Give the profile of a generation; what else differs in it is its kind."""
    edits = HeaderEdits(set=((b"x-generation", b"%d" % number),))
    rows = upstream("app", COMMON, own(number), per_try=3600.0)
    rules = BreakerPlan(open_for=2.0, max_open_for=2.0)
    retry = RetryPlan(max_retries=1)
    match kind:
        case "weights":
            rows = upstream("app", (COMMON, 3), (own(number), 1), per_try=3600.0)
        case "health":
            rows = replace(rows, health=HealthPlan(interval=1.0, protocol="tcp"))
        case "slow_start":
            rows = replace(rows, slow_start=5.0)
        case "ewma" | "weighted" | "least_conn":
            rows = replace(rows, balance=kind)
        case "scope":
            rules = replace(rules, scope="upstream")
    rows = replace(rows, breaker=rules, retry=retry)
    to = Forward((Destination("app", breaker=rules, retry=retry),))
    row = route(to, request_headers=edits, response_headers=edits, response=3600.0, idle=3600.0)
    return plan(row, upstreams=(rows,))


KINDS = ("plain", "weights", "health", "slow_start", "ewma", "weighted", "least_conn", "scope")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reload"), st.sampled_from(KINDS)),
        st.tuples(st.just("broken"), st.sampled_from(KINDS)),
        st.tuples(st.just("ask"), st.sampled_from(["GET", "POST"])),
        st.tuples(st.just("ask"), st.sampled_from(["GET", "POST"])),
        st.tuples(st.just("behave"), st.sampled_from(BEHAVIOURS)),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.1, 1.5, 6.0])),
        st.tuples(st.just("leave"), st.just("")),
    ),
    max_size=25,
)


@dataclass
class World:
    """The proxy, its servers, and who has asked."""

    proxy: Proxy
    origins: dict[str, Origin]
    generation: int = 1
    behaviour: str = "answers"
    asked: list[tuple[int, Client]] = field(default_factory=list)
    endpoints: set[Endpoint] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def origin(self, address: str) -> Origin:
        """Give the server at an address, which is made at the first call."""
        origin = Origin()

        async def handle(call: Call) -> None:
            await call.read()
            number = int(call.request.get(b"x-generation") or b"0")
            if address not in (COMMON, own(number)):
                self.wrong.append(f"{address} was asked by generation {number}")
            match self.behaviour:
                case "slow":
                    await trio.sleep(3)
                case "fails":
                    await call.send(sized_bytes(b"no", 503))
                    return
                case "resets":
                    call.wire.reset()
                    return
            await call.send(sized_bytes(address.encode()))

        origin.handlers = (handle,)
        return origin

    def known(self) -> None:
        """Remember the endpoints of now."""
        self.endpoints.update(self.proxy.endpoints)

    async def step(self, what: str, how: str) -> None:
        """Do one thing."""
        match what:
            case "reload":
                self.generation += 1
                self.origins.setdefault(own(self.generation), self.origin(own(self.generation)))
                await self.proxy.reload(generation_plan(self.generation, how))
                self.known()
            case "broken":
                profile = generation_plan(self.generation + 1, how)
                (row,) = profile.upstreams
                row = replace(row, tls=UpstreamTls(ca="/nowhere/ca.pem"))
                before = self.proxy.snapshot
                try:
                    await self.proxy.reload(replace(profile, upstreams=(row,)))
                except ReloadError:
                    assert self.proxy.snapshot is before
            case "ask":
                client = self.proxy.connect()
                body = b"content-length: 5\r\n\r\nhello" if how == "POST" else b"\r\n"
                await client.send(b"%b / HTTP/1.1\r\nHost: a\r\n%b" % (how.encode(), body))
                await self.proxy.settle()
                self.asked.append((self.generation, client))
            case "behave":
                self.behaviour = how
                for origin in self.origins.values():
                    origin.refuses = CONNECT_FAILED if how == "refuses" else None
            case "wait":
                await trio.sleep(float(how))
            case "leave":
                if self.asked:
                    self.asked.pop()[1].wire.close()

    async def check(self) -> None:
        """Read all answers, and see what is left."""
        self.behaviour = "answers"
        for generation, client in self.asked:
            try:
                answer = await client.answer()
            except PeerGone:
                self.wrong.append("a client was given no answer")
                continue
            if answer.get(b"x-generation") not in (b"%d" % generation, None):
                self.wrong.append(f"generation {generation} was answered by {answer.get(b'x-generation')!r}")
            if answer.get(b"x-generation") is None and answer.status < 500:
                self.wrong.append(f"an answer of no generation: {answer.status}")
        assert self.wrong == []
        await trio.sleep(1)
        await self.proxy.settle()
        assert [each.in_flight for each in self.endpoints] == [0] * len(self.endpoints)
        assert self.proxy.snapshot.clusters["app"].crowd.in_flight == 0
        assert not self.proxy.snapshot.clusters["app"].crowd.turns
        assert not self.proxy.worker._timed
        pooled = {id(each.transport) for row in self.proxy.endpoints for each in row.idle}
        assert all(wire.closed or id(wire) in pooled for wire in self.proxy.upstream_wires)


async def play(steps: list[tuple[str, object]]) -> None:
    """Do all steps, then look."""
    origins: dict[str, Origin] = {}
    async with running(origins, generation_plan(1, "plain")) as proxy:
        proxy.origins = origins
        world = World(proxy, origins)
        for address in (COMMON, own(1)):
            origins[address] = world.origin(address)
        world.known()
        for what, how in steps:
            await world.step(what, str(how))
        await world.check()


@given(steps=STEPS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_exchange_is_of_one_generation(steps: list[tuple[str, object]]) -> None:
    """And nothing is lost on the way from one to the next."""
    trio.run(play, steps, clock=MockClock(autojump_threshold=0))
