"""Streams that may be silent, gRPC and server-sent events: a long limit, and no clock for a call's head."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from appliance.config.plan import Plan
from appliance.config.plan_policy import Backoff, BreakerPlan, RetryPlan
from tests.kit.h2_origin import H2Call, H2Origin
from tests.kit.origin import Call, Origin, head, silent, sized
from tests.kit.plans import listener, plan, route, upstream
from tests.kit.proxy import Client, running

TICK = 0.051
ADDRESS = "10.0.0.1:80"


def profile(protocol: str, **times: float) -> Plan:
    """Give a plan with the default limits for a silent stream unless ``idle`` is given."""
    row = replace(upstream(per_try=5.0), protocol=protocol)
    return plan(route(response=15.0, **times), upstreams=(row,), listeners=(listener(write=3600),))


async def ask(client: Client, kind: bytes) -> None:
    """Send a POST of this content type."""
    await client.send(b"POST /p HTTP/1.1\r\nHost: a\r\ncontent-type: %b\r\ncontent-length: 0\r\n\r\n" % kind)


@pytest.mark.parametrize("protocol", ["http1", "http2"])
@pytest.mark.parametrize(
    ("times", "limit"), [({}, 300.0), ({"idle": 20.0}, 20.0)], ids=["by default", "as written"]
)
async def test_a_call_may_begin_late(
    protocol: str, times: dict[str, float], limit: float, autojump_clock: object
) -> None:
    """A gRPC stream has neither ``response`` nor ``per_try``: only silence ends it."""

    async def wait(_: object) -> None:
        await trio.sleep_forever()

    origin = H2Origin(wait) if protocol == "http2" else Origin(wait)
    async with running({ADDRESS: origin}, profile(protocol, **times)) as proxy:
        client = proxy.connect()
        await ask(client, b"application/grpc")
        answer = await client.answer()
        assert limit <= trio.current_time() <= limit + TICK
        assert (answer.status, answer.get(b"grpc-status")) == (200, b"14")
        assert proxy.journal.faults == ["upstream-idle"]
        await proxy.check_idle()


@pytest.mark.parametrize("protocol", ["http1", "http2"])
@pytest.mark.parametrize(
    ("kind", "limit"),
    [(b"text/event-stream", 300.0), (b"text/event-stream; charset=utf-8", 300.0), (b"text/plain", 60.0)],
)
async def test_events_may_be_rare(protocol: str, kind: bytes, limit: float, autojump_clock: object) -> None:
    """An answer of server-sent events may be silent for longer than another of unknown length."""

    async def over_h1(call: Call) -> None:
        await call.read()
        await call.send(head(200, [(b"content-type", kind), (b"transfer-encoding", b"chunked")]))
        await call.send(b"3\r\nabc\r\n")
        await trio.sleep_forever()

    async def over_h2(call: H2Call) -> None:
        await call.head(200, [(b"content-type", kind)])
        await call.data(b"abc")
        await trio.sleep_forever()

    origin = H2Origin(over_h2) if protocol == "http2" else Origin(over_h1)
    async with running({ADDRESS: origin}, profile(protocol)) as proxy:
        answer = await proxy.connect().get()
        assert limit <= trio.current_time() <= limit + TICK
        assert (answer.body, answer.whole) == (b"abc", False)
        await proxy.check_idle()


async def call(client: Client, timeout: bytes) -> None:
    """Begin a gRPC call with this time for it."""
    head = b"POST /p HTTP/1.1\r\nHost: a\r\ncontent-type: application/grpc\r\ngrpc-timeout: %b\r\n"
    await client.send(head % timeout + b"content-length: 0\r\n\r\n")


async def test_a_client_says_how_long_its_call_may_take(autojump_clock: object) -> None:
    """Then it is over, which is nobody's fault: the client is told so, and the endpoint stays in use."""
    origin = Origin(silent(), silent(), silent(), sized(b"next"))
    rows = route(response=15.0, breaker=BreakerPlan(failure_threshold=1))
    async with running(origin, plan(rows, listeners=(listener(write=3600),))) as proxy:
        for _ in range(3):
            began, client = trio.current_time(), proxy.connect()
            await call(client, b"400m")
            answer = await client.answer()
            assert 0.4 <= trio.current_time() - began <= 0.4 + TICK
            assert (answer.status, answer.get(b"grpc-status")) == (200, b"4")
        assert proxy.journal.faults == ["grpc-timeout"] * 3
        assert proxy.shifts == []
        assert (await proxy.connect().get()).body == b"next"
        await proxy.check_idle()


async def test_the_rest_of_that_time_is_passed_on(autojump_clock: object) -> None:
    """With what was spent on an earlier try and on waiting taken off; what is no timeout passes as it is."""

    async def slow(seen: Call) -> None:
        await seen.read()
        await trio.sleep(2)
        await seen.send(head(503))
        seen.wire.close()

    origin = Origin(slow, sized(b"", 200, [(b"grpc-status", b"0")]), sized(b""))
    retry = RetryPlan(backoff=Backoff(0.0, 0.0), methods=("POST",))
    async with running(origin, plan(route(retry=retry, response=15.0))) as proxy:
        client = proxy.connect()
        await call(client, b"10S")
        assert (await client.answer()).status == 200
        assert [seen.get(b"grpc-timeout") for seen in origin.requests] == [b"10000000u", b"8000000u"]
        client = proxy.connect()
        await call(client, b"soon")
        await client.answer()
        assert origin.requests[2].get(b"grpc-timeout") == b"soon"
        await proxy.check_idle()


async def test_the_shorter_time_holds(autojump_clock: object) -> None:
    """The route's own, if that is the shorter one, and then it says that."""
    async with running(Origin(silent()), plan(route(request=3.0))) as proxy:
        client = proxy.connect()
        await call(client, b"10S")
        assert (await client.answer()).get(b"grpc-status") == b"4"
        assert proxy.journal.faults == ["request-timeout"]
        assert trio.current_time() <= 3.0 + TICK
        await proxy.check_idle()


async def test_an_answer_that_has_begun_is_cut_at_its_time(autojump_clock: object) -> None:
    """A call may stream for as long as its client allows."""
    origin = H2Origin(endless)
    async with running({ADDRESS: origin}, profile("http2")) as proxy:
        client = proxy.connect()
        await call(client, b"5S")
        answer = await client.answer()
        assert (answer.status, answer.whole) == (200, False)
        assert 5.0 <= trio.current_time() <= 5.0 + TICK
        assert proxy.journal.faults == ["grpc-timeout"]
        await proxy.check_idle()


async def endless(seen: H2Call) -> None:
    """Answer a byte every second."""
    await seen.head(200, [(b"content-type", b"application/grpc")])
    while True:
        await seen.data(b"x")
        await trio.sleep(1)
