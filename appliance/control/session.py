"""One client of the stats socket: what it may say, and what it is sent, and when it has to go.

Nothing is queued for it: it is sent the difference to what it has, when it has acknowledged all but one of
the frames before. So one that reads slowly sees less often what is new, and never what is old; one that does
not read at all is let go. Whatever it does, the proxy awaits nothing of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, Protocol

import trio

from appliance.wire.codec import MAX_MESSAGE, SETS, Frame, FrameError, decode, encode
from appliance.wire.filter import FilterError

from .desk import Desk, Moment
from .queries import answer, number
from .roles import Peer
from .taps import Tap

WINDOW: Final = 2
"""Frames that need not be acknowledged yet."""
SEND_WITHIN: Final = 5.0
SILENT_FOR: Final = 30.0
RATE: Final = 20
"""Messages per second from a client."""
_ANSWERS: Final = 64
_COMMANDS: Final = 4
_TAPS: Final = 4
_SLOWEST: Final = 0.2
_WEIGHTY: Final = 4096  # bytes for which a message counts as one more: reading it takes time
_NAMES: Final = 200


class Channel(Protocol):
    """What carries messages."""

    async def send(self, text: str) -> None:
        """Send a message; raises ChannelClosed."""

    async def receive(self) -> str | bytes:
        """Give the next message; raises ChannelClosed."""

    async def close(self, code: int, text: str) -> None:
        """Say why, and end."""


class ChannelClosed(Exception):
    """The other side has gone."""


class _Leave(Exception):
    """The client has to go, with a code of RFC 6455 and a reason."""

    def __init__(self, code: int, text: str, *, again: bool) -> None:
        super().__init__(text)
        self.code = code
        self.again = again


class Session:
    """A client; ``converse`` once."""

    def __init__(self, desk: Desk, peer: Peer) -> None:
        self.desk = desk
        self.peer = peer
        self.rate = 1.0
        self.wants: dict[str, Any] = {}
        self.name = ""
        self._woken = trio.Event()
        self._heard = desk.now()
        self._tokens = float(RATE)
        self._filled = desk.now()
        self._answers: deque[Iterator[str]] = deque()
        self._subscribed = False
        self._asked_at = self._looked = 0
        self._base: Moment | None = None
        self._sent_at = 0.0
        self._unacked: deque[int] = deque()
        self._event = -1
        self._taps: dict[str, Tap] = {}
        self._commands = 0
        self._nursery: trio.Nursery | None = None
        self._leave: _Leave | None = None

    def wake(self) -> None:
        """Look anew at what there is to send."""
        self._woken.set()

    def notice(self, text: str) -> None:
        """Tell the client something that people should know."""
        self._answer([encode({"k": "notice", "text": text})])

    def leave(self, code: int, text: str, *, again: bool) -> None:
        """Send the client away; ``again`` says that it may come back."""
        self._leave = self._leave or _Leave(code, text, again=again)
        self.wake()

    async def converse(self, channel: Channel) -> None:
        """Talk until one side ends it; raises only cancellation."""
        desk = self.desk
        desk.enter(self)
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self._answers.append(iter((encode(desk.hello(self.peer)),)))
                nursery.start_soon(self._listen, channel)
                await self._speak(channel)
                nursery.cancel_scope.cancel()
        finally:
            desk.left(self)
            for tap in self._taps.values():
                desk.taps.stop(tap)

    async def _listen(self, channel: Channel) -> None:
        while True:
            try:
                text = await channel.receive()
            except ChannelClosed:
                self.leave(1000, "", again=True)
                return
            try:
                self._take(text)
            except FrameError as error:
                self.leave(1008, str(error), again=False)
                return

    async def _speak(self, channel: Channel) -> None:
        while True:
            self._woken = trio.Event()
            text = None if self._leave is not None else self._next()
            if self._leave is not None:
                await self._end(channel, self._leave)
                return
            if text is None:
                await self._woken.wait()
                continue
            with trio.move_on_after(SEND_WITHIN) as scope:
                try:
                    await channel.send(text)
                except ChannelClosed:
                    return
            if scope.cancelled_caught:  # half a frame may be out: there is no way to say goodbye
                return

    async def _end(self, channel: Channel, why: _Leave) -> None:
        with trio.move_on_after(1.0):
            try:
                if why.code != 1000:
                    bye = {"k": "bye", "code": why.code, "text": str(why), "retry": why.again}
                    await channel.send(encode(bye))
                await channel.close(why.code, str(why))
            except ChannelClosed:
                return

    def _next(self) -> str | None:
        """Give what to send now: answers first, then what is new; None for nothing."""
        while self._answers:
            text = next(self._answers[0], None)
            if text is not None:
                return text
            self._answers.popleft()
        desk, now = self.desk, self.desk.now()
        if now - self._heard > SILENT_FOR:
            self.leave(4008, f"too slow: nothing acknowledged for {SILENT_FOR:g}s", again=True)
            return None
        if not self._subscribed:
            return self._tapped(now)
        if len(self._unacked) < WINDOW:
            text = self._state(now)
            if text is not None:
                return text
            found = desk.events(self._event) if self._event >= 0 else None
            if found is not None:
                self._event = found[0]
                return found[1]
            return self._tapped(now)
        return None

    def _state(self, now: float) -> str | None:
        desk = self.desk
        moment = desk.moment
        if self._base is not None:
            period = 0.9 / self.rate  # ticks are not exactly as often as asked for
            if moment.seq == self._base.seq or now - self._sent_at < period:
                return None
            text = desk.delta(self._base, self._looked, self.wants)
            self._looked = moment.seq
            if text is None and now - self._sent_at < 1.0:
                return None
            text = text or desk.heartbeat(self._base)
            self._base = moment
        else:
            if moment.seq <= self._asked_at:
                return None  # a tick is on its way, so that a new client sees what is, not what was
            text = desk.snap(self.wants)
            self._base, self._looked = moment, moment.seq
        self._sent_at = now
        self._unacked.append(moment.seq)
        return text

    def _tapped(self, now: float) -> str | None:
        for id, tap in list(self._taps.items()):
            items = tap.take()
            over = tap.over(now)
            if items or over:
                if over:
                    self.desk.taps.stop(self._taps.pop(id))
                counts = {"seen": tap.seen, "shown": tap.shown, "dropped": tap.dropped}
                return encode({"k": "tap", "id": id, **counts, "items": items, "over": over})
        return None

    # what a client says

    def _take(self, text: str | bytes) -> None:
        now = self.desk.now()
        self._tokens = min(RATE, self._tokens + (now - self._filled) * RATE)
        self._filled = now
        if len(text) > MAX_MESSAGE:
            raise FrameError(f"a message is longer than {MAX_MESSAGE} bytes")
        self._tokens -= 1 + len(text) // _WEIGHTY
        if self._tokens < 0:
            raise FrameError(f"more than {RATE} messages a second, or too long ones")
        frame = decode(text)
        self._heard = now
        take = _KINDS.get(frame["k"])
        if take is not None:
            take(self, frame)
        self.wake()

    def _hello(self, frame: Frame) -> None:
        client = frame.get("client")
        self.name = str(client.get("name", ""))[:100] if isinstance(client, dict) else ""
        if frame.get("read_only") is True:
            self.peer = replace(self.peer, role="observer")

    def _sub(self, frame: Frame) -> None:
        sets = frame.get("sets")
        if not isinstance(sets, dict):
            raise FrameError("sub.sets is an object")
        self.wants = {name: _which(sets[name]) for name in SETS if sets.get(name)}
        highest = max(self.desk.plan.rate, _SLOWEST)
        self.rate = min(max(number(frame.get("rate"), 1.0), _SLOWEST), highest)
        after = frame.get("events_after")
        if after is not None:
            self._event = max(0, int(number(after, 0)))
            if after == -1 or self._event > self.desk.worker.bulletin.last:  # an id of another life
                self._event = self.desk.worker.bulletin.last
        self._base = None
        self._asked_at = self.desk.moment.seq
        self._unacked.clear()
        self._subscribed = True
        self.desk.hurry()

    def _ack(self, frame: Frame) -> None:
        seq = number(frame.get("seq"), 0)
        while self._unacked and self._unacked[0] <= seq:
            self._unacked.popleft()

    def _ping(self, frame: Frame) -> None:
        self._answer(
            [encode({"k": "pong", "id": frame.get("id"), "m": self.desk.board.moment(self.desk.now())})]
        )

    def _cmd(self, frame: Frame) -> None:
        op = frame.get("op")
        if op in ("tap.start", "tap.stop"):
            self._answer([encode(self._tap(frame, starts=op == "tap.start"))])
            return
        if self._commands >= _COMMANDS or self._nursery is None:
            busy = {
                "k": "result",
                "id": frame.get("id"),
                "ok": False,
                "code": "busy",
                "text": "too many at once",
            }
            self._answer([encode(busy)])
            return
        self._commands += 1
        self._nursery.start_soon(self._do, frame)

    async def _do(self, frame: Frame) -> None:
        try:
            result = await self.desk.actions.run(self.peer, frame)
        finally:
            self._commands -= 1
        self.desk.hurry()  # so that what was done shows
        self._answer([encode(result.frame(str(frame.get("id"))[:100]))])

    def _tap(self, frame: Frame, *, starts: bool) -> Frame:
        args = frame.get("args")
        args = args if isinstance(args, dict) else {}
        id = str(args.get("id") or frame.get("id"))[:100]
        told: Frame = {
            "k": "result",
            "id": frame.get("id"),
            "ok": True,
            "code": "ok",
            "text": "",
            "now": {"tap": id},
        }
        if not starts:
            tap = self._taps.pop(id, None)
            if tap is not None:
                self.desk.taps.stop(tap)
            return told
        if len(self._taps) >= _TAPS or id in self._taps:
            return told | {
                "ok": False,
                "code": "busy",
                "text": f"at most {_TAPS} taps, each with an id of its own",
            }
        try:
            tap = self.desk.taps.start(
                str(args.get("match") or ""),
                number(args.get("rate"), 1e9, 0.1),
                number(args.get("ttl"), 1e12, 1) / 1000,
                int(number(args.get("sample"), 1, 1)),
                number(args.get("count"), 1e12, 1),
            )
        except FilterError as error:
            return told | {
                "ok": False,
                "code": "invalid",
                "text": str(error),
                "now": {"column": error.column},
            }
        self._taps[id] = tap
        self.wants = {**self.wants}
        return told

    def _query(self, frame: Frame) -> None:
        self._answer(answer(self.desk, frame))

    def _answer(self, texts: Iterable[str]) -> None:
        if len(self._answers) >= _ANSWERS:
            self.leave(4008, "too slow: it asks and does not read the answers", again=True)
        self._answers.append(iter(texts))
        self.wake()


def _which(wanted: Any) -> Any:
    """Give what is wanted of a set: all of it, or what belongs to some upstreams."""
    ups = wanted.get("up") if isinstance(wanted, dict) else None
    if not isinstance(ups, list):
        return True
    return {"up": sorted({each for each in ups[:_NAMES] if isinstance(each, str)})}


_KINDS: Final[dict[str, Callable[[Session, Frame], None]]] = {
    "hello": Session._hello,
    "sub": Session._sub,
    "ack": Session._ack,
    "cmd": Session._cmd,
    "query": Session._query,
    "ping": Session._ping,
}
