"""A desk over a proxy on wires, and clients of it on in-memory channels, in virtual time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio

from appliance.config.plan import Plan
from appliance.control.desk import Desk
from appliance.control.roles import Peer
from appliance.control.session import ChannelClosed, Session
from appliance.wire.codec import SETS, delta_in, state_in
from appliance.wire.delta import State, apply

from .origin import Origin
from .plans import plan
from .proxy import Proxy, running

ROOT = Peer(0, 0, 1, "root", role="operator")
GUEST = Peer(1000, 1000, 2, "guest", role="observer")
ALL = dict.fromkeys((name for name in SETS if name != "live"), True)
_PLAN = plan()


class Channel:
    """Carries messages in tests: none to the client before ``stuck`` is set, each in ``slow`` seconds."""

    def __init__(self) -> None:
        self.to_server, self._from_client = trio.open_memory_channel[str | bytes](1000)
        self._to_client, self.from_server = trio.open_memory_channel[str](1000)
        self.stuck = trio.Event()
        self.stuck.set()
        self.slow = 0.0
        self.closed: tuple[int, str] | None = None

    async def send(self, text: str) -> None:
        await self.stuck.wait()
        await trio.sleep(self.slow)
        try:
            await self._to_client.send(text)
        except trio.BrokenResourceError:
            raise ChannelClosed from None

    async def receive(self) -> str | bytes:
        try:
            return await self._from_client.receive()
        except trio.EndOfChannel:
            raise ChannelClosed from None

    async def close(self, code: int, text: str) -> None:
        self.closed = code, text
        self._to_client.close()


class Client:
    """A client that keeps the state and acknowledges (``acks``) what comes."""

    def __init__(self, desk: Desk, peer: Peer = ROOT) -> None:
        self.channel = Channel()
        self.session = Session(desk, peer)
        self.state: State = {}
        self.frames: list[dict[str, Any]] = []
        self.acks = True
        self.ended = False

    async def run(self) -> None:
        """Talk until the server ends it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            await self.session.converse(self.channel)
            self.ended = True
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    async def _read(self) -> None:
        async for text in self.channel.from_server:
            frame = json.loads(text)
            self.frames.append(frame)
            if frame["k"] == "snap":
                self.state = state_in(frame)
            elif frame["k"] == "delta":
                self.state = apply(self.state, delta_in(frame))
            if frame["k"] in ("snap", "delta") and self.acks:
                self.say(k="ack", seq=frame["seq"])

    def say(self, **frame: Any) -> None:
        """Send a message."""
        self.raw(json.dumps(frame))

    def raw(self, text: str | bytes) -> None:
        """Send anything."""
        try:
            self.channel.to_server.send_nowait(text)
        except trio.BrokenResourceError:
            pass

    def subscribe(self, rate: float = 4.0, sets: Mapping[str, Any] = ALL, after: int | None = 0) -> None:
        """Ask for all sets and all events."""
        self.say(k="sub", rate=rate, sets=dict(sets), events_after=after)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Give the frames of a kind so far."""
        return [frame for frame in self.frames if frame["k"] == kind]

    async def ask(self, **frame: Any) -> dict[str, Any]:
        """Send a message with an id, give its answer."""
        id = f"t{len(self.frames)}-{trio.current_time()}"
        self.say(id=id, **frame)
        with trio.fail_after(60):
            while True:
                found = [each for each in self.frames if each.get("id") == id]
                if found:
                    return found[0]
                await trio.sleep(0.01)


class Office:
    """A proxy, its desk, and clients."""

    def __init__(self, proxy: Proxy, desk: Desk, nursery: trio.Nursery) -> None:
        self.proxy, self.desk, self.nursery = proxy, desk, nursery

    def client(self, peer: Peer = ROOT) -> Client:
        """Let a client come."""
        client = Client(self.desk, peer)
        self.nursery.start_soon(client.run)
        return client

    async def do(self, op: str, peer: Peer = ROOT, **command: Any) -> dict[str, Any]:
        """Have something done, without a session; gives the result as a frame."""
        command.setdefault("id", f"c{op}{trio.current_time()}{command}"[:100])
        return (await self.desk.actions.run(peer, {"op": op, **command})).frame("x")


@asynccontextmanager
async def office(
    origin: Origin | Mapping[str, Origin] | None = None, plan: Plan = _PLAN
) -> AsyncIterator[Office]:
    """Run a proxy with a desk that ticks."""
    async with running(origin, plan) as proxy:
        now = trio.current_time
        desk = Desk(proxy.worker, None, now, lambda: 1_700_000_000.0 + now())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.run)
            yield Office(proxy, desk, nursery)
            nursery.cancel_scope.cancel()
