"""The answering half of an HTTP/2 exchange: head and first bytes in one write, then the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.model.exchange import Exchange
from appliance.model.fault import CLIENT_GONE, CLIENT_SLOW, Fault
from appliance.model.headers import Headers
from appliance.model.message import Request, Response

from .date import date_value
from .framing import bodiless
from .h2_fields import block
from .h2_frames import Code
from .h2_head import response_fields
from .h2_stream import Stream
from .tunnel import StreamEnd, Tunnel, without_handshake

if TYPE_CHECKING:
    from .h2_server import H2Server


class H2Stream:
    """One request of a connection and the place for its answer (a ServerStream)."""

    __slots__ = (
        "_exchange",
        "connection",
        "failed",
        "refusal",
        "request",
        "sent",
        "started",
        "stream",
        "tunnel",
    )

    def __init__(self, connection: H2Server, stream: Stream, request: Request, refusal: Fault | None) -> None:
        self.connection = connection
        self.stream = stream
        self.request = request
        self.refusal = refusal
        self.started = False
        self.failed: Fault | None = None
        self.sent = 0
        self._exchange: Exchange | None = None
        self.tunnel: Tunnel | None = None
        stream.owner = self

    @property
    def received(self) -> int:
        """Give how many bytes of body, or of a tunnel, have come from the client."""
        return self.stream.got

    def watch_hangup(self, exchange: Exchange) -> None:
        """From now on, tell the exchange when the client leaves; at once if it has left."""
        self._exchange = exchange
        if self.stream.fault is not None:
            exchange.fail(Fault(CLIENT_GONE, self.stream.fault.detail))

    def gone(self, why: str) -> None:
        """Hear that the client has withdrawn the stream, or left."""
        if self._exchange is not None:
            self._exchange.fail(Fault(CLIENT_GONE, why))

    async def inform(self, status: int, headers: Headers) -> None:
        """Pass an interim answer (1xx) on."""
        if self.stream.fault is None:
            fields = block(response_fields(status, headers, []))
            self.connection.write(self.connection.head_frames(self.stream.id, fields, end=False))

    async def respond(self, response: Response) -> None:
        """Send the answer; raises Fault when the client or the body's source fails on the way."""
        stream, body, status = self.stream, response.body, response.status
        if stream.fault is not None:
            raise Fault(CLIENT_GONE, stream.fault.detail)
        if response.tunnel is not None:
            await self._switch(response)
            return
        extra: Headers = []
        headers = response.headers
        if not any(name == b"date" for name, _ in headers):
            extra.append((b"date", date_value()))
        limit = self.connection.plan.timeouts.write
        method = self.request.method
        trailers: bytes | None = None
        if method == b"HEAD" or bodiless(status, method):
            if method == b"HEAD" and body.length and not any(n == b"content-length" for n, _ in headers):
                extra.append((b"content-length", b"%d" % body.length))
            body.abandon()
            first, ended = b"", True
        else:
            if body.length is not None:
                extra.append((b"content-length", b"%d" % body.length))
            first, ended = body.read_nowait(), body.ended
            if ended and body.trailers:
                trailers = block(body.trailers)
        self.sent = len(first)
        end = ended and not first and trailers is None
        self.started = True
        fields = block(response_fields(status, headers, extra))
        head = self.connection.head_frames(stream.id, fields, end=end)
        if end:
            stream.local = True
            self.connection.write(head)
            return
        stream.out_head = head
        stream.out_trailers = trailers
        await stream.send(first, end=ended, limit=limit, why=CLIENT_SLOW)
        while not ended:
            data = await body.read()
            ended = body.ended
            self.sent += len(data)
            if ended and body.trailers:
                stream.out_trailers = block(body.trailers)
            await stream.send(data, end=ended, limit=limit, why=CLIENT_SLOW)

    async def _switch(self, response: Response) -> None:
        """Begin a tunnel (RFC 8441 section 5), and carry what follows until the upstream has ended."""
        exchange, stream = self._exchange, self.stream
        if exchange is None:
            raise RuntimeError("a tunnel without its exchange")
        self.started = True
        fields = block(response_fields(200, without_handshake(response.headers), []))
        self.connection.write(self.connection.head_frames(stream.id, fields, end=False))
        end = StreamEnd(stream, CLIENT_GONE, CLIENT_SLOW, self.connection.plan.timeouts.write)
        self.tunnel = Tunnel(exchange, end, response.tunnel, self.connection.now)
        await self.tunnel.run()

    def reset(self, fault: Fault) -> None:
        """Give up: the client must see that the answer is not whole."""
        self.failed = fault

    def interrupt(self, fault: Fault) -> None:
        """Raise ``fault`` in whoever waits for the client to read."""
        if self.stream.tx.occupied:
            self.stream.tx.interrupt(fault)

    def finish(self) -> None:
        """Leave the connection: an answer that is not whole is reset, a request that goes on is stopped."""
        stream = self.stream
        stream.owner = self._exchange = None  # cycles would stay until the collector comes
        if not stream.local:
            stream.close(Code.CANCEL if self.failed is None else _code(self.failed))
        else:
            stream.close(None if stream.remote else Code.NO_ERROR)  # RFC 9113 section 8.1


def _code(fault: Fault) -> Code:
    return Code.CANCEL if fault.reason in (CLIENT_GONE, CLIENT_SLOW) else Code.INTERNAL_ERROR
