"""One stream of an HTTP/2 connection: a mailbox for what arrives, and what is still to be sent.

The connection's reader puts frames into the mailbox and never waits for whoever empties it. Bytes are given
back to the peer's windows when they are taken out, so that a stream that nobody reads stops after one
window and nothing else does. What is to be sent is handed to the connection, which sends it as windows and
priorities allow; a stream waits here until all of it has gone.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING

from appliance.model.fault import Fault, Reason
from appliance.model.headers import Headers
from appliance.net.park import Park

from .h1_body import Rules
from .h2_frames import FIRST_WINDOW, Code

if TYPE_CHECKING:
    from .h2_mux import Mux


class Stream:
    """A stream; what it receives is a Body.

    ``window`` is what may be sent now by the peer's leave. ``remote`` and ``local`` say which side has ended.
    ``fault`` is why no more can arrive.
    """

    __slots__ = (
        "_credit",
        "_pieces",
        "_watched",
        "abandoned",
        "ended",
        "fault",
        "got",
        "id",
        "incremental",
        "left",
        "length",
        "limit",
        "local",
        "mux",
        "out",
        "out_end",
        "out_head",
        "out_trailers",
        "owner",
        "remote",
        "room",
        "rules",
        "rx",
        "trailers",
        "tx",
        "urgency",
        "window",
    )

    def __init__(self, mux: Mux, id: int, rules: Rules, window: int) -> None:
        self.mux = mux
        self.id = id
        self.rules = rules
        self.window = window  # bytes that we may send
        self.room = FIRST_WINDOW  # bytes that the peer may send
        self.length: int | None = None
        self.got = 0
        self.left: int | None = None
        self.limit = inf
        self.remote = False
        self.local = False
        self.ended = False
        self.abandoned = False
        self.trailers: Headers = []
        self.fault: Fault | None = None
        self.out = b""
        self.out_head = b""
        self.out_end = False
        self.out_trailers: bytes | None = None
        self.urgency = 3
        self.incremental = False
        self.owner: object = None
        self.rx = Park()
        self.tx = Park()
        self._pieces: deque[tuple[bytes, int]] = deque()
        self._credit = 0
        self._watched = False

    # What arrives: called by the connection.

    def put(self, data: bytes, cost: int) -> None:
        """Take a piece that has arrived; ``cost`` is what it took of the windows, padding included."""
        self.room -= cost
        if self.abandoned or self.fault is not None:
            self.mux.give_back(cost)
            return
        self.got += len(data)
        if data:
            self._pieces.append((data, cost))
        elif cost:
            self._spent(cost)
        self.rx.wake()

    def end(self, trailers: Headers) -> None:
        """Hear that no more will arrive."""
        self.remote = True
        self.trailers = trailers  # ``ended`` is for whoever reads to find: between two reads nothing changes
        self.rx.wake()

    def break_off(self, fault: Fault) -> None:
        """Hear that the stream is no more: what has arrived can still be read, then comes ``fault``."""
        if self.fault is None:
            self.fault = fault
        self.out, self.out_trailers = b"", None
        self.rx.wake()
        self.tx.wake()

    # What arrives: called by whoever forwards it.

    def read_nowait(self) -> bytes:
        """Give what has already arrived, perhaps nothing."""
        pieces = self._pieces
        if not pieces:
            if self.remote:
                self.ended = True
            return b""
        if len(pieces) == 1:
            data, cost = pieces.popleft()
        else:
            data = b"".join(piece for piece, _ in pieces)
            cost = sum(each for _, each in pieces)
            pieces.clear()
        if self.remote:
            self.ended = True
            self.mux.give_back(cost)
        else:
            self._spent(cost)
        return data

    async def read(self) -> bytes:
        """Give the next piece, ``b""`` at the end; raises Fault by the rules."""
        while True:
            data = self.read_nowait()
            if data or self.ended:
                return data
            rules = self.rules
            await self.wait(self.mux.now() + rules.idle, rules.idle_why)

    def at_hand(self) -> bool:
        """Say whether all of it has arrived."""
        return self.remote

    def abandon(self) -> None:
        """Say that nobody will read the rest: the windows get it back."""
        self.abandoned = True
        cost = sum(each for _, each in self._pieces)
        self._pieces.clear()
        if cost:
            self.mux.give_back(cost)

    async def wait(self, due: float, why: Reason) -> None:
        """Wait for something to arrive; raises the stream's fault when nothing more can."""
        self._check()
        self.rx.due, self.rx.why = due, why
        await self.wait_more()
        self.rx.due = inf

    async def wait_more(self) -> None:
        """Wait for something to arrive, by whatever deadline is set; raises the stream's fault."""
        self._check()
        self.rx.ready = False
        self._watch()
        await self.rx.wait()

    def interrupt(self, fault: Fault) -> None:
        """Raise ``fault`` in whoever waits here, for either direction."""
        self.rx.interrupt(fault)
        if self.tx.occupied:
            self.tx.interrupt(fault)

    def _spent(self, cost: int) -> None:
        """Let the peer send as much again, not byte by byte but when half a window has come together."""
        self._credit += cost
        if self._credit >= FIRST_WINDOW // 2:
            self.room += self._credit
            self.mux.more(self.id, self._credit)
            self._credit = 0
        self.mux.give_back(cost)

    # What is sent.

    async def send(self, data: bytes, *, end: bool, limit: float, why: Reason) -> None:
        """Send a piece as the windows allow; Fault(why) after ``limit`` seconds without progress.

        Returns when the connection has taken all of it. Raises the stream's fault when it is no more.
        """
        self.offer(data, end=end, limit=limit)
        await self.wait_sent(limit, why)

    def offer(self, data: bytes, *, end: bool, limit: float) -> None:
        """Hand a piece over, of which the connection sends at once what may go; the last must have gone."""
        self._check()
        self.out, self.out_end, self.limit = data, end, limit
        self.mux.push(self)

    async def wait_sent(self, limit: float, why: Reason) -> None:
        """Wait until what was handed over has gone; Fault(why) after ``limit`` seconds without progress."""
        tx = self.tx
        while not self._sent():
            self._check()
            tx.ready = False
            tx.due, tx.why = self.mux.now() + limit, why
            self._watch()
            await tx.wait()
        tx.due = inf
        if not self.local:
            self._check()

    def _check(self) -> None:
        if self.fault is not None:
            raise self.fault

    def _sent(self) -> bool:
        return not self.out and (self.local or not self.out_end)

    def close(self, code: Code | None = None) -> None:
        """Leave the connection; with ``code`` the peer is told."""
        self.abandon()
        if self._watched:
            self.mux.lot.parks.discard(self.rx)
            self.mux.lot.parks.discard(self.tx)
        self.mux.forget(self, code)

    def _watch(self) -> None:
        if not self._watched:
            self._watched = True
            self.mux.lot.parks.add(self.rx)
            self.mux.lot.parks.add(self.tx)
