"""Say who forwards for whom, and make the route's own edits, in both directions.

Outside of retries: every try carries the same request id. What a client claims about who it forwards
for is believed only of peers that the listener trusts; else it is replaced (RFC 7239 section 8.1).
"""

from __future__ import annotations

from appliance.model.exchange import Exchange
from appliance.model.headers import HeaderEdits, Headers
from appliance.model.message import Response
from appliance.model.service import Layer, Service
from appliance.net.listen import UNIX_PEER

_CLAIMS = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"))


def headers(name: str, request_edits: HeaderEdits, response_edits: HeaderEdits) -> Layer:
    """Give the layer for one route of the proxy called ``name`` (its pseudonym in Via)."""
    via = (b"via", b"1.1 " + name.encode())
    edit_request = request_edits.apply if request_edits else None
    edit_response = response_edits.apply if response_edits else None

    def wrap(inner: Service) -> Service:
        async def serve(exchange: Exchange) -> Response:
            request = exchange.request
            fields = forwarded(exchange, request.headers)
            fields.append(via)
            request.headers = fields if edit_request is None else edit_request(fields)
            response = await inner(exchange)
            response.headers.append(via)
            if edit_response is not None:
                response.headers = edit_response(response.headers)
            return response

        return serve

    return wrap


def forwarded(exchange: Exchange, fields: Headers) -> Headers:
    """Give a new header list with the forwarding fields and the request id.

    A trusted peer's chain is continued, anybody else's is dropped.
    """
    request = exchange.request
    has_id = False
    kept: Headers = []
    chain: list[bytes] = []
    claims: dict[bytes, bytes] = {}
    for pair in fields:
        name = pair[0]
        if name in _CLAIMS:
            if exchange.peer_trusted:
                if name == b"x-forwarded-for":
                    chain.append(pair[1])
                elif name == b"forwarded" and name in claims:
                    claims[name] += b", " + pair[1]
                else:
                    claims[name] = pair[1]
        else:
            has_id = has_id or name == b"x-request-id"
            kept.append(pair)
    peer = exchange.peer.encode() if exchange.peer != UNIX_PEER else b"unknown"  # RFC 7239 section 6.2
    chain.append(peer)
    node = b'"[%b]"' % peer if b":" in peer else peer
    element = b'for=%b;host="%b";proto=%b' % (node, request.authority, request.scheme)
    if b"forwarded" in claims:
        element = claims[b"forwarded"] + b", " + element
    kept.append((b"x-forwarded-for", b", ".join(chain)))
    kept.append((b"x-forwarded-proto", claims.get(b"x-forwarded-proto", request.scheme)))
    kept.append((b"x-forwarded-host", claims.get(b"x-forwarded-host", request.authority)))
    kept.append((b"forwarded", element))
    if not has_id:
        kept.append((b"x-request-id", exchange.id.encode()))
    return kept
