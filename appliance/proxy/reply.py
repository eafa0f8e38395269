"""Answers that the proxy makes itself: refusals and failures, fixed responses, redirects.

A fault is rendered here and nowhere else: a stable id and one sentence, as text, as JSON for those who
prefer it, or as a gRPC trailers-only answer; ``Proxy-Status`` (RFC 9209) for machines. What the proxy
knows beyond that goes to its log, never to the client.
"""

from __future__ import annotations

import json

from appliance.config.plan import Respond
from appliance.model.exchange import Exchange
from appliance.model.fault import Fault
from appliance.model.headers import Headers, get
from appliance.model.message import FixedBody, Response
from appliance.model.service import Service
from appliance.routing.match import Match
from appliance.routing.rewrite import Redirect

_TEXT = (b"content-type", b"text/plain; charset=utf-8")


def render(exchange: Exchange, fault: Fault, name: str) -> Response:
    """Give the answer for ``fault`` of the proxy called ``name``."""
    reason = fault.reason
    fields: Headers = [
        (b"proxy-status", f'{item(name)}; error={reason.error}; details="{reason.id}"'.encode()),
        _id(exchange),
        *fault.fields,
    ]
    if reason.status == 405:
        fields.append((b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE"))
    kind = exchange.answer_kind or get(exchange.request.headers, b"content-type") or b""
    if kind.startswith(b"application/grpc"):  # gRPC-Web, too
        message = reason.sentence.encode()
        grpc = [(b"grpc-status", b"%d" % reason.grpc), (b"grpc-message", message)]
        return Response(200, [(b"content-type", kind), *grpc, *fields])
    accept = get(exchange.request.headers, b"accept") or b""
    if b"application/json" in accept:
        content = {"error": reason.id, "message": reason.sentence, "request_id": exchange.id}
        fields.append((b"content-type", b"application/json"))
        return Response(reason.status, fields, FixedBody(json.dumps(content).encode() + b"\n"))
    fields.append(_TEXT)
    text = f"{reason.sentence} ({reason.id}, request {exchange.id})\n"
    return Response(reason.status, fields, FixedBody(text.encode()))


def item(name: str) -> str:
    """Give the proxy's name as a structured field: a token where it can be one, else a string (RFC 8941)."""
    return name if name[:1].isalpha() else f'"{name}"'


def respond(action: Respond) -> Service:
    """Give the service that always answers the same."""
    fields = list(action.headers)
    if action.body and not any(name == b"content-type" for name, _ in fields):
        fields.append(_TEXT)

    async def answer(exchange: Exchange) -> Response:
        return Response(action.status, [*fields, _id(exchange)], FixedBody(action.body))

    return answer


def redirect(action: Redirect, match: Match) -> Service:
    """Give the service that sends the client elsewhere."""

    async def answer(exchange: Exchange) -> Response:
        request = exchange.request
        location = action.location(request.scheme, request.authority, request.path, request.query, match)
        return Response(action.status, [(b"location", location), _id(exchange)])

    return answer


def _id(exchange: Exchange) -> tuple[bytes, bytes]:
    return b"x-request-id", exchange.id.encode()
