"""Heads of HTTP/2 messages, read and written (RFC 9113 section 8.3).

What is checked here the codec does not know: that a method is a token, that a path cannot end a request
line, that nothing speaks of a connection. Only so is it safe to write the same message as HTTP/1.1.
"""

from __future__ import annotations

import re

from appliance.model.fault import (
    BAD_HOST,
    BAD_LENGTH,
    BAD_PATH,
    BAD_REQUEST,
    BAD_TARGET,
    HOST_MISMATCH,
    NO_CONNECT,
    UPSTREAM_BAD,
    Fault,
    Reason,
)
from appliance.model.headers import Headers
from appliance.model.message import Request
from appliance.routing.path import BadPath, normalise, split_target

from .framing import MAX_LENGTH, bodiless, clean_trailers, valid_host
from .h2_fields import valid

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
_TARGET = re.compile(rb"/[\x21\x22\x24-\x7e]*+")
_REQUEST = frozenset((b":method", b":scheme", b":authority", b":path", b":protocol"))
_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"http2-settings")
)
_DROPPED = frozenset((b"trailer", b"proxy-authenticate", b"proxy-authorization"))
_SPECIAL = _CONNECTION | _DROPPED | {b"host", b"content-length", b"te", b"cookie"}


def to_request(fields: Headers, *, whole: bool) -> tuple[Request, int | None]:
    """Give the request of a field list and its declared length; ``whole``: no body follows.

    Raises Fault with a reason of the client's side.
    """
    pseudo, kept, special = _part(fields, _REQUEST, BAD_REQUEST)
    method = pseudo.get(b":method", b"")
    if not _TOKEN.fullmatch(method):
        raise Fault(BAD_REQUEST, "no :method, or one that is no token")
    upgrade = pseudo.get(b":protocol", b"")
    if method == b"CONNECT":
        if not upgrade:
            raise Fault(NO_CONNECT)
        if whole or not _TOKEN.fullmatch(upgrade):
            raise Fault(BAD_REQUEST, "a CONNECT that ends at once, or a :protocol that is no token")
        method = b"GET"  # what RFC 8441 puts in place of the GET with Upgrade of HTTP/1.1
    elif upgrade:
        raise Fault(BAD_REQUEST, ":protocol without CONNECT")
    scheme, target = pseudo.get(b":scheme", b""), pseudo.get(b":path", b"")
    if scheme not in (b"http", b"https"):
        raise Fault(BAD_TARGET, ":scheme is neither http nor https")
    authority = _authority(pseudo, special)
    if target == b"*" and method == b"OPTIONS":
        path, query = b"*", b""
    else:
        if not _TARGET.fullmatch(target):
            raise Fault(BAD_TARGET, ":path is not a path")
        raw, query = split_target(target)
        try:
            path = normalise(raw)
        except BadPath as error:
            raise Fault(BAD_PATH, str(error)) from None
    if special:
        crumbs = special.get(b"cookie")
        if crumbs:
            kept.append((b"cookie", b"; ".join(crumbs)))  # RFC 9113 section 8.2.3
        if b"te" in special:
            if special[b"te"] != [b"trailers"]:
                raise Fault(BAD_REQUEST, "TE is not `trailers`")
            kept.append((b"te", b"trailers"))
    length = _length(special, BAD_LENGTH)
    if whole and length:
        raise Fault(BAD_LENGTH, "a Content-Length without a body")
    request = Request(method, scheme, authority, path, query, kept)
    request.version = "HTTP/2"
    request.upgrade = upgrade.lower()
    return request, length


def to_response(fields: Headers, method: bytes, *, whole: bool) -> tuple[int, Headers, int | None]:
    """Give status, end-to-end headers and length of a response to ``method``; the length None if unknown.

    Raises Fault(UPSTREAM_BAD).
    """
    pseudo, kept, special = _part(fields, frozenset((b":status",)), UPSTREAM_BAD)
    raw = pseudo.get(b":status", b"")
    if len(raw) != 3 or not raw.isdigit() or raw < b"100":
        raise Fault(UPSTREAM_BAD, "no :status, or one that is no status")
    status = int(raw)
    if status == 101:
        raise Fault(UPSTREAM_BAD, "101 in HTTP/2")
    kept += [(b"cookie", value) for value in special.get(b"cookie", ())]
    length = _length(special, UPSTREAM_BAD)
    if bodiless(status, method):
        if length is not None and status != 204 and status >= 200:
            kept.append((b"content-length", b"%d" % length))
        length = 0
    elif whole:
        if length:
            raise Fault(UPSTREAM_BAD, "a Content-Length without a body")
        length = 0
    return status, kept, length


def to_trailers(fields: Headers, reason: Reason) -> Headers:
    """Give the trailers that may go on; raises Fault(reason) where they are malformed."""
    _, kept, _ = _part(fields, frozenset(), reason)
    return clean_trailers(kept)


def _part(
    fields: Headers, pseudo_names: frozenset[bytes], reason: Reason
) -> tuple[dict[bytes, bytes], Headers, dict[bytes, list[bytes]]]:
    """Part pseudo-header fields, end-to-end fields, and those that need a look."""
    pseudo: dict[bytes, bytes] = {}
    kept: Headers = []
    special: dict[bytes, list[bytes]] = {}
    for field in fields:
        if not valid(field):
            raise Fault(reason, "a field name or value that HTTP does not allow")
        name = field[0]
        if name[0] == 58:  # a colon
            if kept or special or name in pseudo or name not in pseudo_names:
                raise Fault(reason, "a pseudo-header field that is unknown, repeated or late")
            pseudo[name] = field[1]
        elif name in _SPECIAL:
            if name in _CONNECTION:
                raise Fault(reason, f"{name.decode()} does not belong into HTTP/2")
            special.setdefault(name, []).append(field[1])
        else:
            kept.append((name, field[1]))
    return pseudo, kept, special


def _authority(pseudo: dict[bytes, bytes], special: dict[bytes, list[bytes]]) -> bytes:
    hosts = special.get(b"host")
    authority = pseudo.get(b":authority")
    if hosts is not None:
        if len(hosts) > 1 or not valid_host(hosts[0]):
            raise Fault(BAD_HOST)
        if authority is None:
            authority = hosts[0]
        elif hosts[0].lower() != authority.lower():
            raise Fault(HOST_MISMATCH)
    if authority is None or not valid_host(authority):
        raise Fault(BAD_HOST, "no :authority, or one that is not a host and a port")
    return authority.lower()


def _length(special: dict[bytes, list[bytes]], reason: Reason) -> int | None:
    values = special.get(b"content-length")
    if values is None:
        return None
    first = values[0]
    if not first.isdigit() or len(first) > 19 or any(value != first for value in values):
        raise Fault(reason, "Content-Length is not one plain number")
    length = int(first)
    if length > MAX_LENGTH:
        raise Fault(reason, "Content-Length over 2^63-1")
    return length


def response_fields(status: int, headers: Headers, extra: Headers) -> Headers:
    """Give the field list of a response head."""
    return [(b":status", b"%d" % status), *_clean(headers), *extra]


def request_fields(request: Request, scheme: bytes, host: bytes, extra: Headers) -> Headers:
    """Give the field list of a request head for an endpoint that is called ``host`` if nobody says.

    ``scheme`` is how the endpoint is spoken to, which need not be how the client spoke to us.
    """
    upgrade = request.upgrade
    return [
        (b":method", b"CONNECT" if upgrade else request.method),
        *([(b":protocol", upgrade)] if upgrade else []),
        (b":scheme", scheme),
        (b":authority", request.authority or host),
        (b":path", request.target),
        *_clean(request.headers),
        *extra,
    ]


def _clean(headers: Headers) -> Headers:
    """Leave out what an edit of a route may have put back: fields of a connection, and empty names."""
    return [field for field in headers if field[0] not in _CONNECTION]
