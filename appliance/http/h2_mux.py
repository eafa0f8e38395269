"""One HTTP/2 connection, either end of it: frames in, and what they mean (RFC 9113).

There is one reader for each connection. It never waits for anybody: what arrives goes into the mailboxes of
streams (``h2_stream``), and the tasks that empty them run when it is done. What goes out is in ``h2_sender``.

What differs between the two ends is in ``h2_server`` and ``h2_client``, which give the methods that say
what a head means and what becomes of a stream that breaks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from appliance.model.fault import Fault, Reason
from appliance.net.transport import PeerGone, Transport

from . import h2_frames as f
from .h2_frames import Code, H2ConnectionError, H2StreamError
from .h2_hpack import Reader, Section
from .h2_sender import LOW_WATER, Sender
from .h2_stream import Stream

TURN: Final = 64  # frames, or as much work as they are, that are taken before others have their turn
MAX_CONTINUATIONS: Final = 64
MAX_REPLIES: Final = 64 * 1024  # bytes of answers to control frames that the peer may leave unread
MAX_UNSENT: Final = 256 * 1024  # bytes of any kind: heads wait for no window, and nobody else bounds them
_FORGOTTEN: Final = 128  # streams that were reset here, of which frames may still come; or all there may be
CROWD: Final = 3  # tasks woken at once from which on their writes go out together


class Mux(Sender):
    """The state of a connection."""

    client = False

    def __init__(
        self, transport: Transport, max_streams: int, max_list: int, limit: float, why: Reason
    ) -> None:
        super().__init__(transport, limit, why)
        self.streams: dict[int, Stream] = {}
        self.last = 0  # the highest stream that the peer, or a client here, has opened
        self.first_window = f.FIRST_WINDOW  # what the peer lets each new stream have
        self.peer_streams = 100  # until the peer says otherwise
        self.peer_connects = False
        self.settled = trio.Event()  # the peer's first settings are there
        self.woken = 0
        self._work = 0  # done since others had their turn, in frames
        self._full = f.FIRST_WINDOW * max_streams
        self._room = self._full
        self._credit = 0
        self._buffer = b""
        self._reader = Reader(max_list)
        self._block: tuple[int, int, list[bytes]] | None = None
        self._replies = 0
        self._reset: dict[int, None] = {}
        self._remembered = max(_FORGOTTEN, max_streams)
        self.ceiling = f.MAX_STREAM  # streams above it were told that nobody looks at them
        self.advanced = False  # something has arrived whole since whoever asks has cleared this

    # What the two ends supply.

    def opened(self, id: int, section: Section, end: bool) -> None:
        """Take the head of a stream that is not known."""
        raise NotImplementedError

    def heard(self, stream: Stream, section: Section, end: bool) -> None:
        """Take a further field block of a stream."""
        raise NotImplementedError

    def broke(self, stream: Stream, code: int, why: str, *, here: bool) -> None:
        """Hear that a stream was reset: by the peer, or ``here`` because the peer broke a rule."""
        raise NotImplementedError

    def leaving(self, last: int, code: int) -> None:
        """Hear a GOAWAY."""
        raise NotImplementedError

    def ponged(self) -> None:
        """Hear the answer to a PING."""

    def prioritised(self, payload: bytes) -> None:
        """Hear a PRIORITY_UPDATE."""

    # Reading.

    def hello(self, settings: dict[int, int]) -> bytes:
        """Give what this end says first: its settings, and the window of the connection."""
        return f.settings(settings) + f.window_update(0, self._full - f.FIRST_WINDOW or 1)

    async def take(self, data: bytes) -> None:
        """Take bytes that have arrived; raises H2ConnectionError."""
        buffer = self._buffer + data if self._buffer else data
        block = self._block
        at = 0
        while (frame := f.unpack(buffer, at)) is not None:
            at += f.HEAD + len(frame[3])
            try:
                self._frame(*frame)
            except H2StreamError as error:
                self._break(error)
            self._work += 1
            if self._work >= TURN:
                self._work = 0
                await self._let_run()
                if self.transport.broken and not self.client:
                    raise PeerGone("left before it was answered")  # and nobody wants the rest answered
        self._buffer = buffer[at:] if at else buffer
        if at and (self._block is None or self._block is not block):
            self.advanced = True
        if not self.transport.rx.ready:  # what comes next has to be waited for, so others have their turn
            self._work = 0
        woken, self.woken = self.woken, 0
        if woken >= CROWD:
            await self.transport.together()
        while (unsent := self.transport.unsent) > LOW_WATER and (
            self._replies > MAX_REPLIES or unsent > MAX_UNSENT
        ):
            self._want_drain()
            await self._drained.wait()
            if self.stuck is not None:
                raise self.stuck

    async def _let_run(self) -> None:
        await trio.lowlevel.checkpoint()

    @property
    def partial(self) -> bool:
        """Say whether a frame or field block has begun and not ended; DATA has other clocks."""
        buffer = self._buffer
        return self._block is not None or (len(buffer) > 0 and buffer[3:4] != b"\0")

    def _frame(self, kind: int, flags: int, id: int, payload: bytes) -> None:
        if self._block is not None and (kind != f.CONTINUATION or id != self._block[0]):
            raise H2ConnectionError(Code.PROTOCOL_ERROR, "a frame in the middle of a field block")
        if kind > f.CONTINUATION:
            self.floods.control(self.now())
            self._work += len(payload) >> 8
            if kind == f.PRIORITY_UPDATE and not self.client:
                if id or len(payload) < 4:
                    raise H2ConnectionError(Code.PROTOCOL_ERROR, "a malformed PRIORITY_UPDATE")
                self.prioritised(payload)
            return
        least, most, whole = _SHAPES[kind]
        if whole is not None and whole is bool(id):
            raise H2ConnectionError(Code.PROTOCOL_ERROR, f"a frame of type {kind} on stream {id}")
        if not least <= len(payload) <= most:
            if kind == f.PRIORITY and not self.unopened(id):  # nobody may reset a stream that is idle
                raise H2StreamError(id, Code.FRAME_SIZE_ERROR, "a PRIORITY frame of a wrong size")
            raise H2ConnectionError(Code.FRAME_SIZE_ERROR, f"a frame of type {kind} of {len(payload)} bytes")
        _HANDLERS[kind](self, flags, id, payload)

    def _data(self, flags: int, id: int, payload: bytes) -> None:
        cost = len(payload)
        self._room -= cost
        if self._room < 0:
            raise H2ConnectionError(Code.FLOW_CONTROL_ERROR, "more DATA than the connection's window")
        stream = self.streams.get(id)
        if stream is None or stream.remote:
            self.give_back(cost)
            self._stray(id, stream)
            return
        if cost > stream.room:
            self.give_back(cost)
            raise H2StreamError(id, Code.FLOW_CONTROL_ERROR, "more DATA than the stream's window")
        data = f.unpad(flags, payload) if flags & f.PADDED else payload
        end = flags & f.END_STREAM
        if not data and not end:
            self.floods.control(self.now())
        if stream.left is not None:
            stream.left -= len(data)
            if stream.left < 0 or (end and stream.left):
                self.give_back(cost)
                raise H2StreamError(id, Code.PROTOCOL_ERROR, "DATA that does not add up to Content-Length")
        self.woken += 1
        stream.put(data, cost)
        if end:
            stream.end([])

    def _headers(self, flags: int, id: int, payload: bytes) -> None:
        extra = 5 if flags & f.HAS_PRIORITY else 0
        block = f.unpad(flags, payload, extra) if flags & f.PADDED or extra else payload
        if flags & f.END_HEADERS:
            self._fields(id, block, bool(flags & f.END_STREAM))
        else:
            self._block = (id, flags, [block])

    def _continuation(self, flags: int, id: int, payload: bytes) -> None:
        if self._block is None:
            raise H2ConnectionError(Code.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        _, first, parts = self._block
        parts.append(payload)
        if len(parts) > MAX_CONTINUATIONS or sum(map(len, parts)) > 4 * self._reader.limit:
            raise H2ConnectionError(Code.ENHANCE_YOUR_CALM, "an endless field block", "continuation")
        if flags & f.END_HEADERS:
            self._block = None
            self._fields(id, b"".join(parts), bool(first & f.END_STREAM))

    def _fields(self, id: int, block: bytes, end: bool) -> None:
        section = self._reader.read(block)
        self._work += 1 + (len(section.fields) >> 3)
        stream = self.streams.get(id)
        if stream is None and self.unopened(id):
            self.opened(id, section, end)
        elif stream is None or stream.remote:
            self._stray(id, stream)
        else:
            if end and stream.left:
                raise H2StreamError(id, Code.PROTOCOL_ERROR, "less DATA than Content-Length says")
            self.woken += 1
            self.heard(stream, section, end)

    def unopened(self, id: int) -> bool:
        """Say whether a stream has never been there."""
        return id > self.last if id % 2 else True

    def _stray(self, id: int, stream: Stream | None) -> None:
        """Deal with a frame on a stream that takes none (RFC 9113 section 5.1)."""
        if self.unopened(id):
            raise H2ConnectionError(Code.PROTOCOL_ERROR, f"a frame on stream {id}, which is idle")
        if stream is not None:
            raise H2StreamError(id, Code.STREAM_CLOSED, "a frame behind the end of its stream")
        if id not in self._reset and id <= self.ceiling and not self.client:
            raise H2ConnectionError(Code.STREAM_CLOSED, f"a frame on stream {id}, which is closed")

    def _priority(self, flags: int, id: int, payload: bytes) -> None:
        self.floods.control(self.now())

    def _rst(self, flags: int, id: int, payload: bytes) -> None:
        if self.unopened(id):
            raise H2ConnectionError(Code.PROTOCOL_ERROR, f"RST_STREAM on stream {id}, which is idle")
        if self.client:
            self.floods.returned(self.last)
        else:
            self.floods.reset(self.now())
        stream = self.streams.pop(id, None)
        if stream is not None:
            self._queue.pop(stream, None)
            self.woken += 1
            self.broke(stream, f.code_at(payload), "", here=False)

    def _settings(self, flags: int, id: int, payload: bytes) -> None:
        if flags & f.ACK:
            if payload:
                raise H2ConnectionError(Code.FRAME_SIZE_ERROR, "a SETTINGS acknowledgement with content")
            return
        self.floods.control(self.now())
        self._work += len(payload) >> 8
        window = self.first_window
        for name, value in f.read_settings(payload):
            if name == f.WINDOW:
                window = value  # of several the last counts, and streams are gone through once
            elif name == f.MAX_STREAMS:
                self.peer_streams = value
            elif name == f.FRAME_SIZE:
                self.frame_size = min(value, f.MAX_FRAME * 4)
            elif name == f.TABLE_SIZE:
                self.table(value)
            elif name == f.CONNECT_PROTOCOL:
                self.peer_connects = bool(value)
            elif name == f.ENABLE_PUSH and value and self.client:
                raise H2ConnectionError(Code.PROTOCOL_ERROR, "a server that asks for pushes")
        if window != self.first_window:
            self._resize(window - self.first_window)
            self.first_window = window
        self.settled.set()
        self.reply(f.pack(f.SETTINGS, f.ACK, 0))
        self.pump()

    def _resize(self, change: int) -> None:
        self._work += len(self.streams) >> 1
        for stream in list(self.streams.values()):
            stream.window += change
            if stream.window > f.MAX_WINDOW:
                raise H2ConnectionError(Code.FLOW_CONTROL_ERROR, "a window of more than 2^31-1 bytes")
            if stream.out:
                self._queue[stream] = None

    def _push_promise(self, flags: int, id: int, payload: bytes) -> None:
        raise H2ConnectionError(Code.PROTOCOL_ERROR, "PUSH_PROMISE, which nobody may send here")

    def _ping(self, flags: int, id: int, payload: bytes) -> None:
        if flags & f.ACK:
            self.ponged()
        else:
            self.floods.control(self.now())
            self.reply(f.pack(f.PING, f.ACK, 0, payload))

    def _goaway(self, flags: int, id: int, payload: bytes) -> None:
        self.floods.control(self.now())
        self.leaving(f.number(payload), f.code_at(payload, 4))

    def _window_update(self, flags: int, id: int, payload: bytes) -> None:
        more = f.number(payload)
        self.floods.window()
        if not id:
            self.window += more
            if not more or self.window > f.MAX_WINDOW:
                code = Code.FLOW_CONTROL_ERROR if more else Code.PROTOCOL_ERROR
                raise H2ConnectionError(code, "WINDOW_UPDATE of nothing, or beyond 2^31-1 bytes")
            self.pump()
            return
        stream = self.streams.get(id)
        if stream is None:
            if self.unopened(id):
                raise H2ConnectionError(Code.PROTOCOL_ERROR, f"WINDOW_UPDATE on stream {id}, which is idle")
            return
        if not more:
            raise H2StreamError(id, Code.PROTOCOL_ERROR, "WINDOW_UPDATE of nothing")
        stream.window += more
        if stream.window > f.MAX_WINDOW:
            raise H2StreamError(id, Code.FLOW_CONTROL_ERROR, "a window of more than 2^31-1 bytes")
        if stream.out:
            self.push(stream)

    def _break(self, error: H2StreamError) -> None:
        """Reset a stream whose peer broke a rule."""
        if not self.client:
            self.floods.provoked()
        self._tell_reset(error.stream, error.code)
        stream = self.streams.pop(error.stream, None)
        if stream is not None:
            self._queue.pop(stream, None)
            self.broke(stream, error.code, error.why, here=True)

    def _tell_reset(self, id: int, code: Code) -> None:
        self._remember(id)
        self.reply(f.reset(id, code))

    def _remember(self, id: int) -> None:
        self._reset[id] = None
        if len(self._reset) > self._remembered:
            del self._reset[next(iter(self._reset))]

    # Writing.

    def write(self, data: bytes) -> None:
        """Send frames."""
        self.transport.write(data)

    def reply(self, frame: bytes) -> None:
        """Send what the peer made us send, and count what it leaves unread."""
        self._replies = self._replies + len(frame) if self.transport.unsent else 0
        self.transport.write(frame)

    def more(self, id: int, count: int) -> None:
        """Let the peer send more on a stream."""
        self.reply(f.window_update(id, count))

    def give_back(self, cost: int) -> None:
        """Let the peer send as much again on the connection, when a good part has come together."""
        self._credit += cost
        if self._credit >= self._full // 4:
            self._room += self._credit
            self.reply(f.window_update(0, self._credit))
            self._credit = 0

    def forget(self, stream: Stream, code: Code | None) -> None:
        """Let a stream go; with ``code`` the peer is told, unless it has gone already."""
        self._queue.pop(stream, None)
        if self.streams.pop(stream.id, None) is not None and code is not None:
            self._remember(stream.id)
            self.transport.write(f.reset(stream.id, code))

    def fail(self, make: Callable[[], Fault]) -> None:
        """End all streams, each with a fault of its own."""
        streams, self.streams = list(self.streams.values()), {}
        self._queue.clear()
        for stream in streams:
            stream.break_off(make())


# Least and most bytes of payload; whether the frame belongs to the whole connection (None: to either).
_SHAPES: Final[list[tuple[int, int, bool | None]]] = [
    (0, f.MAX_FRAME, False),
    (1, f.MAX_FRAME, False),
    (5, 5, False),
    (4, 4, False),
    (0, f.MAX_FRAME, True),
    (0, f.MAX_FRAME, None),
    (8, 8, True),
    (8, f.MAX_FRAME, True),
    (4, 4, None),
    (0, f.MAX_FRAME, False),
]
_HANDLERS: Final[list[Callable[[Any, int, int, bytes], Awaitable[None] | None]]] = [
    Mux._data,
    Mux._headers,
    Mux._priority,
    Mux._rst,
    Mux._settings,
    Mux._push_promise,
    Mux._ping,
    Mux._goaway,
    Mux._window_update,
    Mux._continuation,
]
