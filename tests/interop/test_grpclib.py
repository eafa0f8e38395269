"""grpclib, which is asyncio over the h2 library, on both sides of the proxy, in the clear and in TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpclib.client import Channel, StreamStreamMethod, StreamUnaryMethod, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.const import Cardinality, Handler, Status
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError
from grpclib.server import Server

from tests.kit.certs import certs
from tests.kit.peers import Meshctl, free_port, meshctl

pytestmark = pytest.mark.live

PROFILE = """
meshctl: 1
name: edge
listeners: {{web: {{bind: "127.0.0.1:0", limits: {{max_streams: 1000}}{listener}}}}}
routes: [{{name: all, to: app}}]
upstreams: {{app: {{protocol: http2, endpoints: ["localhost:{port}"]{upstream}}}}}
access_log: {{to: stdout}}
"""
LIMIT = 20.0


class Raw(CodecBase):
    """Messages are bytes as they are."""

    __content_subtype__ = "raw"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return bytes(message)

    def decode(self, data: bytes, message_type: Any) -> Any:
        return data


TOGETHER = 200
"""As many calls are in flight at once."""


class Service:
    """Echoes in every shape, and ends calls as it is told."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.cancelled = asyncio.Event()
        self.together = asyncio.Barrier(TOGETHER)

    def __mapping__(self) -> dict[str, Handler]:
        shapes = {
            "Unary": (self.unary, Cardinality.UNARY_UNARY),
            "Down": (self.down, Cardinality.UNARY_STREAM),
            "Up": (self.up, Cardinality.STREAM_UNARY),
            "Both": (self.both, Cardinality.STREAM_STREAM),
        }
        return {f"/t/{name}": Handler(serve, shape, bytes, bytes) for name, (serve, shape) in shapes.items()}

    async def unary(self, stream: Any) -> None:
        """Echo with the metadata; ``fail`` and ``sleep`` do as they say, ``wait`` waits for all."""
        try:
            message = await stream.recv_message()
            self.seen.append(dict(stream.metadata))
            if message == b"fail":
                raise GRPCError(Status.FAILED_PRECONDITION, "not today: 50% ü")
            if message == b"sleep":
                await asyncio.sleep(60)
            if message.startswith(b"wait"):
                await asyncio.wait_for(self.together.wait(), 30)
            await stream.send_initial_metadata(metadata={"x-first": "1"})
            await stream.send_message(message)
            await stream.send_trailing_metadata(metadata={"x-last-bin": b"\0\xff"})
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def down(self, stream: Any) -> None:
        """Echo five times, or until the client has had enough."""
        message = await stream.recv_message()
        number = 0
        try:
            while message == b"forever" or number < 5:
                await stream.send_message(b"%d:" % number + message)
                await asyncio.sleep(0)
                number += 1
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def up(self, stream: Any) -> None:
        """Echo all in one."""
        await stream.send_message(b"|".join([message async for message in stream]))

    async def both(self, stream: Any) -> None:
        """Echo one by one, each before the next is asked for."""
        async for message in stream:
            await stream.send_message(b"e:" + message)


class World:
    """A server, the proxy before it, and the four methods by way of a channel to the proxy."""

    def __init__(self, service: Service, proxy: Meshctl, channel: Channel) -> None:
        self.service = service
        self.proxy = proxy
        self.unary = UnaryUnaryMethod(channel, "/t/Unary", bytes, bytes)
        self.down = UnaryStreamMethod(channel, "/t/Down", bytes, bytes)
        self.up = StreamUnaryMethod(channel, "/t/Up", bytes, bytes)
        self.both = StreamStreamMethod(channel, "/t/Both", bytes, bytes)


@asynccontextmanager
async def world(folder: Path, *, tls: bool) -> AsyncIterator[World]:
    """Run all three; with ``tls`` both sides of the proxy speak it."""
    made, pair = certs(), certs().pair("server")
    service, port = Service(), free_port()
    serving = trusting = None
    listener = upstream = ""
    if tls:
        serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        serving.load_cert_chain(pair.cert, pair.key)
        trusting = ssl.create_default_context(cafile=made.ca)
        for context in (serving, trusting):
            context.set_alpn_protocols(["h2"])
        listener = f", protocol: https, tls: {{certificates: [{{cert: {pair.cert}, key: {pair.key}}}]}}"
        upstream = f", tls: {{ca: {made.ca}}}"
    server = Server([service], codec=Raw())
    await server.start("127.0.0.1", port, ssl=serving)
    try:
        text = PROFILE.format(port=port, listener=listener, upstream=upstream)
        with meshctl(folder, text) as proxy:
            channel = Channel("localhost", proxy.port, ssl=trusting, codec=Raw())
            try:
                async with asyncio.timeout(LIMIT):
                    yield World(service, proxy, channel)
            finally:
                channel.close()
            assert "Traceback" not in proxy.err
    finally:
        server.close()
        await server.wait_closed()


BOTH = pytest.mark.parametrize("tls", [False, True], ids=["h2c", "tls"])


@BOTH
def test_all_shapes_pass(tls: bool, tmp_path: Path) -> None:
    """One and many messages each way, empty ones and large ones, in their order."""

    async def main() -> None:
        async with world(tmp_path, tls=tls) as run:
            assert await run.unary(b"hi") == b"hi"
            assert await run.unary(b"") == b""
            large = bytes(range(256)) * (8 << 10)
            assert await run.unary(large) == large
            assert await run.down(b"x") == [b"%d:x" % number for number in range(5)]
            assert await run.up([b"a", b"b", b"c"]) == b"a|b|c"
            assert await run.both([b"%d" % n for n in range(300)]) == [b"e:%d" % n for n in range(300)]
            parts = [bytes([n]) * 100_000 for n in range(20)]
            assert await run.up(parts) == b"|".join(parts)

    asyncio.run(main())


@BOTH
def test_a_conversation_is_not_held_back(tls: bool, tmp_path: Path) -> None:
    """Each message is answered before the next is sent, with both directions left open."""

    async def main() -> None:
        async with world(tmp_path, tls=tls) as run, run.both.open() as stream:
            await stream.send_request()
            for number in range(50):
                await stream.send_message(b"%d" % number)
                assert await stream.recv_message() == b"e:%d" % number
            await stream.end()
            assert await stream.recv_message() is None

    asyncio.run(main())


@BOTH
def test_two_hundred_calls_at_once(tls: bool, tmp_path: Path) -> None:
    """They are all in flight together, over one connection on either side, and none gets another's answer."""

    async def main() -> None:
        async with world(tmp_path, tls=tls) as run:
            unary = [run.unary(b"wait%d" % number) for number in range(TOGETHER)]
            assert await asyncio.gather(*unary) == [b"wait%d" % number for number in range(TOGETHER)]
            talks = [run.both([b"%d/%d" % (number, step) for step in range(5)]) for number in range(TOGETHER)]
            wanted = [[b"e:%d/%d" % (number, step) for step in range(5)] for number in range(TOGETHER)]
            assert await asyncio.gather(*talks) == wanted

    asyncio.run(main())


@BOTH
def test_metadata_and_statuses_pass(tls: bool, tmp_path: Path) -> None:
    """Metadata of both kinds, both ways, first and last; a status with a message beyond ASCII."""

    async def main() -> None:
        async with world(tmp_path, tls=tls) as run:
            async with run.unary.open(metadata={"x-a": "1", "x-b-bin": b"\xff\0"}) as stream:
                await stream.send_message(b"hi", end=True)
                assert await stream.recv_message() == b"hi"
                await stream.recv_trailing_metadata()
                assert stream.initial_metadata["x-first"] == "1"
                assert stream.trailing_metadata["x-last-bin"] == b"\0\xff"
            assert run.service.seen[0]["x-a"] == "1"
            assert run.service.seen[0]["x-b-bin"] == b"\xff\0"
            with pytest.raises(GRPCError) as caught:
                await run.unary(b"fail")
            assert caught.value.status is Status.FAILED_PRECONDITION
            assert caught.value.message == "not today: 50% ü"

    asyncio.run(main())


@BOTH
def test_leaving_early_reaches_the_server(tls: bool, tmp_path: Path) -> None:
    """A cancelled stream, and a call whose time is up, stop at the server; the connection serves on."""

    async def main() -> None:
        async with world(tmp_path, tls=tls) as run:
            async with run.down.open() as stream:
                await stream.send_message(b"forever", end=True)
                assert await stream.recv_message() == b"0:forever"
                await stream.cancel()
            await asyncio.wait_for(run.service.cancelled.wait(), 5)
            run.service.cancelled.clear()
            with pytest.raises((GRPCError, asyncio.TimeoutError)):
                await run.unary(b"sleep", timeout=0.5)
            await asyncio.wait_for(run.service.cancelled.wait(), 5)
            assert await run.unary(b"hi") == b"hi"

    asyncio.run(main())


@BOTH
def test_without_its_server_a_call_is_unavailable(tls: bool, tmp_path: Path) -> None:
    """grpclib reads the proxy's own answer as a status of gRPC."""

    async def main() -> None:
        async with world(tmp_path, tls=tls) as run:
            path = tmp_path / "edge.yaml"
            text = path.read_text()
            found = text[text.index("localhost:") :].split('"')[0]
            (tmp_path / "dead").mkdir()
            with meshctl(tmp_path / "dead", text.replace(found, "localhost:1")) as dead:
                context = None
                if tls:
                    context = ssl.create_default_context(cafile=certs().ca)
                    context.set_alpn_protocols(["h2"])
                channel = Channel("localhost", dead.port, ssl=context, codec=Raw())
                try:
                    with pytest.raises(GRPCError) as caught:
                        await UnaryUnaryMethod(channel, "/t/Unary", bytes, bytes)(b"hi")
                    assert caught.value.status is Status.UNAVAILABLE
                finally:
                    channel.close()
            assert await run.unary(b"hi") == b"hi"

    asyncio.run(main())
