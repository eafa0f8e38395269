"""HTTP/2 connections of one endpoint, each shared by as many requests as the peer allows.

A request joins the first connection with room. Only when there is none is another opened, by the request that
finds none; those that come meanwhile wait for that one instead of opening theirs, and share its failure. It
is open when the peer's settings are there: they say how many requests it takes, and that it speaks HTTP/2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from appliance.http.h2_client import H2Call, H2Client
from appliance.model.exchange import Attempt
from appliance.model.fault import CONNECT_TIMEOUT, UPSTREAM_BAD, UPSTREAM_FULL, Fault
from appliance.net.transport import Transport


class _Opening:
    """A connection that is being opened, and why it was not to be."""

    __slots__ = ("done", "fault")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.fault: Fault | None = None


class Shared:
    """The connections of an endpoint. ``most`` is how many there may be."""

    __slots__ = ("_closed", "_make", "_most", "_opening", "_spawn", "connections")

    def __init__(
        self, make: Callable[[Transport], H2Client], spawn: Callable[..., object], most: int
    ) -> None:
        self.connections: list[H2Client] = []
        self._make = make
        self._spawn = spawn
        self._most = most
        self._opening: _Opening | None = None
        self._closed = False

    @property
    def full(self) -> bool:
        """Say whether there are as many connections as may be, and none has room."""
        open_ones = [each for each in self.connections if not each.closing]
        return len(open_ones) >= self._most and not any(each.has_room for each in open_ones)

    def lease_nowait(self, attempt: Attempt) -> H2Call | None:
        """Give the attempt a call on a connection that has room; None when there is none."""
        for connection in self.connections:
            if connection.has_room:
                attempt.reused = connection.served
                call = connection.lease()
                attempt.connection = call
                return call
        return None

    async def open(self, attempt: Attempt, dial: Callable[[], Awaitable[Transport]], limit: float) -> H2Call:
        """Give the attempt a call within ``limit`` seconds, on a connection that is opened now."""
        opening = self._opening
        if opening is None:
            return await self._open(attempt, dial, limit)
        with trio.move_on_after(limit):
            await opening.done.wait()
        if opening.fault is not None:
            raise Fault(opening.fault.reason, opening.fault.detail)
        call = self.lease_nowait(attempt)
        if call is not None:
            attempt.reused = False
            return call
        if not opening.done.is_set():
            raise Fault(CONNECT_TIMEOUT, f"no connection within {limit:g} s")
        return await self.open(attempt, dial, limit)

    async def _open(self, attempt: Attempt, dial: Callable[[], Awaitable[Transport]], limit: float) -> H2Call:
        if self.full:
            raise Fault(UPSTREAM_FULL, f"{self._most} connections, all of them full")
        opening = self._opening = _Opening()
        try:
            return await self.take(attempt, await dial(), limit)
        except Fault as fault:
            opening.fault = fault
            raise
        finally:
            self._opening = None
            opening.done.set()

    def _adopt(self, transport: Transport) -> H2Client:
        connection = self._make(transport)
        connection.spawn = self._spawn
        connection.brief = self._closed
        self.connections.append(connection)
        self._spawn(self._run, connection)
        return connection

    async def _run(self, connection: H2Client) -> None:
        try:
            await connection.run()
        finally:
            self.connections.remove(connection)

    async def take(self, attempt: Attempt, transport: Transport, limit: float) -> H2Call:
        """Give the attempt a call on a connection that is new, once the peer has said what it allows.

        Its first place is kept for who opened it: others may see it before, and there may be but one.
        """
        connection = self._adopt(transport)
        call = connection.lease()
        try:
            with trio.move_on_after(limit):
                await connection.settled.wait()
            if connection.closing or not connection.settled.is_set():
                why = connection.lost or f"no settings within {limit:g} s"
                connection.close()
                raise Fault(UPSTREAM_BAD, f"the upstream does not begin as HTTP/2 does: {why}")
        except BaseException:
            connection.returned()
            raise
        attempt.reused = False
        attempt.connection = call
        return call

    def expire(self, before: float) -> None:
        """Close the connections that have been idle since ``before``."""
        for connection in list(self.connections):
            if not connection.busy and connection.idle_since <= before:
                connection.close()

    def follow(self, most: int, per_try: float) -> None:
        """Go by other limits from now on."""
        self._most = most
        for connection in self.connections:
            connection.per_try = per_try

    def close(self) -> None:
        """Close what is idle now, and what is in use as its last call ends."""
        self._closed = True
        for connection in list(self.connections):
            connection.shut()
