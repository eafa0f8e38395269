"""gRPC-Web and gRPC: the bodies of browsers, which see no trailers and sometimes take only text.

The source is doc/PROTOCOL-WEB.md of grpc/grpc. Messages are framed alike on both sides, so they pass as they
are; trailers become one more frame, flagged 0x80, and the text form is base64 around all of it, each piece
padded by itself. Nothing is held back but the last three characters of an unfinished group.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64
from struct import pack
from typing import Final

from appliance.model.fault import BAD_GRPC_WEB, Fault
from appliance.model.headers import Headers
from appliance.model.message import Body

_KIND: Final = re.compile(rb"application/grpc-web(-text)?((?:[+;].*)?)", re.DOTALL)
_PADDED: Final = re.compile(rb"=+")
_TRAILERS: Final = 0x80  # flag of a frame


def kind_of(content_type: bytes) -> tuple[bytes, bool] | None:
    """Give the gRPC content type for a gRPC-Web one, and whether that is the text form; None for others."""
    match = _KIND.fullmatch(content_type.lower())
    return None if match is None else (b"application/grpc" + match[2], match[1] is not None)


def answer_kind(content_type: bytes, text: bool) -> bytes:
    """Give the gRPC-Web content type for that of a gRPC answer; others stay what they are."""
    if not content_type.startswith(b"application/grpc"):
        return content_type
    return (b"application/grpc-web-text" if text else b"application/grpc-web") + content_type[16:]


def trailer_frame(trailers: Headers) -> bytes:
    """Give the frame that carries trailers."""
    block = b"".join(b"%b: %b\r\n" % pair for pair in trailers)
    return pack("!BI", _TRAILERS, len(block)) + block


class Decoded:
    """A request body in text form, read as bytes; raises Fault(BAD_GRPC_WEB) on what is none."""

    __slots__ = ("_rest", "_source", "ended", "length", "trailers")

    def __init__(self, source: Body) -> None:
        self._source = source
        self._rest = b""
        self.length: int | None = None
        self.ended = source.ended
        self.trailers: Headers = []

    def read_nowait(self) -> bytes:
        """Give what has already arrived, perhaps nothing."""
        return self._decode(self._source.read_nowait())

    async def read(self) -> bytes:
        """Give the next piece; ``b""`` once, at the end."""
        data = b""
        while not data and not self.ended:
            data = self._decode(await self._source.read())
        return data

    def at_hand(self) -> bool:
        """Say whether ``read_nowait`` will give the whole of it."""
        return self._source.at_hand()

    def abandon(self) -> None:
        """Say that nobody will read the rest."""
        self._source.abandon()

    def _decode(self, data: bytes) -> bytes:
        text = self._rest + data
        whole = len(text) // 4 * 4
        self._rest = text[whole:]
        self.ended = self._source.ended
        if self.ended and self._rest:
            raise Fault(BAD_GRPC_WEB, "its length is no multiple of four")
        try:
            return b"".join(a2b_base64(piece, strict_mode=True) for piece in _pieces(text[:whole]))
        except Error as error:
            raise Fault(BAD_GRPC_WEB, str(error)) from None


def _pieces(text: bytes) -> list[bytes]:
    """Split behind padding, which ends one encoding and begins the next."""
    if b"=" not in text:
        return [text] if text else []
    ends = [match.end() for match in _PADDED.finditer(text)]
    starts = [0, *ends]
    return [text[a:b] for a, b in zip(starts, [*ends, len(text)], strict=True) if a < b]


class Framed:
    """An answer's body with its trailers as the last frame, in text form if the client wants that."""

    __slots__ = ("_source", "_text", "ended", "length", "trailers")

    def __init__(self, source: Body, text: bool) -> None:
        self._source = source
        self._text = text
        self.length: int | None = None
        self.ended = False
        self.trailers: Headers = []

    def read_nowait(self) -> bytes:
        """Give what has already arrived, perhaps nothing."""
        return self._frame(self._source.read_nowait())

    async def read(self) -> bytes:
        """Give the next piece; ``b""`` once, at the end. Raises Fault when it cannot be had."""
        data = b""
        while not data and not self.ended:
            data = self._frame(b"" if self._source.ended else await self._source.read())
        return data

    def at_hand(self) -> bool:
        """Say whether ``read_nowait`` will give the whole of it."""
        return self._source.at_hand()

    def abandon(self) -> None:
        """Say that nobody will read the rest."""
        self._source.abandon()

    def _frame(self, data: bytes) -> bytes:
        if self._source.ended and not self.ended:
            self.ended = True
            data += trailer_frame(self._source.trailers)
        return b2a_base64(data, newline=False) if self._text and data else data
