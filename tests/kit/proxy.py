"""From a plan to a running proxy on in-memory wires, in virtual time.

Everything but the sockets is the real thing: the snapshot, the stack, the pools, the HTTP readers and
writers, the sweep, the housekeeper, the ending. Use it in tests with the ``autojump_clock`` fixture: an hour
of waiting takes no time, and a proxy that hangs ends its test after ``PATIENCE`` virtual seconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random

import h11
import trio

from appliance.config.plan import Plan
from appliance.http.h1_server import H1Server
from appliance.http.h2_client import H2Client
from appliance.http.h2_server import H2Server
from appliance.model.address import Address
from appliance.model.exchange import Exchange
from appliance.model.fault import CONNECT_FAILED, CONNECT_TIMEOUT, Fault
from appliance.net.park import Lot
from appliance.net.transport import PeerGone
from appliance.proxy.access_log import facts
from appliance.proxy.door import Door, Settings
from appliance.proxy.snapshot import Snapshot, revive
from appliance.proxy.worker import Means, Worker
from appliance.upstream.breakers import BreakerShift
from appliance.upstream.cluster import Outside
from appliance.upstream.endpoint import Endpoint

from .origin import Origin
from .plans import ORIGIN, plan
from .wires import CAPACITY, Wire, pair

PATIENCE = 900.0
PEER = "192.0.2.7"
_PLAN = plan()


@dataclass
class Answer:
    """A response as the client read it; ``whole`` False when the connection was cut in the middle."""

    status: int
    version: bytes
    headers: list[tuple[bytes, bytes]]
    interim: list[int]
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    whole: bool = False

    def get(self, name: bytes) -> bytes | None:
        """Give the only value of a header, None if it is absent."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, values
        return values[0] if values else None


class Client:
    """A client at the near end of a wire; it writes raw bytes and reads answers with h11."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._rest = b""

    async def send(self, raw: bytes) -> None:
        """Send raw bytes; a proxy that has closed meanwhile is no error here."""
        try:
            await self.wire.send(raw)
        except PeerGone:
            pass

    async def get(self, path: bytes = b"/", *headers: bytes) -> Answer:
        """Send a GET and give its answer."""
        lines = b"".join(line + b"\r\n" for line in headers)
        await self.send(b"GET %b HTTP/1.1\r\nHost: a.example\r\n%b\r\n" % (path, lines))
        return await self.answer()

    async def answer(self, method: bytes = b"GET") -> Answer:
        """Read the next answer, which is one to ``method``; raises PeerGone when there is none."""
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"a")]))
        reader.send(h11.EndOfMessage())
        if self._rest:
            reader.receive_data(self._rest)
            self._rest = b""
        interim: list[int] = []
        answer: Answer | None = None
        ended = False
        while True:
            try:
                event = reader.next_event()
            except h11.RemoteProtocolError:
                if not ended:
                    raise
                break
            if event is h11.NEED_DATA:
                try:
                    data = await self.wire.receive()
                except PeerGone:
                    break
                ended = not data
                reader.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                interim.append(event.status_code)
            elif isinstance(event, h11.Response):
                answer = Answer(event.status_code, event.http_version, list(event.headers), interim)
            elif isinstance(event, h11.Data):
                assert answer is not None
                answer.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert answer is not None
                answer.trailers = list(event.headers)
                answer.whole = True
                self._rest = reader.trailing_data[0]
                break
            else:
                break
        if answer is None:
            raise PeerGone("no answer")
        return answer

    async def at_end(self) -> bool:
        """Wait for the end of the connection; say whether nothing more came before it."""
        data = self._rest
        try:
            data += await self.wire.receive()
        except PeerGone:
            pass
        return not data


class Journal:
    """Takes the place of the access log: keeps each exchange and its record."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.records: list[dict[str, object]] = []

    def record(self, exchange: Exchange, now: float) -> None:
        """Keep the exchange."""
        self.exchanges.append(exchange)
        self.records.append(facts(exchange, now, 0.0))

    @property
    def faults(self) -> list[object]:
        """The ids of the faults so far, in order; None for an exchange that went well."""
        return [record["fault"] for record in self.records]


class Proxy:
    """A running proxy; ``running`` makes one."""

    def __init__(self, plan: Plan, origins: Mapping[str, Origin], nursery: trio.Nursery) -> None:
        self.plan = plan
        self.lot = Lot(trio.current_time)
        self.origins = origins
        self.journal = Journal()
        self.open_clients = 0
        self.keep_open = True
        self.upstream_wires: list[Wire] = []
        self.nursery = nursery
        self.worker = Worker(plan, [], self.journal, 1000, trio.current_time)
        self.shifts: list[BreakerShift] = []
        self.chance = Random(1)
        self.names_at: Callable[[str], list[str]] = lambda _: []
        self.events: list[tuple[float, object]] = []
        outside = Outside(
            self.dial, trio.current_time, self.chance, self._told, nursery.start_soon, self._resolve
        )
        worker = self.worker
        stays = lambda: self.keep_open and not worker.pressure.level  # noqa: E731
        worker.house = replace(worker.house, keep_open=stays)
        worker.doors = [Door(Settings(each), None, worker.house) for each in plan.listeners]
        worker._outside = outside
        worker._snapshot = revive(plan, outside, worker._timed, worker.pressure)
        worker._watch(worker._snapshot)
        nursery.start_soon(self.lot.run)
        nursery.start_soon(worker.keep_house)

    @property
    def servers(self) -> set[H1Server | H2Server]:
        """All connections of clients that speak HTTP."""
        return self.worker.servers

    async def reload(self, plan: Plan) -> None:
        """Go over to another plan, whose listeners are the same; raises ReloadError."""
        names = await self.worker.look_up(plan)
        self.worker.reload(plan, Means(1000, keep_log=True), names, {})
        self.plan = plan

    @property
    def snapshot(self) -> Snapshot:
        """The generation of now."""
        return self.worker.current()

    def _told(self, event: object) -> None:
        self.worker.bulletin.tell(event)
        if isinstance(event, BreakerShift):
            self.shifts.append(event)
        else:
            self.events.append((trio.current_time(), event))

    async def _resolve(self, host: str, _port: int) -> list[str]:
        found = self.names_at(host)
        if not found:
            raise OSError(-2, "Name or service not known")
        return found

    async def dial(self, address: Address, timeout: float) -> Wire:
        """Take the place of ``appliance.net.dial``."""
        origin = self.origins.get(str(address))
        if origin is None:
            raise Fault(CONNECT_FAILED, f"{address}: no such origin")
        await origin.admit(timeout, CONNECT_TIMEOUT)
        ours, theirs = pair(self.lot, capacity=origin.capacity, cuts=origin.cuts(), back_cuts=origin.cuts())
        self.upstream_wires.append(ours)
        self.nursery.start_soon(origin.serve, theirs)
        return ours

    def connect(
        self,
        *,
        peer: str = PEER,
        listener: int = 0,
        capacity: int = CAPACITY,
        back: int | None = None,
        cuts: Iterable[int] | None = None,
    ) -> Client:
        """Give a connected client; ``cuts`` are those of what the proxy receives."""
        near, far = pair(self.lot, capacity=capacity, back=back, cuts=cuts)
        self.nursery.start_soon(self._serve, far, peer, listener)
        return Client(near)

    async def _serve(self, wire: Wire, peer: str, index: int) -> None:
        self.open_clients += 1
        try:
            await self.worker.doors[index].serve(wire, peer)
        finally:
            self.open_clients -= 1

    @property
    def endpoints(self) -> list[Endpoint]:
        """All endpoints of all upstreams, in the plan's order."""
        return [endpoint for cluster in self.snapshot.clusters.values() for endpoint in cluster.endpoints]

    @property
    def pooled(self) -> int:
        """How many upstream connections wait for their next request."""
        return sum(len(endpoint.idle) for endpoint in self.endpoints)

    @property
    def in_flight(self) -> int:
        """How many attempts run."""
        return sum(endpoint.in_flight for endpoint in self.endpoints)

    def parked(self) -> int:
        """How many tasks of the proxy's side wait on an upstream connection."""
        shared = {id(connection.transport) for connection in self.shared}
        mine = [wire for wire in self.upstream_wires if id(wire) not in shared]
        return sum(wire.rx.occupied + wire.tx.occupied for wire in mine)

    @property
    def shared(self) -> list[H2Client]:
        """All HTTP/2 connections to upstreams."""
        return [each for row in self.endpoints if row.shared is not None for each in row.shared.connections]

    async def settle(self) -> None:
        """Let everything that can run do so, without letting time pass."""
        await trio.testing.wait_all_tasks_blocked()

    async def check_idle(self) -> None:
        """Assert that nothing is left of any exchange: no attempt, no waiting task, no deadline."""
        await self.settle()
        assert self.in_flight == 0
        assert self.parked() == 0
        assert not self.worker._timed
        for endpoint in self.endpoints:
            assert all(not connection.transport.closed for connection in endpoint.idle)
        kept = {id(connection.transport) for endpoint in self.endpoints for connection in endpoint.idle}
        kept |= {id(connection.transport) for connection in self.shared}
        assert all(not connection.streams and not connection.busy for connection in self.shared)
        assert all(wire.closed for wire in self.upstream_wires if id(wire) not in kept)


@asynccontextmanager
async def running(
    origin: Origin | Mapping[str, Origin] | None = None, plan: Plan = _PLAN
) -> AsyncIterator[Proxy]:
    """Run a proxy for ``plan`` in front of an origin, or of several by address, for as long as the block."""
    origins = {ORIGIN: origin or Origin()} if not isinstance(origin, Mapping) else origin
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            proxy = Proxy(plan, origins, nursery)
            yield proxy
            nursery.cancel_scope.cancel()
