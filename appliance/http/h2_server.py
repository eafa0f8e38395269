"""The client's end of the proxy in HTTP/2: streams in, a task for each, answers out.

Refusals by RFC 9113 stand in ``h2_mux``, what one connection may do too often in ``h2_floods``. Going away
is done in two steps (section 6.8): first no more streams are asked for, and when the client has had time to
hear it the highest stream that will be served is named.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import Final

import trio

from appliance.config.plan import ListenerPlan
from appliance.model.fault import (
    BAD_CHUNK,
    BAD_TRAILER,
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    CLIENT_GONE,
    CLIENT_SLOW,
    CUT_SHORT,
    HEAD_TOO_LARGE,
    HEADER_TIMEOUT,
    KEEPALIVE_OVER,
    STOPPING,
    TOO_MANY_HEADERS,
    Fault,
)
from appliance.model.headers import Headers
from appliance.model.message import Request
from appliance.net.transport import PeerGone, Transport

from . import h2_frames as f
from .h1_body import Rules
from .h2_frames import Code, H2ConnectionError, H2StreamError, code_name
from .h2_hpack import Section
from .h2_known import request_of, trailers_of
from .h2_mux import CROWD, Mux
from .h2_priority import Priority, read_priority
from .h2_reply import H2Stream
from .h2_stream import Stream

Handler = Callable[[H2Stream], Awaitable[None]]

_NOTICE: Final = 1.0  # seconds between the two GOAWAYs, for requests that are on their way
_PING: Final = b"meshctl\0"
_AT_ONCE: Final = 8  # requests whose tasks begin before others have their turn


class H2Server(Mux):
    """One connection of a client. ``closed_by`` says why it ended, if it did not end in order."""

    def __init__(self, transport: Transport, plan: ListenerPlan, keep_open: Callable[[], bool]) -> None:
        limits, timeouts = plan.limits, plan.timeouts
        super().__init__(transport, limits.max_streams, limits.max_header_size, timeouts.write, CLIENT_SLOW)
        self.plan = plan
        self.keep_open = keep_open
        self.scheme = plan.protocol.encode()
        self.closed_by: H2ConnectionError | None = None
        self.tasks = 0
        self.buffered = b""  # what was read before it was known to be HTTP/2
        self._handler: Handler | None = None
        self._said = 0  # how many GOAWAYs were sent
        self._left = False  # the client has sent one
        self._pinged = False
        self._new: dict[H2Stream, None] = {}  # for which no task runs yet
        self._priorities: dict[int, Priority] = {}

    @property
    def idle(self) -> bool:
        """Say whether no request is under way."""
        return not self.tasks

    async def serve(self, handler: Handler) -> None:
        """Serve streams until either side ends the connection; the caller closes."""
        self._handler = handler
        async with trio.open_nursery() as nursery:
            self.spawn = nursery.start_soon
            try:
                await self._read()
            except H2ConnectionError as error:
                self.closed_by = error.with_traceback(None)
                self._say_goaway(error.code, error.why)
                await self._gone()
                await self._linger()
            except PeerGone:
                await self._gone()
            except Fault as fault:
                if self._said < 2:  # a client must know which requests it may send again elsewhere
                    self._say_goaway(Code.NO_ERROR, fault.reason.id)
                await self._gone()
            finally:
                for answering in self._new:  # none goes without a record
                    nursery.start_soon(self._handle, answering)
                nursery.cancel_scope.cancel()

    def close(self) -> None:
        """Close the connection."""
        self.transport.close()

    def stop(self) -> None:
        """Ask for no more streams, and close when those that there are have ended."""
        for stream in self.streams.values():
            if isinstance(stream.owner, H2Stream) and stream.owner.tunnel is not None:
                stream.owner.tunnel.leave()
        if self.spawn is not None and not self._said:
            self.spawn(self._leave)

    async def _leave(self) -> None:
        self._said = 1
        self.write(f.goaway(f.MAX_STREAM, Code.NO_ERROR))
        if self.streams:
            await trio.sleep(_NOTICE)
        self._say_goaway(Code.NO_ERROR, "")
        self._check_end()

    def _say_goaway(self, code: Code, why: str) -> None:
        self._said = 2
        self.ceiling = min(self.ceiling, self.last)
        self.write(f.goaway(self.ceiling, code, why))
        self.transport.uncork()

    def _check_end(self) -> None:
        """Close when nothing is under way and nothing more is wanted."""
        if not self.tasks and (self._said == 2 or self._left):
            self.transport.interrupt(Fault(STOPPING))

    async def _read(self) -> None:
        timeouts, rx = self.plan.timeouts, self.transport.rx
        settings = {
            f.MAX_STREAMS: self.plan.limits.max_streams,
            f.LIST_SIZE: self.plan.limits.max_header_size,
            f.CONNECT_PROTOCOL: 1,
            f.NO_OLD_PRIORITIES: 1,
        }
        self.write(self.hello(settings))
        data = self.buffered
        rx.due, rx.why = self.now() + timeouts.header, HEADER_TIMEOUT
        while len(data) < len(f.PREFACE) and f.PREFACE.startswith(data):
            more = await self.transport.receive()
            if not more:
                raise PeerGone("closed in the preface")
            data += more
        if not data.startswith(f.PREFACE):
            raise H2ConnectionError(Code.PROTOCOL_ERROR, "no HTTP/2 preface")
        await self._take_first(data[len(f.PREFACE) :])
        while True:
            self._arm()
            try:
                data = await self.transport.receive()
            except Fault as fault:
                if fault.reason is not KEEPALIVE_OVER or not self.tasks or self._pinged:
                    raise
                self._pinged = True  # silent with work under way: is anybody there?
                self.write(f.pack(f.PING, 0, 0, _PING))
                continue
            self._pinged = False
            if not data:
                raise PeerGone("closed")
            await self.take(data)

    async def _take_first(self, data: bytes) -> None:
        """The first frame has to be SETTINGS (RFC 9113 section 3.4)."""
        while len(data) < f.HEAD:
            more = await self.transport.receive()
            if not more:
                raise PeerGone("closed before its settings")
            data += more
        if data[3] != f.SETTINGS or data[4] & f.ACK:
            raise H2ConnectionError(Code.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        await self.take(data)

    def _arm(self) -> None:
        """Start the clock that counts now: a head begun, nothing under way, or silence in between."""
        timeouts, rx = self.plan.timeouts, self.transport.rx
        if self.partial:
            if rx.why is not HEADER_TIMEOUT or rx.due == inf or self.advanced:
                rx.due, rx.why = self.now() + timeouts.header, HEADER_TIMEOUT
            self.advanced = False
            return
        rx.why = KEEPALIVE_OVER
        if self.tasks:
            rx.due = self.now() + timeouts.h2_ping
        elif self.last:
            rx.due = self.now() + timeouts.keepalive
        else:
            rx.due = self.now() + timeouts.header

    # Streams.

    async def take(self, data: bytes) -> None:
        """Take bytes that have arrived, then begin what they ask for; raises H2ConnectionError.

        Most requests are whole by then, with their bodies, and so cost less.
        """
        await super().take(data)
        if self._new:
            crowd = len(self._new) >= CROWD
            await self._begin(list(self._new))
            if crowd:
                await self.transport.together()

    async def _let_run(self) -> None:
        """Let others have their turn, among them requests of which no more will come."""
        await self._begin([each for each in self._new if each.stream.remote or each.stream.fault is not None])
        await super()._let_run()

    async def _begin(self, ready: list[H2Stream]) -> None:
        """Run tasks for requests, a few at a time so that others have their turn."""
        work = 0
        for answering in ready:
            if work >= _AT_ONCE:
                work = 0
                await trio.lowlevel.checkpoint()
            work += 1 if answering.stream.remote else 2
            if self._new.pop(answering, 0) is None and self.spawn is not None:
                self.spawn(self._handle, answering)

    def opened(self, id: int, section: Section, end: bool) -> None:
        """Begin a request."""
        if id % 2 == 0:
            raise H2ConnectionError(Code.PROTOCOL_ERROR, f"a client that opens stream {id}")
        self.last = id
        self.floods.opened()
        if self._said == 2:
            return  # it was told: what comes after the last stream is not looked at
        limits = self.plan.limits
        if self.tasks >= limits.max_streams and self._under_way() >= limits.max_streams:
            raise H2StreamError(id, Code.REFUSED_STREAM, f"more than {limits.max_streams} streams")
        rules = Rules(self.plan.timeouts.body_idle, BODY_TIMEOUT, CUT_SHORT, BAD_CHUNK, BAD_TRAILER)
        stream = Stream(self, id, rules, self.first_window)
        stream.remote = stream.ended = end
        refusal = None
        try:
            if section.size > limits.max_header_size:
                raise Fault(HEAD_TOO_LARGE, f"more than {limits.max_header_size} bytes")
            if len(section.fields) > limits.max_headers + 5:
                raise Fault(TOO_MANY_HEADERS, f"more than {limits.max_headers} fields")
            request, length = request_of(section, end=end)
            if length and limits.max_body_size and length > limits.max_body_size:
                raise Fault(BODY_TOO_LARGE, f"{length} bytes, {limits.max_body_size} allowed")
        except Fault as fault:
            refusal = fault.with_traceback(None)  # or it keeps all fields for as long as the request waits
            request, length = _refused(section.fields, self.scheme), None
        request.scheme = self.scheme
        if not end and not request.upgrade:
            request.body = stream
            stream.length = stream.left = length
        self._prioritise(stream, request)
        self.streams[id] = stream
        self.tasks += 1
        self._new[H2Stream(self, stream, request, refusal)] = None

    def _under_way(self) -> int:
        """Count the tasks but for those whose streams have ended both ways, to which only their turn is due.

        The client may have read the end before the task gets that turn (RFC 9113 section 5.1.2). A task whose
        client has reset its stream counts until it ends, or resets would buy work without limit.
        """
        return self.tasks - sum(stream.remote and stream.local for stream in self.streams.values())

    async def _handle(self, answering: H2Stream) -> None:
        try:
            if self._handler is not None:
                await self._handler(answering)
        finally:
            self.tasks -= 1
            answering.finish()
            if not self.tasks:
                self._ended_all()

    def _ended_all(self) -> None:
        if self._said or self._left:
            self._check_end()
        elif not self.keep_open() and self.spawn is not None:
            self.stop()
        else:
            self._arm()

    def heard(self, stream: Stream, section: Section, end: bool) -> None:
        """Take trailers."""
        if not end:
            raise H2StreamError(stream.id, Code.PROTOCOL_ERROR, "trailers that do not end the stream")
        try:
            stream.end(trailers_of(section, BAD_TRAILER))
        except Fault as fault:
            raise H2StreamError(stream.id, Code.PROTOCOL_ERROR, str(fault)) from None

    def broke(self, stream: Stream, code: int, why: str, *, here: bool) -> None:
        """Tell the exchange that its client has withdrawn it, or broken it."""
        how = f"broke its stream: {why}" if here else f"reset its stream ({code_name(code)})"
        self._end_stream(stream, f"the client {how}")

    def leaving(self, last: int, code: int) -> None:
        """A client that goes away opens no more streams; those that there are go on."""
        if code:
            raise PeerGone(f"the client went away ({code_name(code)})")
        self._left = True
        self._check_end()

    def prioritised(self, payload: bytes) -> None:
        """Take another priority for a stream, which may not have come yet."""
        id = f.number(payload)
        priority = read_priority(payload[4:])
        stream = self.streams.get(id)
        if stream is not None:
            stream.urgency, stream.incremental = priority
        elif id > self.last and len(self._priorities) < self.plan.limits.max_streams:
            self._priorities[id] = priority

    def _prioritise(self, stream: Stream, request: Request) -> None:
        priority = self._priorities.pop(stream.id, None) if self._priorities else None
        if priority is None:
            priority = read_priority(next((v for n, v in request.headers if n == b"priority"), None))
        stream.urgency, stream.incremental = priority

    def _end_stream(self, stream: Stream, text: str) -> None:
        stream.break_off(Fault(CLIENT_GONE, text))
        if isinstance(stream.owner, H2Stream):
            stream.owner.gone(text)

    async def _gone(self) -> None:
        """The connection is no more: every exchange hears that its client has left."""
        streams, self.streams = list(self.streams.values()), {}
        for stream in streams:
            self._end_stream(stream, "the connection ended")
        await self._begin(list(self._new))

    async def _linger(self) -> None:
        """Half-close and read on for a little, so that the client reads why (RFC 9112 section 9.6)."""
        transport = self.transport
        transport.on_hangup = None
        transport.shut_writing()
        transport.rx.due, transport.rx.why = self.now() + 1.0, KEEPALIVE_OVER
        left = 64 * 1024
        try:
            while left > 0:
                data = await transport.receive()
                if not data:
                    return
                left -= len(data)
        except (Fault, PeerGone):
            return


def _refused(fields: Headers, scheme: bytes) -> Request:
    """Give as much of a request that cannot be served as its record and its answer need."""
    found = dict(reversed(fields))
    path, _, query = found.get(b":path", b"").partition(b"?")
    kept = [pair for pair in fields if pair[0] in (b"accept", b"content-type")]
    request = Request(found.get(b":method", b""), scheme, b"", path, query, kept)
    request.version = "HTTP/2"
    return request
