"""From a request to its ending: the birth of an exchange, the call of the stack, the answer.

A bug costs one exchange, is logged by the guard, and is told to the client as nothing more than ``internal``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count

import trio

from appliance.config.plan import ListenerPlan
from appliance.http.h1_server import H1Server
from appliance.http.h2_server import H2Server
from appliance.model.exchange import Exchange, ServerStream
from appliance.model.fault import CLIENT_GONE, CLIENT_SLOW, INTERNAL, Fault
from appliance.model.identity import Identity

from .ending import Ending
from .guard import guarded
from .reply import render
from .snapshot import Snapshot
from .trust import client_of, trusts

_SILENT = (CLIENT_GONE, CLIENT_SLOW)


class Ids:
    """Request ids: 48 random bits of the process, then a counter; unique, short, cheap."""

    __slots__ = ("_count", "_prefix")

    def __init__(self) -> None:
        self._prefix = os.urandom(6).hex()
        self._count = count(1)

    def new(self) -> str:
        """Give an id of at least 20 hex digits."""
        return f"{self._prefix}{next(self._count):08x}"


class Connection:
    """Handles the requests of one client connection: one after the other, or many at a time in HTTP/2.

    ``identity`` is who the client's certificate says it is.
    """

    __slots__ = (
        "_current",
        "_ending",
        "_exchange",
        "_ids",
        "_listener",
        "_now",
        "_peer",
        "_trusted",
        "identity",
    )

    def __init__(
        self,
        listener: ListenerPlan,
        peer: str,
        current: Callable[[], Snapshot],
        ids: Ids,
        ending: Ending,
        now: Callable[[], float],
    ) -> None:
        self._listener = listener
        self._peer = peer
        self._current = current
        self._ids = ids
        self._ending = ending
        self._now = now
        self._exchange: Exchange | None = None
        self.identity: Identity | None = None
        self._trusted = bool(listener.trust_forwarded) and trusts(listener.trust_forwarded, peer)

    async def serve(self, server: H1Server) -> None:
        """Serve a connection, then close it unless it turned out to be HTTP/2; raises only cancellation."""
        try:
            if not await guarded(server.serve(self.handle), self._who) and self._exchange is not None:
                await guarded(self._give_up(self._exchange), self._who)  # for it may meet the same bug
        finally:
            if not server.preface:
                server.close()
            if self._exchange is not None:
                self._ending.end(self._exchange)

    async def serve_h2(self, server: H2Server) -> None:
        """Serve a whole HTTP/2 connection, then close it; raises nothing but cancellation."""
        try:
            await guarded(server.serve(self._handle_stream), lambda: "a connection")
        finally:
            server.close()

    async def _handle_stream(self, stream: ServerStream) -> None:
        """Answer one request of many; raises nothing but cancellation."""
        exchange = self._born(stream)
        who = f"request {exchange.id}"
        try:
            if not await guarded(self._respond(exchange), lambda: who):
                await guarded(self._apologise(exchange, Fault(INTERNAL)), lambda: who)
        finally:
            self._ending.end(exchange)

    def _who(self) -> str:
        return "a connection" if self._exchange is None else f"request {self._exchange.id}"

    async def _give_up(self, exchange: Exchange) -> None:
        """Apologise for a bug and end its exchange."""
        try:
            await self._apologise(exchange, Fault(INTERNAL))
        finally:
            self._exchange = None
            self._ending.end(exchange)

    async def handle(self, stream: ServerStream) -> None:
        """Answer one request."""
        exchange = self._exchange = self._born(stream)
        await self._respond(exchange)
        self._exchange = None
        self._ending.end(exchange)

    def _born(self, stream: ServerStream) -> Exchange:
        exchange = Exchange(self._ids.new(), stream, self._listener.name, self._peer, self._now())
        exchange.identity = self.identity
        if self._trusted:
            exchange.peer_trusted = True
            exchange.client = client_of(self._peer, stream.request.headers, self._listener.trust_forwarded)
        self._ending.live.add(exchange)
        return exchange

    async def _respond(self, exchange: Exchange) -> None:
        if exchange.request.body.at_hand() and not exchange.request.upgrade:
            await self._answer(exchange)
        else:
            async with trio.open_nursery() as nursery:
                exchange.spawner = nursery
                await self._answer(exchange)
                nursery.cancel_scope.cancel()

    async def _answer(self, exchange: Exchange) -> None:
        stream = exchange.stream
        snapshot = self._current()
        try:
            if stream.refusal is not None:
                raise stream.refusal
            response = await snapshot.service_of(self._listener)(exchange)
        except Fault as fault:
            exchange.fault = fault
            if fault.reason in _SILENT:
                exchange.status = fault.reason.status
                stream.reset(fault)
                return
            response = render(exchange, fault, snapshot.plan.name)
        exchange.status = response.status
        exchange.head_at = self._now()
        try:
            await stream.respond(response)
        except Fault as fault:
            if stream.started:
                exchange.fault = exchange.fault or fault
                stream.reset(fault)
            else:
                await self._apologise(exchange, fault)
        finally:
            response.body.abandon()

    async def _apologise(self, exchange: Exchange, fault: Fault) -> None:
        """Answer with a fault that ended the exchange late, if nothing of another answer was sent yet."""
        exchange.fault = fault
        exchange.status = fault.reason.status
        if not exchange.stream.started:
            try:
                await exchange.stream.respond(render(exchange, fault, self._current().plan.name))
            except Fault:
                return
