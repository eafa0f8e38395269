"""How many connections may be open: in the whole process, in one listener, and of one peer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import trio


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
        self._stir()

    def follow(self, limit: int) -> None:
        """Let so many be open from now on."""
        self.limit = limit
        self._stir()

    @contextmanager
    def counting(self, peer: str) -> Iterator[None]:
        """Count a connection as that of ``peer``, too: whoever it came through speaks for many."""
        self.peers[peer] += 1
        try:
            yield
        finally:
            self._forget(peer)

    def _stir(self) -> None:
        self._freed.set()
        self._freed = trio.Event()

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
