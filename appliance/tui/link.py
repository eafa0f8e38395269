"""The connection to one proxy: opened, kept, opened again; a thread with trio in it, apart from the screen.

What comes goes to ``tell`` from that thread, in order: hellos, frames, and how the link is. What is asked
for goes the other way and comes back through a future. A proxy that cannot be reached is tried again for
ever, more and more seldom, but a refusal is final.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Final

import trio

from appliance import __version__
from appliance.wire.codec import Frame

from .feed import Feed, FeedError, conversation
from .scene import Link

SETS: Final = ("proxy", "ls", "rt", "up", "br", "ep", "live")
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
PAST: Final = 90.0
"""Seconds of history that are fetched at first, so that nothing that is drawn begins empty."""
_SKIP_WINDOW: Final = 10.0


@dataclass(frozen=True, slots=True)
class Heard:
    """Something for the screen: a frame, or how the link is now."""

    frame: Frame | None = None
    link: Link | None = None


Tell = Callable[[Heard], None]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a proxy is: ``connect`` gives a stream to it or raises FeedError; ``name`` is for people."""

    name: str
    connect: Callable[[], Awaitable[trio.abc.Stream]]
    host: str = "localhost"
    token: str = ""


class Line:
    """A connection in a thread of its own; ``start`` once, ``stop`` at the end.

    ``rate`` is how many frames a second are wanted; ``read_only`` gives up the right to act.
    """

    def __init__(self, target: Target, tell: Tell, *, read_only: bool = False, rate: float = 4.0) -> None:
        self.target = target
        self.rate = rate
        self._tell = tell
        self._read_only = read_only
        self._thread: threading.Thread | None = None
        self._trio: trio.lowlevel.TrioToken | None = None
        self._scope: trio.CancelScope | None = None
        self._hurry: trio.Event | None = None
        self._asking: trio.MemorySendChannel[tuple[Callable[[Feed], Any], Future[Any]]] | None = None
        self._boot = ""
        self._pid = 0
        self._eid = 0
        self._link = Link(since=time.monotonic(), text=f"connecting to {target.name}", rate=rate)

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="meshctl-link", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has ended, or after a second."""
        self._call(lambda: self._scope.cancel() if self._scope is not None else None)
        if self._thread is not None:
            self._thread.join(1.0)

    def again(self) -> None:
        """Try to connect now."""
        self._call(lambda: self._hurry.set() if self._hurry is not None else None)

    def ask(self, do: Callable[[Feed], Any]) -> Future[Any]:
        """Have something asked of the proxy, ``do`` being called with the feed in the thread."""
        answer: Future[Any] = Future()

        def put() -> None:
            if self._asking is None:
                answer.set_exception(FeedError("there is no connection"))
                return
            try:
                self._asking.send_nowait((do, answer))
            except (trio.WouldBlock, trio.BrokenResourceError):
                answer.set_exception(FeedError("too much is asked at once"))

        if not self._call(put):
            answer.set_exception(FeedError("there is no connection"))
        return answer

    def _call(self, do: Callable[[], Any]) -> bool:
        token = self._trio
        if token is None:
            return False
        try:
            token.run_sync_soon(do)
        except trio.RunFinishedError:
            return False
        return True

    def _run(self) -> None:
        trio.run(self._keep)

    async def _keep(self) -> None:
        self._trio = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            attempt = 0
            while True:
                began = time.monotonic()
                self._hurry = trio.Event()
                why, final = "", False
                try:
                    await self._talk()
                except FeedError as error:
                    why, final = str(error), error.denied
                except OSError as error:
                    why = error.strerror or str(error)
                if final:
                    self._say(status="denied", text=why)
                    return
                if time.monotonic() - began > LONGEST_PAUSE:
                    attempt = 0
                attempt += 1
                pause = random.uniform(0.5, 1.0) * min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))  # noqa: S311
                now = time.monotonic()
                since = self._link.since if self._link.status == "disconnected" else now
                self._say(status="disconnected", text=why, attempt=attempt, since=since, next_at=now + pause)
                with trio.move_on_after(pause):
                    await self._hurry.wait()

    async def _talk(self) -> None:
        """Connect and pass on what comes; raises when it ends."""
        stream = await self.target.connect()
        talking = conversation(
            stream, "meshctl top", host=self.target.host, token=self.target.token, version=__version__,
            read_only=self._read_only,
        )  # fmt: skip
        try:
            async with talking as feed:
                self._met(feed)
                for frame in await feed.history(from_=-PAST * 1000):
                    self._tell(Heard(frame=frame))
                    self._remember(frame)
                await feed.subscribe(dict.fromkeys(SETS, True), self.rate, self._eid)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._answer, feed, nursery)
                    await self._listen(feed)
        except BaseExceptionGroup as group:
            raise _only(group) from None
        finally:
            self._asking = None
            await trio.aclose_forcefully(stream)

    def _met(self, feed: Feed) -> None:
        """Say who it is; another boot is another process behind the same name."""
        boot, pid = str(feed.server.get("boot")), feed.server.get("pid")
        restarted = None
        if self._boot and boot != self._boot:
            restarted = (time.monotonic(), self._pid, pid if isinstance(pid, int) else 0)
            self._eid = 0
        self._boot, self._pid = boot, pid if isinstance(pid, int) else 0
        self._tell(Heard(frame=feed.hello))
        self._say(status="live", text="", attempt=0, restarted=restarted or self._link.restarted)

    async def _listen(self, feed: Feed) -> None:
        """Pass frames on, and measure how far behind they come."""
        nearest: float | None = None
        skips: list[tuple[float, int]] = []
        async for frame in feed.frames():
            now = time.monotonic()
            self._remember(frame)
            self._tell(Heard(frame=frame))
            if frame["k"] not in ("snap", "delta"):
                continue
            offset = now - feed.m / 1000
            nearest = offset if nearest is None else min(nearest, offset)
            skipped = frame.get("skipped")
            if isinstance(skipped, int) and skipped > 0:
                skips.append((now, skipped))
            skips = [row for row in skips if now - row[0] < _SKIP_WINDOW]
            self._say(heard=now, lag=offset - nearest, skipped=sum(count for _, count in skips))

    def _remember(self, frame: Frame) -> None:
        items = frame.get("items") if frame.get("k") == "events" else None
        for row in items if isinstance(items, list) else []:
            if isinstance(row, dict) and isinstance(row.get("eid"), int):
                self._eid = max(self._eid, row["eid"])

    async def _answer(self, feed: Feed, nursery: trio.Nursery) -> None:
        """Do what the screen asks for, several things at once."""
        asking, asked = trio.open_memory_channel[tuple[Callable[[Feed], Any], Future[Any]]](32)
        self._asking = asking
        async for do, answer in asked:
            nursery.start_soon(_fulfil, do, answer, feed)

    def _say(self, **changes: Any) -> None:
        status = changes.get("status", self._link.status)
        if status != self._link.status and "since" not in changes:
            changes["since"] = time.monotonic()
        if status == "live" and status != self._link.status:
            changes.setdefault("heard", time.monotonic())
        self._link = replace(self._link, **changes)
        self._tell(Heard(link=self._link))


async def _fulfil(do: Callable[[Feed], Any], answer: Future[Any], feed: Feed) -> None:
    try:
        answer.set_result(await do(feed))
    except FeedError as error:
        answer.set_exception(error)
    except trio.Cancelled:
        answer.set_exception(FeedError("the connection has ended"))
        raise


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the first of what went wrong at once: what follows is its doing."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
