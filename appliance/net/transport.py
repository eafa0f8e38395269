"""A connected stream socket, non-blocking, with one park for each direction.

Reading tries first and parks only when the kernel has nothing. Writing is synchronous: the kernel takes
what it can at once (or together with the small writes of others, see ``poller``), the rest is kept here,
and whoever must not run ahead of a slow peer awaits ``wait_drained``. So a response can be joined and
sent by plain calls, and backpressure is asked for in exactly one place.

The async functions here are not always checkpoints (they return at once when they can). A task that has
received ``FAIR`` times without parking takes one, so that a fast peer cannot hold the loop.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from math import inf
from typing import Protocol

import trio

from appliance.model.fault import Fault, Reason

from .park import Lot, Park
from .poller import Poller

HIGH_WATER = 64 * 1024  # unsent bytes past which a streaming writer waits
FAIR = 16
CORK_LIMIT = 16 * 1024  # bytes; more than this of one connection is never held back
_RESET = struct.pack("ii", 1, 0)  # linger on, for no time at all
READ_SIZE = 64 * 1024
BULK_READ_SIZE = 256 * 1024


class PeerGone(Exception):
    """The connection was reset, or broke while it was written to."""


class Transport(Protocol):
    """A byte stream: plain socket, or an in-memory wire in tests."""

    lot: Lot
    rx: Park
    tx: Park
    on_hangup: Callable[[], None] | None

    @property
    def hung_up(self) -> bool:
        """Say whether the peer sends no more."""

    @property
    def broken(self) -> bool:
        """Say whether writing has failed."""

    @property
    def unsent(self) -> int:
        """Bytes that the kernel has not taken yet."""

    @property
    def refused(self) -> int:
        """Bytes that the kernel would not take so far: the peer reads more slowly than we write."""

    async def receive(self, limit: int = READ_SIZE) -> bytes:
        """Give at most ``limit`` bytes; ``b""`` when the peer has closed its sending side."""

    def receive_nowait(self, limit: int = READ_SIZE) -> bytes | None:
        """Give what has arrived, None if nothing has; ``b""`` at the end, whatever kind of end."""

    def write(self, data: bytes) -> None:
        """Send what the kernel takes now and keep the rest; errors show in the next wait."""

    def uncork(self) -> None:
        """Send what is held back to go out with the writes of others."""

    async def together(self) -> None:
        """Let tasks that the caller has just woken run first, and send what they write in one go."""

    async def wait_drained(self, low: int, limit: float, why: Reason) -> None:
        """Wait until at most ``low`` bytes are unsent; Fault(why) after ``limit`` s without progress."""

    def alive(self) -> bool:
        """Say of an idle connection whether it can be used: nothing to read and not closed."""

    def shut_writing(self) -> None:
        """Close the sending side once what is unsent no longer matters."""

    def close(self) -> None:
        """Close; a task that is parked here is woken by PeerGone."""

    def abort(self) -> None:
        """Close so that the peer sees a reset, not an end."""

    def interrupt(self, fault: Fault) -> None:
        """Raise ``fault`` in whoever reads from here, now or next, and in whoever waits to write."""


class SocketTransport:
    """The Transport over a non-blocking TCP or Unix stream socket."""

    __slots__ = (
        "_closed",
        "_out",
        "_pending",
        "_poller",
        "_recv",
        "_send",
        "_streak",
        "_wants_write",
        "broken",
        "fd",
        "hung_up",
        "lot",
        "on_hangup",
        "rx",
        "sock",
        "tx",
    )

    def __init__(self, sock: socket.socket, poller: Poller, *, connecting: bool = False) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.lot = poller.lot
        self.rx = Park()
        self.tx = Park()
        self.rx.ready = not connecting
        self.hung_up = False
        self.broken = False
        self.on_hangup: Callable[[], None] | None = None
        self._poller = poller
        self._recv = sock.recv
        self._send = sock.send
        self._out = bytearray()
        self._pending = b""
        self._streak = 0
        self._closed = False
        self._wants_write = connecting
        poller.watch(self.fd, self, write=connecting)
        self.lot.parks.add(self.rx)
        if connecting:
            self.lot.parks.add(self.tx)

    @property
    def unsent(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return len(self._out) + len(self._pending)

    @property
    def refused(self) -> int:
        """Bytes that the kernel would not take so far: the peer reads more slowly than we write."""
        return len(self._out)

    async def receive(self, limit: int = READ_SIZE) -> bytes:
        """Give at most ``limit`` bytes; ``b""`` at the end. Raises PeerGone, or the park's Fault."""
        rx = self.rx
        while True:
            if rx.fault is None and rx.ready:
                if self._streak >= FAIR:  # before anything is taken: who is cancelled here has lost nothing
                    self._streak = 0
                    await trio.lowlevel.checkpoint()
                    continue
                try:
                    data = self._recv(limit)
                except BlockingIOError:
                    rx.ready = False
                except OSError as error:
                    raise PeerGone(str(error)) from None
                else:
                    if len(data) < limit and not self.hung_up:
                        rx.ready = False
                    self._streak += 1
                    return data
            else:
                self._streak = 0
                await rx.wait()
                if self._closed:
                    raise PeerGone("closed here")

    def receive_nowait(self, limit: int = READ_SIZE) -> bytes | None:
        """Give what has arrived, None if nothing has; ``b""`` at the end, whatever kind of end."""
        if not self.rx.ready:
            return None
        try:
            return self._recv(limit)
        except BlockingIOError:
            self.rx.ready = False
            return None
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        """Send what the kernel takes now and keep the rest; an error shows in the next wait."""
        if self._out:
            self._out += data
            return
        if self._poller.corked and len(self._pending) + len(data) <= CORK_LIMIT:
            if not self._pending:
                self._poller.hold(self)
            self._pending += data
            return
        if self._pending:
            data, self._pending = self._pending + data, b""
        self._push(data)

    def uncork(self) -> None:
        """Send what was held back to go out with the writes of others."""
        if self._pending:
            data, self._pending = self._pending, b""
            self._push(data)

    async def together(self) -> None:
        """Let tasks that the caller has just woken run first, and send what they write in one go."""
        await self._poller.together()

    def _push(self, data: bytes) -> None:
        if self.broken or self._closed:
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.broken = True
            return
        if sent < len(data):
            self._out += memoryview(data)[sent:]
            self.want_write()

    def want_write(self) -> None:
        """The kernel is full: learn from the poller when it is not."""
        self.tx.ready = False
        if not self._wants_write and not self._closed:
            self._wants_write = True
            self.lot.parks.add(self.tx)
            self._poller.want_write(self.fd)

    def _flush(self) -> None:
        out = self._out
        try:
            sent = self._send(out)
        except BlockingIOError:
            self.tx.ready = False
            return
        except OSError:
            self.broken = True
            out.clear()
            return
        if sent < len(out):
            self.tx.ready = False
        del out[:sent]

    async def wait_drained(self, low: int, limit: float, why: Reason) -> None:
        """Wait until at most ``low`` bytes are unsent; Fault(why) after ``limit`` s without progress."""
        self.uncork()
        while len(self._out) > low:
            await self.wait_writable(limit, why)
            self._flush()
        if self.broken:
            raise PeerGone("broken while written to")

    async def wait_writable(self, limit: float, why: Reason) -> None:
        """Wait until the kernel takes more; Fault(why) after ``limit`` seconds."""
        tx = self.tx
        tx.due = self.lot.now() + limit
        tx.why = why
        await tx.wait()
        tx.due = inf
        if self._closed:
            raise PeerGone("closed here")

    def writable(self) -> None:
        """Called by the poller: the kernel takes more; what nobody waits for is sent from here."""
        if self._out and not self.tx.occupied:
            self._flush()
        self.tx.wake()

    def hangup(self) -> None:
        """Called by the poller: the peer sends no more, or the connection is broken."""
        self.hung_up = True
        if self.on_hangup is not None:
            self.on_hangup()

    def alive(self) -> bool:
        """Say of an idle connection whether it can be used: nothing to read and not closed."""
        if self.hung_up or self.broken or self._closed:
            return False
        if not self.rx.ready:
            return True
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            self.rx.ready = False
            return True
        except OSError:
            return False
        return False

    def shut_writing(self) -> None:
        """Send FIN, so that the peer sees the end while we may still read."""
        self.uncork()
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.broken = True

    def interrupt(self, fault: Fault) -> None:
        """Raise ``fault`` in whoever reads from here, now or next, and in whoever waits to write."""
        self.rx.interrupt(fault)
        if self.tx.occupied:
            self.tx.interrupt(fault)

    def abort(self) -> None:
        """Close with a reset, so that the peer cannot take what it has for the whole."""
        if not self._closed:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    def close(self) -> None:
        """Close the socket; tasks parked on it get PeerGone. Safe to call again."""
        if self._closed:
            return
        self.uncork()
        self._closed = True
        self.on_hangup = None
        self._out.clear()
        self.lot.parks.discard(self.rx)
        self.lot.parks.discard(self.tx)
        self._poller.forget(self.fd)
        self.fd = -1  # the number may soon belong to another connection
        self.sock.close()
        self.rx.wake()
        self.tx.wake()
