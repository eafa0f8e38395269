"""Bodies of HTTP/1.x messages: of known length, chunked, or until the connection closes.

All three pull from the connection's inbox, which holds what has arrived and is not yet consumed. What
lies there can be had without waiting (``read_nowait``), so that a small message is passed on in the
same write as its head.
"""

from __future__ import annotations

import re
from math import inf

import trio

from appliance.model.fault import Fault, Reason
from appliance.model.headers import Headers, get
from appliance.net.transport import BULK_READ_SIZE, PeerGone, Transport

from .framing import CHUNKED, MAX_LENGTH, UNTIL_CLOSE, clean_trailers
from .h1_head import MAX_TRAILERS, parse_fields

# A chunk-size line with its extensions, which are skipped (RFC 9112 section 7.1.1).
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16}+)[ \t]*+(?:;[\t\x20-\x7e\x80-\xff]*+)?\r\n")
_MAX_SIZE_LINE = 1024
_CROWD = 512


class Inbox:
    """One connection's incoming side: the transport, and bytes that have arrived."""

    __slots__ = ("data", "transport")

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.data = b""


class Rules:
    """What a reader of bodies calls trouble, and how long it waits.

    ``idle`` is seconds without a byte; ``cut`` the end of the connection inside a body; ``size`` the
    greatest body accepted, 0 for any.
    """

    __slots__ = ("bad", "bad_trailer", "cut", "idle", "idle_why", "size", "size_why")

    def __init__(self, idle: float, idle_why: Reason, cut: Reason, bad: Reason, bad_trailer: Reason) -> None:
        self.idle = idle
        self.idle_why = idle_why
        self.cut = cut
        self.bad = bad
        self.bad_trailer = bad_trailer
        self.size = 0
        self.size_why = bad


class WireBody:
    """What the three kinds share: waiting for more, with its deadline, and who hears of the end."""

    __slots__ = ("abandoned", "ended", "inbox", "length", "rules", "trailers")

    def __init__(self, inbox: Inbox, rules: Rules, length: int | None) -> None:
        self.inbox = inbox
        self.rules = rules
        self.length = length
        self.ended = length == 0
        self.abandoned = False
        self.trailers: Headers = []

    def read_nowait(self) -> bytes:
        """Give what has already arrived, perhaps nothing."""
        raise NotImplementedError

    async def read(self) -> bytes:
        """Give the next piece, ``b""`` at the end; raises Fault by the rules."""
        while True:
            data = self.read_nowait()
            if data or self.ended:
                return data
            await self._fill(BULK_READ_SIZE)

    def at_hand(self) -> bool:
        """Say whether all of it has arrived; a chunked body is not searched for its end."""
        return self.ended

    @property
    def taken(self) -> int:
        """Give how many bytes of it have been read."""
        return 0

    def abandon(self) -> None:
        """Say that nobody will read the rest: the connection cannot serve another message."""
        self.abandoned = not self.ended

    async def _fill(self, limit: int) -> None:
        inbox, rules = self.inbox, self.rules
        transport = inbox.transport
        transport.rx.due = transport.lot.now() + rules.idle
        transport.rx.why = rules.idle_why
        try:
            data = await transport.receive(limit)
        except PeerGone as gone:
            raise Fault(rules.cut, str(gone)) from None
        transport.rx.due = inf
        if data:
            inbox.data = inbox.data + data if inbox.data else data
        else:
            self._eof()

    def _eof(self) -> None:
        raise Fault(self.rules.cut)


class SizedBody(WireBody):
    """A body of known length."""

    __slots__ = ("left",)

    def __init__(self, inbox: Inbox, rules: Rules, length: int) -> None:
        super().__init__(inbox, rules, length)
        self.left = length

    def read_nowait(self) -> bytes:
        """Give what has already arrived of this body, perhaps nothing."""
        inbox = self.inbox
        data, left = inbox.data, self.left
        if not data or not left:
            return b""
        if len(data) <= left:
            inbox.data = b""
        else:
            data, inbox.data = data[:left], data[left:]
        self.took(len(data))
        return data

    def at_hand(self) -> bool:
        """Say whether all of it has arrived."""
        return self.left <= len(self.inbox.data)

    @property
    def taken(self) -> int:
        """Give how many bytes of it have been read."""
        return (self.length or 0) - self.left

    def took(self, count: int) -> None:
        """Count bytes as read; whoever moved them past this object says so here."""
        self.left -= count
        if not self.left:
            self.ended = True

    async def _fill(self, limit: int) -> None:
        await super()._fill(min(limit, self.left))


class UntilCloseBody(WireBody):
    """A response body that ends when the connection does."""

    __slots__ = ()

    def read_nowait(self) -> bytes:
        """Give what has already arrived, perhaps nothing."""
        data, self.inbox.data = self.inbox.data, b""
        return data

    def _eof(self) -> None:
        self.ended = True


class ChunkedBody(WireBody):
    """A chunked body (RFC 9112 section 7.1), its trailers included."""

    __slots__ = ("_crowded", "_left", "_total")

    _SIZE = -1  # values of _left that are not a count of bytes: a size line, the CRLF after data, trailers
    _CRLF = -2
    _TRAILERS = -3
    _DONE = -4

    def __init__(self, inbox: Inbox, rules: Rules) -> None:
        super().__init__(inbox, rules, None)
        self._left = self._SIZE
        self._total = 0
        self._crowded = False

    async def read(self) -> bytes:
        """Give the next piece; a checkpoint follows a crowd of tiny chunks, so that they hold nobody up."""
        if self._crowded:
            self._crowded = False
            await trio.lowlevel.checkpoint()
        return await super().read()

    def read_nowait(self) -> bytes:
        """Give the data of the chunks, whole or begun, that have arrived (at most ``_CROWD`` of them)."""
        data = self.inbox.data
        if not data or self.ended:
            return b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and self._left != self._DONE:
            left = self._left
            if left > 0:
                piece = data[at : at + left]
                pieces.append(piece)
                at += len(piece)
                if len(pieces) == _CROWD:
                    self._crowded = True
                    self._left = left - len(piece) or self._CRLF
                    break
                self._left = left - len(piece) or self._CRLF
                continue
            if left == self._SIZE:
                step = self._size_line(data, at)
            elif left == self._CRLF:
                step = self._crlf(data, at)
            else:
                step = self._trailers(data, at)
            if not step:
                break
            at += step
        self.inbox.data = data[at:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @property
    def taken(self) -> int:
        """Give how many bytes of it have been read."""
        return self._total - max(0, self._left)

    def _size_line(self, data: bytes, at: int) -> int:
        matched = _SIZE_LINE.match(data, at, at + _MAX_SIZE_LINE)
        if matched is None:
            end = data.find(b"\n", at)
            if end >= 0 or len(data) - at >= _MAX_SIZE_LINE:
                raise Fault(self.rules.bad, "a chunk-size line is malformed or too long")
            return 0
        size = int(matched[1], 16)
        if size > MAX_LENGTH:
            raise Fault(self.rules.bad, "a chunk of more than 2^63-1 bytes")
        self._total += size
        if self.rules.size and self._total > self.rules.size:
            raise Fault(self.rules.size_why, f"more than {self.rules.size} bytes")
        self._left = size or self._TRAILERS
        return matched.end() - at

    def _crlf(self, data: bytes, at: int) -> int:
        end = data[at : at + 2]
        if end == b"\r\n":
            self._left = self._SIZE
            return 2
        if end == b"\r":
            return 0
        raise Fault(self.rules.bad, "chunk data is longer than its size")

    def _trailers(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            self._finish()
            return 2
        end = data.find(b"\r\n\r\n", at, at + MAX_TRAILERS)
        if end < 0:
            if len(data) - at >= MAX_TRAILERS:
                raise Fault(self.rules.bad_trailer, f"trailers of more than {MAX_TRAILERS} bytes")
            return 0
        fields = parse_fields(data[at : end + 4])
        if fields is None:
            raise Fault(self.rules.bad_trailer)
        self.trailers = clean_trailers(fields)
        self._finish()
        return end + 4 - at

    def _finish(self) -> None:
        self._left = self._DONE
        self.ended = True


def body_of(length: int, inbox: Inbox, rules: Rules) -> WireBody:
    """Give the body that ``framing`` decided on."""
    if length == CHUNKED:
        return ChunkedBody(inbox, rules)
    if length == UNTIL_CLOSE:
        return UntilCloseBody(inbox, rules, None)
    return SizedBody(inbox, rules, length)


def is_events(headers: Headers) -> bool:
    """Say whether an answer is a stream of server-sent events, which may be silent for long."""
    return (get(headers, b"content-type") or b"").startswith(b"text/event-stream")


def chunk(data: bytes) -> bytes:
    """Give ``data`` as one chunk; empty data gives nothing, for an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
