"""The client's end of the stats websocket: says hello, subscribes, acknowledges, and keeps the state.

``Feed`` is over one connection. Frames come in order from ``frames``; by then the state is what the last one
made of it. Commands and questions may be asked meanwhile by other tasks.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)

from appliance.wire.codec import (
    MAJOR,
    MAX_FRAME,
    PROTOCOL,
    STREAM,
    Frame,
    FrameError,
    decode,
    delta_in,
    encode,
    state_in,
)
from appliance.wire.delta import State, apply

ANSWER_WITHIN: Final = 60.0
"""Seconds for a command: a reload may take some."""
_PING: Final = 10.0
_HANDSHAKE: Final = 5.0


class FeedError(Exception):
    """The conversation failed, or ended. ``denied`` says that trying again will not help."""

    def __init__(self, text: str, *, denied: bool = False) -> None:
        super().__init__(text)
        self.denied = denied


class Feed:
    """A connection to a proxy, after its hello; ``conversation`` opens one.

    ``state`` is what the proxy was like at ``m`` (milliseconds since its start).
    """

    def __init__(self, socket: WebSocketConnection, hello: Frame) -> None:
        self.hello = hello
        self.state: State = {}
        self.seq = 0
        self.m = _whole(hello.get("m"), 0)
        self._socket = socket
        self._ids = itertools.count(1)
        self._me = os.urandom(6).hex()  # the proxy remembers ids for some minutes
        self._waiting: dict[str, trio.MemorySendChannel[Frame]] = {}
        self._out, self._in = trio.open_memory_channel[Frame](64)
        self._failure: FeedError | None = None

    @property
    def server(self) -> Mapping[str, Any]:
        """Who it is: name, version, pid, boot, started."""
        server = self.hello.get("server")
        return server if isinstance(server, dict) else {}

    @property
    def last_event(self) -> int | None:
        """The id of the last event when we came, None if the proxy did not say."""
        eid = self.hello.get("eid")
        return eid if isinstance(eid, int) else None

    @property
    def role(self) -> str:
        """What we may do: operator or observer."""
        return str(self.hello.get("role"))

    async def subscribe(
        self, sets: Mapping[str, Any], rate: float = 1.0, events_after: int | None = None
    ) -> None:
        """Ask for sets of the state, and for events behind an id; -1 asks for those to come."""
        await self._send({"k": "sub", "sets": dict(sets), "rate": rate, "events_after": events_after})

    def frames(self) -> Feed:
        """Give what the proxy sends, but answers; raises FeedError at the end."""
        return self

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> Frame:
        try:
            return await self._in.receive()
        except trio.EndOfChannel:
            raise self._failure or FeedError("the connection has ended") from None

    async def first(self, sets: Mapping[str, Any]) -> State:
        """Subscribe, and give the first whole state."""
        await self.subscribe(sets)
        async for frame in self.frames():
            if frame["k"] == "snap":
                return self.state
        raise FeedError("no state came")

    async def command(
        self,
        op: str,
        args: Mapping[str, Any],
        *,
        expect: Mapping[str, Any] | None = None,
        dry_run: bool = False,
    ) -> Frame:
        """Have something done; gives the result."""
        frame = {"k": "cmd", "op": op, "args": dict(args), "expect": dict(expect or {}), "dry_run": dry_run}
        return (await self._ask(frame))[-1]

    async def query(self, what: str, **more: Any) -> Frame:
        """Ask something; gives the answer."""
        return (await self._ask({"k": "query", "what": what, **more}))[-1]

    async def trips(self) -> list[Frame]:
        """Give the reports of the last trips, the oldest first."""
        rows: list[Frame] = []
        for answer in await self._ask({"k": "query", "what": "trips"}):
            now = answer.get("now")
            found = now.get("trips") if isinstance(now, dict) else None
            rows += [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
        return rows

    async def history(self, **more: Any) -> list[Frame]:
        """Give recorded frames: ``from_`` and ``to`` in milliseconds before now (negative), or ``trip``."""
        rows: list[Frame] = []
        if "from_" in more:
            more["from"] = more.pop("from_")
        for answer in await self._ask({"k": "query", "what": "history", **more}):
            frames = answer.get("frames")
            rows += [row for row in frames if isinstance(row, dict)] if isinstance(frames, list) else []
        return rows

    async def _ask(self, frame: Frame) -> list[Frame]:
        """Send a message with an id, and give all that is answered to it."""
        answers: list[Frame] = []
        id = f"{self._me}-{next(self._ids)}"
        out, incoming = trio.open_memory_channel[Frame](64)
        self._waiting[id] = out
        try:
            await self._send({**frame, "id": id})
            while True:
                with trio.move_on_after(ANSWER_WITHIN) as scope:
                    try:
                        answer = await incoming.receive()
                    except trio.EndOfChannel:
                        raise self._failure or FeedError("the connection has ended") from None
                if scope.cancelled_caught:
                    raise FeedError(f"no answer within {ANSWER_WITHIN:g}s")
                answers.append(answer)
                if answer.get("more") is not True:
                    return answers
        finally:
            self._waiting.pop(id, None)

    async def _send(self, frame: Frame) -> None:
        try:
            await self._socket.send_message(encode(frame))
        except ConnectionClosed:
            raise self._failure or FeedError("the connection has ended") from None

    async def _ping(self) -> None:
        """Show that we live, for as long as nothing is to be acknowledged."""
        while True:
            await trio.sleep(_PING)
            try:
                await self._send({"k": "ping"})
            except FeedError:
                return

    async def _read(self) -> None:
        """Read to the end; why it ended is raised by those who wait."""
        try:
            while True:
                await self._take(decode(await self._socket.get_message()))
        except ConnectionClosed as closed:
            self._failure = self._failure or FeedError(_closed(closed))
        except FrameError as error:
            self._failure = FeedError(f"the proxy sent what is no frame: {error}")
        except trio.BrokenResourceError:
            return  # nobody listens any more
        finally:
            self._out.close()
            for out in self._waiting.values():
                out.close()

    async def _take(self, frame: Frame) -> None:
        kind = frame["k"]
        if kind in ("result", "hist"):
            waiting = self._waiting.get(str(frame.get("id")))
            if waiting is not None:
                await waiting.send(frame)
            return
        if kind == "pong":
            return
        if kind == "snap":
            self.state = state_in(frame)
        elif kind == "delta":
            self.state = apply(self.state, delta_in(frame))
        elif kind == "bye":
            text = str(frame.get("text") or "the proxy has ended the connection")
            self._failure = FeedError(text, denied=frame.get("retry") is not True)
        if kind in ("snap", "delta"):
            self.seq = _whole(frame.get("seq"), 0)
            self.m = _whole(frame.get("m"), self.m)
        await self._out.send(frame)
        if kind in ("snap", "delta"):
            try:
                await self._socket.send_message(encode({"k": "ack", "seq": self.seq}))
            except ConnectionClosed:
                return  # what it said last is still to be read


@asynccontextmanager
async def conversation(
    stream: trio.abc.Stream,
    name: str,
    *,
    host: str = "localhost",
    token: str = "",
    version: str = "",
    read_only: bool = False,
) -> AsyncIterator[Feed]:
    """Talk over a stream that is connected; ``name`` is what the proxy calls us. Raises FeedError."""
    extra = [(b"Authorization", f"Bearer {token}".encode())] if token else []
    failure: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                feed = await _open(nursery, stream, host, extra)
                me = {"name": name, "version": version}
                await feed._send({"k": "hello", "client": me, "read_only": read_only})
                nursery.start_soon(feed._read)
                nursery.start_soon(feed._ping)
                yield feed
            except Exception as error:  # out of the nursery, which would make a group of it
                failure = error
            nursery.cancel_scope.cancel()
    except ExceptionGroup as group:  # of the library's own tasks
        failure = failure or _refused(group)
    if failure is not None:
        raise failure


def _refused(group: ExceptionGroup[Exception]) -> BaseException:
    """Give what a refused handshake was, which a task of the library raises."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    if not isinstance(found, ConnectionRejected):
        return found
    body = (found.body or b"").decode("utf-8", "replace").strip()
    text = f"refused ({found.status_code}): {body}"
    return FeedError(text, denied=found.status_code in (401, 403, 421))


async def _open(
    nursery: trio.Nursery, stream: trio.abc.Stream, host: str, extra: list[tuple[bytes, bytes]]
) -> Feed:
    """Open a websocket and read the hello; raises FeedError."""
    try:
        with trio.fail_after(_HANDSHAKE):
            socket = await wrap_client_stream(
                nursery,
                stream,  # type: ignore[arg-type]
                host,
                STREAM,
                subprotocols=[PROTOCOL],
                extra_headers=extra,
                message_queue_size=2,
                max_message_size=2 * MAX_FRAME,
            )
            hello = decode(await socket.get_message())
    except (ConnectionClosed, HandshakeError, trio.BrokenResourceError):
        raise FeedError("the other side is no proxy of this kind, or it has just ended") from None
    except FrameError as error:
        raise FeedError(f"the other side speaks something else: {error}") from None
    except trio.TooSlowError:
        raise FeedError(f"the other side says nothing for {_HANDSHAKE:g}s") from None
    return _introduced(socket, hello)


def _introduced(socket: WebSocketConnection, hello: Frame) -> Feed:
    proto = hello.get("proto")
    if hello.get("k") != "hello" or not isinstance(proto, dict) or proto.get("major") != MAJOR:
        raise FeedError(f"the proxy speaks another protocol than {PROTOCOL}", denied=True)
    return Feed(socket, hello)


def _whole(value: object, usual: int) -> int:
    """Give a number that the other side has sent as a whole one."""
    return int(value) if isinstance(value, (int, float)) and abs(value) < 1e15 else usual


def _closed(closed: ConnectionClosed) -> str:
    reason = closed.reason
    if reason is None or not reason.reason:
        return "the proxy has ended the connection"
    return str(reason.reason)
