"""Two clients that speak HTTP/2 on a wire of the kit, for two kinds of test.

``PoliteClient`` is the h2 library: it keeps every rule itself and complains of each that the proxy breaks.
A task reads for it all the time. ``RawClient`` sends whatever frames a test gives it and keeps no rule; it
reads when it is told to (``hear``), with hyperframe and hpack, so that nothing of the proxy reads itself.

``bench`` puts a raw client in front of a connection without a proxy behind it: the test itself reads and
answers the streams.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import trio
import trio.testing
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings
from hpack import Decoder, Encoder
from hyperframe import frame as hf

from appliance.http import h2_frames as f
from appliance.http.h1_body import Rules
from appliance.http.h2_hpack import Section
from appliance.http.h2_mux import Mux
from appliance.http.h2_stream import Stream
from appliance.model.fault import (
    BAD_CHUNK,
    BAD_TRAILER,
    BODY_TIMEOUT,
    CLIENT_GONE,
    CLIENT_SLOW,
    CUT_SHORT,
    Fault,
)
from appliance.model.headers import Headers
from appliance.net.park import Lot
from appliance.net.transport import PeerGone

from .proxy import Proxy
from .wires import CAPACITY, Wire, pair

Pairs = Sequence[tuple[bytes, bytes]]

WIDE = 1 << 24  # bytes that a polite client lets its whole connection have, so that streams do not share


def request(method: bytes = b"GET", path: bytes = b"/", headers: Pairs = ()) -> list[tuple[bytes, bytes]]:
    """Give the field list of a request."""
    pseudo = [(b":method", method), (b":scheme", b"http"), (b":authority", b"a.example"), (b":path", path)]
    return [*pseudo, *headers]


@dataclass
class Answer:
    """What has come on one stream; ``reset`` is the code if the proxy reset it."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    interim: list[int] = field(default_factory=list)
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    whole: bool = False
    reset: int | None = None

    def get(self, name: bytes) -> bytes | None:
        """Give the only value of a header, None if it is absent."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, values
        return values[0] if values else None

    def head(self, fields: Pairs, *, end: bool) -> None:
        """Take a field block: an interim answer, the head, or trailers."""
        status = int(dict(fields).get(b":status", b"0"))
        rest = [(name, value) for name, value in fields if name != b":status"]
        if 100 <= status < 200:
            assert not end
            self.interim.append(status)
        elif status:
            assert not self.status, "a second head"
            self.status, self.headers = status, rest
        else:
            assert self.status, "trailers before the head"
            self.trailers = rest
        self.whole = self.whole or end


class PoliteClient:
    """A client that keeps the rules; ``polite`` makes one that runs."""

    def __init__(self, wire: Wire, settings: dict[SettingCodes, int], *, checks: bool = True) -> None:
        self.wire = wire
        self.answers: dict[int, Answer] = {}
        self.goaways: list[tuple[int, int]] = []
        self.pings: list[bytes] = []
        self.pongs: list[bytes] = []
        self.unread: set[int] = set()
        self.silent = False
        self.over = trio.Event()
        self._changed = trio.Event()
        self._sending = trio.Lock()
        self._withdrawn: set[int] = set()
        self.h2 = H2Connection(H2Configuration(header_encoding=None, validate_outbound_headers=checks))
        self.h2.local_settings = Settings(client=True, initial_values=settings)
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(WIDE)

    async def run(self) -> None:
        """Read until the connection ends."""
        await self.flush()
        try:
            while data := await self.wire.receive():
                for event in self.h2.receive_data(data):
                    self._hear(event)
                if not self.silent:
                    await self.flush()
                self._stir()
        except PeerGone:
            pass
        self.over.set()
        self._stir()

    def _stir(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _hear(self, event: events.Event) -> None:
        if isinstance(event, events.ConnectionTerminated):
            self.goaways.append((event.last_stream_id or 0, int(event.error_code or 0)))
        elif isinstance(event, events.PingReceived):
            self.pings.append(event.ping_data)
        elif isinstance(event, events.PingAckReceived):
            self.pongs.append(event.ping_data)
        answer = self.answers.get(getattr(event, "stream_id", 0) or 0)
        if answer is None:
            return
        heads = (events.ResponseReceived, events.InformationalResponseReceived, events.TrailersReceived)
        if isinstance(event, heads):
            answer.head([(bytes(name), bytes(value)) for name, value in event.headers], end=False)
        elif isinstance(event, events.DataReceived):
            answer.body += event.data
            if event.stream_id not in self.unread:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamEnded):
            answer.whole = True
        elif isinstance(event, events.StreamReset):
            answer.reset = int(event.error_code)

    async def flush(self) -> None:
        """Send what h2 has to say; a proxy that has closed meanwhile is no error here."""
        async with self._sending:
            data = self.h2.data_to_send()
            if data:
                with suppress(PeerGone):
                    await self.wire.send(data)

    async def ask(
        self, method: bytes = b"GET", path: bytes = b"/", headers: Pairs = (), *, end: bool = True
    ) -> int:
        """Open a stream and give its number; ``end``: no body follows."""
        id = self.h2.get_next_available_stream_id()
        self.answers[id] = Answer()
        self.h2.send_headers(id, request(method, path, headers), end_stream=end)
        await self.flush()
        return id

    async def data(self, id: int, data: bytes, *, end: bool = False, padding: int | None = None) -> None:
        """Send data as the windows allow; gives up when the proxy has reset the stream or closed."""
        extra = 0 if padding is None else padding + 1
        while self._goes_on(id):
            most = self.h2.max_outbound_frame_size - extra
            room = min(len(data), self.h2.local_flow_control_window(id) - extra, most)
            if room > 0 or (not data and room == 0):
                last = room == len(data)
                self.h2.send_data(id, data[:room], end_stream=end and last, pad_length=padding)
                data = data[room:]
                await self.flush()
                if last:
                    return
            else:
                await self._changed.wait()

    def _goes_on(self, id: int) -> bool:
        return not self.over.is_set() and self.answers[id].reset is None and id not in self._withdrawn

    async def trailers(self, id: int, fields: Pairs) -> None:
        """End a request with trailers, if it still goes on."""
        if not self._goes_on(id):
            return
        self.h2.send_headers(id, list(fields), end_stream=True)
        await self.flush()

    async def reset(self, id: int, code: int = f.Code.CANCEL) -> None:
        """Withdraw a request."""
        self._withdrawn.add(id)
        self.h2.reset_stream(id, code)
        await self.flush()

    async def read_on(self, id: int) -> None:
        """Give back all that an unread stream has held so far, and read it from now on."""
        self.unread.discard(id)
        self.h2.acknowledge_received_data(len(self.answers[id].body), id)
        await self.flush()

    async def answer(self, id: int) -> Answer:
        """Wait until a stream has ended one way or another, or the connection has."""
        answer = self.answers[id]
        while not (answer.whole or answer.reset is not None or self.over.is_set()):
            await self._changed.wait()
        return answer

    async def wait(self, id: int, count: int) -> None:
        """Wait until so many bytes of an answer's body have come."""
        while len(self.answers[id].body) < count:
            assert not self.over.is_set()
            await self._changed.wait()

    async def get(self, path: bytes = b"/", *headers: tuple[bytes, bytes]) -> Answer:
        """Send a GET and give its answer."""
        return await self.answer(await self.ask(path=path, headers=headers))

    async def post(self, body: bytes, path: bytes = b"/", headers: Pairs = ()) -> Answer:
        """Send a POST with a body and give its answer."""
        id = await self.ask(b"POST", path, headers, end=False)
        await self.data(id, body, end=True)
        return await self.answer(id)


async def polite(
    proxy: Proxy, settings: dict[SettingCodes, int] | None = None, *, checks: bool = True, **wire: object
) -> PoliteClient:
    """Give a polite client that is connected and runs; ``wire`` are keywords of ``Proxy.connect``."""
    client = PoliteClient(proxy.connect(**wire).wire, settings or {}, checks=checks)
    proxy.nursery.start_soon(client.run)
    await proxy.settle()
    return client


class RawClient:
    """A client that sends what it is told to, and keeps what it hears."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.frames: list[hf.Frame] = []
        self.answers: dict[int, Answer] = {}
        self.over = False
        self.encoder = Encoder()
        self._decoder = Decoder()
        self._rest = b""

    async def send(self, *frames: bytes) -> None:
        """Send bytes; a proxy that has closed meanwhile is no error here."""
        with suppress(PeerGone):
            await self.wire.send(b"".join(frames))

    def head(self, id: int, fields: Pairs | None = None, *, end: bool = True, flags: int = 0) -> bytes:
        """Give a HEADERS frame; by default a GET."""
        return f.pack(
            f.HEADERS,
            f.END_HEADERS | (f.END_STREAM if end else 0) | flags,
            id,
            self.block(request() if fields is None else fields),
        )

    def block(self, fields: Pairs) -> bytes:
        """Give a field block without Huffman coding, from the encoder of this connection."""
        return self.encoder.encode(list(fields), huffman=False)

    async def hear(self) -> None:
        """Read all that comes without time passing."""
        await trio.testing.wait_all_tasks_blocked()
        while not self.over and self.wire.incoming.readable:
            try:
                data = await self.wire.receive()
            except PeerGone:
                data = b""
            if not data:
                self.over = True
            self._take(data)
            await trio.testing.wait_all_tasks_blocked()

    def _take(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) >= f.HEAD:
            frame, size = hf.Frame.parse_frame_header(memoryview(self._rest[: f.HEAD]))
            if len(self._rest) < f.HEAD + size:
                break
            frame.parse_body(memoryview(self._rest[f.HEAD : f.HEAD + size]))
            self._rest = self._rest[f.HEAD + size :]
            self.frames.append(frame)
            self._keep(frame)

    def _keep(self, frame: hf.Frame) -> None:
        if not frame.stream_id:
            return
        answer = self.answers.setdefault(frame.stream_id, Answer())
        if isinstance(frame, hf.HeadersFrame):
            assert "END_HEADERS" in frame.flags
            fields = [(bytes(n), bytes(v)) for n, v in self._decoder.decode(frame.data, raw=True)]
            answer.head(fields, end="END_STREAM" in frame.flags)
        elif isinstance(frame, hf.DataFrame):
            answer.body += frame.data
            answer.whole = answer.whole or "END_STREAM" in frame.flags
        elif isinstance(frame, hf.RstStreamFrame):
            answer.reset = frame.error_code

    def all(self, kind: type[hf.Frame]) -> list[hf.Frame]:
        """Give the frames of a type that were heard."""
        return [frame for frame in self.frames if isinstance(frame, kind)]

    @property
    def goaways(self) -> list[tuple[int, int]]:
        """Last stream and code of each GOAWAY that was heard."""
        return [(frame.last_stream_id, frame.error_code) for frame in self.all(hf.GoAwayFrame)]

    @property
    def pongs(self) -> list[bytes]:
        """What the answers to PING hold."""
        return [frame.opaque_data for frame in self.all(hf.PingFrame) if "ACK" in frame.flags]

    @property
    def acks(self) -> int:
        """How many SETTINGS frames were acknowledged."""
        return sum("ACK" in frame.flags for frame in self.all(hf.SettingsFrame))

    def resets(self, id: int) -> int | None:
        """Give the code with which a stream was reset, None if it was not."""
        answer = self.answers.get(id)
        return None if answer is None else answer.reset

    async def alive(self) -> bool:
        """Say whether the connection still answers a PING."""
        await self.send(f.pack(f.PING, 0, 0, b"areyouup"))
        before = len(self.pongs)
        await self.hear()
        return not self.over and not self.goaways and len(self.pongs) == before + 1


async def raw(proxy: Proxy, settings: dict[int, int] | None = None, **wire: object) -> RawClient:
    """Give a raw client that has said its preface and settings; ``wire`` as in ``Proxy.connect``."""
    client = RawClient(proxy.connect(**wire).wire)
    await client.send(f.PREFACE, f.settings(settings or {}))
    await client.hear()
    return client


class Bench(Mux):
    """A server's connection whose streams nobody serves; ``made`` are all, ``broken`` those reset."""

    def __init__(self, wire: Wire, max_streams: int, limit: float) -> None:
        super().__init__(wire, max_streams, 32 * 1024, limit, CLIENT_SLOW)
        self.broken: list[tuple[int, int, bool]] = []
        self.made: dict[int, Stream] = {}
        self.heads: dict[int, Headers] = {}
        self.left: tuple[int, int] | None = None
        self.error: Exception | None = None

    def opened(self, id: int, section: Section, end: bool) -> None:
        self.last = id
        self.heads[id] = section.fields
        rules = Rules(60.0, BODY_TIMEOUT, CUT_SHORT, BAD_CHUNK, BAD_TRAILER)
        stream = self.streams[id] = self.made[id] = Stream(self, id, rules, self.first_window)
        stream.remote = stream.ended = end

    def heard(self, stream: Stream, section: Section, end: bool) -> None:
        stream.end(section.fields)

    def broke(self, stream: Stream, code: int, why: str, *, here: bool) -> None:
        self.broken.append((stream.id, code, here))
        stream.break_off(Fault(CLIENT_GONE, why))

    def leaving(self, last: int, code: int) -> None:
        self.left = (last, code)

    async def run(self) -> None:
        """Read until the connection ends, or breaks with ``error``."""
        try:
            while data := await self.transport.receive():
                await self.take(data)
        except (f.H2ConnectionError, Fault, PeerGone) as error:
            self.error = error


@asynccontextmanager
async def bench(
    *, max_streams: int = 100, limit: float = 30.0, back: int = CAPACITY
) -> AsyncIterator[tuple[Bench, RawClient]]:
    """Give a connection that reads, and the raw client at its other end; no preface is needed."""
    lot = Lot(trio.current_time)
    near, far = pair(lot, back=back)
    with trio.fail_after(900):
        async with trio.open_nursery() as nursery:
            mux = Bench(far, max_streams, limit)
            mux.spawn = nursery.start_soon
            nursery.start_soon(lot.run)
            nursery.start_soon(mux.run)
            yield mux, RawClient(near)
            nursery.cancel_scope.cancel()
