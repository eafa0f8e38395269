"""One HTTP/1.x connection of a client: read a request, let it be answered, read the next.

Pipelining is what stays in the inbox: requests are answered one after the other, in order. After a
refusal, or an answer that came before its request was complete, message borders are unknown: the
connection closes, and lingers so that the client reads its answer before the kernel resets it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf

import trio

from appliance.config.plan import ListenerPlan
from appliance.model.exchange import Exchange
from appliance.model.fault import (
    BAD_CHUNK,
    BAD_TRAILER,
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    CLIENT_GONE,
    CUT_SHORT,
    HEADER_TIMEOUT,
    KEEPALIVE_OVER,
    STOPPING,
    Fault,
)
from appliance.model.message import NO_BODY, Request
from appliance.net.transport import PeerGone, Transport

from .framing import UNTIL_CLOSE, Framing, frame_request, valid_host
from .h1_body import Inbox, Rules, body_of
from .h1_head import RequestHead, find_end, parse_request
from .h1_reply import H1Stream
from .h1_request import to_request
from .tunnel import Tunnel

Handler = Callable[[H1Stream], Awaitable[None]]

_LINGER_BYTES = 64 * 1024
_LINGER_TIME = 1.0
_PIPELINE_TURN = 32  # requests of one connection that may be served without others having their turn
_PREFACE = b"PRI * HTTP/2.0\r\n\r\n"  # as far as it looks like a head (RFC 9113 section 3.4)
_QUIET = (KEEPALIVE_OVER, STOPPING)


class H1Server:
    """The client's end of the proxy, for one connection.

    ``preface``: it began as HTTP/2 does, and what follows is in the inbox.
    """

    __slots__ = (
        "_first",
        "_rules",
        "_served",
        "_turn",
        "exchange",
        "idle",
        "inbox",
        "keep_open",
        "plan",
        "preface",
        "scheme",
        "transport",
        "tunnel",
    )

    def __init__(self, transport: Transport, plan: ListenerPlan, keep_open: Callable[[], bool]) -> None:
        self.transport = transport
        self.inbox = Inbox(transport)
        self.plan = plan
        self.keep_open = keep_open
        self.scheme = plan.protocol.encode()
        self.idle = False
        self.exchange: Exchange | None = None
        self.preface = False
        self.tunnel: Tunnel | None = None
        self._first = True
        self._turn = 0
        self._served = 0
        self._rules = Rules(plan.timeouts.body_idle, BODY_TIMEOUT, CUT_SHORT, BAD_CHUNK, BAD_TRAILER)
        self._rules.size = plan.limits.max_body_size
        self._rules.size_why = BODY_TOO_LARGE

    async def serve(self, handler: Handler) -> None:
        """Serve requests until either side ends the connection; the caller closes."""
        self.transport.on_hangup = self._hung_up
        try:
            while await self._serve_one(handler):
                pass
        except PeerGone:
            return

    def taken(self) -> bytes:
        """Give what was read of a connection that began as HTTP/2 does."""
        return _PREFACE + self.inbox.data

    def close(self) -> None:
        """Close the connection."""
        self.transport.close()

    def stop(self) -> None:
        """Close at once if no request is under way; else the answer says that it is the last."""
        if self.idle and not self.inbox.data:
            self.transport.interrupt(Fault(STOPPING))
        elif self.tunnel is not None:
            self.tunnel.leave()

    async def _serve_one(self, handler: Handler) -> bool:
        try:
            raw = await self._next_head()
        except Fault as fault:
            if fault.reason in _QUIET:
                return False
            return await self._refuse(handler, fault, None)
        if raw is None:
            return False
        if raw == _PREFACE and self.plan.http2 and self._served == 0:
            self.preface = True
            return False
        self._served = 1
        head: RequestHead | None = None
        try:
            head = parse_request(raw, self.plan.limits.max_headers)
            framing = frame_request(head.minor, head.headers)
            request = to_request(head, framing, self.scheme)
            self._give_body(request, framing)
        except Fault as fault:
            return await self._refuse(handler, fault, head)
        if self.inbox.data:
            await self._take_turns()
        stream = H1Stream(self, request, framing.keep, head.minor)
        body = request.body
        await handler(stream)
        self.exchange = None
        if stream.keep:
            return True
        if not stream.broken and not (body.ended and self.transport.hung_up):
            await self._linger()
        return False

    async def _take_turns(self) -> None:
        """Let others run now and then: answers to pipelined requests may never wait for anything."""
        self._turn += 1
        if self._turn % _PIPELINE_TURN == 0:
            await trio.lowlevel.checkpoint()

    def _give_body(self, request: Request, framing: Framing) -> None:
        length = framing.length
        if length in (0, UNTIL_CLOSE):
            return
        if length > 0 and self._rules.size and length > self._rules.size:
            raise Fault(BODY_TOO_LARGE, f"{length} bytes, {self._rules.size} allowed")
        request.body = body_of(length, self.inbox, self._rules)

    async def _next_head(self) -> bytes | None:
        """Give the next head, None when the client has closed; raises Fault."""
        inbox, transport, timeouts = self.inbox, self.transport, self.plan.timeouts
        rx = transport.rx
        data = inbox.data
        if not data:
            rx.due = transport.lot.now() + (timeouts.header if self._first else timeouts.keepalive)
            rx.why = HEADER_TIMEOUT if self._first else KEEPALIVE_OVER
            if not self._first and not self.keep_open():
                return None
            self.idle = True
            try:
                data = await transport.receive()
            finally:
                self.idle = False
            if not data:
                return None
        if data.startswith(b"\r\n"):
            data = data[2:]  # RFC 9112 section 2.2: one empty line before the request line
        limit = self.plan.limits.max_header_size
        end = find_end(data, limit)
        if not end:
            if not self._first or not rx.due < inf:
                rx.due = transport.lot.now() + timeouts.header
            rx.why = HEADER_TIMEOUT
            while not end:
                more = await transport.receive()
                if not more:
                    return None
                data += more
                if data.startswith(b"\r\n"):
                    data = data[2:]
                end = find_end(data, limit)
        rx.due = inf
        self._first = False
        inbox.data = data[end:]
        return data[:end]

    async def _refuse(self, handler: Handler, fault: Fault, head: RequestHead | None) -> bool:
        """Let a request that cannot be served be answered and recorded like any other."""
        self.transport.rx.due = inf
        method, target, minor = (head.method, head.target, head.minor) if head else (b"", b"", 1)
        host = next((value for name, value in head.headers if name == b"host"), b"") if head else b""
        authority = host.lower() if valid_host(host) else b""
        path, _, query = target.partition(b"?")
        headers = [pair for pair in head.headers if pair[0] == b"accept"] if head else []
        request = Request(method, self.scheme, authority, path, query, headers)
        request.body = NO_BODY
        stream = H1Stream(self, request, False, minor)
        stream.refusal = fault
        await handler(stream)
        if not stream.broken:
            await self._linger()
        return False

    async def _linger(self) -> None:
        """Half-close and read on for a little, so that the answer is not lost to a reset (RFC 9112 9.6)."""
        transport = self.transport
        transport.on_hangup = None
        transport.shut_writing()
        transport.rx.due = transport.lot.now() + _LINGER_TIME
        transport.rx.why = KEEPALIVE_OVER
        left = _LINGER_BYTES
        try:
            while left > 0:
                data = await transport.receive()
                if not data:
                    return
                left -= len(data)
        except (Fault, PeerGone):
            return

    def _hung_up(self) -> None:
        exchange = self.exchange
        if exchange is not None:
            exchange.fail(Fault(CLIENT_GONE))
