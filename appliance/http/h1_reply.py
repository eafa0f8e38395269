"""The answering half of an HTTP/1.x exchange: head and first bytes in one write, then the rest."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from appliance.model.exchange import Exchange
from appliance.model.fault import CLIENT_GONE, CLIENT_SLOW, Fault
from appliance.model.headers import Headers
from appliance.model.message import NO_BODY, Body, Request, Response
from appliance.net.transport import HIGH_WATER, PeerGone

from .date import date_line, dated
from .framing import bodiless
from .h1_body import WireBody, chunk
from .h1_head import write_fields
from .h1_splice import WORTHWHILE, relay
from .tunnel import Tunnel, WireEnd, accept_of, key_of

if TYPE_CHECKING:
    from .h1_server import H1Server

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_STATUS_LINES = {code: b"HTTP/1.1 %d %b\r\n" % (code, phrase) for code, phrase in _REASONS.items()}


def _status_line(status: int, reason: bytes) -> bytes:
    if reason and reason != _REASONS.get(status):
        return b"HTTP/1.1 %d %b\r\n" % (status, reason)
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


class H1Stream:
    """One request of a connection and the place for its answer (a ServerStream).

    ``keep``: the connection can serve another request afterwards. ``refusal``: the fault of a request
    that could not be read. ``sent``: bytes of body given to the kernel or its buffer.
    """

    __slots__ = (
        "_minor",
        "_received",
        "_until_close",
        "broken",
        "connection",
        "keep",
        "refusal",
        "request",
        "sent",
        "started",
    )

    def __init__(self, connection: H1Server, request: Request, keep: bool, minor: int) -> None:
        self.connection = connection
        self.request = request
        self._received = request.body  # what others forward in its place need not be this object
        self.keep = keep
        self.refusal: Fault | None = None
        self.started = False
        self.broken = False
        self.sent = 0
        self._minor = minor
        self._until_close = False

    @property
    def received(self) -> int:
        """Give how many bytes of body, or of a tunnel, have come from the client."""
        tunnel, body = self.connection.tunnel, self._received
        if tunnel is not None:
            return tunnel.up
        return body.taken if isinstance(body, WireBody) else 0

    def watch_hangup(self, exchange: Exchange) -> None:
        """From now on, tell the exchange when the client leaves; at once if it has left."""
        self.connection.exchange = exchange
        if self.connection.transport.hung_up:
            exchange.fail(Fault(CLIENT_GONE))

    async def inform(self, status: int, headers: Headers) -> None:
        """Pass an interim answer (1xx) on; HTTP/1.0 clients do not know them (RFC 9110 section 15.2)."""
        if self._minor:
            transport = self.connection.transport
            transport.write(_status_line(status, b"") + write_fields(headers) + b"\r\n")
            if transport.unsent > HIGH_WATER:
                await self._drain(HIGH_WATER // 2)

    async def respond(self, response: Response) -> None:
        """Send the answer; raises Fault when the client or the body's source fails on the way."""
        if response.tunnel is not None:
            await self._switch(response)
            return
        body, request = response.body, self.request
        transport = self.connection.transport
        self._settle_upload(request)
        chunked = False
        first = b""
        if request.method == b"HEAD" or bodiless(response.status, request.method):
            framing = self._length_of_head(response) if request.method == b"HEAD" else b""
            body.abandon()
            body = NO_BODY
        elif body.length is not None:
            framing = b"content-length: %d\r\n" % body.length
            first = body.read_nowait()
        elif self._minor:
            chunked, framing = True, b"transfer-encoding: chunked\r\n"
            first = body.read_nowait()
        else:
            self.keep, framing = False, b""
            self._until_close = True
            first = body.read_nowait()
        self.sent = len(first)
        if chunked:
            first = chunk(first)
            if body.ended:
                first += _last_chunk(body)
        fields = write_fields(response.headers)
        head = b"%b%b%b%b%b\r\n" % (
            _status_line(response.status, response.reason),
            fields,
            b"" if dated(fields) else date_line(),
            framing,
            self._connection_field(),
        )
        self.started = True  # not before: a body that fails here can still be answered otherwise
        transport.write(head + first if first else head)
        limit = self.connection.plan.timeouts.write
        try:
            if not body.ended:
                await self._stream(body, chunked, limit)
        except PeerGone as gone:
            raise Fault(CLIENT_GONE, str(gone)) from None
        if not self.keep:
            transport.uncork()  # the connection closes: what is held back must be on its way before
        if transport.refused or transport.broken:
            await self._drain(0)

    async def _switch(self, response: Response) -> None:
        """Switch protocols, and carry what follows until the upstream has ended."""
        connection, request = self.connection, self.request
        exchange, transport = connection.exchange, connection.transport
        if exchange is None:
            raise RuntimeError("a tunnel without its exchange")
        headers = response.headers
        key = key_of(request)
        if key and response.status != 101:  # an upstream that speaks HTTP/2 knows no key
            headers = [*headers, (b"sec-websocket-accept", accept_of(key))]
        self.keep = False
        self.started = self._until_close = True
        transport.on_hangup = None  # from here on a client may close its sending side
        upgrade = b"connection: upgrade\r\nupgrade: %b\r\n\r\n" % request.upgrade
        transport.write(_status_line(101, b"") + write_fields(headers) + upgrade)
        end = WireEnd(connection.inbox, CLIENT_GONE, CLIENT_SLOW, connection.plan.timeouts.write)
        connection.tunnel = Tunnel(exchange, end, response.tunnel, transport.lot.now)
        await connection.tunnel.run()

    def reset(self, fault: Fault) -> None:
        """Give up: the client must see that the answer is not whole.

        Where a length or chunks tell it, the connection just ends; where only the end of the connection
        would have ended the answer, it ends with a reset.
        """
        self.keep = False
        self.broken = True
        if self._until_close:
            self.connection.transport.abort()

    def interrupt(self, fault: Fault) -> None:
        """Raise ``fault`` in whoever waits for the client to read."""
        tx = self.connection.transport.tx
        if tx.occupied:
            tx.interrupt(fault)

    async def _drain(self, low: int) -> None:
        transport = self.connection.transport
        try:
            await transport.wait_drained(low, self.connection.plan.timeouts.write, CLIENT_SLOW)
        except PeerGone as gone:
            raise Fault(CLIENT_GONE, str(gone)) from None

    def _settle_upload(self, request: Request) -> None:
        """An answer before the end of its request ends the connection, unless the rest is at hand."""
        body = self._received
        if not body.ended and not request.streaming:
            try:
                body.read_nowait()
            except Fault:
                self.keep = False  # the answer stands; what follows it cannot be read
        if not body.ended or not self.connection.keep_open():
            self.keep = False

    def _length_of_head(self, response: Response) -> bytes:
        """A HEAD is told the length its GET would have, if it is known and not among the headers."""
        length = response.body.length
        if not length or any(name == b"content-length" for name, _ in response.headers):
            return b""
        return b"content-length: %d\r\n" % length

    def _connection_field(self) -> bytes:
        if not self.keep:
            return b"connection: close\r\n"
        return b"" if self._minor else b"connection: keep-alive\r\n"

    async def _stream(self, body: Body, chunked: bool, limit: float) -> None:
        transport = self.connection.transport
        if body.length is not None and body.length >= WORTHWHILE:
            self.sent += await relay(body, transport, limit, CLIENT_SLOW)
        while not body.ended:
            data = await body.read()
            if data:
                self.sent += len(data)
                transport.write(chunk(data) if chunked else data)
                if transport.unsent > HIGH_WATER:
                    await transport.wait_drained(0, limit, CLIENT_SLOW)
        if chunked:
            transport.write(_last_chunk(body))


def _last_chunk(body: Body) -> bytes:
    return b"0\r\n%b\r\n" % write_fields(body.trailers)
