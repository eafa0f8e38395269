"""Pairs of bounded in-memory byte streams that behave like two connected sockets.

Both ends are Transports. Each direction has a capacity, the stand-in for the kernel's buffers: what does not
fit stays with the writer, as with a real socket, so that missing backpressure shows. A direction may be told
to deliver only a few bytes per ``receive`` (``cuts``), which is how a message looks that arrives in pieces.

What the kernel would do is done at once: the end of the peer is told through ``hung_up`` and ``on_hangup``
even while bytes wait to be read; closing with unread bytes is a reset; writing to a closed end brings one
back; bytes that arrived before a reset can still be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from math import inf

import trio

from appliance.model.fault import INTERNAL, Fault, Reason
from appliance.net.park import Lot, Park
from appliance.net.transport import FAIR, READ_SIZE, PeerGone

CAPACITY = 64 * 1024


def by(size: int, count: int | None = None, after: int = 4096) -> Iterable[int]:
    """Give the cuts "``size`` bytes at a time", for ever or for the first ``count`` pieces only."""
    return repeat(size) if count is None else chain(repeat(size, count), repeat(after))


class Flow:
    """One direction: bytes that were sent and have not been received."""

    def __init__(self, capacity: int, cuts: Iterable[int] | None) -> None:
        self.capacity = capacity
        self.cuts: Iterator[int] | None = None if cuts is None else iter(cuts)
        self.data = bytearray()
        self.ended = False
        self.reset = False

    @property
    def readable(self) -> bool:
        """Say whether a receive would not block."""
        return bool(self.data) or self.ended or self.reset


class Wire:
    """One end of a pair; ``taken`` and ``given`` count the bytes received and sent so far."""

    peer: Wire

    def __init__(self, lot: Lot, incoming: Flow, outgoing: Flow) -> None:
        self.lot = lot
        self.rx = Park()
        self.tx = Park()
        self.hung_up = False
        self.broken = False
        self.closed = False
        self.on_hangup: Callable[[], None] | None = None
        self.taken = 0
        self.given = 0
        self.incoming = incoming
        self.outgoing = outgoing
        self._kept = bytearray()
        self._streak = 0
        lot.parks.update((self.rx, self.tx))

    def uncork(self) -> None:
        """Do nothing: nothing is held back here."""

    async def together(self) -> None:
        await trio.lowlevel.checkpoint()

    @property
    def refused(self) -> int:
        """Bytes beyond what the wire holds: the same here, where nothing is held back."""
        return self.unsent

    @property
    def unsent(self) -> int:
        """Bytes that the wire has not taken yet."""
        return len(self._kept)

    async def receive(self, limit: int = READ_SIZE) -> bytes:
        """Give at most ``limit`` bytes; ``b""`` at the end. Raises PeerGone, or the park's Fault."""
        rx, flow = self.rx, self.incoming
        while True:
            if rx.fault is None and rx.ready:
                if self.closed:
                    raise PeerGone("closed here")
                if flow.readable:
                    if self._streak >= FAIR:
                        self._streak = 0
                        await trio.lowlevel.checkpoint()
                        continue
                    data = self._take(limit)
                    self._streak += 1
                    return data
                rx.ready = False
            else:
                self._streak = 0
                await rx.wait()
                if self.closed:
                    raise PeerGone("closed here")

    def receive_nowait(self, limit: int = READ_SIZE) -> bytes | None:
        if not self.incoming.readable:
            return None
        try:
            return self._take(limit)
        except PeerGone:
            return b""

    def _take(self, limit: int) -> bytes:
        flow = self.incoming
        if not flow.data:
            if flow.reset:
                raise PeerGone("reset by peer")
            return b""
        size = limit if flow.cuts is None else min(limit, next(flow.cuts, limit))
        data = bytes(flow.data[:size])
        del flow.data[:size]
        self.taken += len(data)
        far = self.peer
        if far._kept and not far.tx.occupied:  # a socket sends what it has kept, whoever waits or not
            del far._kept[: far._push(far._kept)]
        far.tx.wake()
        return data

    def write(self, data: bytes) -> None:
        """Send what fits now and keep the rest; an error shows in the next wait."""
        if self._kept:
            self._kept += data
            return
        if self.broken or self.closed:
            return
        sent = self._push(data)
        if sent < len(data):
            self._kept += memoryview(data)[sent:]
            self.tx.ready = False

    def _push(self, data: bytes | bytearray) -> int:
        flow = self.outgoing
        if flow.ended or self.incoming.reset:
            self.broken = True
            return len(data)
        if self.peer.closed:
            self._be_reset()
            return len(data)
        sent = min(len(data), flow.capacity - len(flow.data))
        if sent:
            flow.data += memoryview(data)[:sent]
            self.given += sent
            self.peer.rx.wake()
        return sent

    async def wait_drained(self, low: int, limit: float, why: Reason) -> None:
        """Wait until at most ``low`` bytes are unsent; Fault(why) after ``limit`` s without progress."""
        while len(self._kept) > low:
            tx = self.tx
            tx.due = self.lot.now() + limit
            tx.why = why
            await tx.wait()
            tx.due = inf
            if self.closed:
                raise PeerGone("closed here")
            sent = self._push(self._kept)
            if sent < len(self._kept):
                tx.ready = False
            del self._kept[:sent]
        if self.broken:
            raise PeerGone("broken while written to")

    async def send(self, data: bytes) -> None:
        """For scripts: write and wait, for as long as it takes, until all of it was taken."""
        self.write(data)
        await self.wait_drained(0, inf, INTERNAL)

    def alive(self) -> bool:
        """Say of an idle connection whether it can be used."""
        return not (self.hung_up or self.broken or self.closed or self.incoming.readable)

    def shut_writing(self) -> None:
        """Half-close: the peer reads what was sent, then the end."""
        self.outgoing.ended = True
        self.peer._be_told()

    def interrupt(self, fault: Fault) -> None:
        """Raise ``fault`` in whoever reads from here, now or next, and in whoever waits to write."""
        self.rx.interrupt(fault)
        if self.tx.occupied:
            self.tx.interrupt(fault)

    def abort(self) -> None:
        """Close so that the peer sees a reset."""
        self.reset()

    def reset(self) -> None:
        """For scripts: end the connection as a crash would, whatever is under way."""
        if not self.closed:
            self._leave()
            self.peer._be_reset()

    def close(self) -> None:
        """Close; whoever is parked here gets PeerGone. Safe to call again."""
        if self.closed:
            return
        unread = bool(self.incoming.data)
        self._leave()
        if unread:
            self.peer._be_reset()
        elif not self.outgoing.ended:
            self.outgoing.ended = True
            self.peer._be_told()
        self.peer.tx.wake()

    def _leave(self) -> None:
        self.closed = True
        self.on_hangup = None
        self._kept.clear()
        self.incoming.data.clear()
        self.lot.parks -= {self.rx, self.tx}
        self.rx.wake()
        self.tx.wake()

    def _be_reset(self) -> None:
        if not self.closed:
            self.incoming.reset = True
            self._be_told()
            self.tx.wake()

    def _be_told(self) -> None:
        if self.closed:
            return
        self.hung_up = True
        if self.on_hangup is not None:
            self.on_hangup()
        self.rx.wake()


def pair(
    lot: Lot,
    *,
    capacity: int = CAPACITY,
    back: int | None = None,
    cuts: Iterable[int] | None = None,
    back_cuts: Iterable[int] | None = None,
) -> tuple[Wire, Wire]:
    """Give two connected ends; ``capacity`` and ``cuts`` are those from the first to the second."""
    there = Flow(capacity, cuts)
    here = Flow(capacity if back is None else back, back_cuts)
    first, second = Wire(lot, here, there), Wire(lot, there, here)
    first.peer, second.peer = second, first
    first.rx.ready = second.rx.ready = True
    return first, second
