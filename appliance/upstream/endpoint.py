"""One server of an upstream, with its pool of idle connections.

The pool is a stack: the connection used last is used next, so that the surplus of a burst grows old at
the bottom and expires. A connection that the peer closes while idle is dropped when the poller says so,
not when a request finds it dead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from appliance.config.plan import EndpointPlan, UpstreamTimeouts
from appliance.http.h1_client import H1Client
from appliance.model.address import Address
from appliance.model.exchange import Attempt
from appliance.net.transport import Transport

Dial = Callable[[Address, float], Awaitable[Transport]]


class Endpoint:
    """A server: its address as name, its weight, what is in flight, and its idle connections."""

    __slots__ = ("_closed", "_dial", "_host", "_timeouts", "address", "idle", "in_flight", "name", "weight")

    def __init__(self, plan: EndpointPlan, timeouts: UpstreamTimeouts, dial: Dial) -> None:
        self.address = plan.address
        self.name = str(plan.address)
        self.weight = plan.weight
        self.in_flight = 0
        self.idle: list[H1Client] = []
        self._timeouts = timeouts
        self._dial = dial
        self._closed = False
        self._host = (
            b"localhost" if plan.address.kind == "unix" else self.name.removeprefix("dns:").encode("idna")
        )

    def lease_nowait(self, attempt: Attempt) -> H1Client | None:
        """Give the attempt an idle connection that is alive; None when there is none."""
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

    async def open(self, attempt: Attempt) -> H1Client:
        """Give the attempt a new connection; raises Fault when none can be had."""
        attempt.reused = False
        opened = await self._dial(self.address, self._timeouts.connect)
        connection = H1Client(opened, self._host, self._timeouts.per_try, self)
        attempt.connection = connection
        return connection

    def give_back(self, connection: H1Client, reusable: bool) -> None:
        """Keep a connection that can serve again, close any other."""
        transport = connection.transport
        if reusable and not self._closed and transport.alive():
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
        idle = self.idle
        while idle and idle[0].idle_since <= limit:
            idle.pop(0).transport.close()

    def close(self) -> None:
        """Close what is idle now, and what is in use as it comes back."""
        self._closed = True
        for connection in self.idle:
            connection.transport.close()
        self.idle.clear()
