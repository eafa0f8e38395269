"""One HTTP/1.1 connection to an upstream: send a request, give its response, serve again.

The head is written in one piece with whatever of the body has arrived; the rest of an upload is pumped
by a task of the exchange's own nursery while the answer is awaited, because an upstream may answer
early. The pump reports, it never raises.
"""

from __future__ import annotations

from functools import partial
from math import inf
from typing import Protocol

from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import (
    RESPONSE_TIMEOUT,
    TRY_TIMEOUT,
    UPSTREAM_BAD,
    UPSTREAM_CUT,
    UPSTREAM_IDLE,
    UPSTREAM_RESET,
    UPSTREAM_SLOW,
    Fault,
    Reason,
    Side,
)
from appliance.model.headers import get
from appliance.model.message import NO_BODY, Body, Request, Response
from appliance.net.transport import HIGH_WATER, PeerGone, Transport

from .framing import frame_response
from .h1_body import Inbox, Rules, WireBody, body_of, chunk, is_events
from .h1_head import MAX_RESPONSE_HEAD, ResponseHead, parse_response, write_fields
from .h1_lenient import parse_leniently
from .h1_splice import relay
from .tunnel import WEBSOCKET, WireEnd, accept_of, key_of, new_key
from .upload import Upload

_CRLF = b"\r\n"
_MAX_INTERIM = 32


class Pool(Protocol):
    """Where a connection comes from and returns to."""

    def give_back(self, connection: H1Client, reusable: bool) -> None:
        """Take a connection back whose exchange has ended."""

    def drop(self, connection: H1Client) -> None:
        """Forget an idle connection that its peer has closed."""


class H1Client:
    """The upstream end of the proxy, for one connection. ``per_try`` is seconds until a head."""

    __slots__ = (
        "_answered",
        "_keep",
        "_key",
        "_pool",
        "_rules",
        "_upload",
        "_uploaded",
        "body",
        "era",
        "host",
        "idle_since",
        "inbox",
        "per_try",
        "transport",
    )

    def __init__(self, transport: Transport, host: bytes, per_try: float, pool: Pool) -> None:
        self.transport = transport
        self.inbox = Inbox(transport)
        self.host = host
        self.per_try = per_try
        self.body: WireBody | None = None
        self.idle_since = 0.0
        self.era = 0  # of the pool: it takes no connection back that it would open in another way by now
        self._pool = pool
        self._rules = Rules(60.0, UPSTREAM_IDLE, UPSTREAM_CUT, UPSTREAM_BAD, UPSTREAM_BAD)
        self._keep = True
        self._uploaded = True
        self._answered = False
        self._upload: Upload | None = None
        self._key = b""

    async def send(self, exchange: Exchange, attempt: Attempt) -> Response:
        """Send the request; give the final response. Raises Fault of the upstream's or client's side."""
        request, transport = exchange.request, self.transport
        exchange.park = transport
        transport.rx.due = inf  # an upload that outlived its answer may have armed the clock of the last head
        self.body = None
        self._answered = False
        self._upload = None
        self._keep = False
        self._key = b""
        self._rules.idle = exchange.idle
        body = request.body
        if body.ended and not body.trailers:
            self._uploaded = True
            attempt.sent = True
            transport.write(self._head(request, b""))
        else:
            self._uploaded = False
            attempt.sent = True
            await self._begin_upload(exchange, request, body)
        if self._uploaded:
            self._arm(exchange)
        head = None
        interim = 0
        while head is None or head.status < 200:
            if head is not None:
                if head.status == 101 and request.upgrade:
                    return self._switch(exchange, attempt, head)
                interim += 1
                attempt.begun = True
                await self._inform(exchange, head, interim)
            head = self._head_nowait(request.method)
            if head is None:
                await self._receive(exchange, UPSTREAM_CUT if interim else UPSTREAM_RESET)
        transport.rx.due = inf
        self._answered = True
        framing = frame_response(head.status, request.method, head.minor, head.headers)
        self._keep = framing.keep
        answer: Body = NO_BODY
        if framing.length != 0:
            if framing.length < 0 and is_events(framing.headers):
                self._rules.idle = exchange.long_idle
            answer = self.body = body_of(framing.length, self.inbox, self._rules)
        response = attempt.response = Response(head.status, framing.headers, answer, head.reason)
        attempt.head_at = transport.lot.now()
        if not head.minor:
            response.version = "HTTP/1.0"
        return response

    def _switch(self, exchange: Exchange, attempt: Attempt, head: ResponseHead) -> Response:
        """Give the answer of an upstream that has switched protocols: what follows is a tunnel."""
        request = exchange.request
        framing = frame_response(head.status, request.method, head.minor, head.headers)
        if framing.upgrade != request.upgrade:
            raise Fault(UPSTREAM_BAD, "101 with another protocol than was asked for")
        if self._key and get(head.headers, b"sec-websocket-accept") != accept_of(self._key):
            raise Fault(UPSTREAM_BAD, "101 with a wrong Sec-WebSocket-Accept")
        self.transport.rx.due = inf
        self._answered = True
        response = attempt.response = Response(101, framing.headers)
        attempt.head_at = self.transport.lot.now()
        response.tunnel = WireEnd(self.inbox, UPSTREAM_CUT, UPSTREAM_SLOW, exchange.long_idle)
        return response

    async def stop_upload(self) -> None:
        """End the task that still sends the request's body, if there is one: another may then read it."""
        if self._upload is not None:
            await self._upload.stop()

    def release(self) -> None:
        """Give the connection back: reusable only if both messages are complete and nothing is left over."""
        body = self.body
        reusable = (
            self._keep
            and self._uploaded
            and (body is None or body.ended)
            and not self.inbox.data
            and not self.transport.unsent
            and self.transport.rx.fault is None
        )
        self._pool.give_back(self, reusable)

    def lost(self) -> None:
        """The peer has closed while the connection was idle."""
        self._pool.drop(self)

    def _arm(self, exchange: Exchange) -> None:
        """Start the clock for the head: from the last byte of the request, the shorter limit."""
        rx = self.transport.rx
        now = self.transport.lot.now()
        if exchange.response_due == inf:
            exchange.response_due = now + exchange.response_limit
        rx.due, rx.why = exchange.response_due, RESPONSE_TIMEOUT
        if exchange.patient:
            rx.due, rx.why = now + exchange.idle, UPSTREAM_IDLE
        elif now + self.per_try < rx.due:
            rx.due, rx.why = now + self.per_try, TRY_TIMEOUT

    def _head(self, request: Request, framing: bytes) -> bytes:
        if request.upgrade:
            framing = b"connection: upgrade\r\nupgrade: %b\r\n" % request.upgrade
            if request.upgrade == WEBSOCKET and not key_of(request):
                self._key = new_key()
                framing += b"sec-websocket-key: %b\r\n" % self._key
        elif not framing and request.method in (b"POST", b"PUT", b"PATCH"):
            framing = b"content-length: 0\r\n"  # RFC 9110 section 8.6
        return b"%b %b HTTP/1.1\r\nhost: %b\r\n%b%b\r\n" % (
            request.method,
            request.target,
            request.authority or self.host,
            write_fields(request.headers),
            framing,
        )

    async def _begin_upload(self, exchange: Exchange, request: Request, body: Body) -> None:
        length = body.length
        chunked = length is None
        framing = b"transfer-encoding: chunked\r\n" if length is None else b"content-length: %d\r\n" % length
        head = self._head(request, framing)
        first = body.read_nowait()
        if chunked:
            first = chunk(first)
            if body.ended:
                first += _last_chunk(body)
        self.transport.write(head + first)
        if not body.ended or self.transport.unsent:
            request.streaming = True
            if exchange.spawner is None:
                await self._pump(exchange, body, chunked)
            else:
                self._upload = Upload()
                exchange.spawner.start_soon(self._upload.run, partial(self._pump, exchange, body, chunked))
        else:
            self._uploaded = True

    async def _pump(self, exchange: Exchange, body: Body, chunked: bool) -> None:
        transport = self.transport
        try:
            ending = b"" if body.ended else None
            if ending is None and not chunked:
                await relay(body, transport, exchange.idle, UPSTREAM_SLOW)
            while not body.ended:
                data = await body.read()
                transport.write(chunk(data) if chunked else data)
                if transport.unsent > HIGH_WATER:
                    await transport.wait_drained(0, exchange.idle, UPSTREAM_SLOW)
            if chunked and ending is None:
                transport.write(_last_chunk(body))
            await transport.wait_drained(0, exchange.idle, UPSTREAM_SLOW)
        except Fault as fault:
            if fault.reason.side is Side.UPSTREAM and not self._answered:
                transport.interrupt(fault)  # this try has failed, another need not
            else:
                exchange.fail(fault)
            return
        except PeerGone:
            if (
                not self._answered
            ):  # it reads no more; its answer, or its end, is what the reader sees, if in time
                self._arm_try(exchange)
        else:
            self._uploaded = True
            if not self._answered:
                self._arm(exchange)

    def _arm_try(self, exchange: Exchange) -> None:
        """Start the clock of this try alone: the request is not whole, so that of all tries does not run."""
        rx = self.transport.rx
        rx.due, rx.why = self.transport.lot.now() + min(self.per_try, exchange.response_limit), TRY_TIMEOUT

    async def _inform(self, exchange: Exchange, head: ResponseHead, count: int) -> None:
        """Pass an interim answer on, within reason."""
        if head.status == 101:
            raise Fault(UPSTREAM_BAD, "101 without an Upgrade having been asked for")
        if count > _MAX_INTERIM:
            raise Fault(UPSTREAM_BAD, f"more than {_MAX_INTERIM} interim answers")
        framing = frame_response(head.status, exchange.request.method, head.minor, head.headers)
        await exchange.stream.inform(head.status, framing.headers)

    def _head_nowait(self, method: bytes) -> ResponseHead | None:
        """Give the head that has arrived; None when its end has not."""
        inbox = self.inbox
        data = inbox.data
        end = data.find(b"\r\n\r\n", 0, MAX_RESPONSE_HEAD)
        if end < 0:
            if len(data) >= MAX_RESPONSE_HEAD:
                raise Fault(UPSTREAM_BAD, f"a response head of more than {MAX_RESPONSE_HEAD} bytes")
            return None
        raw, inbox.data = data[: end + 4], data[end + 4 :]
        return parse_response(raw) or parse_leniently(raw, method)

    async def _receive(self, exchange: Exchange, lost: Reason) -> None:
        """Wait for more of a head; ``lost`` names a loss before its first byte: retries tell those apart."""
        inbox = self.inbox
        if exchange.fault is not None:
            raise exchange.fault
        try:
            more = await self.transport.receive()
        except PeerGone as gone:
            raise Fault(UPSTREAM_CUT if inbox.data else lost, str(gone)) from None
        if not more:
            raise Fault(UPSTREAM_CUT if inbox.data else lost, "closed before the end of its head")
        inbox.data += more


def _last_chunk(body: Body) -> bytes:
    return b"0\r\n" + write_fields(body.trailers) + _CRLF
