"""Going over to another profile: what an exchange sees, and what is carried over by identity."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from appliance.config.plan import Destination, Forward, Plan
from appliance.config.plan_policy import (
    BreakerPlan,
    CertificatePair,
    HealthPlan,
    ListenerTls,
    RateLimitPlan,
    UpstreamLimits,
    UpstreamTls,
)
from appliance.model.headers import HeaderEdits
from appliance.policy.breaker import State
from appliance.proxy.worker import ReloadError
from tests.kit.origin import Call, Handler, Origin, sized, sized_bytes
from tests.kit.plans import NO_RETRY, ORIGIN, listener, plan, route, upstream
from tests.kit.proxy import Client, Proxy, running

OTHER = "10.0.0.2:80"
TICK = 0.051


def marked(number: int, *upstreams: object, **rest: object) -> Plan:
    """Give a plan whose requests and answers carry a number."""
    edits = HeaderEdits(set=((b"x-generation", b"%d" % number),))
    app = Forward((Destination("app", retry=NO_RETRY),))
    row = route(app, request_headers=edits, response_headers=edits)
    return plan(row, upstreams=upstreams or (upstream(),), **rest)


def slow(seconds: float, body: bytes = b"slow") -> Handler:
    """Give a handler that takes its time."""

    async def handle(call: Call) -> None:
        await call.read()
        await trio.sleep(seconds)
        await call.send(sized_bytes(body))

    return handle


async def ask(proxy: Proxy, path: bytes = b"/") -> Client:
    """Send a request without reading its answer."""
    client = proxy.connect()
    await client.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
    await proxy.settle()
    return client


async def test_an_exchange_sees_the_generation_of_its_birth(autojump_clock: object) -> None:
    """What was asked before goes on as it began; what is asked from then on is of the new profile."""
    origin = Origin(slow(1), sized(b"hello"))
    async with running(origin, marked(1)) as proxy:
        before = await ask(proxy)
        await proxy.reload(marked(2))
        after = await proxy.connect().get()
        late = await before.answer()
        assert [late.get(b"x-generation"), after.get(b"x-generation")] == [b"1", b"2"]
        assert [seen.get(b"x-generation") for seen in origin.requests] == [b"1", b"2"]
        assert proxy.snapshot.generation == 2
        await proxy.check_idle()


async def test_a_kept_alive_connection_goes_over(autojump_clock: object) -> None:
    """The next request of a client's connection is of the new profile; neither connection is opened anew."""
    async with running(plan=marked(1)) as proxy:
        client = proxy.connect()
        for number in (1, 2, 3):
            if number > 1:
                await proxy.reload(marked(number))
            assert (await client.get()).get(b"x-generation") == b"%d" % number
        assert len(proxy.upstream_wires) == 1


async def test_an_endpoint_that_stays_keeps_what_it_has(autojump_clock: object) -> None:
    """Its connections, what is in flight, an operator's drain; with the new weight and limits."""
    origin = Origin(slow(5))
    async with running({ORIGIN: origin, OTHER: Origin()}, marked(1)) as proxy:
        client = await ask(proxy)
        (endpoint,) = proxy.endpoints
        endpoint.drained = True
        limits = UpstreamLimits(max_connections=7)
        rows = replace(upstream("app", (ORIGIN, 5), (OTHER, 2), per_try=9.0), limits=limits)
        await proxy.reload(marked(2, rows))
        assert proxy.endpoints[0] is endpoint
        assert (endpoint.in_flight, endpoint.drained, endpoint.weight) == (1, True, 5)
        assert proxy.snapshot.clusters["app"].crowd.limits == limits
        assert (await proxy.connect().get()).body == b"hello"  # from the other one
        assert (await client.answer()).body == b"slow"
        (pooled,) = endpoint.idle
        assert pooled.per_try == 9.0
        await proxy.check_idle()


async def test_an_endpoint_that_goes_finishes_what_it_has(autojump_clock: object) -> None:
    """Nothing new is sent there; idle connections close at once, others as they come back."""
    origin = Origin(sized(b"one"), slow(5))
    async with running({ORIGIN: origin, OTHER: Origin(sized(b"other"))}, marked(1)) as proxy:
        first, second = proxy.connect(), proxy.connect()
        await first.get()
        busy = await ask(proxy)
        assert len(origin.requests) == 2
        await proxy.reload(marked(2, upstream("app", OTHER)))
        assert (await second.get()).body == b"other"
        assert (await busy.answer()).body == b"slow"
        await proxy.settle()
        assert origin.open == 0
        await proxy.check_idle()


async def test_an_upstream_that_goes_finishes_what_it_has(autojump_clock: object) -> None:
    """And its checks and lookups end."""
    health = HealthPlan(interval=1.0, protocol="tcp")
    origin = Origin(slow(5))
    async with running(origin, marked(1, replace(upstream(), health=health))) as proxy:
        busy = await ask(proxy)
        await proxy.reload(plan(route("new"), upstreams=(upstream("new", OTHER),)))
        assert (await busy.answer()).body == b"slow"
        await proxy.settle()
        known = len(origin.wires)
        await trio.sleep(30)
        assert len(origin.wires) == known
        assert origin.open == 0


async def test_a_retry_stays_in_its_generation(autojump_clock: object) -> None:
    """Who was to be asked at its birth is asked again, though the profile has others by now."""
    origins = {ORIGIN: Origin(sized(b"first")), OTHER: Origin(sized(b"second"))}
    origins[ORIGIN].connect_time = 1.0
    async with running(origins, marked(1)) as proxy:
        busy = await ask(proxy)
        await proxy.reload(marked(2, upstream("app", OTHER)))
        assert (await busy.answer()).body == b"first"
        await proxy.settle()
        assert origins[ORIGIN].open == 0
        await proxy.check_idle()


BREAKER = BreakerPlan(failure_threshold=2, open_for=30.0, max_open_for=30.0)


def guarded(breaker: BreakerPlan | None, number: int = 1, **rest: object) -> Plan:
    """Give a plan with these rules for its breakers."""
    return marked(number, replace(upstream(), breaker=breaker), **rest)


async def trip(proxy: Proxy) -> None:
    """Open the breaker."""
    for _ in range(2):
        await proxy.connect().get()
    assert (await proxy.connect().get()).status == 503


def states(proxy: Proxy) -> list[State]:
    """Give what the breakers of the upstream say."""
    return [fuse.breaker.state for fuse in proxy.snapshot.clusters["app"].fuses.all()]


async def test_a_breaker_keeps_its_state_and_takes_the_new_rules(autojump_clock: object) -> None:
    """Open stays open, for as long as was said then; one probe is enough when the new rules say so."""
    origin = Origin(sized(b"no", 500), sized(b"no", 500), sized(b"yes"))
    async with running(origin, guarded(BREAKER)) as proxy:
        await trip(proxy)
        await proxy.reload(guarded(replace(BREAKER, success_threshold=1, open_for=99.0), 2))
        assert states(proxy) == [State.OPEN]
        await trio.sleep(30)
        assert (await proxy.connect().get()).status == 200
        assert states(proxy) == [State.CLOSED]
        assert [each.shift.new for each in proxy.shifts] == [State.OPEN, State.HALF_OPEN, State.CLOSED]
        assert proxy.shifts[-1].rules.success_threshold == 1


@pytest.mark.parametrize("other", [None, replace(BREAKER, scope="upstream")])
async def test_breakers_of_another_kind_begin_anew(other: BreakerPlan | None, autojump_clock: object) -> None:
    """With another scope, or none at all."""
    async with running(
        Origin(sized(b"no", 500), sized(b"no", 500), sized(b"yes")), guarded(BREAKER)
    ) as proxy:
        await trip(proxy)
        await proxy.reload(guarded(other, 2))
        assert (await proxy.connect().get()).status == 200
        await proxy.reload(guarded(BREAKER, 3))
        assert (await proxy.connect().get()).status == 200
        assert states(proxy) == [State.CLOSED]


async def test_a_late_failure_counts_for_the_breaker_of_now(autojump_clock: object) -> None:
    """A result of the old generation is one of the endpoint all the same."""

    async def fails(call: Call) -> None:
        await trio.sleep(1)
        await call.send(sized_bytes(b"no", 500))

    async with running(Origin(fails), guarded(BREAKER)) as proxy:
        clients = [await ask(proxy), await ask(proxy)]
        await proxy.reload(guarded(BREAKER, 2))
        for client in clients:
            assert (await client.answer()).status == 500
        await proxy.settle()
        assert states(proxy) == [State.OPEN]
        assert (await proxy.connect().get()).status == 503


async def test_a_route_keeps_breakers_of_its_own(autojump_clock: object) -> None:
    """By its name and its upstream's."""

    def own(threshold: int) -> Plan:
        to = Destination("app", breaker=replace(BREAKER, failure_threshold=threshold), own_breaker=True)
        return plan(route(Forward((to,))))

    async with running(Origin(sized(b"no", 500)), own(2)) as proxy:
        await trip(proxy)
        await proxy.reload(own(3))
        (fuses,) = proxy.snapshot.clusters["app"].own.values()
        assert [(fuse.breaker.state, fuse.rules.failure_threshold) for fuse in fuses.all()] == [
            (State.OPEN, 3)
        ]
        assert (await proxy.connect().get()).status == 503


async def test_buckets_keep_what_is_missing(autojump_clock: object) -> None:
    """Neither an amnesty nor a punishment; another key begins with full ones."""

    def limited(burst: int, rate: float = 0.001, key: str = "client_ip") -> Plan:
        return replace(marked(1), rate_limit=RateLimitPlan(rate, burst, key))

    async with running(plan=limited(3)) as proxy:
        client = proxy.connect()

        async def statuses(count: int) -> list[int]:
            return [(await client.get()).status for _ in range(count)]

        assert await statuses(4) == [200, 200, 200, 429]
        await proxy.reload(limited(5))
        assert await statuses(3) == [200, 200, 429]
        await proxy.reload(limited(2))
        assert await statuses(1) == [429]
        await proxy.reload(limited(2, rate=1.0))
        await trio.sleep(1)
        assert await statuses(2) == [200, 429]
        await proxy.reload(limited(2, key="route"))
        assert await statuses(3) == [200, 200, 429]


async def test_health_keeps_its_verdict(autojump_clock: object) -> None:
    """What goes on as before is not begun anew; with other rules the next check comes soon."""
    origin = Origin()
    origin.refuses = None
    health = HealthPlan(interval=100.0, protocol="tcp", unhealthy_after=1)
    async with running({}, marked(1, replace(upstream(), health=health))) as proxy:
        await trio.sleep(10)
        (endpoint,) = proxy.endpoints
        assert endpoint.health is not None
        checks = endpoint.health.checks
        assert not endpoint.health.healthy
        for number in range(2, 6):
            await proxy.reload(marked(number, replace(upstream(), health=health)))
            assert not endpoint.available
            await trio.sleep(5)
        assert endpoint.health.checks == checks
        await proxy.reload(marked(6, replace(upstream(), health=replace(health, interval=50.0))))
        assert not endpoint.available
        await trio.sleep(10)
        assert endpoint.health.checks == checks + 1
        await trio.sleep(500)
        assert checks + 9 <= endpoint.health.checks <= checks + 13  # one loop, not two
        await proxy.reload(marked(7))
        assert endpoint.available


@pytest.mark.parametrize("change", [{"tls": UpstreamTls(verify=False)}, {"protocol": "http2"}])
async def test_spoken_to_in_another_way_pools_begin_anew(
    change: dict[str, object], autojump_clock: object
) -> None:
    """Connections that are idle close at once, one in use when its request has ended."""
    origin = Origin(sized(b"one"), slow(5))
    async with running(origin, marked(1)) as proxy:
        await proxy.connect().get()
        busy = await ask(proxy)
        assert len(proxy.upstream_wires) == 1
        await proxy.reload(marked(2, replace(upstream(), **change)))
        assert (await busy.answer()).body == b"slow"
        await proxy.settle()
        assert origin.open == 0
        assert proxy.pooled == 0


async def test_a_new_endpoint_takes_its_share_step_by_step(autojump_clock: object) -> None:
    """And one that stays is not taken for a new one."""
    one = replace(upstream("app", ORIGIN), slow_start=10.0)
    async with running(plan=marked(1, one)) as proxy:
        await proxy.reload(marked(2, replace(upstream("app", ORIGIN, OTHER), slow_start=10.0)))
        assert [each.weight for each in proxy.endpoints] == [100, 10]
        await trio.sleep(5)
        assert 40 <= proxy.endpoints[1].weight <= 60
        await proxy.reload(marked(3, replace(upstream("app", ORIGIN, OTHER), slow_start=10.0)))
        assert 40 <= proxy.endpoints[1].weight <= 60
        await proxy.reload(marked(4, upstream("app", ORIGIN, OTHER)))
        assert [each.weight for each in proxy.endpoints] == [1, 1]


async def test_what_cannot_be_used_changes_nothing(autojump_clock: object) -> None:
    """The reason is told, and whatever was shared is as it was."""
    bad = replace(upstream("app", ORIGIN, OTHER), tls=UpstreamTls(ca="/nowhere/ca.pem"))
    secret = ListenerTls((CertificatePair("/nowhere/cert.pem", "/nowhere/key.pem"),))
    worse = replace(listener(), protocol="https", tls=secret)
    async with running(plan=guarded(BREAKER)) as proxy:
        await proxy.connect().get()
        before = proxy.snapshot
        (endpoint,) = proxy.endpoints
        for broken in (marked(2, bad), marked(2, listeners=(worse,))):
            with pytest.raises(ReloadError, match="the certificates cannot be used: No such"):
                await proxy.reload(broken)
            assert proxy.snapshot is before
            assert (endpoint.weight, len(endpoint.idle), proxy.endpoints) == (1, 1, [endpoint])
            assert (await proxy.connect().get()).get(b"x-generation") == b"1"
        assert len(proxy.upstream_wires) == 1


async def test_a_proxy_that_drains_does_not_go_over(autojump_clock: object) -> None:
    """It is about to end."""
    async with running(plan=marked(1)) as proxy:
        proxy.worker.stop()
        with pytest.raises(ReloadError, match="draining"):
            await proxy.reload(marked(2))
