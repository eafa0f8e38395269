"""Read and write HTTP/1.x heads (RFC 9112 sections 2 to 5).

A head is cut at its CRLFs, and each line must match one strict expression, whole, or the head is refused.
Every quantifier is possessive and no two neighbours can match the same byte, so matching takes time
linear in the line, whatever it holds. Nothing is repaired: what a strict reader refuses is where two
readers disagree, and where two readers disagree a request can be smuggled. h11 is the oracle: what
passes here passes there, with the same parts (``tests/http``).

Peers say the same things again and again: of the lines of a typical head all but one or two stood in
an earlier one. So a header line that has been read is remembered with what it means, and the next time
costs one look-up in a dictionary. What is long or secret is not remembered, and the memory is bounded.
"""

from __future__ import annotations

import re

from appliance.model.fault import (
    BAD_REQUEST,
    BAD_TARGET,
    BAD_VERSION,
    HEAD_TOO_LARGE,
    TOO_MANY_HEADERS,
    UPSTREAM_BAD,
    Fault,
)
from appliance.model.headers import Headers

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb"++) ([\x21-\x7e]++) HTTP/(\d)\.(\d)")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d) ([\t\x20-\x7e\x80-\xff]*+)")
_FIELD = re.compile(rb"(" + _TOKEN + rb"++):([\t\x20-\x7e\x80-\xff]*+)")

MAX_RESPONSE_HEAD = 64 * 1024
MAX_RESPONSE_HEADERS = 256
MAX_TRAILERS = 32 * 1024
MAX_TRAILER_FIELDS = 256


MEMORY = 4096  # header lines remembered, by all connections together
MEMORABLE = 128  # bytes; a longer line is read anew each time
_SECRET = frozenset((b"authorization", b"cookie", b"proxy-authorization", b"set-cookie", b"x-api-key"))

_known: dict[bytes, tuple[bytes, bytes]] = {}


class _Malformed(Exception):
    """A header line is not in the strict form; ``number`` counts from 1."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _fields(lines: list[bytes]) -> Headers:
    """Give the fields of header lines (without their CRLFs); raises _Malformed."""
    try:
        return [_known[line] for line in lines]
    except KeyError:
        return [_known.get(line) or _learn(line, number) for number, line in enumerate(lines, 1)]


def _learn(line: bytes, number: int) -> tuple[bytes, bytes]:
    matched = _FIELD.fullmatch(line)
    if matched is None:
        raise _Malformed(number)
    name = matched[1].lower()
    pair = (name, matched[2].strip(b" \t"))
    if len(line) <= MEMORABLE and name not in _SECRET:
        if len(_known) >= MEMORY:
            _known.clear()
        _known[line] = pair
    return pair


class RequestHead:
    """The parts of a request head as they stood on the wire; names are lower-case."""

    __slots__ = ("headers", "method", "minor", "target")

    def __init__(self, method: bytes, target: bytes, minor: int, headers: Headers) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        self.headers = headers


class ResponseHead:
    """The parts of a response head as they stood on the wire; names are lower-case."""

    __slots__ = ("headers", "minor", "reason", "status")

    def __init__(self, status: int, reason: bytes, minor: int, headers: Headers) -> None:
        self.status = status
        self.reason = reason
        self.minor = minor
        self.headers = headers


def find_end(data: bytes, limit: int) -> int:
    """Give the length of the head at the start of ``data``, or 0 when its end has not arrived.

    Raises Fault(HEAD_TOO_LARGE) as soon as it is certain that the head exceeds ``limit`` bytes.
    """
    end = data.find(b"\r\n\r\n", 0, limit)
    if end >= 0:
        return end + 4
    if len(data) >= limit:
        raise Fault(HEAD_TOO_LARGE, f"the head exceeds {limit} bytes")
    return 0


def parse_request(head: bytes, max_headers: int) -> RequestHead:
    """Parse one whole request head, its empty line included, as ``find_end`` measured it.

    Raises Fault with BAD_REQUEST, BAD_VERSION, BAD_TARGET or TOO_MANY_HEADERS.
    """
    start, *lines = head[:-4].split(b"\r\n")
    matched = _REQUEST_LINE.fullmatch(start)
    if matched is None:
        raise Fault(BAD_REQUEST, "the request line is malformed")
    method, target, major, minor = matched.groups()
    if major != b"1" or minor not in b"01":
        raise Fault(BAD_VERSION, f"HTTP/{major.decode()}.{minor.decode()}")
    if b"#" in target:
        raise Fault(BAD_TARGET, "a fragment in the target")
    if len(lines) > max_headers:
        raise Fault(TOO_MANY_HEADERS, f"{len(lines)} header lines, {max_headers} allowed")
    try:
        return RequestHead(method, target, 1 if minor == b"1" else 0, _fields(lines))
    except _Malformed as bad:
        raise Fault(BAD_REQUEST, f"header line {bad.number} is malformed") from None


def parse_response(head: bytes) -> ResponseHead | None:
    """Parse one whole response head; None when it is not in the strict form."""
    start, *lines = head[:-4].split(b"\r\n")
    matched = _STATUS_LINE.fullmatch(start)
    if matched is None:
        return None
    if len(lines) > MAX_RESPONSE_HEADERS:
        raise Fault(UPSTREAM_BAD, f"{len(lines)} header lines, {MAX_RESPONSE_HEADERS} allowed")
    minor, status, reason = matched.groups()
    try:
        return ResponseHead(int(status), reason, 1 if minor == b"1" else 0, _fields(lines))
    except _Malformed:
        return None


def parse_fields(block: bytes) -> Headers | None:
    """Parse a trailer section with its empty line; None when it is malformed or of too many lines."""
    if block == b"\r\n":
        return []
    lines = block[:-4].split(b"\r\n")
    if len(lines) > MAX_TRAILER_FIELDS or not block.endswith(b"\r\n\r\n"):
        return None
    try:
        return _fields(lines)
    except _Malformed:
        return None


def write_fields(headers: Headers) -> bytes:
    """Give the lines of a header or trailer section, without the empty line at the end."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])
