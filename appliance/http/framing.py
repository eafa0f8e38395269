"""Where a body ends: decided here for every reader, and nowhere else (RFC 9112 section 6.3).

Smuggling is two readers that disagree on this question. So there is one function for requests and one
for responses, they take the headers as read, and they refuse whatever could be read in two ways. They
also take the connection's own fields out of the headers in the same pass: what remains is end-to-end.
"""

from __future__ import annotations

import re
from typing import Final

from appliance.model.fault import (
    BAD_CODING,
    BAD_FRAMING,
    BAD_HOST,
    BAD_LENGTH,
    BAD_REQUEST,
    UPSTREAM_BAD,
    Fault,
    Reason,
)
from appliance.model.headers import Headers, tokens

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2
MAX_LENGTH: Final = (1 << 63) - 1
MAX_OPTIONS: Final = 64  # in Connection or TE, empty ones included; taking lists apart is what costs

_KEEP_ALIVE = [b"keep-alive"]
_DIGITS = re.compile(rb"[0-9]{1,19}")
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]++\]|(?:[A-Za-z0-9._~!$&'()*+,;=\-]|%[0-9A-Fa-f]{2})++)(?::[0-9]{0,5})?"
)

# Fields that speak of this connection only (RFC 9110 section 7.6.1), and those that framing replaces.
_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"te", b"trailer")
    + (b"http2-settings", b"proxy-authenticate", b"proxy-authorization")
)
_SPECIAL = _HOP | {b"content-length", b"host"}

# Fields that must not arrive in trailers (RFC 9110 section 6.5.1): framing, routing, authentication.
_NOT_IN_TRAILERS = _SPECIAL | {
    b"authorization",
    b"cache-control",
    b"content-encoding",
    b"content-range",
    b"content-type",
    b"cookie",
    b"expect",
    b"forwarded",
    b"max-forwards",
    b"range",
    b"set-cookie",
    b"via",
    b"www-authenticate",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
}


class Framing:
    """What a head says beyond its end-to-end fields.

    ``length``: bytes of body, or CHUNKED or UNTIL_CLOSE. ``keep``: the connection may go on after this
    message. ``host``: the Host field, None when absent. ``upgrade``: the protocol to switch to, or empty.
    """

    __slots__ = ("headers", "host", "keep", "length", "upgrade")

    def __init__(
        self, length: int, keep: bool, host: bytes | None, headers: Headers, upgrade: bytes = b""
    ) -> None:
        self.length = length
        self.keep = keep
        self.host = host
        self.headers = headers
        self.upgrade = upgrade


def frame_request(minor: int, headers: Headers) -> Framing:
    """Decide the framing of a request of HTTP/1.``minor``.

    Raises Fault with BAD_LENGTH, BAD_FRAMING, BAD_CODING, BAD_HOST or BAD_REQUEST; after any of them the
    connection cannot go on.
    """
    special, kept = _part(headers)
    hosts = special.get(b"host")
    host = None
    if hosts is not None:
        host = hosts[0]
        if len(hosts) > 1 or not _HOST.fullmatch(host):
            raise Fault(BAD_HOST, f"{len(hosts)} Host header lines" if len(hosts) > 1 else "")
    elif minor:
        raise Fault(BAD_HOST, "no Host header")
    length = 0
    codings = special.get(b"transfer-encoding")
    lengths = special.get(b"content-length")
    if codings is not None:
        if lengths is not None or not minor:
            raise Fault(BAD_FRAMING, "" if minor else "Transfer-Encoding in HTTP/1.0")
        if not _only_chunked(codings):
            raise Fault(BAD_CODING)
        length = CHUNKED
    elif lengths is not None:
        length = _one_length(lengths, BAD_LENGTH)
    return _finish(length, minor, special, kept, host, BAD_REQUEST)


def frame_response(status: int, method: bytes, minor: int, headers: Headers) -> Framing:
    """Decide the framing of a response to ``method``; raises Fault(UPSTREAM_BAD).

    For answers that have no body whatever they say (HEAD, 204, 304, 1xx) a Content-Length stays among
    the headers: it describes what a GET would have brought.
    """
    special, kept = _part(headers)
    codings = special.get(b"transfer-encoding")
    lengths = special.get(b"content-length")
    if codings is not None and (lengths is not None or not minor or not _only_chunked(codings)):
        raise Fault(UPSTREAM_BAD, "Transfer-Encoding beside Content-Length, in HTTP/1.0 or not chunked")
    declared = None if lengths is None else _one_length(lengths, UPSTREAM_BAD)
    if bodiless(status, method):
        if declared is not None and status != 204 and status >= 200:
            kept.append((b"content-length", b"%d" % declared))
        length = 0
    elif codings is not None:
        length = CHUNKED
    elif declared is not None:
        length = declared
    else:
        length = UNTIL_CLOSE
    framing = _finish(length, minor, special, kept, None, UPSTREAM_BAD)
    if length == UNTIL_CLOSE:
        framing.keep = False
    return framing


def _part(headers: Headers) -> tuple[dict[bytes, list[bytes]], Headers]:
    """Part what concerns this connection and message from what goes on to the other end."""
    special: dict[bytes, list[bytes]] = {}
    kept: Headers = []
    for pair in headers:
        name = pair[0]
        if name not in _SPECIAL:
            kept.append(pair)
        elif name in special:
            special[name].append(pair[1])
        else:
            special[name] = [pair[1]]
    return special, kept


def bodiless(status: int, method: bytes) -> bool:
    """Say whether an answer has no body whatever its headers say (RFC 9112 section 6.3, rules 1 and 2)."""
    return method == b"HEAD" or status == 204 or status == 304 or status < 200


def clean_trailers(trailers: Headers) -> Headers:
    """Give the trailers without the fields that may not come so late (RFC 9110 section 6.5.1)."""
    return [pair for pair in trailers if pair[0] not in _NOT_IN_TRAILERS]


def valid_host(host: bytes) -> bool:
    """Say whether ``host`` is ``uri-host [ ":" port ]`` with a host that is not empty."""
    return _HOST.fullmatch(host) is not None


def _only_chunked(codings: list[bytes]) -> bool:
    """Say whether this is the one coding, once: `chunked,` is a list of one to some and of two to others."""
    return len(codings) == 1 and codings[0].lower() == b"chunked"


def _one_length(values: list[bytes], reason: Reason) -> int:
    first = values[0]
    if len(values) == 1 and len(first) < 19 and first.isdigit():
        return int(first)
    if not _DIGITS.fullmatch(first) or any(value != first for value in values):
        raise Fault(reason, "Content-Length is not one plain number")
    length = int(first)
    if length > MAX_LENGTH:
        raise Fault(reason, "Content-Length over 2^63-1")
    return length


def _list(values: list[bytes], reason: Reason) -> list[bytes]:
    if sum(value.count(b",") for value in values) + len(values) > MAX_OPTIONS:
        raise Fault(reason, f"more than {MAX_OPTIONS} elements in Connection or TE")
    return tokens(values)


def _finish(
    length: int,
    minor: int,
    special: dict[bytes, list[bytes]],
    kept: Headers,
    host: bytes | None,
    reason: Reason,
) -> Framing:
    values = special.get(b"connection")
    keep = minor == 1
    upgrade = b""
    if values == _KEEP_ALIVE:
        keep = True
    elif values is not None:
        options = _list(values, reason)
        named = {name for name in options if name not in _SPECIAL and name != b"close"}
        if named:
            kept = [pair for pair in kept if pair[0] not in named]
        keep = b"close" not in options and (keep or b"keep-alive" in options)
        if minor and b"upgrade" in options and not length:
            upgrade = _upgrade(special.get(b"upgrade", []), reason)
    te = special.get(b"te")
    if te is not None and b"trailers" in _list(te, reason):
        kept.append((b"te", b"trailers"))
    return Framing(length, keep, host, kept, upgrade)


def _upgrade(values: list[bytes], reason: Reason) -> bytes:
    """Give the one protocol that is asked for; h2c is not spoken in this way (RFC 9113 section 3.1)."""
    wanted = [each for each in _list(values, reason) if each != b"h2c"]
    return wanted[0] if len(wanted) == 1 else b""
