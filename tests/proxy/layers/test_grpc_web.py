"""Browsers call gRPC services through a route that translates."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import trio

from appliance.config.plan import Plan
from appliance.config.plan_policy import BreakerPlan
from tests.kit.h2_client import polite
from tests.kit.h2_origin import H2Call, H2Origin
from tests.kit.plans import plan, route, upstream
from tests.kit.proxy import Answer, Proxy, running

ADDRESS = "10.0.0.1:80"
MESSAGE = b"\0\0\0\0\5hello"
FRAME = b"\x80\0\0\0\x10grpc-status: 0\r\n"


def translating(**rest: Any) -> Plan:
    """Give a plan with a route that translates towards an HTTP/2 upstream."""
    return plan(route(grpc_web=True, **rest), upstreams=(replace(upstream(), protocol="http2"),))


async def echo(call: H2Call) -> None:
    """Give the message back, and the status in trailers."""
    await call.read()
    await call.head(200, [(b"content-type", b"application/grpc+proto")])
    await call.data(call.body)
    await call.end([(b"grpc-status", b"0")])


FORMS: list[tuple[bytes, Callable[[bytes], bytes], Callable[[bytes], bytes]]] = [
    (b"application/grpc-web+proto", bytes, bytes),
    (b"application/grpc-web-text+proto", b64encode, lambda raw: b"".join(map(b64decode, _groups(raw)))),
]


def _groups(raw: bytes) -> list[bytes]:
    return [raw[at : at + 4] for at in range(0, len(raw), 4)]


@pytest.mark.parametrize(("kind", "packed", "unpacked"), FORMS, ids=["binary", "text"])
@pytest.mark.parametrize("version", ["http1", "http2"])
async def test_a_call_and_its_answer(
    version: str,
    kind: bytes,
    packed: Callable[[bytes], bytes],
    unpacked: Callable[[bytes], bytes],
    autojump_clock: object,
) -> None:
    """The service sees gRPC, the browser gRPC-Web, whatever the versions."""
    origin = H2Origin(echo)
    async with running({ADDRESS: origin}, translating()) as proxy:
        body = packed(MESSAGE)
        if version == "http1":
            plain = proxy.connect()
            await plain.send(
                b"POST /s/M HTTP/1.1\r\nHost: a\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b"
                % (kind, len(body), body)
            )
            answer: Any = await plain.answer(b"POST")
        else:
            client = await polite(proxy)
            id = await client.ask(b"POST", b"/s/M", [(b"content-type", kind)], end=False)
            await client.data(id, body, end=True)
            answer = await client.answer(id)
        assert (answer.status, answer.get(b"content-type"), answer.trailers) == (200, kind, [])
        assert unpacked(answer.body) == MESSAGE + FRAME
        (seen,) = origin.calls
        assert (seen.get(b"content-type"), seen.get(b"te")) == (b"application/grpc+proto", b"trailers")
        assert seen.body == MESSAGE
        await proxy.check_idle()


async def post(proxy: Proxy, kind: bytes, body: bytes, *more: bytes) -> Answer:
    """Send a whole request by HTTP/1.1 and give its answer."""
    client = proxy.connect()
    lines = b"".join(line + b"\r\n" for line in (b"content-type: " + kind, *more))
    head = b"POST /s/M HTTP/1.1\r\nHost: a\r\n%bcontent-length: %d\r\n\r\n"
    await client.send(head % (lines, len(body)) + body)
    return await client.answer(b"POST")


async def test_an_answer_without_messages(autojump_clock: object) -> None:
    """A status in the head stays there; one in trailers is a frame."""

    async def head_only(call: H2Call) -> None:
        await call.read()
        await call.head(200, [(b"content-type", b"application/grpc"), (b"grpc-status", b"5")], end=True)

    async def trailers(call: H2Call) -> None:
        await call.read()
        await call.head(200, [(b"content-type", b"application/grpc")])
        await call.end([(b"grpc-status", b"5")])

    async with running({ADDRESS: H2Origin(head_only, trailers)}, translating()) as proxy:
        answer = await post(proxy, b"application/grpc-web", MESSAGE)
        assert (answer.get(b"content-type"), answer.get(b"grpc-status")) == (b"application/grpc-web", b"5")
        assert answer.body == b""
        answer = await post(proxy, b"application/grpc-web", MESSAGE)
        assert (answer.get(b"grpc-status"), answer.body) == (None, FRAME.replace(b"0\r", b"5\r"))
        await proxy.check_idle()


async def test_what_the_proxy_refuses_is_told_as_the_client_expects(autojump_clock: object) -> None:
    """With its own content type, and a status in the head; so is text that is none."""
    async with running({ADDRESS: H2Origin(echo)}, translating()) as proxy:
        answer = await post(proxy, b"application/grpc-web-text", b"no base64!!!")
        assert (answer.status, answer.get(b"content-type")) == (200, b"application/grpc-web-text")
        assert answer.get(b"grpc-status") == b"13"
        assert proxy.journal.faults == ["bad-grpc-web"]
        await proxy.check_idle()
        answer = await post(proxy, b"application/grpc-web-text", b64encode(MESSAGE))
        assert answer.status == 200


async def test_breakers_and_deadlines_see_a_call(autojump_clock: object) -> None:
    """The status in the trailers counts, and ``grpc-timeout`` holds."""

    async def broken(call: H2Call) -> None:
        await call.read()
        await call.head(200, [(b"content-type", b"application/grpc")])
        await call.end([(b"grpc-status", b"14")])

    async def silent(call: H2Call) -> None:
        await trio.sleep_forever()

    rules = translating(breaker=BreakerPlan(failure_threshold=2))
    async with running({ADDRESS: H2Origin(silent, echo, echo, broken, broken)}, rules) as proxy:
        answer = await post(proxy, b"application/grpc-web", MESSAGE, b"grpc-timeout: 2S")
        assert answer.get(b"grpc-status") == b"4"
        assert trio.current_time() <= 2.1
        for _ in range(4):
            assert proxy.shifts == []
            await post(proxy, b"application/grpc-web", MESSAGE)
        assert [each.shift.new.value for each in proxy.shifts] == ["open"]
        assert [record["grpc_status"] for record in proxy.journal.records] == [4, 0, 0, 14, 14]
        await proxy.check_idle()


async def test_everything_else_passes_as_it_is(autojump_clock: object) -> None:
    """gRPC itself, and what is no call."""
    origin = H2Origin(echo)
    async with running({ADDRESS: origin}, translating()) as proxy:
        answer = await post(proxy, b"application/grpc+proto", MESSAGE)
        assert (answer.body, answer.trailers) == (MESSAGE, [(b"grpc-status", b"0")])
        answer = await post(proxy, b"application/grpc-webby", MESSAGE)
        assert answer.body == MESSAGE
        assert (await proxy.connect().get()).status == 200
        assert [seen.get(b"content-type") for seen in origin.calls] == [
            b"application/grpc+proto",
            b"application/grpc-webby",
            None,
        ]
        assert [record["grpc_status"] for record in proxy.journal.records] == [0, None, None]
