"""Read and write HTTP/1.x heads (RFC 9112 sections 2 to 5).

A head is matched whole by one strict expression or refused. Every quantifier in it is possessive and
no two neighbours can match the same byte, so matching takes time linear in the head, whatever it
holds. Nothing is repaired: what a strict reader refuses is where two readers disagree, and where two
readers disagree a request can be smuggled. h11 is the oracle: what passes here passes there, with the
same parts (``tests/http``).
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
_FIELD = rb"(?:" + _TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n)"
_REQUEST_LINE = rb"(" + _TOKEN + rb"++) ([\x21-\x7e]++) HTTP/(\d)\.(\d)\r\n"
_REQUEST = re.compile(_REQUEST_LINE + rb"(" + _FIELD + rb"*+)\r\n")
_GOOD_PART = re.compile(_REQUEST_LINE + _FIELD + rb"*+")
_RESPONSE = re.compile(
    rb"HTTP/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*+))?+\r\n(" + _FIELD + rb"*+)\r\n"
)
_FIELDS = re.compile(_FIELD + rb"*+\r\n")
_PAIR = re.compile(rb"([^:]++):[ \t]*+([^\r]*+)\r\n")  # only for what one of the above has matched

MAX_RESPONSE_HEAD = 64 * 1024
MAX_RESPONSE_HEADERS = 256
MAX_TRAILERS = 32 * 1024
MAX_TRAILER_FIELDS = 256


def _pairs(block: bytes) -> Headers:
    return [(name.lower(), value.rstrip()) for name, value in _PAIR.findall(block)]


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
    """Parse one whole request head, its empty line included.

    Raises Fault with BAD_REQUEST, BAD_VERSION, BAD_TARGET or TOO_MANY_HEADERS.
    """
    matched = _REQUEST.fullmatch(head)
    if matched is None:
        raise Fault(BAD_REQUEST, _where_bad(head))
    method, target, major, minor, block = matched.groups()
    if major != b"1" or minor not in b"01":
        raise Fault(BAD_VERSION, f"HTTP/{major.decode()}.{minor.decode()}")
    if b"#" in target:
        raise Fault(BAD_TARGET, "a fragment in the target")
    lines = block.count(b"\r\n")  # before they are taken apart, which is what costs
    if lines > max_headers:
        raise Fault(TOO_MANY_HEADERS, f"{lines} header lines, {max_headers} allowed")
    return RequestHead(method, target, 1 if minor == b"1" else 0, _pairs(block))


def _where_bad(head: bytes) -> str:
    """Say in which line the trouble is, without quoting what may be a secret."""
    good = _GOOD_PART.match(head)
    if good is None:
        return "the request line is malformed"
    line = head.count(b"\r\n", 0, good.end())
    return f"header line {line} is malformed"


def parse_response(head: bytes) -> ResponseHead | None:
    """Parse one whole response head; None when it is not in the strict form."""
    matched = _RESPONSE.fullmatch(head)
    if matched is None:
        return None
    minor, status, reason, block = matched.groups()
    lines = block.count(b"\r\n")
    if lines > MAX_RESPONSE_HEADERS:
        raise Fault(UPSTREAM_BAD, f"{lines} header lines, {MAX_RESPONSE_HEADERS} allowed")
    return ResponseHead(int(status), reason or b"", 1 if minor == b"1" else 0, _pairs(block))


def parse_fields(block: bytes) -> Headers | None:
    """Parse a trailer section with its empty line; None when it is malformed or of too many lines."""
    if block.count(b"\r\n") > MAX_TRAILER_FIELDS + 1 or not _FIELDS.fullmatch(block):
        return None
    return _pairs(block)


def write_fields(headers: Headers) -> bytes:
    """Give the lines of a header or trailer section, without the empty line at the end."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])
