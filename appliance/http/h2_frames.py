"""HTTP/2 frames (RFC 9113 sections 4 and 6): cut from what arrives, and written; nothing is judged here
but what a frame's own bytes decide.

Whoever reads calls ``unpack`` on a buffer; frames are written by functions that give bytes.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD: Final = 9  # bytes before the payload
MAX_FRAME: Final = 16 * 1024  # the least that everybody accepts, and all that is accepted here
MAX_WINDOW: Final = (1 << 31) - 1
FIRST_WINDOW: Final = 65_535
MAX_STREAM: Final = (1 << 31) - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(5, 10)
PRIORITY_UPDATE: Final = 16  # RFC 9218 section 7.1

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
HAS_PRIORITY: Final = 0x20

TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, WINDOW, FRAME_SIZE, LIST_SIZE = range(1, 7)
CONNECT_PROTOCOL: Final = 8  # RFC 8441 section 3
NO_OLD_PRIORITIES: Final = 9  # RFC 9218 section 2.1

_HEAD = Struct(">HBBBL")
_LONG = Struct(">L")
_SETTING = Struct(">HL")


class Code(IntEnum):
    """Error codes (RFC 9113 section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


def code_name(number: int) -> str:
    """Give the name of an error code, or its number."""
    return Code(number).name if number in Code._value2member_map_ else f"code {number}"


class H2ConnectionError(Exception):
    """The peer broke a rule that the whole connection hangs on (RFC 9113 section 5.4.1).

    ``flood``: it broke none, but did too much of something.
    """

    def __init__(self, code: Code, why: str, flood: str = "") -> None:
        super().__init__(why)
        self.code = code
        self.why = why
        self.flood = flood


class H2StreamError(Exception):
    """The peer broke a rule that concerns one stream only (RFC 9113 section 5.4.2)."""

    def __init__(self, stream: int, code: Code, why: str) -> None:
        super().__init__(why)
        self.stream = stream
        self.code = code
        self.why = why


Frame = tuple[int, int, int, bytes]
"""Type, flags, stream and payload."""


def unpack(data: bytes, at: int) -> Frame | None:
    """Give the frame that begins at ``at``, None if not all of it is there; raises H2ConnectionError."""
    if len(data) - at < HEAD:
        return None
    high, low, kind, flags, stream = _HEAD.unpack_from(data, at)
    size = high << 8 | low
    if size > MAX_FRAME:
        raise H2ConnectionError(Code.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
    start = at + HEAD
    if len(data) - start < size:
        return None
    return kind, flags, stream & MAX_STREAM, data[start : start + size]


def pack(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Give a frame as bytes."""
    size = len(payload)
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def unpad(flags: int, payload: bytes, extra: int = 0) -> bytes:
    """Take off padding, and ``extra`` bytes of fields before the content; raises H2ConnectionError."""
    if flags & PADDED:
        if not payload or payload[0] + 1 + extra > len(payload):
            raise H2ConnectionError(Code.PROTOCOL_ERROR, "padding longer than its frame")
        return payload[1 + extra : len(payload) - payload[0]]
    if extra > len(payload):
        raise H2ConnectionError(Code.FRAME_SIZE_ERROR, "a frame too short for its fields")
    return payload[extra:]


def heads(stream: int, block: bytes, *, end: bool, most: int = MAX_FRAME) -> bytes:
    """Give a field block as one HEADERS frame, and CONTINUATION frames if it is longer than one takes."""
    flags = END_STREAM if end else 0
    if len(block) <= most:
        return pack(HEADERS, flags | END_HEADERS, stream, block)
    parts = [pack(HEADERS, flags, stream, block[:most])]
    for at in range(most, len(block), most):
        last = END_HEADERS if at + most >= len(block) else 0
        parts.append(pack(CONTINUATION, last, stream, block[at : at + most]))
    return b"".join(parts)


def settings(values: dict[int, int]) -> bytes:
    """Give a SETTINGS frame."""
    return pack(SETTINGS, 0, 0, b"".join(_SETTING.pack(*pair) for pair in values.items()))


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """Give the settings of a frame, in order; raises H2ConnectionError where a value is out of bounds."""
    if len(payload) % 6:
        raise H2ConnectionError(Code.FRAME_SIZE_ERROR, "a SETTINGS frame that is no multiple of 6 bytes")
    found = list(_SETTING.iter_unpack(payload))
    for name, value in found:
        if name in (ENABLE_PUSH, CONNECT_PROTOCOL) and value > 1:
            raise H2ConnectionError(Code.PROTOCOL_ERROR, f"setting {name} is {value}: neither 0 nor 1")
        if name == WINDOW and value > MAX_WINDOW:
            raise H2ConnectionError(Code.FLOW_CONTROL_ERROR, f"an initial window of {value} bytes")
        if name == FRAME_SIZE and not MAX_FRAME <= value < 1 << 24:
            raise H2ConnectionError(Code.PROTOCOL_ERROR, f"a maximum frame size of {value} bytes")
    return found


def reset(stream: int, code: Code) -> bytes:
    """Give a RST_STREAM frame."""
    return pack(RST_STREAM, 0, stream, _LONG.pack(code))


def window_update(stream: int, more: int) -> bytes:
    """Give a WINDOW_UPDATE frame."""
    return pack(WINDOW_UPDATE, 0, stream, _LONG.pack(more))


def goaway(last: int, code: Code, why: str = "") -> bytes:
    """Give a GOAWAY frame; ``why`` is for people who read traces."""
    return pack(GOAWAY, 0, 0, _LONG.pack(last) + _LONG.pack(code) + why.encode()[:256])


def number(payload: bytes, at: int = 0) -> int:
    """Give the 31-bit number that stands at ``at``."""
    return int(_LONG.unpack_from(payload, at)[0]) & MAX_STREAM


def code_at(payload: bytes, at: int = 0) -> int:
    """Give the error code that stands at ``at``."""
    return int(_LONG.unpack_from(payload, at)[0])
