"""The sending half of an HTTP/2 connection: windows, priorities, and a peer that does not keep up.

All writing is synchronous, so that nothing can tear a frame. While the peer keeps up DATA goes out at once.
When it does not, DATA waits in its streams and one task waits for the socket. Then, and when a window opens,
priorities say whose turn it is (RFC 9218): by urgency; within one, streams that asked to come one after the
other in their order, all others in turns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from appliance.model.fault import Fault, Reason
from appliance.net.transport import HIGH_WATER, PeerGone, Transport

from . import h2_frames as f
from .h2_floods import Floods
from .h2_stream import Stream

Spawn = Callable[..., object]
_TABLE: Final = 4096  # bytes of the table of fields that a peer keeps for us until it says otherwise
_NO_TABLE: Final = b"\x20"  # RFC 7541 section 6.3: from here on the table has no room
LOW_WATER: Final = HIGH_WATER // 4  # unsent bytes at which a peer that was behind has caught up


class Sender:
    """What may be sent. ``limit`` (seconds) and ``why`` are for a peer that does not read."""

    def __init__(self, transport: Transport, limit: float, why: Reason) -> None:
        self.transport = transport
        self.lot = transport.lot
        self.now = transport.lot.now
        self.window = f.FIRST_WINDOW  # bytes that we may send, of all streams
        self.frame_size = f.MAX_FRAME
        self.floods = Floods(self.now())
        self.spawn: Spawn | None = None
        self.stuck: Fault | None = None  # the peer reads no more
        self._limit, self._why = limit, why
        self._queue: dict[Stream, None] = {}
        self._no_table = b""
        self._draining = False
        self._drained = trio.Event()

    def head_frames(self, id: int, block: bytes, *, end: bool) -> bytes:
        """Give a field block as frames, which must be the next field block that is written."""
        if self._no_table:
            block, self._no_table = self._no_table + block, b""
        return f.heads(id, block, end=end)

    def table(self, size: int) -> None:
        """Hear how much of a table the peer keeps: that it is less must be confirmed (RFC 7541 section 4.2).

        Nothing here is ever put into that table, so the confirmation is that it is not used at all.
        """
        if size < _TABLE:
            self._no_table = _NO_TABLE

    def push(self, stream: Stream) -> None:
        """Send what a stream has, or as much as may go now."""
        if self._queue and stream.out_head:  # a head waits for nobody's turn: it uses no window
            self.transport.write(stream.out_head)
            stream.out_head = b""
        waits = self._queue and stream.out  # an end, with trailers or without, uses no window either
        if waits or not self._emit(stream, 1 << 30):
            self._queue[stream] = None
            self.pump()

    def pump(self) -> None:
        """Send what waits, whose turn it is first."""
        queue = self._queue
        while queue:
            if self.window <= 0:
                return
            if self.transport.unsent >= HIGH_WATER:
                self._want_drain()
                return
            stream = min(queue, key=_turn)
            del queue[stream]
            if not self._emit(stream, self.frame_size if stream.incremental else 1 << 30):
                queue[stream] = None

    def _emit(self, stream: Stream, most: int) -> bool:
        """Send DATA of a stream, at most ``most`` bytes; False when it must wait for others or its turn."""
        out, at = stream.out, 0
        held = self.transport.unsent
        parts: list[bytes] = []
        if stream.out_head:
            parts.append(stream.out_head)
            stream.out_head = b""
        while at < len(out):
            room = min(len(out) - at, stream.window, self.window, self.frame_size)
            if room <= 0 or most <= 0 or held + at >= HIGH_WATER:
                break
            last = at + room == len(out) and stream.out_end and stream.out_trailers is None
            stream.local = stream.local or last
            parts.append(f.pack(f.DATA, f.END_STREAM if last else 0, stream.id, out[at : at + room]))
            at += room
            most -= room
            stream.window -= room
            self.window -= room
            self.floods.sent_data()
        stream.out = out[at:]
        done = not stream.out
        if done and stream.out_end and not stream.local:
            stream.local = True
            trailers = stream.out_trailers
            parts.append(
                f.pack(f.DATA, f.END_STREAM, stream.id)
                if trailers is None
                else self.head_frames(stream.id, trailers, end=True)
            )
        if parts:
            self.transport.write(b"".join(parts))
        if done:
            stream.tx.wake()
            return True
        if at:
            stream.tx.due = self.now() + stream.limit  # slow, but not gone
        return stream.window <= 0  # its own window is for the peer to open, and no turn helps

    def _want_drain(self) -> None:
        if not self._draining and self.spawn is not None:
            self._draining = True
            self.spawn(self._drain)

    async def _drain(self) -> None:
        """Wait until the peer has read; the only task that waits for the socket to take more."""
        try:
            await self.transport.wait_drained(LOW_WATER, self._limit, self._why)
        except (PeerGone, Fault) as fault:
            self.stuck = fault if isinstance(fault, Fault) else Fault(self._why, str(fault))
            self.transport.interrupt(self.stuck)
        finally:
            self._draining = False
            self._drained.set()
            self._drained = trio.Event()
        self.pump()


def _turn(stream: Stream) -> tuple[int, bool, int]:
    """Order streams by urgency, those that come one after the other first; turns are the queue's order."""
    return (stream.urgency, stream.incremental, 0 if stream.incremental else stream.id)
