"""One server of an upstream, with its pool of idle connections.

The pool is a stack: the connection used last is used next, so that the surplus of a burst grows old at
the bottom and expires. A connection that the peer closes while idle is dropped when the poller says so,
not when a request finds it dead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from appliance.config.plan import EndpointPlan, UpstreamTimeouts
from appliance.http.h1_client import H1Client
from appliance.http.h2_client import H2Call, H2Client
from appliance.metrics.cell import Cell
from appliance.model.address import Address
from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import Fault, Side
from appliance.net.transport import Transport
from appliance.policy.health import Health

from .breakers import GRPC_FAILURES, grpc_status
from .crowd import Crowd
from .shared import Shared

Dial = Callable[[Address, float], Awaitable[Transport]]
Leased = H1Client | H2Call


@dataclass(frozen=True, slots=True)
class Speaks:
    """Which protocol an endpoint is spoken to, what runs the reader of a shared connection, and how many
    of those there may be."""

    protocol: str
    spawn: Callable[..., object]
    most: int


def _no_tasks(*_: object) -> None:
    raise RuntimeError("HTTP/1.1 needs no task of its own")


_H1 = Speaks("http1", _no_tasks, 0)


class Endpoint:
    """A server: its address as name, its weight, what is in flight, and its idle connections.

    ``weight`` is what counts now, ``full_weight`` what the profile gives it: they differ while it warms up.
    ``drained``: an operator lets it have no new requests; ``health`` is what its checks say, if it has any,
    and ``probe_dial`` how those connect.
    """

    __slots__ = (
        "_closed",
        "_dial",
        "_speaks",
        "_timeouts",
        "address",
        "cell",
        "crowd",
        "drained",
        "era",
        "full_weight",
        "health",
        "host",
        "idle",
        "in_flight",
        "name",
        "probe_dial",
        "shared",
        "weight",
    )

    def __init__(
        self,
        plan: EndpointPlan,
        timeouts: UpstreamTimeouts,
        dial: Dial,
        crowd: Crowd,
        source: EndpointPlan | None = None,
        speaks: Speaks = _H1,
    ) -> None:
        """``source`` is the entry of the profile whose name resolved to this address, if one did."""
        self.address = plan.address
        self.name = str(plan.address)
        self.weight = self.full_weight = plan.weight
        self.in_flight = 0
        self.cell = Cell()
        self.drained = False
        self.health: Health | None = None
        self.idle: list[H1Client] = []
        self.host = _host((source or plan).address)
        self.crowd = crowd
        self._timeouts = timeouts
        self._dial = self.probe_dial = dial
        self._closed = False
        self._speaks = speaks
        self.era = 0
        self.shared: Shared | None = None
        if speaks.protocol == "http2":
            self._share()

    @property
    def available(self) -> bool:
        """Say whether it may have new requests, as far as operators and checks are concerned."""
        return not self.drained and (self.health is None or self.health.healthy)

    def full(self, room: int) -> bool:
        """Say whether ``room`` connections are in use, and none of them can take another request."""
        return self.in_flight >= room and (self.shared is None or self.shared.full)

    def count(self, attempt: Attempt, exchange: Exchange, fault: Fault | None, now: float) -> None:
        """Count an attempt that has ended; what the client's side broke is no failure."""
        response = attempt.response
        status = 0 if response is None else response.status
        failed = status >= 500 or (fault is not None and fault.reason.side is Side.UPSTREAM)
        if not failed and response is not None and exchange.request.method == b"POST" and exchange.grpc:
            failed = grpc_status(response) in GRPC_FAILURES
        self.cell.count(status, (attempt.head_at or now) - attempt.began, 0, failed=failed)

    def lease_nowait(self, attempt: Attempt) -> Leased | None:
        """Give the attempt an idle connection that is alive; None when there is none."""
        if self.shared is not None:
            return self.shared.lease_nowait(attempt)
        idle = self.idle
        while idle:
            connection = idle.pop()
            transport = connection.transport
            transport.on_hangup = None
            if transport.alive():
                attempt.reused = True
                attempt.connection = connection
                return connection
            transport.close()
        return None

    async def open(self, attempt: Attempt, limit: float) -> Leased:
        """Give the attempt a new connection within ``limit`` seconds; raises Fault when none can be had."""
        attempt.reused = False
        limit = min(limit, self._timeouts.connect)
        era = self.era
        if self.shared is not None:
            return await self.shared.open(attempt, partial(self._dial, self.address, limit), limit)
        opened = await self._dial(self.address, limit)
        if self._speaks.protocol == "auto" and getattr(opened, "alpn", None) == "h2":
            return await self._share().take(attempt, opened, limit)
        connection = H1Client(opened, self.host, self._timeouts.per_try, self)
        connection.era = era
        attempt.connection = connection
        return connection

    def give_back(self, connection: H1Client, reusable: bool) -> None:
        """Keep a connection that can serve again, close any other."""
        transport = connection.transport
        if reusable and connection.era == self.era and not self._closed and transport.alive():
            connection.per_try = self._timeouts.per_try
            connection.idle_since = transport.lot.now()
            transport.on_hangup = connection.lost
            self.idle.append(connection)
        else:
            transport.close()

    def drop(self, connection: H1Client) -> None:
        """Forget a connection that its peer has closed while it was idle."""
        if connection in self.idle:
            self.idle.remove(connection)
        connection.transport.close()

    def expire(self, now: float) -> None:
        """Close the connections that have been idle for ``pool_idle`` seconds."""
        limit = now - self._timeouts.pool_idle
        if self.shared is not None:
            self.shared.expire(limit)
        idle = self.idle
        while idle and idle[0].idle_since <= limit:
            idle.pop(0).transport.close()

    def follow(
        self,
        plan: EndpointPlan,
        timeouts: UpstreamTimeouts,
        dial: Dial,
        source: EndpointPlan | None,
        speaks: Speaks,
        *,
        anew: bool,
    ) -> None:
        """Go by another profile from now on; with ``anew`` pooled connections are not used any more."""
        self.full_weight = plan.weight
        self.host = _host((source or plan).address)
        self._timeouts, self._dial, self._speaks = timeouts, dial, speaks
        if anew:
            self._let_go()
            self.era += 1
            self.shared = None
            if speaks.protocol == "http2":
                self._share()
        for connection in self.idle:
            connection.per_try = timeouts.per_try
        if self.shared is not None:
            self.shared.follow(speaks.most, timeouts.per_try)

    def close(self) -> None:
        """Close what is idle now, and what is in use as it comes back."""
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        if self.shared is not None:
            self.shared.close()
        for connection in self.idle:
            connection.transport.close()
        self.idle.clear()

    def _share(self) -> Shared:
        """Begin to share connections, which an endpoint does that speaks HTTP/2."""
        if self.shared is None:

            def make(transport: Transport) -> H2Client:
                return H2Client(transport, self.host, self._timeouts.per_try)

            self.shared = Shared(make, self._speaks.spawn, self._speaks.most)
            if self._closed:
                self.shared.close()
        return self.shared


def _host(address: Address) -> bytes:
    """Give what stands in Host where a request has none."""
    return b"localhost" if address.kind == "unix" else str(address).removeprefix("dns:").encode("idna")
