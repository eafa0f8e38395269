"""grpcio on both sides of the proxy: every shape of call, in the clear and in TLS, alone and in crowds."""

from __future__ import annotations

import socket
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from struct import pack
from typing import Any

import grpc
import pytest

from tests.kit.certs import Certs, certs
from tests.kit.peers import Meshctl, meshctl

pytestmark = pytest.mark.live

LARGE = 64 << 20
OPTIONS = [
    ("grpc.max_receive_message_length", LARGE),
    ("grpc.max_send_message_length", LARGE),
    ("grpc.max_concurrent_streams", 2000),
]
PROFILE = """
meshctl: 1
name: edge
listeners: {{web: {{bind: "127.0.0.1:0", limits: {{max_streams: 2000}}{listener}}}}}
routes: [{{name: all, to: app, grpc_web: true}}]
upstreams: {{app: {{protocol: http2, endpoints: ["localhost:{port}"]{upstream}}}}}
access_log: {{to: stdout}}
"""


def same(raw: bytes) -> bytes:
    return raw


class Service(grpc.GenericRpcHandler):
    """Echoes in every shape; ``trouble`` is what the next unary calls end with."""

    def __init__(self) -> None:
        self.trouble: list[grpc.StatusCode] = []
        self.cancelled = threading.Event()
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.calls = 0
        self.remaining = 0.0

    def service(self, details: Any) -> Any:
        """Give what serves a method."""
        makers = {
            "/t/Unary": (grpc.unary_unary_rpc_method_handler, self.unary),
            "/t/Slow": (grpc.unary_unary_rpc_method_handler, self.slow),
            "/t/Down": (grpc.unary_stream_rpc_method_handler, self.down),
            "/t/Up": (grpc.stream_unary_rpc_method_handler, self.up),
            "/t/Both": (grpc.stream_stream_rpc_method_handler, self.both),
        }
        if details.method not in makers:
            return None
        make, serve = makers[details.method]
        return make(serve, same, same)

    def unary(self, message: bytes, context: Any) -> bytes:
        """Echo, with the metadata of the call as trailing metadata."""
        self.calls += 1
        self.remaining = context.time_remaining()
        if self.trouble:
            context.abort(self.trouble.pop(0), "as told")
        context.set_trailing_metadata(
            tuple(p for p in context.invocation_metadata() if p[0] in ("x-a", "x-b-bin"))
        )
        return message

    def slow(self, message: bytes, _: Any) -> bytes:
        """Echo when the test lets it."""
        self.begun.set()
        assert self.go_on.wait(10)
        return message

    def down(self, message: bytes, context: Any) -> Iterator[bytes]:
        """Echo five times, or for ever."""
        context.add_callback(self.cancelled.set)
        number = 0
        while message == b"forever" or number < 5:
            yield b"%d:" % number + message
            number += 1

    def up(self, messages: Iterator[bytes], _: Any) -> bytes:
        """Echo all in one."""
        return b"|".join(messages)

    def both(self, messages: Iterator[bytes], _: Any) -> Iterator[bytes]:
        """Echo one by one."""
        for message in messages:
            yield b"e:" + message


class World:
    """A server, the proxy before it, and a channel to the proxy."""

    def __init__(self, service: Service, proxy: Meshctl, channel: grpc.Channel) -> None:
        self.service = service
        self.proxy = proxy
        self.unary = channel.unary_unary("/t/Unary", same, same)
        self.slow = channel.unary_unary("/t/Slow", same, same)
        self.none = channel.unary_unary("/t/None", same, same)
        self.down = channel.unary_stream("/t/Down", same, same)
        self.up = channel.stream_unary("/t/Up", same, same)
        self.both = channel.stream_stream("/t/Both", same, same)


@contextmanager
def world(folder: Path, *, tls: bool = False, upstream: str = "") -> Iterator[World]:
    """Run all three; with ``tls`` both sides of the proxy speak it."""
    made: Certs = certs()
    service = Service()
    with ThreadPoolExecutor(32) as pool:
        server = grpc.server(pool, options=OPTIONS)
        server.add_generic_rpc_handlers((service,))
        pair = made.pair("server")
        key, chain = Path(pair.key).read_bytes(), Path(pair.cert).read_bytes()
        if tls:
            port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
            listener = f", protocol: https, tls: {{certificates: [{{cert: {pair.cert}, key: {pair.key}}}]}}"
            upstream += f", tls: {{ca: {made.ca}}}"
        else:
            port, listener = server.add_insecure_port("127.0.0.1:0"), ""
        server.start()
        try:
            with meshctl(folder, PROFILE.format(port=port, listener=listener, upstream=upstream)) as proxy:
                if tls:
                    trust = grpc.ssl_channel_credentials(Path(made.ca).read_bytes())
                    channel = grpc.secure_channel(f"localhost:{proxy.port}", trust, options=OPTIONS)
                else:
                    channel = grpc.insecure_channel(f"127.0.0.1:{proxy.port}", options=OPTIONS)
                with channel:
                    yield World(service, proxy, channel)
        finally:
            server.stop(None).wait(10)


@pytest.mark.parametrize("tls", [False, True], ids=["h2c", "tls"])
def test_all_shapes_pass(tls: bool, tmp_path: Path) -> None:
    """Messages, metadata of both kinds, large messages, statuses, and a cancellation that arrives."""
    with world(tmp_path, tls=tls) as run:
        answer, call = run.unary.with_call(b"hi", timeout=10, metadata=(("x-a", "1"), ("x-b-bin", b"\0\xff")))
        assert answer == b"hi"
        assert dict(call.trailing_metadata()) == {"x-a": "1", "x-b-bin": b"\0\xff"}
        assert list(run.down(b"x", timeout=10)) == [b"%d:x" % n for n in range(5)]
        assert run.up(iter([b"a", b"b", b"c"]), timeout=10) == b"a|b|c"
        assert list(run.both(iter([b"1", b"2"]), timeout=10)) == [b"e:1", b"e:2"]
        large = bytes(range(256)) * (4 << 12)
        assert run.unary(large, timeout=30) == large
        with pytest.raises(grpc.RpcError) as caught:
            run.none(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        stream = run.down(b"forever", timeout=30)
        assert next(stream) == b"0:forever"
        stream.cancel()
        assert run.service.cancelled.wait(10)


def test_a_thousand_calls_at_once(tmp_path: Path) -> None:
    """They share a connection on either side, and each gets its own answer."""
    with world(tmp_path) as run:
        calls = [run.unary.future(b"%d" % n, timeout=15) for n in range(1000)]
        assert [call.result() for call in calls] == [b"%d" % n for n in range(1000)]


def test_unavailable_is_tried_again_and_opens_the_breaker(tmp_path: Path) -> None:
    """A trailers-only UNAVAILABLE goes again where the profile lets POST; five in a row open the breaker."""
    unavailable = grpc.StatusCode.UNAVAILABLE
    rules = ", retry: {methods: [POST], backoff: {base: 1ms, max: 1ms}, budget: {floor: 100/s}}"
    with world(tmp_path, upstream=rules) as run:
        run.service.trouble = [unavailable]
        assert run.unary(b"again", timeout=10) == b"again"
        assert run.service.calls == 2
        run.service.trouble = [unavailable] * 50
        codes = []
        for _ in range(4):
            with pytest.raises(grpc.RpcError) as caught:
                run.unary(b"x", timeout=10)
            codes.append((caught.value.code(), caught.value.details()))
        assert {code for code, _ in codes} == {unavailable}
        assert codes[-1][1] == "No endpoint can take this request."
        assert len(run.service.trouble) == 45
        assert "grpc-status 14 (5 times)" in run.proxy.err


def test_the_time_of_a_call_reaches_its_server(tmp_path: Path) -> None:
    """And when it is over the client is told, by its own library or by the proxy."""
    with world(tmp_path) as run:
        run.unary(b"x", timeout=7)
        assert 5 < run.service.remaining <= 7
        stream = run.down(b"forever", timeout=1)
        with pytest.raises(grpc.RpcError) as caught:
            list(stream)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert run.service.cancelled.wait(10)


def test_a_call_under_way_survives_a_stop(tmp_path: Path) -> None:
    """A proxy that is told to stop lets it end, and then leaves without having cut anything off."""
    with world(tmp_path) as run:
        call = run.slow.future(b"patience", timeout=15)
        assert run.service.begun.wait(10)
        run.proxy.process.terminate()
        until_refused(run.proxy.port)
        run.service.go_on.set()
        assert call.result() == b"patience"
        assert run.proxy.process.wait(15) == 0


def until_refused(port: int) -> None:
    """Wait until nobody listens there any more."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except ConnectionRefusedError:
            return
        threading.Event().wait(0.05)
    raise AssertionError("it still listens")


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_a_browser_calls_a_service(text: bool, tmp_path: Path) -> None:
    """What grpc-web sends by HTTP/1.1 reaches the server as gRPC, and its trailers come back as a frame."""
    kind = "application/grpc-web-text" if text else "application/grpc-web"
    with world(tmp_path) as run:
        calls = {"/t/Unary": [b"hi"], "/t/Down": [b"%d:hi" % n for n in range(5)], "/t/None": []}
        for path, answers in calls.items():
            body = b64encode(framed(b"hi")) if text else framed(b"hi")
            web = HTTPConnection("127.0.0.1", run.proxy.port, timeout=10)
            web.request("POST", path, body, {"content-type": kind, "x-grpc-web": "1"})
            answer = web.getresponse()
            assert (answer.status, answer.headers["content-type"]) == (200, kind)
            raw = answer.read()
            data = b"".join(b64decode(raw[at : at + 4]) for at in range(0, len(raw), 4)) if text else raw
            if answers:
                messages = b"".join(map(framed, answers))
                assert data[: len(messages)] == messages
                assert data[len(messages)] == 0x80
                assert b"grpc-status: 0\r\n" in data[len(messages) :]
            else:
                assert answer.headers["grpc-status"] == "12"
            web.close()


def framed(message: bytes) -> bytes:
    """Give a message as gRPC frames it."""
    return pack("!BI", 0, len(message)) + message
