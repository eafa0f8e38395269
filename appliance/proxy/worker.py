"""One worker: accepts connections, serves them, and drains when it is told to stop.

One nursery holds the poller, the sweeps and the accept loops, another the connections, so that stopping
is: close the listeners, tell every connection, wait until the second is empty or the time is over.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count

import trio

from appliance.config.plan import ListenerPlan, Plan
from appliance.http.h1_server import H1Server
from appliance.http.h2_server import H2Server
from appliance.model.exchange import Exchange
from appliance.net.dial import dial
from appliance.net.handshake import Refused, handshake_server
from appliance.net.listen import UNIX_PEER, Socket, accept_forever, unbind
from appliance.net.memory import Gauge
from appliance.net.park import TICK, Lot
from appliance.net.poller import Poller
from appliance.net.proxy_protocol import receive_header
from appliance.net.splice import close_pool
from appliance.net.tls_context import ServerTls, Watched
from appliance.net.transport import SocketTransport, Transport
from appliance.upstream.cluster import Outside
from appliance.upstream.watch import Watch

from .access_log import AccessLog
from .connection import Connection, Ids
from .ending import Ending
from .events import log_event
from .floods import FloodLedger
from .layers.shed import Pressure
from .snapshot import Snapshot, revive
from .trust import trusts

_log = logging.getLogger("meshctl")
_SWEEP = 10  # seconds between sweeps of the rate limits
_LOOK = 5  # seconds between looks at the files of certificates
_NAMES_LIMIT = 3.0  # seconds that names may take before clients are let in all the same


@dataclass(frozen=True, slots=True)
class Bound:
    """A listener of the plan with its socket."""

    plan: ListenerPlan
    sock: Socket


class Cap:
    """The connections that are open: how many, how many may be, and how many of each peer."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self.peers: Counter[str] = Counter()
        self._freed = trio.Event()

    def has_room(self) -> bool:
        """Say whether another connection may be accepted."""
        return self.count < self.limit

    async def wait_room(self) -> None:
        """Wait until a connection has closed."""
        await self._freed.wait()

    def enter(self, peer: str) -> None:
        """Count a connection."""
        self.count += 1
        self.peers[peer] += 1

    def leave(self, peer: str) -> None:
        """Uncount a connection and let an accept loop that waits go on."""
        self.count -= 1
        self._forget(peer)
        self._freed.set()
        self._freed = trio.Event()

    @contextmanager
    def counting(self, peer: str) -> Iterator[None]:
        """Count a connection as that of ``peer``, too: whoever it came through speaks for many."""
        self.peers[peer] += 1
        try:
            yield
        finally:
            self._forget(peer)

    def _forget(self, peer: str) -> None:
        self.peers[peer] -= 1
        if not self.peers[peer]:
            del self.peers[peer]


class Both:
    """Room in the whole process and in one listener."""

    def __init__(self, process: Cap, listener: Cap) -> None:
        self.process = process
        self.listener = listener

    def has_room(self) -> bool:
        """Say whether both have room."""
        return self.process.has_room() and self.listener.has_room()

    async def wait_room(self) -> None:
        """Wait for the one that is full."""
        await (self.process if not self.process.has_room() else self.listener).wait_room()


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

        Raises OSError and ssl.SSLError where certificates cannot be used.
        """
        self.plan = plan
        self.draining = False
        self.cut_off = 0
        self.servers: set[H1Server | H2Server] = set()
        self._bound = bound
        self._cap = Cap(max_connections)
        self._caps = {each.name: Cap(each.limits.max_connections) for each in plan.listeners}
        self._ids = Ids()
        self._stop = trio.Event()
        self._empty = trio.Event()
        self._accepting = trio.CancelScope()
        self._connections = trio.CancelScope()
        self._timed: set[Exchange] = set()
        self._now = now
        self.pressure = Pressure(plan.process.memory)
        self._snapshot: Snapshot | None = None
        secure = {
            each.name: each for each in plan.listeners if each.tls is not None and each.protocol == "https"
        }
        self._certificates = {
            name: Watched(each.tls, each.http2) for name, each in secure.items() if each.tls
        }
        self._tls = {name: ServerTls(each.tls, each.http2) for name, each in secure.items() if each.tls}
        self.ending = Ending(log, self._timed, now)
        self.floods = FloodLedger(log_event, now)

    @property
    def in_flight(self) -> int:
        """How many connections have a request under way."""
        return sum(not server.idle for server in self.servers)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until ``stop``; afterwards ``cut_off`` is how many requests did not end in time."""
        lot = Lot(self._now)
        poller = Poller(lot)
        chance = random.Random()  # noqa: S311 (jitter, shares)
        try:
            async with trio.open_nursery() as base:
                outside = Outside(partial(dial, poller), self._now, chance, log_event, base.start_soon)
                self._snapshot = revive(self.plan, outside, self._timed, self.pressure)
                await self._watch(outside)
                base.start_soon(poller.run)
                base.start_soon(lot.run)
                base.start_soon(self._keep_house)
                base.start_soon(self._keep_measure)
                with self._connections:
                    async with trio.open_nursery() as serving:
                        base.start_soon(self._accept_all, serving, poller)
                        task_status.started()
                        await self._stop.wait()
                        await self._drain()
                        self._cut_off()
                base.cancel_scope.cancel()
        finally:
            if self._snapshot is not None:
                for cluster in self._snapshot.clusters.values():
                    cluster.close()
            close_pool()
            poller.close()

    async def _watch(self, outside: Outside) -> None:
        """Begin to look names up and to check endpoints; wait a little until names are known."""
        watches = [Watch(cluster, outside) for cluster in self._current().clusters.values()]
        for watch in watches:
            watch.start()
        with trio.move_on_after(_NAMES_LIMIT):
            for watch in watches:
                await watch.wait_known()

    def stop(self) -> None:
        """Begin to drain; a second call ends at once."""
        if self.draining:
            self._cut_off()
        self.draining = True
        self._stop.set()

    def _cut_off(self) -> None:
        self.cut_off = self.in_flight
        self._connections.cancel()

    async def _drain(self) -> None:
        self._accepting.cancel()
        for bound in self._bound:
            unbind(bound.sock, bound.plan.bind)
        for server in list(self.servers):
            server.stop()
        with trio.move_on_after(self.plan.process.drain_timeout):
            if self._cap.count:
                await self._empty.wait()

    async def _accept_all(self, serving: trio.Nursery, poller: Poller) -> None:
        with self._accepting:
            async with trio.open_nursery() as nursery:
                for bound in self._bound:
                    cap = self._caps[bound.plan.name]

                    def start(sock: Socket, peer: str, bound: Bound = bound, cap: Cap = cap) -> None:
                        if self._is_full(peer, bound.plan) and not _announces(peer, bound.plan):
                            sock.close()
                            return
                        self._cap.enter(peer)
                        cap.enter(peer)
                        serving.start_soon(self._serve, sock, peer, bound.plan, poller)

                    nursery.start_soon(accept_forever, bound.sock, Both(self._cap, cap), start)

    def _is_full(self, peer: str, plan: ListenerPlan) -> bool:
        """Say whether an address has as many connections as one may have."""
        return self._caps[plan.name].peers[peer] >= plan.limits.max_per_ip and peer != UNIX_PEER

    async def _serve(self, sock: Socket, peer: str, plan: ListenerPlan, poller: Poller) -> None:
        try:
            transport = SocketTransport(sock, poller)
        except OSError as error:  # the kernel will not watch one more descriptor
            _log.warning("a connection of %s was closed: %s", peer, error.strerror)
            sock.close()
        else:
            await self.serve(transport, peer, plan)
        finally:
            self._cap.leave(peer)
            self._caps[plan.name].leave(peer)
            if self.draining and not self._cap.count:
                self._empty.set()

    async def serve(self, transport: Transport, peer: str, plan: ListenerPlan) -> None:
        """Serve one connection until it ends; raises nothing but cancellation."""
        if not _announces(peer, plan):
            await self._serve_client(transport, peer, plan)
            return
        try:
            client = await receive_header(transport, plan.timeouts.header)
        except Refused as why:
            if not why.silent:
                _log.info("%s: a connection of %s was closed: %s", plan.name, peer, why)
            transport.close()
            return
        except BaseException:
            transport.close()
            raise
        if client is None:
            await self._serve_client(transport, peer, plan)
        elif self._is_full(client, plan):
            transport.close()
        else:
            with self._caps[plan.name].counting(client):
                await self._serve_client(transport, client, plan)

    async def _serve_client(self, transport: Transport, peer: str, plan: ListenerPlan) -> None:
        """Serve a client whose address is known."""
        connection = Connection(plan, peer, self._current, self._ids, self.ending, self._now)
        tls = self._tls.get(plan.name)
        if tls is not None:
            try:
                transport = secure = await handshake_server(transport, tls, plan.timeouts.handshake)
            except Refused as why:
                if not why.silent:
                    _log.info("%s: no TLS with %s: %s", plan.name, peer, why)
                transport.close()
                return
            except BaseException:
                transport.close()
                raise
            connection.identity = secure.peer
            if secure.alpn == "h2":
                await self._serve_h2(connection, H2Server(transport, plan, self._keep_open), peer)
                return
        first = H1Server(transport, plan, self._keep_open)
        with self._known(first):
            await connection.serve(first)
        if first.preface:
            server = H2Server(transport, plan, self._keep_open)
            server.buffered = first.taken()
            await self._serve_h2(connection, server, peer)

    async def _serve_h2(self, connection: Connection, server: H2Server, peer: str) -> None:
        with self._known(server):
            await connection.serve_h2(server)
        error = server.closed_by
        if error is not None:
            self.floods.ended(server.plan.name, peer, error.flood, error.why)

    @contextmanager
    def _known(self, server: H1Server | H2Server) -> Iterator[None]:
        """Let a connection be told when the worker stops."""
        self.servers.add(server)
        try:
            yield
        finally:
            self.servers.discard(server)

    def _keep_open(self) -> bool:
        return not self.draining and not self.pressure.level

    def _current(self) -> Snapshot:
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
            if second % _LOOK == 0:
                self._look_at_certificates()
            if second % _SWEEP == 0:
                for limit in self._current().limits:
                    limit.sweep()
            await trio.sleep(1.0)

    def _look_at_certificates(self) -> None:
        """Take certificates that have been replaced, for the connections that come from now on."""
        for name, watched in self._certificates.items():
            found = watched.refresh()
            if isinstance(found, ServerTls):
                self._tls[name] = found
                _log.info("listener %s: its certificates have changed and are in use", name)
            elif found is not None:
                _log.warning("listener %s keeps its certificates: %s", name, found)

    async def _keep_house(self) -> None:
        """Every tick: close what has been idle for too long, end exchanges that are past their time."""
        while True:
            await trio.sleep(TICK)
            now = self._now()
            for cluster in self._current().clusters.values():
                cluster.tick(now)
            for exchange in [exchange for exchange in self._timed if exchange.due <= now]:
                self._timed.discard(exchange)
                exchange.overdue()


def _announces(peer: str, plan: ListenerPlan) -> bool:
    """Say whether a peer begins with a PROXY header."""
    return bool(plan.proxy_protocol) and trusts(plan.proxy_protocol, peer)
