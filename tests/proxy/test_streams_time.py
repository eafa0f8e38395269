"""Streams that may be silent, gRPC and server-sent events: a long limit, and no clock for a call's head."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from appliance.config.plan import Plan
from tests.kit.h2_origin import H2Call, H2Origin
from tests.kit.origin import Call, Origin, head
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
