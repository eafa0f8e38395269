"""Request bodies that can be sent a second time.

A body that has arrived whole is simply held. One that still arrives streams on, and what has passed is kept
until it is more than the limit; from then on there is no second time. Nothing is refused for being long,
and nothing waits for the buffer.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.model.headers import Headers
from appliance.model.message import Body, FixedBody, Request

Rewind = Callable[[], Body | None]


def keep(request: Request, limit: int) -> Rewind:
    """Let the body of ``request`` be kept up to ``limit`` bytes.

    The result gives the body anew for another try, None if it is too long for that.
    """
    body = request.body
    if body.ended:
        return lambda: body
    if body.length is not None:
        if body.length > limit:
            return lambda: None
        if body.at_hand():
            data = body.read_nowait()
            request.body = FixedBody(data)
            return lambda: FixedBody(data)
    kept = _Kept(body, limit)
    request.body = _View(kept)
    return lambda: None if kept.data is None else _View(kept)


class _Kept:
    """A body and what of it has been read; ``data`` None once that was too much."""

    __slots__ = ("data", "limit", "passed", "source")

    def __init__(self, source: Body, limit: int) -> None:
        self.source = source
        self.limit = limit
        self.data: bytearray | None = bytearray()
        self.passed = 0

    def keep(self, piece: bytes) -> None:
        """Add what was read."""
        self.passed += len(piece)
        if self.data is not None:
            if len(self.data) + len(piece) > self.limit:
                self.data = None
            else:
                self.data += piece


class _View:
    """The body from its first byte, for one try: what is kept, then what arrives."""

    __slots__ = ("_at", "_kept", "ended", "length", "trailers")

    def __init__(self, kept: _Kept) -> None:
        self._kept = kept
        self._at = 0
        self.length = kept.source.length
        self.ended = False
        self.trailers: Headers = kept.source.trailers
        self._look()

    def read_nowait(self) -> bytes:
        """Give what is kept or has arrived, perhaps nothing."""
        piece = self._again()
        if not piece and not self.ended:
            piece = self._took(self._kept.source.read_nowait())
        return piece

    async def read(self) -> bytes:
        """Give the next piece; ``b""`` once, at the end. Raises Fault when it cannot be had."""
        piece = self._again()
        if not piece and not self.ended:
            piece = self._took(await self._kept.source.read())
        return piece

    def at_hand(self) -> bool:
        """Say whether ``read_nowait`` will give the whole of it."""
        return self.ended

    def abandon(self) -> None:
        """Say that nobody will read the rest."""
        self._kept.source.abandon()

    def _again(self) -> bytes:
        """Give what was read by an earlier try and not yet by this one."""
        data = self._kept.data
        if self._at == self._kept.passed:
            return b""
        if data is None:
            raise RuntimeError("the beginning of this body is no longer kept")
        piece = bytes(data[self._at :])
        self._at = len(data)
        self._look()
        return piece

    def _took(self, piece: bytes) -> bytes:
        self._kept.keep(piece)
        self._at += len(piece)
        self._look()
        return piece

    def _look(self) -> None:
        source = self._kept.source
        if source.ended and self._at == self._kept.passed:
            self.ended = True
            self.trailers = source.trailers
