"""Tunnels: what follows a switch of protocols (RFC 9110 section 7.8, RFC 8441) is bytes, both ways.

A tunnel has two ends, each a connection of HTTP/1.1 that has switched or a stream of HTTP/2; which is which
nobody asks. It is silent when no byte goes either way, so whatever moves pushes the deadline of both ends.
When one side has nothing more to say the other is told and may go on; the tunnel is over when the upstream
has ended. When the proxy stops, a WebSocket's client is told by a Close frame, between two of the upstream's.

The handshake of WebSocket differs between the two protocols (RFC 6455 section 4, RFC 8441 section 5): that of
HTTP/1.1 has a key and its answer, which a proxy in between makes and checks itself.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from typing import Final, Protocol

from appliance.model.exchange import Exchange
from appliance.model.fault import STOPPING, TUNNEL_IDLE, Fault, Reason
from appliance.model.headers import Headers, get
from appliance.model.message import Request
from appliance.net.park import Park
from appliance.net.transport import HIGH_WATER, PeerGone

from .h1_body import Inbox
from .h2_stream import Stream
from .ws_frames import GOING_AWAY, Frames

WEBSOCKET: Final = b"websocket"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class End(Protocol):
    """One side of a tunnel; ``gone`` is what its loss is called."""

    park: Park
    gone: Reason

    async def receive(self) -> bytes:
        """Give what arrives, ``b""`` once this side has said all. Raises Fault."""

    async def send(self, data: bytes) -> None:
        """Send, waiting while this side does not keep up. Raises Fault."""

    async def finish(self) -> None:
        """Say that the other side has said all."""


class WireEnd:
    """A connection of HTTP/1.1 that has switched; ``limit`` (seconds) is for one that does not read."""

    __slots__ = ("_inbox", "_limit", "_slow", "gone", "park")

    def __init__(self, inbox: Inbox, gone: Reason, slow: Reason, limit: float) -> None:
        self.park = inbox.transport.rx
        self.gone = gone
        self._inbox = inbox
        self._slow = slow
        self._limit = limit

    async def receive(self) -> bytes:
        """Give what arrives, ``b""`` at the end."""
        data, self._inbox.data = self._inbox.data, b""
        try:
            return data or await self._inbox.transport.receive()
        except PeerGone as lost:
            raise Fault(self.gone, str(lost)) from None

    async def send(self, data: bytes) -> None:
        """Send, waiting while the peer does not keep up."""
        transport = self._inbox.transport
        transport.write(data)
        if transport.unsent > HIGH_WATER:
            try:
                await transport.wait_drained(HIGH_WATER // 2, self._limit, self._slow)
            except PeerGone as lost:
                raise Fault(self.gone, str(lost)) from None

    async def finish(self) -> None:
        """Half-close."""
        transport = self._inbox.transport
        try:
            await transport.wait_drained(0, self._limit, self._slow)
        except PeerGone as lost:
            raise Fault(self.gone, str(lost)) from None
        transport.shut_writing()


class StreamEnd:
    """A stream of HTTP/2."""

    __slots__ = ("_limit", "_slow", "_stream", "gone", "park")

    def __init__(self, stream: Stream, gone: Reason, slow: Reason, limit: float) -> None:
        self.park = stream.rx
        self.gone = gone
        self._stream = stream
        self._slow = slow
        self._limit = limit

    async def receive(self) -> bytes:
        """Give what arrives, ``b""`` at the end."""
        stream = self._stream
        while True:
            data = stream.read_nowait()
            if data or stream.ended:
                return data
            await stream.wait_more()

    async def send(self, data: bytes) -> None:
        """Send as the windows allow."""
        await self._stream.send(data, end=False, limit=self._limit, why=self._slow)

    async def finish(self) -> None:
        """End this direction of the stream."""
        await self._stream.send(b"", end=True, limit=self._limit, why=self._slow)


class Tunnel:
    """The two ends of one exchange, and what is carried between them; ``up`` counts the bytes upwards."""

    __slots__ = ("_client", "_exchange", "_frames", "_leaving", "_now", "_upstream", "up")

    def __init__(self, exchange: Exchange, client: End, upstream: End, now: Callable[[], float]) -> None:
        self._exchange = exchange
        self._client = client
        self._upstream = upstream
        self._now = now
        self._frames = Frames() if exchange.request.upgrade == WEBSOCKET else None
        self._leaving = False
        self.up = 0

    async def run(self) -> None:
        """Carry bytes both ways until the upstream has ended; the stream counts what went to the client.

        Raises Fault. What the client sends is carried by a task of the exchange, which reports and does not
        raise.
        """
        if self._exchange.spawner is None:
            raise RuntimeError("a tunnel needs a task")
        self._client.park.why = self._upstream.park.why = TUNNEL_IDLE
        self._moved()
        self._exchange.spawner.start_soon(self._upwards)
        await self._downwards()

    def leave(self) -> None:
        """Tell a WebSocket's client, as soon as a frame has ended, that it is over (RFC 6455 section 7.4.1).

        Its answer goes on to the upstream, which then ends the tunnel; what comes from there until then is
        for nobody. Tunnels of other protocols go on.
        """
        if self._frames is not None and not self._leaving:
            self._leaving = True
            self._upstream.park.interrupt(Fault(STOPPING))

    async def _downwards(self) -> None:
        source, sink, frames = self._upstream, self._client, self._frames
        stream = self._exchange.stream
        parted, woken = False, False
        while True:
            if self._leaving and not parted and frames is not None and frames.between:
                parted = True
                if not frames.closed:
                    await sink.send(GOING_AWAY)
            try:
                data = await source.receive()
            except Fault as fault:
                if not self._leaving or woken or fault.reason is not STOPPING:
                    raise
                woken = True
                continue
            if not data:
                break
            self._moved()
            if parted:
                continue
            if frames is not None:
                frames.feed(data)
            stream.sent += len(data)
            await sink.send(data)
        self._moved()
        await sink.finish()

    async def _upwards(self) -> None:
        source, sink = self._client, self._upstream
        try:
            while data := await source.receive():
                self._moved()
                self.up += len(data)
                await sink.send(data)
            self._moved()
            await sink.finish()
        except Fault as fault:
            self._exchange.fail(fault)

    def _moved(self) -> None:
        self._client.park.due = self._upstream.park.due = self._now() + self._exchange.long_idle


def new_key() -> bytes:
    """Give a key for the handshake of HTTP/1.1 (RFC 6455 section 4.1)."""
    return base64.b64encode(os.urandom(16))


def accept_of(key: bytes) -> bytes:
    """Give the answer that proves that a key was read (RFC 6455 section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def without_handshake(headers: Headers) -> Headers:
    """Give the fields without those of the handshake that only HTTP/1.1 has."""
    return [pair for pair in headers if pair[0] not in (b"sec-websocket-key", b"sec-websocket-accept")]


def key_of(request: Request) -> bytes:
    """Give the key of a client that asks for WebSocket in HTTP/1.1, empty if it has none."""
    return get(request.headers, b"sec-websocket-key") or b""
