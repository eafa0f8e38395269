"""WebSocket through the proxy: by HTTP/1.1 and HTTP/2 on either side, and with every case of a fuzzer."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kosoku
import pytest
import trio
import trio_websocket
from wsproto import events

from appliance.http.h2_frames import Code
from tests.kit.certs import certs
from tests.kit.nghttp import ports
from tests.kit.peers import meshctl
from tests.kit.websockets import H2WebSocket, echo_server

pytestmark = pytest.mark.live

PROFILE = """
meshctl: 1
name: {name}
listeners:
  web: {{bind: "127.0.0.1:0"}}
  tls: {{bind: "127.0.0.1:0", protocol: https, tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}}}
routes: [{{name: all, to: app}}]
upstreams: {{app: {{endpoints: ["localhost:{port}"]{more}}}}}
access_log: {{to: stdout}}
"""
CASES = [f"{part}.*" for part in (1, 2, 3, 4, 5, 6, 7, 10)]
LARGE = ["9.1.*", "9.2.*"]
PACKED = [*(f"12.{part}.1" for part in range(1, 6)), *(f"13.{part}.1" for part in range(1, 8))]
CODES = [(1000, ""), (1001, "leaving"), (1011, "ü" * 60), (3000, "registered"), (4999, "private")]


@dataclass(frozen=True)
class World:
    """Ports of the echo server itself, and of proxies before it, in the clear and in TLS.

    ``near`` has the server as its upstream, by HTTP/1.1; ``far`` has ``near``, by HTTP/2 in TLS (RFC 8441).
    """

    direct: int
    near: int
    near_tls: int
    far: int
    far_tls: int


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run the echo server and both proxies."""
    made = certs()
    with ExitStack() as stack:
        port = stack.enter_context(echo_server())
        near = stack.enter_context(run(tmp_path_factory.mktemp("near"), port, ""))
        more = f", protocol: http2, tls: {{ca: {made.ca}}}"
        far = stack.enter_context(run(tmp_path_factory.mktemp("far"), ports(near)[1], more))
        yield World(port, *ports(near), *ports(far))
        for proxy in (near, far):
            assert "Traceback" not in proxy.err


def run(folder: Path, port: int, more: str) -> Any:
    """Run a proxy before ``port``."""
    pair = certs().pair("server")
    return meshctl(
        folder, PROFILE.format(name=folder.name[:3], cert=pair.cert, key=pair.key, port=port, more=more)
    )


def trusting(*protocols: str) -> ssl.SSLContext:
    """Give a client's context that trusts the tests' authority."""
    context = ssl.create_default_context(cafile=certs().ca)
    context.set_alpn_protocols(protocols)
    return context


WAYS = pytest.mark.parametrize("way", ["near", "near_tls", "far", "far_tls"])


def dial(world: World, way: str, **more: Any) -> Any:
    """Open a WebSocket with trio-websocket."""
    tls = way.endswith("tls")
    url = f"{'wss' if tls else 'ws'}://localhost:{getattr(world, way)}/chat?a=b"
    context = trusting("http/1.1") if tls else None
    return trio_websocket.open_websocket_url(url, ssl_context=context, max_message_size=1 << 26, **more)


@WAYS
async def test_messages_of_any_size_come_back(way: str, world: World) -> None:
    """Text and bytes, from none to 8 MiB, one after the other, whole; subprotocol and fields pass."""
    with trio.fail_after(30):
        async with dial(world, way, subprotocols=["a.b", "c"], extra_headers=[(b"x-mine", b"1")]) as ws:
            assert ws.subprotocol == "a.b"
            assert (b"x-mine", b"1") in ws.handshake_headers
            for size in (0, 1, 125, 126, 65_535, 65_536, 1 << 20, 8 << 20):
                data = os.urandom(size)
                await ws.send_message(data)
                assert await ws.get_message() == data
            text = "Ünï¢ødé 🚀 " * 10_000
            await ws.send_message(text)
            assert await ws.get_message() == text


@WAYS
async def test_both_directions_flow_at_once(way: str, world: World) -> None:
    """Five hundred messages are sent without waiting for an echo, and come back in their order."""
    with trio.fail_after(30):
        async with dial(world, way) as ws, trio.open_nursery() as nursery:

            async def send() -> None:
                for number in range(500):
                    await ws.send_message(b"%d:" % number + bytes(number * 10))

            nursery.start_soon(send)
            for number in range(500):
                assert await ws.get_message() == b"%d:" % number + bytes(number * 10)


@WAYS
async def test_pings_and_close_codes_pass(way: str, world: World) -> None:
    """A ping is answered by the server, not by the proxy; each close code and reason is echoed."""
    with trio.fail_after(30):
        for code, reason in CODES:
            async with dial(world, way) as ws:
                for payload in (b"", b"p" * 125):
                    await ws.ping(payload)
                await ws.aclose(code, reason)
                assert (ws.closed.code, ws.closed.reason or "") == (code, reason)


@WAYS
async def test_many_sockets_at_once(way: str, world: World) -> None:
    """A hundred are open together, and none hears another."""
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:

            async def one(name: bytes) -> None:
                async with dial(world, way) as ws:
                    for _ in range(5):
                        await ws.send_message(name)
                        assert await ws.get_message() == name

            for number in range(100):
                nursery.start_soon(one, b"%d" % number)


@pytest.mark.parametrize("way", ["near", "near_tls", "far", "far_tls"])
def test_many_on_one_connection_of_http_2(way: str, world: World) -> None:
    """Extended CONNECT: twenty WebSockets as streams beside each other, and each ends in order (RFC 8441)."""
    tls = trusting("h2") if way.endswith("tls") else None
    with closing(H2WebSocket(getattr(world, way), tls)) as client:
        ids = [client.connect(headers=[("sec-websocket-protocol", "a.b")]) for _ in range(20)]
        for id in ids:
            assert client.head[id][":status"] == "200"
            assert client.head[id]["sec-websocket-protocol"] == "a.b"
            assert "sec-websocket-accept" not in client.head[id]
            client.send(id, events.TextMessage(data=f"hello {id}"))
            client.send(id, events.Ping(payload=b"%d" % id))
        for id in ids:
            assert client.next(id) == events.TextMessage(data=f"hello {id}")
            assert client.next(id) == events.Pong(payload=b"%d" % id)
        large = os.urandom(3 << 20)
        client.send(ids[0], events.BytesMessage(data=large))
        assert client.next(ids[0]) == events.BytesMessage(data=large)
        for id, (code, reason) in zip(ids, CODES * 4, strict=True):
            client.send(id, events.CloseConnection(code=code, reason=reason))
            closed = client.next(id)
            assert isinstance(closed, events.CloseConnection)
            assert (closed.code, closed.reason or "") == (code, reason)
            client.end(id)
            while id not in client.ended:
                client.hear()
        assert set(client.reset.values()) <= {Code.NO_ERROR}
        again = client.connect()
        client.send(again, events.TextMessage(data="still here"))
        assert client.next(again) == events.TextMessage(data="still here")


@pytest.mark.parametrize("way", ["near", "far"])
async def test_whoever_vanishes_is_missed(way: str, world: World) -> None:
    """A client that resets its connection leaves nothing behind that would keep others from being served."""
    with trio.fail_after(20):
        for _ in range(5):
            sock = socket.create_connection(("127.0.0.1", getattr(world, way)))
            sock.sendall(
                b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            assert sock.recv(64).startswith(b"HTTP/1.1 101 ")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
        async with dial(world, way) as ws:
            await ws.send_message("x")
            assert await ws.get_message() == "x"


# The cases of the Autobahn test suite, which leave files open until they are collected.

SLOVENLY = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


def failed(results: Sequence[kosoku.CaseResult]) -> set[str]:
    """Give the cases in which a rule of RFC 6455 or RFC 7692 was broken."""
    gc.collect()
    return {result.case_id for result in results if not result.passed}


async def fuzz_server(port: int, cases: list[str]) -> tuple[int, set[str]]:
    """Let the fuzzer ask a server; gives how many cases were tried, and which failed."""
    try:
        results = await kosoku.run_fuzzingclient(f"ws://127.0.0.1:{port}", cases=cases, concurrency=8)
    except kosoku.FailureError as error:
        results = error.results
    return len(results), failed(results)


@SLOVENLY
def test_the_fuzzer_finds_no_more_behind_proxies_than_without(world: World) -> None:
    """Whatever a server answers right when asked directly, it answers right through one proxy and two."""
    for cases, least in ((CASES + LARGE, 250), (PACKED, 10)):
        direct = asyncio.run(fuzz_server(world.direct, cases))
        assert direct[0] >= least
        assert len(direct[1]) < 5
        for port in (world.near, world.far):
            count, broken = asyncio.run(fuzz_server(port, cases))
            assert count == direct[0]
            assert broken <= direct[1]


async def _talk(port: int, resource: str, *, echo: bool = False) -> str:
    """Connect to the fuzzer; gives its first message, or echoes all there are until it has had enough."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream, trio.open_nursery() as nursery:
        with suppress(trio_websocket.ConnectionClosed, trio_websocket.DisconnectionTimeout):
            ws = await trio_websocket.wrap_client_stream(
                nursery, stream, "localhost", resource, max_message_size=1 << 26
            )
            while echo:
                await ws.send_message(await ws.get_message())
            return str(await ws.get_message())
    return ""


async def _echo_cases(port: int) -> None:
    """Be the client that the fuzzing server looks at, for all of its cases, some at a time."""
    limit = trio.CapacityLimiter(32)

    async def one(number: int) -> None:
        async with limit:
            await _talk(port, f"/runCase?case={number}&agent=edge", echo=True)

    async with trio.open_nursery() as nursery:
        for number in range(1, int(await _talk(port, "/getCaseCount")) + 1):
            nursery.start_soon(one, number)
    await _talk(port, "/updateReports?agent=edge")


async def fuzz_client(folder: Path, more: str | None) -> tuple[int, set[str]]:
    """Let the fuzzer be asked by a client, through a proxy unless ``more`` is None; as ``fuzz_server``."""
    async with kosoku.run_fuzzingserver(cases=CASES, port=0) as server:
        with ExitStack() as stack:
            port = server.port
            if more is not None:
                port = stack.enter_context(run(folder, port, more)).port
            await asyncio.to_thread(trio.run, _echo_cases, port)
        try:
            results = await asyncio.wait_for(server.get_result(), 30)
        except kosoku.FailureError as error:
            results = error.results
    return len(results), failed(results)


@SLOVENLY
def test_a_client_fails_no_more_cases_through_the_proxy(tmp_path: Path) -> None:
    """The fuzzer as the upstream: what it sends, malformed or not, reaches the client as it was sent."""
    direct = asyncio.run(fuzz_client(tmp_path, None))
    count, broken = asyncio.run(fuzz_client(tmp_path, ""))
    assert count == direct[0] >= 240
    assert broken <= direct[1]
    assert len(direct[1]) < 5
