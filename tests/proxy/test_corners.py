"""Where two policies meet: what each does alone is right, and together it must be, too."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from appliance.config.plan_policy import (
    Backoff,
    BreakerPlan,
    MirrorPlan,
    RateLimitPlan,
    RetryPlan,
    UpstreamLimits,
)
from appliance.policy.health import Health
from tests.kit.origin import Call, Origin, head, silent, sized, sized_bytes
from tests.kit.plans import plan, route, upstream
from tests.kit.proxy import running

ONE, TWO = "10.0.0.1:80", "10.0.0.2:80"
RETRY = RetryPlan(backoff=Backoff(0.0, 0.0), buffer=1 << 20)


def answers_after(seconds: float, status: int = 200) -> Origin:
    async def handle(call: Call) -> None:
        await call.read()
        await trio.sleep(seconds)
        await call.send(sized_bytes(b"x", status))

    return Origin(handle)


@pytest.mark.parametrize("attempt", range(4))
async def test_a_broken_try_does_not_start_the_time_of_all_tries(
    attempt: int, autojump_clock: object
) -> None:
    """The response's time begins with the last byte of the request, whatever became of it on the way."""

    async def cut(call: Call) -> None:
        await trio.sleep(0.5)
        call.wire.reset()

    row = replace(upstream("app", ONE, TWO), retry=RETRY)
    rules = route(retry=RETRY, response=3.0, breaker=BreakerPlan(failure_threshold=2))
    two = Origin(sized(b"fine"))
    async with running({ONE: Origin(cut), TWO: two}, plan(rules, upstreams=(row,))) as proxy:
        client = proxy.connect()
        await client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 200050\r\n\r\n" + b"y" * 200_000)
        for _ in range(10):
            await trio.sleep(1)
            await client.send(b"x" * 5)
        assert (await client.answer(b"PUT")).status == 200
        assert [len(seen.body) for seen in two.requests] == [200_050]
        await proxy.check_idle()


async def test_a_retry_that_wakes_too_late_finds_no_place(autojump_clock: MockClock) -> None:
    """When the loop was held up for longer than the route has time, the queue refuses; nothing breaks."""
    retry = RetryPlan(backoff=Backoff(0.0, 0.0))
    row = replace(upstream("app", ONE), retry=retry, limits=UpstreamLimits(max_requests=1))
    origin = Origin(sized(b"no", 503, [(b"retry-after", b"1")]), silent())
    rules = plan(route(retry=retry, response=1.2), upstreams=(row,))
    async with running({ONE: origin}, rules) as proxy, trio.open_nursery() as nursery:
        client, other = proxy.connect(), proxy.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await trio.sleep(0.1)
        nursery.start_soon(other.get, b"/other")
        await trio.sleep(0.6)
        autojump_clock.jump(0.7)
        assert (await client.answer()).status in (503, 504)
        nursery.cancel_scope.cancel()


async def test_a_place_that_comes_too_late_is_no_endpoints_fault(autojump_clock: MockClock) -> None:
    """With no time left nothing is dialled, and no breaker hears of it."""
    row = replace(upstream("app", ONE), limits=UpstreamLimits(max_requests=1, pending_timeout=5.0))
    rules = plan(route(response=1.0, breaker=BreakerPlan(failure_threshold=1)), upstreams=(row,))

    async def slow(call: Call) -> None:
        await call.read()
        await trio.sleep(0.75)
        await call.send(sized_bytes(b"x"))
        call.wire.close()

    async with running({ONE: Origin(slow)}, rules) as proxy, trio.open_nursery() as nursery:
        first, second = proxy.connect(), proxy.connect()
        nursery.start_soon(first.get)
        await trio.sleep(0.01)
        nursery.start_soon(second.get)
        await trio.sleep(0.5)
        autojump_clock.jump(0.6)
        await trio.sleep(1)
        assert "dns-failed" not in proxy.journal.faults
        assert [shift.shift.evidence[0].how for shift in proxy.shifts] in ([], ["response-timeout"])


async def test_passing_keeps_the_cap_on_connections(autojump_clock: object) -> None:
    """``when_all_open: pass`` lets requests through a breaker, not through ``limits``."""
    row = replace(upstream("app", ONE), limits=UpstreamLimits(max_connections=2))
    rules = route(breaker=BreakerPlan(failure_threshold=1, when_all_open="pass"))
    async with running({ONE: answers_after(0.5, 500)}, plan(rules, upstreams=(row,))) as proxy:
        await proxy.connect().get()
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(proxy.connect().get)
            await trio.sleep(0.25)
            assert proxy.endpoints[0].in_flight == 2


async def test_a_copy_that_is_ended_here_is_nobodys_failure(autojump_clock: object) -> None:
    """A stream that was mirrored is cut after a while; the shadow's breaker does not hear of it."""

    async def stream(call: Call) -> None:
        await call.read()
        kind = (b"content-type", b"application/grpc")
        await call.send(head(200, [kind, (b"transfer-encoding", b"chunked")]))
        while True:
            await call.send(b"1\r\nx\r\n")
            await trio.sleep(1)

    shadow = replace(upstream("shadow", TWO), breaker=BreakerPlan(failure_threshold=1))
    rules = route(mirror=MirrorPlan("shadow", 1.0), idle=300.0)
    both = plan(rules, upstreams=(upstream("app", ONE), shadow))
    async with running({ONE: Origin(), TWO: Origin(stream)}, both) as proxy:
        client = proxy.connect()
        fields = b"Content-Type: application/grpc\r\nContent-Length: 5\r\n\r\nhello"
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + fields)
        await client.answer(b"POST")
        await trio.sleep(120)
        assert proxy.shifts == []
        assert proxy.in_flight == 0


async def test_long_hosts_do_not_fill_the_table_of_buckets(autojump_clock: object) -> None:
    """A key is kept in a bounded form, whatever it is taken from."""
    rules = replace(plan(), rate_limit=RateLimitPlan(rate=1.0, burst=10, key="host"))
    async with running(Origin(), rules) as proxy:
        for number in range(3):
            client = proxy.connect()
            await client.send(b"GET / HTTP/1.1\r\nHost: %d.%b\r\n\r\n" % (number, b"a" * 30_000))
            await client.answer()
        keys = list(proxy.snapshot.limits.all[""].buckets._debts)
        assert len(keys) == 3
        assert max(map(len, keys)) < 300


async def test_who_waits_is_asked_when_an_endpoint_recovers(autojump_clock: object) -> None:
    """Not only when somebody leaves: the other endpoint may be well again long before."""
    limits = UpstreamLimits(max_connections=1, pending_timeout=10.0)
    row = replace(upstream("app", ONE, TWO, per_try=100.0), limits=limits)
    rules = plan(route(response=30.0), upstreams=(row,))
    async with running({ONE: answers_after(20), TWO: Origin()}, rules) as proxy:
        two = proxy.endpoints[1]
        two.health = Health(1, 1)
        two.health.report("down")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(proxy.connect().get)
            await trio.sleep(1)
            waits = proxy.connect()
            await waits.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await trio.sleep(1)
            two.health.report("")
            assert (await waits.answer()).status == 200
            assert trio.current_time() < 2.2
            nursery.cancel_scope.cancel()


async def test_heads_alone_close_no_breaker(autojump_clock: object) -> None:
    """Who begins every answer and breaks off each stays shut out but for probes."""

    async def broken(call: Call) -> None:
        await call.read()
        await call.send(head(200, [(b"transfer-encoding", b"chunked")]) + b"5\r\nhello\r\n")
        await trio.sleep(0.5)
        call.wire.reset()

    rules = plan(
        route(breaker=BreakerPlan(failure_threshold=3, open_for=5.0)), upstreams=(upstream("app", ONE),)
    )
    async with running({ONE: Origin(broken)}, rules) as proxy:
        for _ in range(100):
            client = proxy.connect()
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await trio.sleep(0.6)
        moves = [each.shift.new.value for each in proxy.shifts]
        assert moves[:4] == ["open", "half_open", "open", "half_open"]
        assert "closed" not in moves


async def test_a_probe_that_uploads_slowly_keeps_nobody_out(autojump_clock: object) -> None:
    """After some seconds another may be the probe; what becomes of the first is heard all the same."""
    rules = plan(
        route(breaker=BreakerPlan(failure_threshold=1, open_for=5.0)), upstreams=(upstream("app", ONE),)
    )
    async with running({ONE: Origin(sized(b"no", 500), sized(b"ok"))}, rules) as proxy:
        assert (await proxy.connect().get()).status == 500
        await trio.sleep(5)
        slow = proxy.connect()
        await slow.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n")
        await slow.send(b"x")
        await proxy.settle()
        assert (await proxy.connect().get()).status == 503
        seen = []
        for _ in range(4):
            await trio.sleep(2)
            await slow.send(b"x")
            seen.append((await proxy.connect().get()).status)
        assert seen == [503, 503, 200, 200]
        assert [each.shift.new.value for each in proxy.shifts] == ["open", "half_open", "closed"]
