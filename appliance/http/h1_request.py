"""From a request head on the wire to a Request: target, authority and path are settled here.

Refused is what could be routed in two ways: a Host that contradicts the target, a path whose encoding
hides a separator, a target in no form that RFC 9112 section 3.2 knows.
"""

from __future__ import annotations

import re

from appliance.model.fault import BAD_PATH, BAD_TARGET, HOST_MISMATCH, NO_CONNECT, Fault
from appliance.model.message import Request
from appliance.routing.path import BadPath, normalise, split_target

from .framing import Framing, valid_host
from .h1_head import RequestHead

_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?]++)(/[^?]*+)?+(?:\?(.*+))?+")


def to_request(head: RequestHead, framing: Framing, scheme: bytes) -> Request:
    """Give the request that ``head`` asks for, without its body.

    Raises Fault with BAD_TARGET, BAD_PATH, HOST_MISMATCH or NO_CONNECT.
    """
    if head.method == b"CONNECT":  # in whatever form: its answer would be framed by other rules
        raise Fault(NO_CONNECT)
    target = head.target
    authority = (framing.host or b"").lower()
    if target.startswith(b"/"):
        path, query = split_target(target)
    elif target == b"*" and head.method == b"OPTIONS":
        return _request(head, framing, scheme, authority, b"*", b"")
    else:
        matched = _ABSOLUTE.fullmatch(target)
        if matched is None:
            raise Fault(BAD_TARGET, "neither a path, nor an http URL, nor the * of OPTIONS")
        named = matched[1].lower()
        if framing.host is not None and named != authority:
            raise Fault(HOST_MISMATCH)
        if not valid_host(named):  # an authority with user information, or one that is not host:port
            raise Fault(BAD_TARGET, "the authority of the URL is not a host and a port")
        whole = head.method == b"OPTIONS" and matched[3] is None  # RFC 9112 section 3.2.4: sent on as *
        authority, path, query = named, matched[2] or (b"*" if whole else b"/"), matched[3] or b""
    try:
        path = normalise(path)
    except BadPath as error:
        raise Fault(BAD_PATH, str(error)) from None
    return _request(head, framing, scheme, authority, path, query)


def _request(
    head: RequestHead, framing: Framing, scheme: bytes, authority: bytes, path: bytes, query: bytes
) -> Request:
    request = Request(head.method, scheme, authority, path, query, framing.headers)
    request.upgrade = framing.upgrade
    if not head.minor:
        request.version = "HTTP/1.0"
        request.headers = [pair for pair in framing.headers if pair[0] != b"expect"]  # RFC 9110 10.1.1
    return request
