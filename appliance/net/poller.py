"""One edge-triggered epoll for all connections, in front of trio's own.

Trio arms a descriptor anew for each wait: a system call and some objects every time. A proxy waits on
the same few thousand descriptors for ever, so they are registered once, edge-triggered, with
EPOLLRDHUP: the same event that says "readable" also says "the peer has gone", which is how a client that
leaves while it waits for its answer is noticed. One task waits, through trio, on the epoll descriptor
itself and wakes the parks of all that is ready.

Edge-triggered means: an edge is told once. A transport remembers it in ``Park.ready`` and clears that
only when the kernel has said "no more" (EAGAIN, or fewer bytes than asked for).
"""

from __future__ import annotations

import select
from typing import Protocol

import trio

from .park import Lot, Park

_READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_READ_WRITE = _READ | select.EPOLLOUT
_GONE = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_READABLE = select.EPOLLIN | _GONE
_WRITABLE = select.EPOLLOUT | select.EPOLLHUP | select.EPOLLERR
_BATCH = 256


class Polled(Protocol):
    """What the poller tells a transport."""

    rx: Park
    tx: Park

    def hangup(self) -> None:
        """The peer has closed its sending side, or the connection is broken."""


class Poller:
    """Wakes the parks of registered descriptors; close it when its task has ended."""

    def __init__(self, lot: Lot) -> None:
        self.lot = lot
        self._epoll = select.epoll()
        self._watched: dict[int, Polled] = {}

    def watch(self, fd: int, polled: Polled, *, write: bool = False) -> None:
        """Begin to watch ``fd``; with ``write`` for writability too (a connect under way)."""
        self._watched[fd] = polled
        self._epoll.register(fd, _READ_WRITE if write else _READ)

    def want_write(self, fd: int) -> None:
        """Watch ``fd`` for writability from now on; if it is writable already, the edge comes at once."""
        self._epoll.modify(fd, _READ_WRITE)

    def forget(self, fd: int) -> None:
        """Stop watching ``fd``; call before closing it."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def poll(self) -> None:
        """Wake whatever is ready now; never blocks."""
        watched = self._watched
        for fd, events in self._epoll.poll(0, _BATCH):
            polled = watched.get(fd)
            if polled is None:
                continue
            if events & _GONE:
                polled.hangup()
            if events & _READABLE:
                polled.rx.wake()
            if events & _WRITABLE:
                polled.tx.wake()

    async def run(self) -> None:
        """Poll whenever something is ready, until cancelled."""
        fd = self._epoll.fileno()
        while True:
            await trio.lowlevel.wait_readable(fd)
            self.poll()

    def close(self) -> None:
        """Free the epoll descriptor."""
        self._epoll.close()
