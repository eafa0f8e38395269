"""Let browsers call gRPC services: what they send as gRPC-Web goes on as gRPC, and the answer comes back so.

Outermost of a route's layers, so that all others see a gRPC call. Requests that are not gRPC-Web pass as
they are. Preflight requests (CORS) are for a route that answers OPTIONS.
"""

from __future__ import annotations

from collections.abc import Awaitable

from appliance.http.grpc_web import Decoded, Framed, answer_kind, kind_of
from appliance.model.exchange import Exchange
from appliance.model.headers import get
from appliance.model.message import Response
from appliance.model.service import Service


def grpc_web(inner: Service) -> Service:
    """Give the service that translates for ``inner``."""

    def serve(exchange: Exchange) -> Awaitable[Response]:
        request = exchange.request
        kind = get(request.headers, b"content-type") if request.method == b"POST" else None
        found = None if kind is None else kind_of(kind)
        if kind is None or found is None:
            return inner(exchange)
        exchange.answer_kind = kind
        request.headers = [pair for pair in request.headers if pair[0] not in (b"content-type", b"te")]
        request.headers += [(b"content-type", found[0]), (b"te", b"trailers")]
        if found[1]:
            request.body = Decoded(request.body)
        exchange.wait_patiently()
        return translated(exchange, found[1])

    async def translated(exchange: Exchange, text: bool) -> Response:
        response = await inner(exchange)
        body = response.body
        if not body.ended or body.trailers:  # else its status is in the head
            body = Framed(body, text)
        fields = [_renamed(pair, text) for pair in response.headers]
        other = Response(response.status, fields, body)  # the attempt is judged by its own
        other.version = response.version
        return other

    return serve


def _renamed(pair: tuple[bytes, bytes], text: bool) -> tuple[bytes, bytes]:
    return (pair[0], answer_kind(pair[1], text)) if pair[0] == b"content-type" else pair
