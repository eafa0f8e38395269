"""Where one WebSocket frame ends and the next begins (RFC 6455 section 5.2): enough to part between two.

The payload is nobody's business and is only counted.
"""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 14  # bytes of a head
_CLOSE: Final = 8
GOING_AWAY: Final = b"\x88\x02\x03\xe9"
"""A Close frame of a server, with status 1001 (section 7.4.1)."""


class Frames:
    """Follows one direction of a WebSocket; ``closed``: it has had a Close frame."""

    __slots__ = ("_head", "_left", "closed")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self.closed = False

    @property
    def between(self) -> bool:
        """Say whether all that has passed is whole frames."""
        return not self._left and not self._head

    def feed(self, data: bytes) -> None:
        """Hear what passes."""
        at, size = 0, len(data)
        while at < size:
            if self._left:
                step = min(self._left, size - at)
                self._left -= step
                at += step
                continue
            kept = self._head
            head = kept + data[at : at + _LONGEST - len(kept)]
            length, need = _length(head)
            if len(head) < need:
                self._head = head
                return
            self._head = b""
            self._left = length
            self.closed = self.closed or head[0] & 15 == _CLOSE
            at += need - len(kept)


def _length(head: bytes) -> tuple[int, int]:
    """Give how long the payload is and how long the head, of which there may not be all yet."""
    if len(head) < 2:
        return 0, 2
    short = head[1] & 127
    more = {126: 2, 127: 8}.get(short, 0)
    need = 2 + more + (4 if head[1] & 128 else 0)
    return int.from_bytes(head[2 : 2 + more]) if more else short, need
