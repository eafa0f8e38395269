"""One edge-triggered epoll for all connections, in front of trio's own.

Trio arms a descriptor anew for each wait: a system call and some objects every time. A proxy waits on
the same few thousand descriptors for ever, so they are registered once, edge-triggered, with
EPOLLRDHUP: the same event that says "readable" also says "the peer has gone", which is how a client that
leaves while it waits for its answer is noticed. One task waits, through trio, on the epoll descriptor
itself and wakes the parks of all that is ready.

When many are ready at once, what their tasks write is held back until all of them have run, and then sent
in one go. A peer that is faster than we are falls asleep between two lone writes, and waking it costs us
more than the write: with 32 busy connections a third of all CPU time. A lone event is answered at once.

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
CROWD = 3  # events at once from which on their writes are sent together


class Polled(Protocol):
    """What the poller tells a transport."""

    rx: Park

    def writable(self) -> None:
        """The kernel takes more."""

    def uncork(self) -> None:
        """Send what was held back."""

    def hangup(self) -> None:
        """The peer has closed its sending side, or the connection is broken."""


class Poller:
    """Wakes the parks of registered descriptors; close it when its task has ended."""

    def __init__(self, lot: Lot) -> None:
        self.lot = lot
        self._epoll = select.epoll()
        self._watched: dict[int, Polled] = {}
        self._held: list[Polled] = []
        self.corked = False

    def watch(self, fd: int, polled: Polled, *, write: bool = False) -> None:
        """Begin to watch ``fd``; with ``write`` for writability too (a connect under way)."""
        self._epoll.register(fd, _READ_WRITE if write else _READ)
        self._watched[fd] = polled

    def want_write(self, fd: int) -> None:
        """Watch ``fd`` for writability from now on; if it is writable already, the edge comes at once."""
        self._epoll.modify(fd, _READ_WRITE)

    def forget(self, fd: int) -> None:
        """Stop watching ``fd``; call before closing it."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def hold(self, polled: Polled) -> None:
        """Uncork ``polled`` when the batch that runs now has run."""
        self._held.append(polled)

    def poll(self) -> int:
        """Wake whatever is ready now and give the number of events; never blocks."""
        watched = self._watched
        ready = self._epoll.poll(0, _BATCH)
        for fd, events in ready:
            polled = watched.get(fd)
            if polled is None:
                continue
            if events & _GONE:
                polled.hangup()
            if events & _READABLE:
                polled.rx.wake()
            if events & _WRITABLE:
                polled.writable()
        return len(ready)

    async def run(self) -> None:
        """Poll whenever something is ready, until cancelled."""
        fd = self._epoll.fileno()
        while True:
            await trio.lowlevel.wait_readable(fd)
            if self.poll() >= CROWD:
                await self.together()

    async def together(self) -> None:
        """Let all that was just woken run to its next wait, then send what it has written."""
        if self.corked:
            return
        self.corked = True
        await trio.lowlevel.cancel_shielded_checkpoint()  # we are in one batch with those we woke,
        await trio.lowlevel.cancel_shielded_checkpoint()  # so it has run when our second turn comes
        self.corked = False
        held, self._held = self._held, []
        for polled in held:
            polled.uncork()

    def close(self) -> None:
        """Free the epoll descriptor."""
        self._epoll.close()
