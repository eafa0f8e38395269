"""A listener at work: accepts connections, serves each by the profile that it came under, and can be closed.

To close is: accept no more, tell every connection, and wait until the last has gone or the time is over.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, inf
from typing import Final

import trio

from appliance.config.plan import ListenerPlan
from appliance.http.h1_server import H1Server
from appliance.http.h2_server import H2Server
from appliance.model.text import counted
from appliance.net.handshake import Refused, handshake_server
from appliance.net.listen import UNIX_PEER, Socket, accept_forever, unbind
from appliance.net.poller import Poller
from appliance.net.proxy_protocol import receive_header
from appliance.net.tls_context import ServerTls, Watched
from appliance.net.transport import SocketTransport, Transport

from .caps import Both, Cap
from .connection import Connection, Ids
from .ending import Ending
from .floods import FloodLedger
from .snapshot import Snapshot
from .trust import trusts

_EXPIRY: Final = (0, 3, 14)
"""Days before the end of a certificate at which it is told of."""
_log = logging.getLogger("meshctl")


@dataclass(frozen=True, slots=True)
class House:
    """What all doors of a worker have in common. ``keep_open`` says whether connections may stay for more."""

    now: Callable[[], float]
    cap: Cap
    current: Callable[[], Snapshot]
    ending: Ending
    floods: FloodLedger
    ids: Ids
    keep_open: Callable[[], bool]


class Settings:
    """What a listener's plan needs besides: the TLS of its clients, with files that are watched.

    Raises OSError and ssl.SSLError where certificates cannot be used.
    """

    __slots__ = ("plan", "tls", "watched")

    def __init__(self, plan: ListenerPlan, old: Settings | None = None) -> None:
        """With ``old`` its certificates and the sessions of clients go on, if the plan wants the same."""
        self.plan = plan
        self.tls: ServerTls | None = None
        self.watched: Watched | None = None
        if old is not None and _secrecy(old.plan) == _secrecy(plan):
            self.tls, self.watched = old.tls, old.watched
        elif plan.tls is not None and plan.protocol == "https":
            self.watched = Watched(plan.tls, plan.http2)
            self.tls = ServerTls(plan.tls, plan.http2)


class Door:
    """A listener at work. ``sock`` may be None where nothing is accepted, in tests.

    ``accepted`` counts connections, ``secured`` handshakes by version of TLS.
    """

    def __init__(self, settings: Settings, sock: Socket | None, house: House) -> None:
        self.plan = settings.plan
        self.sock = sock
        self.closing = False
        self.cut_off = 0
        self.servers: set[H1Server | H2Server] = set()
        self.settings = settings
        self._house = house
        self._cap = Cap(self.plan.limits.max_connections)
        self._closed = trio.Event()
        self._empty = trio.Event()
        self._accepting = trio.CancelScope()
        self._connections = trio.CancelScope()
        self._drain_for = 0.0
        self._expiry_told: tuple[float | None, int | None] = (None, None)
        self.accepted = 0
        self.secured: Counter[str] = Counter()

    @property
    def in_flight(self) -> int:
        """How many connections have a request under way."""
        return sum(not server.idle for server in self.servers)

    @property
    def open(self) -> int:
        """How many connections there are."""
        return self._cap.count

    async def run(self, poller: Poller) -> None:
        """Serve until ``close``; afterwards ``cut_off`` is how many requests did not end in time."""
        with self._connections:
            async with trio.open_nursery() as serving:
                serving.start_soon(self._accept, serving, poller)
                await self._closed.wait()
                for server in list(self.servers):
                    server.stop()
                with trio.move_on_after(self._drain_for):
                    if self._cap.count:
                        await self._empty.wait()
                self.cut()

    def follow(self, settings: Settings) -> None:
        """Serve connections that come from now on by other settings, on the same socket."""
        self.settings = settings
        self.plan = settings.plan
        self._cap.follow(self.plan.limits.max_connections)

    def close(self, drain_for: float) -> None:
        """Accept no more and drain for so many seconds; a second call changes nothing."""
        if self.closing:
            return
        self.closing = True
        self._drain_for = drain_for
        self._accepting.cancel()
        if self.sock is not None:
            unbind(self.sock, self.plan.bind)
        self._closed.set()

    def cut(self) -> None:
        """End all connections now."""
        self.cut_off = self.in_flight
        self._connections.cancel()

    def look_at_certificates(self, wall: float) -> Iterator[tuple[str, str]]:
        """Take certificates that have been replaced, for the connections that come from now on.

        ``wall`` is now in Unix seconds. Gives what is to be told of them: severity and text.
        """
        watched = self.settings.watched
        found = None if watched is None else watched.refresh()
        if isinstance(found, ServerTls):
            self.settings.tls = found
            yield "info", f"listener {self.plan.name}: its certificates have changed and are in use"
        elif found is not None:
            yield "warning", f"listener {self.plan.name} keeps its certificates: {found}"
        ends = None if self.settings.tls is None else self.settings.tls.ends
        days = inf if ends is None else (ends - wall) / 86_400
        near = next((limit for limit in _EXPIRY if days <= limit), None)
        if near is not None and self._expiry_told != (ends, near):
            when = "has expired" if days <= 0 else f"expires in {counted(ceil(days), 'day')}"
            date = datetime.fromtimestamp(ends or 0, UTC).strftime("%Y-%m-%d")
            yield "warning", f"listener {self.plan.name}: a certificate {when} ({date})"
        self._expiry_told = (ends, near)

    async def _accept(self, serving: trio.Nursery, poller: Poller) -> None:
        if self.sock is None:
            return

        def start(sock: Socket, peer: str) -> None:
            plan = self.plan
            if self._is_full(peer, plan) and not _announces(peer, plan):
                sock.close()
                return
            self.accepted += 1
            self._house.cap.enter(peer)
            self._cap.enter(peer)
            serving.start_soon(self._serve, sock, peer, poller)

        with self._accepting:
            await accept_forever(self.sock, Both(self._house.cap, self._cap), start)

    def _is_full(self, peer: str, plan: ListenerPlan) -> bool:
        """Say whether an address has as many connections as one may have."""
        return self._cap.peers[peer] >= plan.limits.max_per_ip and peer != UNIX_PEER

    async def _serve(self, sock: Socket, peer: str, poller: Poller) -> None:
        try:
            transport = SocketTransport(sock, poller)
        except OSError as error:  # the kernel will not watch one more descriptor
            _log.warning("a connection of %s was closed: %s", peer, error.strerror)
            sock.close()
        else:
            await self.serve(transport, peer)
        finally:
            self._house.cap.leave(peer)
            self._cap.leave(peer)
            if self.closing and not self._cap.count:
                self._empty.set()

    async def serve(self, transport: Transport, peer: str) -> None:
        """Serve one connection until it ends; raises nothing but cancellation."""
        settings = self.settings
        plan = settings.plan
        if not _announces(peer, plan):
            await self._serve_client(transport, peer, settings)
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
            await self._serve_client(transport, peer, settings)
        elif self._is_full(client, plan):
            transport.close()
        else:
            with self._cap.counting(client):
                await self._serve_client(transport, client, settings)

    async def _serve_client(self, transport: Transport, peer: str, settings: Settings) -> None:
        """Serve a client whose address is known."""
        house, plan = self._house, settings.plan
        connection = Connection(plan, peer, house.current, house.ids, house.ending, house.now)
        if settings.tls is not None:
            try:
                transport = secure = await handshake_server(transport, settings.tls, plan.timeouts.handshake)
            except Refused as why:
                if not why.silent:
                    _log.info("%s: no TLS with %s: %s", plan.name, peer, why)
                transport.close()
                return
            except BaseException:
                transport.close()
                raise
            connection.identity = secure.peer
            self.secured[secure.version] += 1
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
            self._house.floods.ended(server.plan.name, peer, error.flood, error.why)

    @contextmanager
    def _known(self, server: H1Server | H2Server) -> Iterator[None]:
        """Let a connection be told when the door closes."""
        self.servers.add(server)
        try:
            yield
        finally:
            self.servers.discard(server)

    def _keep_open(self) -> bool:
        return not self.closing and self._house.keep_open()


def _secrecy(plan: ListenerPlan) -> object:
    return plan.protocol, plan.tls, plan.http2


def _announces(peer: str, plan: ListenerPlan) -> bool:
    """Say whether a peer begins with a PROXY header."""
    return bool(plan.proxy_protocol) and trusts(plan.proxy_protocol, peer)
