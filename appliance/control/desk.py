"""What all clients of the stats socket share: the ticks, the state, the recorder, taps and actions.

A tick takes out what the data path has counted, says what has changed, and wakes the clients; it awaits
nothing. It comes as often as the quickest client wants, once a second for the recorder when there is none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Protocol

import trio

from appliance import __version__
from appliance.config.plan_policy import StatsPlan
from appliance.proxy.bulletin import Event
from appliance.proxy.worker import Worker
from appliance.wire.codec import MAJOR, MINOR, delta_out, encode, state_out
from appliance.wire.delta import State, diff, select

from .actions import Actions
from .board import Board
from .recorder import Recorder
from .reload import Reloader
from .roles import Peer
from .taps import Taps
from .vitals import Vitals

SLOW_TICK: Final = 0.020
"""Seconds that a tick may take before ticks come half as often."""
EVENTS: Final = 500
"""Events of one frame."""
_EVENTS_SIZE: Final = 512 << 10  # characters of them
_SLOWEST: Final = 8.0


class Client(Protocol):
    """Somebody who is sent frames."""

    rate: float
    wants: dict[str, Any]

    def wake(self) -> None:
        """Hear that there may be something to send; must not wait."""

    def notice(self, text: str) -> None:
        """Hear something that people should know."""

    def leave(self, code: int, text: str, *, again: bool) -> None:
        """Be sent away; ``again`` says that it may come back."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The state at one tick."""

    seq: int
    m: int
    state: State


class Desk:
    """Ticks, and whatever clients may ask. ``run`` once; ``rate`` is how many ticks a second there are."""

    def __init__(
        self, worker: Worker, reloader: Reloader | None, now: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self.worker = worker
        self.board = Board(worker, now)
        self.actions = Actions(worker, self.board, reloader, now)
        self.recorder = Recorder(lambda: self.plan.recorder)
        self.taps = Taps(lambda: self.plan.tap, now, wall() - now())
        self.vitals = Vitals(now())
        self.clients: set[Client] = set()
        self.boot = os.urandom(8).hex()
        self.now = now
        self.wall = wall
        self.started = wall()
        self.moment = Moment(0, 0, {})
        self.slowed = 1.0
        self.spent = 0.0
        self._events_told = 0
        self._policy: object = None
        self.seats = 0
        self._deltas: dict[object, str] = {}
        self._hurry = trio.Event()
        self._emptied = trio.Event()
        self.board.others = self._others
        self.board.overrides = self.actions.overrides
        self.board.want_live = lambda: any(each.wants.get("live") for each in self.clients)
        worker.ending.listeners = (*worker.ending.listeners, self.taps.hear)

    @property
    def plan(self) -> StatsPlan:
        """The settings of now."""
        return self.worker.plan.stats

    async def run(self) -> None:
        """Tick until cancelled."""
        self.vitals.start()
        try:
            due = self.now()
            while True:
                self.tick()
                soonest = self.now() + self.slowed / max(self.plan.rate, 0.1)
                due = max(due + self.period, self.now())
                hurry = self._hurry
                with trio.move_on_at(due):
                    await hurry.wait()
                if hurry.is_set():
                    await trio.sleep_until(soonest)  # however many ask
                    self._hurry = trio.Event()
                    due = self.now()
                else:
                    self.vitals.lateness.append(max(0.0, self.now() - due))
        finally:
            self.vitals.stop()

    def enter(self, client: Client) -> None:
        """Have a client."""
        self.clients.add(client)

    def left(self, client: Client) -> None:
        """Have a client no more."""
        self.clients.discard(client)
        if not self.clients:
            self._emptied.set()

    async def say_goodbye(self) -> None:
        """Tell every client that the proxy stops; takes a second at most."""
        self._emptied = trio.Event()
        for each in list(self.clients):
            each.leave(1001, "the proxy has stopped", again=True)
        if self.clients:
            with trio.move_on_after(1.0):
                await self._emptied.wait()

    def hurry(self) -> None:
        """Let the next tick come now: somebody new waits for it."""
        self._hurry.set()

    @property
    def period(self) -> float:
        """Give the seconds between two ticks."""
        rates = [1.0, *(each.rate for each in self.clients)]  # what ends by itself does so in time
        return self.slowed / min(max(rates), max(self.plan.rate, 0.1))

    def tick(self) -> None:
        """Make the state of now, record what is new in it, wake the clients."""
        began = time.perf_counter()
        now = self.now()
        self.actions.tick()
        self._check_policy()
        self.taps.keep_all = self.plan.recorder.tap
        old = self.moment
        state = self.board.tick()
        self.moment = Moment(old.seq + 1, self.board.moment(now), state)
        self._deltas.clear()
        self._record(now, old)
        for client in list(self.clients):
            client.wake()
        self.spent = time.perf_counter() - began
        if self.spent > SLOW_TICK:
            if self.slowed < _SLOWEST:
                self.slowed *= 2
                for client in list(self.clients):
                    client.notice(f"a tick took {self.spent * 1000:.0f} ms: updates come half as often")
        elif self.slowed > 1.0 and self.spent < SLOW_TICK / 4:
            self.slowed = max(1.0, self.slowed / 2)

    def _check_policy(self) -> None:
        """Send everybody away when it is other people now who may look, or act; they may come back."""
        plan = self.plan
        policy = (plan.actions, plan.socket_group, plan.token_file, plan.origins, plan.hosts)
        if self._policy not in (None, policy):
            for client in list(self.clients):
                client.leave(1008, "who may use the stats socket has changed", again=True)
        self._policy = policy

    def hello(self, peer: Peer) -> dict[str, Any]:
        """Give the first frame to a client."""
        caps = ["history", "hist", "trip_reports", "tap"]
        return {
            "k": "hello",
            "proto": {"major": MAJOR, "minor": MINOR},
            "server": {
                "name": self.worker.plan.name,
                "version": __version__,
                "pid": os.getpid(),
                "boot": self.boot,
                "started": round(self.started * 1000),
            },
            "m": self.board.moment(self.now()),
            "t": round(self.wall() * 1000),
            "role": peer.role,
            "peer": {"uid": peer.uid, "user": peer.user},
            "rate": {"min": 0.2, "max": self.plan.rate},
            "window": 2,
            "eid": self.worker.bulletin.last,
            "caps": [*caps, "actions"] if peer.role == "operator" else caps,
        }

    def snap(self, wants: dict[str, Any]) -> str:
        """Give the whole state of now, of the sets that are wanted."""
        return encode({"k": "snap", **self._head(), "gen": self.worker.current().generation,
                       **state_out(select(self.moment.state, wants))})  # fmt: skip

    def delta(self, base: Moment, looked: int, wants: dict[str, Any]) -> str | None:
        """Give what differs from what a client has, None for nothing; the same for all that have the same.

        ``looked`` is the tick at which it was last asked what differs: those since then were skipped.
        """
        key = base.seq, looked, encode(dict(sorted(wants.items())))
        if key not in self._deltas:
            change = diff(select(base.state, wants), select(self.moment.state, wants))
            skipped = self.moment.seq - looked - 1
            frame = {"k": "delta", **self._head(), "base": base.seq, **delta_out(change), "skipped": skipped}
            self._deltas[key] = encode(frame) if change else ""
        return self._deltas[key] or None

    def heartbeat(self, base: Moment) -> str:
        """Give a difference that has none, for a client that has heard nothing for long."""
        return encode({"k": "delta", **self._head(), "base": base.seq})

    def events(self, after: int) -> tuple[int, str] | None:
        """Give the events behind an id as a frame, with the id of the last; None if there are none."""
        lost, rows = self.worker.bulletin.after(after, EVENTS)
        if not rows:
            return None
        items: list[str] = []
        size = 0
        for row in rows:
            text = encode(self.item(row))
            size += len(text)
            if items and size > _EVENTS_SIZE:
                break
            items.append(text)
        head = f'{{"k":"events","from":{rows[0].eid},"lost":{lost},"items":['
        return rows[len(items) - 1].eid, f"{head}{','.join(items)}]}}"

    def item(self, event: Event) -> dict[str, Any]:
        """Give an event as it stands in a frame."""
        more = dict(event.more)
        for name in ("until",):
            if isinstance(more.get(name), float):
                more[name] = self.board.moment(more[name])
        return {
            "eid": event.eid,
            "m": self.board.moment(event.at),
            "t": self.wall_of(event.at),
            "kind": event.kind,
            "sev": event.severity,
            "subj": event.subject,
            "text": event.text,
            **{key: value for key, value in more.items() if key not in ("kind", "text")},
        }

    def wall_of(self, at: float) -> int:
        """Give a time of the worker's clock as Unix milliseconds."""
        return round((self.wall() - self.now() + at) * 1000)

    def trip(self, trip: str) -> dict[str, Any] | None:
        """Give the report of a trip, with what has been refused since; None if it is not known."""
        told = self.worker.bulletin.trips.get(trip)
        if told is None:
            return None
        known = self.board.fuses.get(told["breaker"])
        moments = {"m": self.board.moment(told["at"]), "t": self.wall_of(told["at"])}
        until = self.board.moment(told["until"])
        refused = None if known is None else known[0].refused
        return {**told, **moments, "until": until, "rej_tot": refused}

    def history(self, begin: float, end: float) -> Iterator[str]:
        """Give recorded frames between two times (seconds before now, negative or 0)."""
        now = self.now()
        yield from self.recorder.history(now + begin, now + end if end < 0 else inf)

    def _head(self) -> dict[str, Any]:
        return {
            "seq": self.moment.seq,
            "m": self.moment.m,
            "t": self.wall_of(self.board.boot) + self.moment.m,
        }

    def _others(self, now: float) -> dict[str, Any]:
        oldest = self.recorder.oldest
        return {
            **self.vitals.sample(now),
            "clients": len(self.clients),
            "taps": self.taps.count,
            "tick_ms": round(self.spent * 1000),
            "rec": None
            if oldest is None
            else {"s": round(now - oldest) // 10 * 10, "kb": self.recorder.size >> 16 << 6},
        }

    def _record(self, now: float, old: Moment) -> None:
        wants = {name: True for name in self.moment.state if name != "live"}
        for row in self.worker.bulletin.after(self._events_told)[1]:
            if row.kind == "breaker" and "trip" in row.more:
                self.recorder.freeze(row.more["trip"], now)
        if self.recorder.wants_whole(now):
            self.recorder.add(now, self.snap(wants), whole=True)
        elif (text := self.delta(old, old.seq, wants)) is not None:
            self.recorder.add(now, text)
        found = self.events(self._events_told)
        if found is not None:
            self._events_told = found[0]
            self.recorder.add(now, found[1])
