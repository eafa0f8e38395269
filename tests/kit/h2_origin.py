"""A scripted origin that speaks HTTP/2: the h2 library as a server, many calls on one connection.

A handler gets a ``H2Call`` and does to it what a test says; handlers run side by side. What h2 would not send
goes out raw.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import trio
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from appliance.model.fault import Fault, Reason
from appliance.net.transport import PeerGone

from .wires import Wire

Pairs = Sequence[tuple[bytes, bytes]]


@dataclass
class H2Call:
    """One stream: its request as far as it has arrived, and ways to answer it."""

    line: H2Line
    id: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    whole: bool = False
    reset: int | None = None
    reads: bool = True
    changed: trio.Event = field(default_factory=trio.Event)

    def get(self, name: bytes) -> bytes | None:
        """Give the only value of a field, None if it is absent."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, values
        return values[0] if values else None

    def stir(self) -> None:
        """Let the handler see what has changed."""
        self.changed.set()
        self.changed = trio.Event()

    async def read(self) -> None:
        """Wait for the end of the request, or of the stream."""
        while not self.whole and self.reset is None:
            await self.changed.wait()

    async def head(self, status: int = 200, headers: Pairs = (), *, end: bool = False) -> None:
        """Send a head, interim or final."""
        fields = [(b":status", b"%d" % status), *headers]
        self.line.h2.send_headers(self.id, fields, end_stream=end)
        await self.line.flush()

    async def data(self, data: bytes, *, end: bool = False) -> None:
        """Send data as windows allow."""
        h2 = self.line.h2
        while True:
            room = min(len(data), h2.local_flow_control_window(self.id), h2.max_outbound_frame_size)
            if room or not data:
                h2.send_data(self.id, data[:room], end_stream=end and room == len(data))
                data = data[room:]
                await self.line.flush()
                if not data:
                    return
            else:
                await self.changed.wait()

    async def end(self, trailers: Pairs) -> None:
        """Send trailers."""
        self.line.h2.send_headers(self.id, list(trailers), end_stream=True)
        await self.line.flush()

    async def cancel(self, code: int) -> None:
        """Reset the stream."""
        self.line.h2.reset_stream(self.id, code)
        await self.line.flush()


Handler = Callable[[H2Call], Awaitable[None]]


class H2Line:
    """One connection of an origin."""

    def __init__(self, wire: Wire, settings: dict[SettingCodes, int]) -> None:
        self.wire = wire
        self.calls: dict[int, H2Call] = {}
        self.pings = 0
        self.goaways: list[int] = []
        self.h2 = H2Connection(
            H2Configuration(client_side=False, header_encoding=None, validate_outbound_headers=False)
        )
        self.h2.local_settings = Settings(client=False, initial_values=settings)
        self.h2.initiate_connection()

    async def flush(self) -> None:
        """Send what h2 has to say."""
        data = self.h2.data_to_send()
        if data:
            await self.wire.send(data)

    async def raw(self, data: bytes) -> None:
        """Send frames that h2 knows nothing of."""
        await self.wire.send(data)


class H2Origin:
    """Answers the n-th call with the n-th handler; the last one answers all further calls."""

    def __init__(self, *handlers: Handler, settings: dict[SettingCodes, int] | None = None) -> None:
        self.handlers = handlers or (answer(b"hello"),)
        self.settings = settings or {}
        self.calls: list[H2Call] = []
        self.lines: list[H2Line] = []
        self.wires: list[Wire] = []
        self.refuses: Reason | None = None
        self.connect_time = self.greets_after = 0.0
        self.reads = True
        self.capacity = 256 * 1024
        self.cuts: Callable[[], object] = lambda: None

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
        line = H2Line(wire, self.settings)
        self.lines.append(line)
        async with trio.open_nursery() as nursery:
            try:
                if self.greets_after:
                    await trio.sleep(self.greets_after)
                await line.flush()
                while data := await wire.receive():
                    for event in line.h2.receive_data(data):
                        self._hear(line, event, nursery)
                    await line.flush()
            except PeerGone:
                pass
            nursery.cancel_scope.cancel()
        wire.close()

    def _hear(self, line: H2Line, event: events.Event, nursery: trio.Nursery) -> None:
        if isinstance(event, events.RequestReceived):
            call = H2Call(line, event.stream_id, [(bytes(n), bytes(v)) for n, v in event.headers])
            line.calls[call.id] = call
            call.reads = self.reads
            self.calls.append(call)
            handler = self.handlers[min(len(self.calls), len(self.handlers)) - 1]
            nursery.start_soon(_guard, handler, call)
            return
        if isinstance(event, (events.WindowUpdated, events.RemoteSettingsChanged)):
            for each in line.calls.values():
                each.stir()
            return
        if isinstance(event, events.PingReceived):
            line.pings += 1
        elif isinstance(event, events.ConnectionTerminated):
            line.goaways.append(int(event.error_code))
        found = line.calls.get(getattr(event, "stream_id", 0) or 0)
        if found is None:
            return
        if isinstance(event, events.DataReceived):
            found.body += event.data
            if found.reads:
                line.h2.acknowledge_received_data(event.flow_controlled_length, found.id)
        elif isinstance(event, events.TrailersReceived):
            found.trailers = [(bytes(n), bytes(v)) for n, v in event.headers]
        elif isinstance(event, events.StreamEnded):
            found.whole = True
        elif isinstance(event, events.StreamReset):
            found.reset = int(event.error_code)
        found.stir()


async def _guard(handler: Handler, call: H2Call) -> None:
    try:
        await handler(call)
    except (PeerGone, ProtocolError):
        return  # the proxy has left, or reset the stream, and the test will see to that


def answer(body: bytes, *, status: int = 200, headers: Pairs = (), trailers: Pairs = ()) -> Handler:
    """Give a handler that reads the request and answers it in whole."""

    async def handle(call: H2Call) -> None:
        await call.read()
        sized = [] if trailers else [(b"content-length", b"%d" % len(body))]
        await call.head(status, [*headers, *sized], end=not body and not trailers)
        if body:
            await call.data(body, end=not trailers)
        if trailers:
            await call.end(trailers)

    return handle


def silent() -> Handler:
    """Give a handler that never answers."""

    async def handle(call: H2Call) -> None:
        await trio.sleep_forever()

    return handle


def resets(code: int) -> Handler:
    """Give a handler that resets the stream at once."""

    async def handle(call: H2Call) -> None:
        await call.cancel(code)

    return handle
