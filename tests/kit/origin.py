"""A scripted origin: a server at the far end of a wire that does to each request what a test says.

Requests are read with h11; answers are raw bytes, so that they may be wrong, cut or late. A handler gets a
``Call`` and leaves the connection open when it returns, unless it has closed it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import h11
import trio

from appliance.model.fault import Fault, Reason
from appliance.net.transport import PeerGone

from .wires import Wire

Pairs = Sequence[tuple[bytes, bytes]]


@dataclass
class Seen:
    """A request as the origin read it; ``whole`` once its body has been read to the end."""

    method: bytes
    target: bytes
    version: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    whole: bool = False

    def get(self, name: bytes) -> bytes | None:
        """Give the only value of a header, None if it is absent."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, values
        return values[0] if values else None


class Call:
    """One request and the wire to answer it on."""

    def __init__(self, wire: Wire, request: Seen, reader: h11.Connection) -> None:
        self.wire = wire
        self.request = request
        self._reader = reader

    async def read(self) -> None:
        """Read the rest of the request."""
        while not self.request.whole:
            await self.read_some()

    async def read_some(self) -> None:
        """Read one piece of the request's body, or its end."""
        event = await _event(self._reader, self.wire)
        if isinstance(event, h11.Data):
            self.request.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            self.request.trailers = list(event.headers)
            self.request.whole = True
        else:
            raise PeerGone(f"the request ended early: {event}")

    async def send(self, raw: bytes) -> None:
        """Send raw bytes."""
        await self.wire.send(raw)


Handler = Callable[[Call], Awaitable[None]]


async def _event(reader: h11.Connection, wire: Wire) -> object:
    while (event := reader.next_event()) is h11.NEED_DATA:
        data = await wire.receive()
        reader.receive_data(data)
        if not data:
            return reader.next_event()
    return event


class Origin:
    """Answers the n-th request with the n-th handler; the last one answers all further requests."""

    def __init__(self, *handlers: Handler) -> None:
        self.handlers = handlers or (sized(b"hello"),)
        self.requests: list[Seen] = []
        self.wires: list[Wire] = []
        self.refuses: Reason | None = None
        self.connect_time = 0.0
        self.capacity = 64 * 1024
        self.cuts: Callable[[], object] = lambda: None

    @property
    def open(self) -> int:
        """How many connections neither side has closed."""
        return sum(not wire.closed and not wire.hung_up for wire in self.wires)

    async def admit(self, timeout: float, too_late: Reason) -> None:
        """Behave as a connect does: take time, be refused, or be too late. Raises Fault."""
        await trio.sleep(min(timeout, self.connect_time))
        if self.connect_time > timeout:
            raise Fault(too_late)
        if self.refuses is not None:
            raise Fault(self.refuses)

    async def serve(self, wire: Wire) -> None:
        """Serve one connection until either side ends it."""
        self.wires.append(wire)
        rest = b""
        try:
            while not wire.closed:
                reader = h11.Connection(h11.SERVER)
                if rest:
                    reader.receive_data(rest)
                event = await _event(reader, wire)
                if not isinstance(event, h11.Request):
                    break
                seen = Seen(event.method, event.target, event.http_version, list(event.headers))
                self.requests.append(seen)
                handler = self.handlers[min(len(self.requests), len(self.handlers)) - 1]
                call = Call(wire, seen, reader)
                await handler(call)
                if wire.closed or not seen.whole:
                    break
                rest = reader.trailing_data[0]
        except (PeerGone, h11.RemoteProtocolError):
            pass
        wire.close()


def head(status: int, headers: Pairs = (), reason: bytes = b"OK", version: bytes = b"HTTP/1.1") -> bytes:
    """Give the bytes of a response head."""
    lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    return b"%b %d %b\r\n%b\r\n" % (version, status, reason, lines)


def sized_bytes(body: bytes, status: int = 200, headers: Pairs = ()) -> bytes:
    """Give a whole answer with a Content-Length."""
    return head(status, [*headers, (b"content-length", b"%d" % len(body))]) + body


def chunked_bytes(pieces: Sequence[bytes], trailers: Pairs = (), headers: Pairs = ()) -> bytes:
    """Give a whole chunked answer."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    end = b"".join(b"%b: %b\r\n" % pair for pair in trailers)
    return head(200, [*headers, (b"transfer-encoding", b"chunked")]) + body + b"0\r\n" + end + b"\r\n"


def raw(answer: bytes, *, close: bool = False, by: int = 0, pause: float = 0.0) -> Handler:
    """Read the request, send ``answer`` (``by`` bytes at a time, with pauses), perhaps close."""

    async def handle(call: Call) -> None:
        await call.read()
        step = by or len(answer) or 1
        for at in range(0, len(answer), step):
            await trio.sleep(pause)
            await call.send(answer[at : at + step])
        if close:
            call.wire.close()

    return handle


def sized(body: bytes, status: int = 200, headers: Pairs = (), *, close: bool = False) -> Handler:
    """Answer with a Content-Length; a request of HEAD gets the head only."""

    async def handle(call: Call) -> None:
        await call.read()
        answer = sized_bytes(body, status, headers)
        await call.send(answer[: -len(body)] if call.request.method == b"HEAD" and body else answer)
        if close:
            call.wire.close()

    return handle


def chunked(pieces: Sequence[bytes], trailers: Pairs = (), headers: Pairs = ()) -> Handler:
    """Answer in chunks."""
    return raw(chunked_bytes(pieces, trailers, headers))


def until_close(body: bytes) -> Handler:
    """Answer with a body that ends when the connection does."""
    return raw(head(200) + body, close=True)


def early(answer: bytes) -> Handler:
    """Answer as soon as the head is there and read nothing of the body."""

    async def handle(call: Call) -> None:
        await call.send(answer)
        await trio.sleep_forever()

    return handle


def reset(after: bytes = b"", *, read: bool = True) -> Handler:
    """Send ``after`` and crash; with ``read`` False before the body was read."""

    async def handle(call: Call) -> None:
        if read:
            await call.read()
        if after:
            await call.send(after)
        call.wire.reset()

    return handle


def silent(answer: bytes = b"") -> Handler:
    """Read the request, send ``answer``, and then nothing for ever."""

    async def handle(call: Call) -> None:
        await call.read()
        await call.send(answer)
        await trio.sleep_forever()

    return handle


def deaf() -> Handler:
    """Read nothing beyond the head, and answer nothing."""

    async def handle(_call: Call) -> None:
        await trio.sleep_forever()

    return handle
