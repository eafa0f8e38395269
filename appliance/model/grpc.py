"""What of gRPC the proxy must understand: which requests are calls, and how long the client gives them.

The source is the specification of gRPC over HTTP/2 (doc/PROTOCOL-HTTP2.md of grpc/grpc).
"""

from __future__ import annotations

from typing import Final

_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_FINEST_FIRST: Final = ((b"n", 1e9), (b"u", 1e6), (b"m", 1e3), (b"S", 1.0), (b"M", 1 / 60), (b"H", 1 / 3600))
_MOST: Final = 99_999_999  # eight digits are allowed


def is_call(content_type: bytes) -> bool:
    """Say whether a request with this content type is a gRPC call; gRPC-Web has types of its own."""
    return content_type[:16] == b"application/grpc" and content_type[16:17] in (b"", b"+", b";", b" ")


def seconds(value: bytes) -> float | None:
    """Give what a ``grpc-timeout`` field says, None if that is nothing that the specification knows."""
    unit = _UNITS.get(value[-1:])
    digits = value[:-1]
    return int(digits) * unit if unit and digits.isdigit() and len(digits) <= 8 else None


def timeout(left: float) -> bytes:
    """Give the field for ``left`` seconds, as exact as its digits allow: never more, never nothing."""
    for unit, each in _FINEST_FIRST:
        if left * each < _MOST:
            return b"%d%b" % (max(int(left * each), 1), unit)
    return b"%dH" % _MOST
