"""One worker: serves a profile on its listeners, goes over to another one, and drains when told to stop.

One nursery holds the poller and the sweeps, another the doors with their connections, so that stopping is:
close every door, wait until the second nursery is empty, end the first.

Going over to another profile is one step without a pause in it. What may fail comes first (sockets, files,
certificates) and is undone if something does; then the new one takes over, and every exchange that is born
from then on is its. Those that there are go on under the old one, which lives as long as they do.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import trio

from appliance.config.plan import ListenerPlan, Plan
from appliance.http.h1_server import H1Server
from appliance.http.h2_server import H2Server
from appliance.model.exchange import Exchange
from appliance.net.dial import dial
from appliance.net.listen import BindError, Socket, bind, unbind
from appliance.net.memory import Gauge
from appliance.net.park import TICK, Lot
from appliance.net.poller import Poller
from appliance.net.splice import close_pool
from appliance.upstream.cluster import Outside
from appliance.upstream.watch import Watch, look_up

from .access_log import AccessLog
from .bulletin import Bulletin
from .caps import Cap
from .connection import Ids
from .door import Door, House, Settings
from .ending import Ending
from .floods import FloodLedger
from .layers.shed import Pressure
from .snapshot import Names, Snapshot, revive

_log = logging.getLogger("meshctl")
_SWEEP = 10  # seconds between sweeps of the rate limits
_LOOK = 5  # seconds between looks at the files of certificates
_NAMES_LIMIT = 3.0  # seconds that names may take before clients are let in all the same


class ReloadError(Exception):
    """A profile cannot be gone over to; the message says why. Nothing has changed."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A listener of the plan with its socket."""

    plan: ListenerPlan
    sock: Socket


@dataclass(frozen=True, slots=True)
class Means:
    """What a plan needs of the process: its access log, and how many connections may be open.

    ``log`` None writes none; ``keep_log`` says that the present one goes on.
    """

    max_connections: int
    log: AccessLog | None = None
    keep_log: bool = False


class Worker:
    """Serves a plan on bound sockets until stopped; ``run`` once."""

    def __init__(
        self,
        plan: Plan,
        bound: list[Bound],
        log: AccessLog | None,
        max_connections: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``now`` must read the same clock as trio's: ``MonotonicClock``, or a test's MockClock.

        ``bulletin`` keeps what happens; the log has a line of it, too.

        Raises OSError and ssl.SSLError where certificates cannot be used.
        """
        self.plan = plan
        self.draining = False
        self.cut_off = 0
        self._stop = trio.Event()
        self._timed: set[Exchange] = set()
        self._now = now
        self._cap = Cap(max_connections)
        self.pressure = Pressure(plan.process.memory)
        self._snapshot: Snapshot | None = None
        self._outside: Outside | None = None
        self._watches: dict[str, Watch] = {}
        self.ending = Ending(log, self._timed, now)
        self.bulletin = Bulletin(now)
        self.floods = FloodLedger(self.bulletin.tell, now)
        self.house = House(
            now, self._cap, self.current, self.ending, self.floods, Ids(), lambda: not self.pressure.level
        )
        self.doors = [Door(Settings(each.plan), each.sock, self.house) for each in bound]
        self._leaving: set[Door] = set()
        self._start: Callable[[Door], None] = lambda _: None

    @property
    def servers(self) -> set[H1Server | H2Server]:
        """All connections that speak HTTP."""
        return {server for door in self._all() for server in door.servers}

    @property
    def in_flight(self) -> int:
        """How many connections have a request under way."""
        return sum(door.in_flight for door in self._all())

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until ``stop``; afterwards ``cut_off`` is how many requests did not end in time."""
        lot = Lot(self._now)
        poller = Poller(lot)
        chance = random.Random()  # noqa: S311 (jitter, shares)
        try:
            async with trio.open_nursery() as base:
                outside = Outside(
                    partial(dial, poller), self._now, chance, self.bulletin.tell, base.start_soon
                )
                await self.revive(outside)
                base.start_soon(poller.run)
                base.start_soon(lot.run)
                base.start_soon(self.keep_house)
                base.start_soon(self._keep_measure)
                async with trio.open_nursery() as serving:
                    self._start = lambda door: serving.start_soon(self._serve, door, poller)
                    for door in self.doors:
                        self._start(door)
                    task_status.started()
                    await self._stop.wait()
                    for door in self._all():
                        door.close(self.plan.process.drain_timeout)
                base.cancel_scope.cancel()
        finally:
            if self._snapshot is not None:
                for cluster in self._snapshot.clusters.values():
                    cluster.close()
            close_pool()
            poller.close()

    async def revive(self, outside: Outside) -> None:
        """Bring the plan to life; wait a little until names are known."""
        self._outside = outside
        self._snapshot = revive(self.plan, outside, self._timed, self.pressure)
        self._watch(self._snapshot)
        with trio.move_on_after(_NAMES_LIMIT):
            for watch in self._watches.values():
                await watch.wait_known()

    def stop(self) -> None:
        """Begin to drain; a second call ends at once."""
        if self.draining:
            for door in self._all():
                door.cut()
        self.draining = True
        self._stop.set()

    async def look_up(self, plan: Plan) -> Names:
        """Give the addresses of the names in a plan, as far as they can be had soon; for ``reload``."""
        if self._outside is None:
            return {}
        return await look_up(plan.upstreams, self._outside, _NAMES_LIMIT)

    def reload(self, plan: Plan, means: Means, names: Names, environ: Mapping[str, str]) -> None:
        """Go over to another plan; raises ReloadError, and then nothing has changed.

        What needs a restart, such as the proxy's name, stays. ``environ`` holds what ``fd:`` listeners need.
        """
        old, outside = self.current(), self._outside
        plan = replace(plan, name=self.plan.name)
        with ExitStack() as undo:
            if means.log is not None:
                undo.callback(means.log.close, 0.0)
            if self.draining or outside is None:
                raise ReloadError("the proxy is draining")
            try:
                doors = self._prepare(plan, undo, environ)
                snapshot = revive(plan, outside, self._timed, self.pressure, old, names)
            except (BindError, OSError) as error:
                raise ReloadError(_why(error)) from None
            undo.pop_all()
        self._commit(snapshot, old, doors, means)

    def _prepare(
        self, plan: Plan, undo: ExitStack, environ: Mapping[str, str]
    ) -> list[tuple[Settings, Door | None, Socket | None]]:
        """Give for every listener its settings, and the door that has its socket or a socket that is new."""
        free = list(self.doors)
        found: dict[str, Door] = {}
        for same in (_same_name, _same_place):
            for row in plan.listeners:
                door = next((each for each in free if same(each, row)), None)
                if door is not None and row.name not in found:
                    found[row.name] = door
                    free.remove(door)
        rows: list[tuple[Settings, Door | None, Socket | None]] = []
        for row in plan.listeners:
            door = found.get(row.name)
            settings = Settings(row, None if door is None else door.settings)
            sock = None
            if door is None:
                sock = bind(row.bind, environ)
                undo.callback(unbind, sock, row.bind)
            rows.append((settings, door, sock))
        return rows

    def _commit(
        self,
        snapshot: Snapshot,
        old: Snapshot,
        rows: list[tuple[Settings, Door | None, Socket | None]],
        means: Means,
    ) -> None:
        """Take over; nothing here may fail."""
        plan = snapshot.plan
        snapshot.take_over(old)
        self._snapshot, self.plan = snapshot, plan
        self.pressure.follow(plan.process.memory)
        self._cap.follow(means.max_connections)
        if not means.keep_log:
            self.ending.log = means.log
        self._watch(snapshot)
        doors = []
        for settings, known, sock in rows:
            door = known or Door(settings, sock, self.house)
            if known is None:
                self._start(door)
            else:
                door.follow(settings)
            doors.append(door)
        gone = [door for door in self.doors if door not in doors]
        self.doors = doors
        for door in gone:
            self._leaving.add(door)
            door.close(plan.process.drain_timeout)

    def _watch(self, snapshot: Snapshot) -> None:
        """Begin to look names up and to check endpoints, and end it where there is nothing any more."""
        outside = self._outside
        for name, cluster in snapshot.clusters.items():
            watch = self._watches.get(name)
            if watch is not None:
                watch.follow(cluster)
            elif outside is not None:
                watch = self._watches[name] = Watch(cluster, outside)
                watch.start()
        for name in self._watches.keys() - snapshot.clusters.keys():
            self._watches.pop(name).stop()

    async def _serve(self, door: Door, poller: Poller) -> None:
        await door.run(poller)
        self._leaving.discard(door)
        self.cut_off += door.cut_off
        if door.cut_off and not self.draining:
            _log.warning("listener %s ended with %d requests cut off", door.plan.name, door.cut_off)

    def _all(self) -> list[Door]:
        return [*self.doors, *self._leaving]

    def current(self) -> Snapshot:
        """Give the generation of now."""
        if self._snapshot is None:
            raise RuntimeError("the worker does not run")
        return self._snapshot

    async def _keep_measure(self) -> None:
        """Every second: see how full memory is; now and then: forget clients that are owed nothing."""
        gauge = Gauge()
        for second in count():
            change = self.pressure.update(gauge.read())
            if change:
                _log.warning("%s", change)
                self.bulletin.add("pressure", "warning", "memory", str(change))
            if second % _LOOK == 0:
                self._look_at_certificates()
            if second % _SWEEP == 0:
                self.current().limits.sweep()
            await trio.sleep(1.0)

    def _look_at_certificates(self) -> None:
        for door in self.doors:
            for severity, text in door.look_at_certificates(time.time()):
                _log.log(logging.INFO if severity == "info" else logging.WARNING, "%s", text)
                self.bulletin.add("certificate", severity, door.plan.name, text)

    async def keep_house(self) -> None:
        """Every tick: close what has been idle for too long, end exchanges that are past their time."""
        while True:
            await trio.sleep(TICK)
            now = self._now()
            for cluster in self.current().clusters.values():
                cluster.tick(now)
            for exchange in [exchange for exchange in self._timed if exchange.due <= now]:
                self._timed.discard(exchange)
                exchange.overdue()


def _same_name(door: Door, row: ListenerPlan) -> bool:
    return door.plan.name == row.name and door.plan.bind == row.bind


def _same_place(door: Door, row: ListenerPlan) -> bool:
    return door.plan.bind == row.bind


def _why(error: Exception) -> str:
    """Give a sentence about a socket, or about files of certificates."""
    if isinstance(error, BindError) or not isinstance(error, OSError):
        return str(error)
    reason = getattr(error, "reason", None) or error.strerror or error
    return f"the certificates cannot be used: {reason}" + (f" ({error.filename})" if error.filename else "")
