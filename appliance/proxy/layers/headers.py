"""Say who forwards for whom, and make the route's own edits, in both directions.

Outside of retries: every try carries the same request id. What a client claims about who it forwards
for is believed only of peers that the listener trusts; else it is replaced (RFC 7239 section 8.1).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

from appliance.model.exchange import Exchange
from appliance.model.headers import HeaderEdits, Headers, get_all
from appliance.model.message import Response
from appliance.model.service import Layer, Service
from appliance.model.words import edit
from appliance.net.listen import UNIX_PEER

_CLAIMS = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"))
# Spelt with underscores they mean the same to CGI and WSGI; nobody needs them, so nobody gets them.
_LOOKALIKES = frozenset(
    b"x" + first + b"forwarded" + second + last
    for first, second, last in product((b"-", b"_"), (b"-", b"_"), (b"for", b"proto", b"host"))
)
_RECEIVED = {"HTTP/1.0": b"1.0 ", "HTTP/1.1": b"1.1 ", "HTTP/2": b"2.0 "}  # RFC 9110 sections 2.5 and 7.6.3
_OURS = _CLAIMS | _LOOKALIKES | {b"x-request-id"}


def headers(name: str, request_edits: HeaderEdits, response_edits: HeaderEdits) -> Layer:
    """Give the layer for one route of the proxy called ``name`` (its pseudonym in Via)."""
    via = {version: (b"via", received + name.encode()) for version, received in _RECEIVED.items()}
    edit_request, edit_response = edit(request_edits), edit(response_edits)

    def wrap(inner: Service) -> Service:
        async def serve(exchange: Exchange) -> Response:
            request = exchange.request
            fields = forwarded(exchange, request.headers)
            fields.append(via[request.version])
            request.headers = fields if edit_request is None else edit_request(exchange, fields)
            response = await inner(exchange)
            response.headers.append(via[response.version])
            if edit_response is not None:
                response.headers = edit_response(exchange, response.headers)
            return response

        return serve

    return wrap


def forwarded(exchange: Exchange, fields: Headers) -> Headers:
    """Give a new header list with the forwarding fields and the request id.

    A trusted peer's chain is continued, anybody else's is dropped.
    """
    kept = [pair for pair in fields if pair[0] not in _OURS]
    request = exchange.request
    if len(kept) == len(fields):
        kept += _first_hop(exchange.peer, request.authority, request.scheme)
        kept.append((b"x-request-id", exchange.id.encode()))
        return kept
    kept += _next_hop(exchange, [pair for pair in fields if pair[0] in _CLAIMS])
    ids = [pair for pair in fields if pair[0] == b"x-request-id"]
    return kept + (ids or [(b"x-request-id", exchange.id.encode())])


@lru_cache(maxsize=1024)
def _first_hop(peer: str, authority: bytes, scheme: bytes) -> Headers:
    """Give the fields for a request that nobody has forwarded before us; do not change the list."""
    address = _address(peer)
    return [
        (b"x-forwarded-for", address),
        (b"x-forwarded-proto", scheme),
        (b"x-forwarded-host", authority),
        (b"forwarded", _element(address, authority, scheme)),
    ]


def _next_hop(exchange: Exchange, claims: Headers) -> Headers:
    """Give the fields that continue what a trusted peer says; of others nothing is believed."""
    peer, request = exchange.peer, exchange.request
    if not exchange.peer_trusted:
        return _first_hop(peer, request.authority, request.scheme)
    address = _address(peer)
    element = _element(address, request.authority, request.scheme)
    said = dict(claims)
    return [
        (b"x-forwarded-for", b", ".join([*get_all(claims, b"x-forwarded-for"), address])),
        (b"x-forwarded-proto", said.get(b"x-forwarded-proto", request.scheme)),
        (b"x-forwarded-host", said.get(b"x-forwarded-host", request.authority)),
        (b"forwarded", b", ".join([*get_all(claims, b"forwarded"), element])),
    ]


def _address(peer: str) -> bytes:
    return b"unknown" if peer == UNIX_PEER else peer.encode()  # RFC 7239 section 6.2


def _element(address: bytes, authority: bytes, scheme: bytes) -> bytes:
    node = b'"[%b]"' % address if b":" in address else address
    return b'for=%b;host="%b";proto=%b' % (node, authority, scheme)
