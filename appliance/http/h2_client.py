"""The upstream's end of the proxy in HTTP/2: one connection that many exchanges share.

Each attempt has a call of its own on it. A call that the peer says it did not begin (REFUSED_STREAM, or a
stream above the last that GOAWAY names: RFC 9113 section 8.7) counts as never sent, so that any method may
be tried again. A GOAWAY ends only what it names: the streams below it are finished.
"""

from __future__ import annotations

from functools import partial
from math import inf
from typing import Final

import trio

from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import (
    RESPONSE_TIMEOUT,
    TRY_TIMEOUT,
    UPSTREAM_BAD,
    UPSTREAM_CUT,
    UPSTREAM_IDLE,
    UPSTREAM_REFUSED,
    UPSTREAM_RESET,
    UPSTREAM_SLOW,
    Fault,
    Side,
)
from appliance.model.headers import Headers
from appliance.model.message import NO_BODY, Body, Response
from appliance.net.tls import TlsTransport
from appliance.net.transport import PeerGone, Transport

from . import h2_frames as f
from .h1_body import Rules, is_events
from .h2_fields import block
from .h2_frames import Code, H2ConnectionError, H2StreamError, code_name
from .h2_head import request_fields
from .h2_hpack import Section
from .h2_known import response_of, trailers_of
from .h2_mux import Mux
from .h2_stream import Stream
from .tunnel import StreamEnd, without_handshake
from .upload import Upload

MAX_STREAMS: Final = 100  # for which the connection's window is made
MAX_LIST: Final = 64 * 1024
_WRITE_LIMIT: Final = 30.0
_PING: Final = b"meshctl\0"
_MAX_INTERIM: Final = 32


class H2Client(Mux):
    """A connection to an upstream; after ``ping`` seconds of silence a busy peer is asked if it lives."""

    client = True

    def __init__(self, transport: Transport, host: bytes, per_try: float, ping: float = 30.0) -> None:
        super().__init__(transport, MAX_STREAMS, MAX_LIST, _WRITE_LIMIT, UPSTREAM_SLOW)
        self.host = host
        self.scheme = b"https" if isinstance(transport, TlsTransport) else b"http"
        self.per_try = per_try
        self.idle_since = self.now()
        self.closing = False
        self.served = False
        self.brief = False  # nobody waits for it to be used again: it closes with its last call
        self.lost = ""
        self._leases = 0
        self._ping_after = ping
        self._pinged = False
        # Without a table in between, heads that say the same are the same bytes, and read only once.
        self.write(f.PREFACE + self.hello({f.TABLE_SIZE: 0, f.ENABLE_PUSH: 0, f.LIST_SIZE: MAX_LIST}))

    @property
    def has_room(self) -> bool:
        """Say whether another call may begin."""
        if self.closing or not self.settled.is_set():
            return False
        return self._leases < self.peer_streams and self.last < f.MAX_STREAM - 2

    def lease(self) -> H2Call:
        """Give a call on this connection."""
        self._leases += 1
        return H2Call(self)

    def returned(self) -> None:
        """Hear that a call has ended."""
        self._leases -= 1
        if not self._leases:
            self.idle_since = self.now()
            if self.closing or self.brief:
                self.close()

    @property
    def busy(self) -> bool:
        """Say whether calls are under way."""
        return bool(self._leases)

    async def run(self) -> None:
        """Read until either side ends the connection; raises nothing but cancellation."""
        why = "closed by the upstream"
        try:
            await self._read()
        except H2ConnectionError as error:
            why = error.why
            self.write(f.goaway(0, error.code, why))
            self._broken(Fault(UPSTREAM_BAD, why))
        except PeerGone as gone:
            why = str(gone)
        except Fault as fault:
            why = fault.detail or fault.reason.id
        finally:
            self.closing = True
            self.lost = why
            self.settled.set()  # whoever waits for that need not wait any longer
            self._lost(why)
            self.transport.uncork()
            self.transport.close()

    async def wait_tunnels(self) -> None:
        """Wait until it is known that the peer takes tunnels (RFC 8441 section 3); Fault if it does not."""
        with trio.move_on_after(self.per_try):
            await self.settled.wait()
        if not self.peer_connects:
            raise Fault(UPSTREAM_BAD, "the upstream takes no tunnels in HTTP/2 (no ENABLE_CONNECT_PROTOCOL)")

    def shut(self) -> None:
        """Take no more calls, and close when those that there are have ended."""
        self.closing = True
        if not self._leases:
            self.close()

    def close(self) -> None:
        """Close the connection in order."""
        self.closing = True
        if not self.transport.broken:
            self.write(f.goaway(0, Code.NO_ERROR))
        self.transport.close()

    async def _read(self) -> None:
        rx = self.transport.rx
        while True:
            rx.due, rx.why = self.now() + self._ping_after, UPSTREAM_IDLE
            try:
                data = await self.transport.receive()
            except Fault as fault:
                if fault.reason is not UPSTREAM_IDLE or self._pinged:
                    raise
                self._pinged = self.busy
                if self.busy:
                    self.write(f.pack(f.PING, 0, 0, _PING))
                continue
            self._pinged = False
            if not data:
                return
            await self.take(data)

    # Streams.

    def begin(self, call: H2Call, idle: float) -> Stream:
        """Open a stream for a call."""
        self.last += 2 if self.last else 1
        rules = Rules(idle, UPSTREAM_IDLE, UPSTREAM_CUT, UPSTREAM_BAD, UPSTREAM_BAD)
        stream = Stream(self, self.last, rules, self.first_window)
        stream.owner = call
        self.streams[self.last] = stream
        return stream

    def opened(self, id: int, section: Section, end: bool) -> None:
        """Refuse: an upstream opens no streams."""
        raise H2ConnectionError(Code.PROTOCOL_ERROR, f"HEADERS on stream {id}, which nobody asked for")

    def heard(self, stream: Stream, section: Section, end: bool) -> None:
        """Take a head, interim or final, or trailers."""
        call = stream.owner
        if isinstance(call, H2Call):
            try:
                call.hear(stream, section, end)
            except Fault as fault:
                raise H2StreamError(stream.id, Code.PROTOCOL_ERROR, fault.detail) from None

    def broke(self, stream: Stream, code: int, why: str, *, here: bool) -> None:
        """Let a call know that its stream is no more."""
        call = stream.owner
        if here:
            stream.break_off(Fault(UPSTREAM_BAD, why))
        elif code == Code.REFUSED_STREAM and isinstance(call, H2Call):
            call.refused("RST_STREAM (REFUSED_STREAM)")
        else:
            stream.break_off(self._cut(stream, f"RST_STREAM ({code_name(code)})"))

    def leaving(self, last: int, code: int) -> None:
        """Begin no more calls; those above ``last`` were never looked at."""
        self.closing = True
        for id in [id for id in self.streams if id > last]:
            call = self.streams.pop(id).owner
            if isinstance(call, H2Call):
                call.refused(f"GOAWAY ({code_name(code)})")
        if not self._leases:
            self.transport.interrupt(Fault(UPSTREAM_IDLE, "the upstream goes away"))

    def _cut(self, stream: Stream, why: str) -> Fault:
        call = stream.owner
        begun = isinstance(call, H2Call) and call.heard_any
        return Fault(UPSTREAM_CUT if begun else UPSTREAM_RESET, why)

    def _broken(self, fault: Fault) -> None:
        streams, self.streams = list(self.streams.values()), {}
        for stream in streams:
            stream.break_off(Fault(fault.reason, fault.detail))

    def _lost(self, why: str) -> None:
        streams, self.streams = list(self.streams.values()), {}
        for stream in streams:
            stream.break_off(self._cut(stream, why))


class H2Call:
    """One attempt on a shared connection."""

    __slots__ = ("_attempt", "_head", "_interim", "_method", "_stream", "_upload", "connection", "heard_any")

    def __init__(self, connection: H2Client) -> None:
        self.connection = connection
        self.heard_any = False
        self._attempt: Attempt | None = None
        self._stream: Stream | None = None
        self._head: tuple[int, Headers, int | None] | None = None
        self._interim: list[tuple[int, Headers]] = []
        self._method = b""
        self._upload: Upload | None = None

    async def send(self, exchange: Exchange, attempt: Attempt) -> Response:
        """Send the request; give the final response. Raises Fault of the upstream's or client's side."""
        connection, request = self.connection, exchange.request
        if connection.closing:
            raise Fault(UPSTREAM_REFUSED, "the connection is going away")
        if request.upgrade:
            await connection.wait_tunnels()
        connection.served = True
        self._attempt = attempt
        self._method = request.method
        stream = self._stream = connection.begin(self, exchange.idle)
        exchange.park = stream
        attempt.sent = True
        await self._begin(exchange, stream)
        while self._head is None or self._interim:
            if self._interim:
                await self._inform(exchange, attempt)
                continue
            if exchange.fault is not None:
                raise exchange.fault
            rx = stream.rx
            if stream.local and rx.due == inf:
                self._arm(exchange)
            await stream.wait(rx.due, rx.why or RESPONSE_TIMEOUT)
        stream.rx.due = inf
        attempt.head_at = connection.now()
        status, headers, length = self._head
        answer: Body = NO_BODY
        if request.upgrade and 200 <= status < 300 and not stream.remote:
            response = attempt.response = Response(status, headers)
            response.version = "HTTP/2"
            response.tunnel = StreamEnd(stream, UPSTREAM_CUT, UPSTREAM_SLOW, exchange.long_idle)
            return response
        if not stream.remote or stream.got or stream.trailers:
            answer = stream
            if length is None and is_events(headers):
                stream.rules.idle = exchange.long_idle
            stream.length = length
        response = attempt.response = Response(status, headers, answer)
        response.version = "HTTP/2"
        return response

    async def _begin(self, exchange: Exchange, stream: Stream) -> None:
        """Send the head, and begin with the body."""
        connection, request = self.connection, exchange.request
        body, extra = request.body, []
        whole = body.ended and not body.trailers and not request.upgrade
        if whole and request.method in (b"POST", b"PUT", b"PATCH"):
            extra.append((b"content-length", b"0"))
        elif not whole and body.length:
            extra.append((b"content-length", b"%d" % body.length))
        fields = request_fields(request, connection.scheme, connection.host, extra)
        if request.upgrade:
            fields = without_handshake(fields)
        head = connection.head_frames(stream.id, block(fields), end=whole)
        if whole or request.upgrade:
            stream.local = whole
            connection.write(head)
            if request.upgrade:
                self._arm(exchange)
        else:
            stream.out_head = head
            await self._begin_upload(exchange, stream, body)

    async def stop_upload(self) -> None:
        """End the task that still sends the request's body, if there is one: another may then read it."""
        if self._upload is not None:
            await self._upload.stop()

    def release(self) -> None:
        """Leave the connection; what is not complete is cancelled."""
        stream = self._stream
        if stream is not None:
            silent = (stream.local and stream.remote) or stream.out_head  # complete, or never begun
            stream.close(None if silent else Code.NO_ERROR if stream.remote else Code.CANCEL)
            stream.owner = None  # a cycle would stay until the collector comes
        self.connection.returned()

    # Called by the connection.

    def hear(self, stream: Stream, section: Section, end: bool) -> None:
        """Take a head or trailers; raises Fault."""
        self.heard_any = True
        if self._head is not None:
            if not end:
                raise Fault(UPSTREAM_BAD, "trailers that do not end the stream")
            stream.end(trailers_of(section, UPSTREAM_BAD))
            return
        head = response_of(section, self._method, end=end)
        if head[0] < 200:
            if end or len(self._interim) >= _MAX_INTERIM:
                raise Fault(UPSTREAM_BAD, "an interim answer that ends its stream, or too many of them")
            self._interim.append(head[:2])
        else:
            self._head = head
            stream.left = head[2]
            if end:
                stream.end([])
        stream.rx.wake()

    def refused(self, why: str) -> None:
        """Hear that the peer has not begun this call."""
        if self._attempt is not None and not self.heard_any:
            self._attempt.sent = False
        if self._stream is not None:
            self._stream.break_off(Fault(UPSTREAM_REFUSED, why))

    # The request.

    def _arm(self, exchange: Exchange) -> None:
        """Start the clock for the head: from the last byte of the request, the shorter limit."""
        if self._stream is None:
            return
        rx, now = self._stream.rx, self.connection.now()
        if exchange.response_due == inf:
            exchange.response_due = now + exchange.response_limit
        rx.due, rx.why = exchange.response_due, RESPONSE_TIMEOUT
        if exchange.patient:
            rx.due, rx.why = now + exchange.idle, UPSTREAM_IDLE
        elif now + self.connection.per_try < rx.due:
            rx.due, rx.why = now + self.connection.per_try, TRY_TIMEOUT

    async def _begin_upload(self, exchange: Exchange, stream: Stream, body: Body) -> None:
        """Send head and what there is of the body now: heads have to leave in the order of their streams."""
        self._offer(exchange, stream, body, body.read_nowait())
        if stream.local:
            return
        exchange.request.streaming = True
        if exchange.spawner is None:
            await self._pump(exchange, stream, body)
        else:
            self._upload = Upload()
            exchange.spawner.start_soon(self._upload.run, partial(self._pump, exchange, stream, body))

    def _offer(self, exchange: Exchange, stream: Stream, body: Body, data: bytes) -> None:
        if body.ended and body.trailers:
            stream.out_trailers = block(body.trailers)
        stream.offer(data, end=body.ended, limit=exchange.idle)

    async def _pump(self, exchange: Exchange, stream: Stream, body: Body) -> None:
        try:
            while True:
                await stream.wait_sent(exchange.idle, UPSTREAM_SLOW)
                if stream.local:
                    break
                data = await body.read()
                if data or body.ended:
                    self._offer(exchange, stream, body, data)
        except Fault as fault:
            if self._head is not None and fault is stream.fault:
                return  # it has answered and reads no more
            if fault.reason.side is Side.UPSTREAM and self._head is None:
                stream.break_off(fault)  # this try has failed, another need not
            else:
                exchange.fail(fault)
            return
        if self._head is None:
            self._arm(exchange)

    async def _inform(self, exchange: Exchange, attempt: Attempt) -> None:
        status, headers = self._interim.pop(0)
        attempt.begun = True
        await exchange.stream.inform(status, headers)
