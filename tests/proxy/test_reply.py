"""Answers that the proxy makes itself, in the form that the client reads."""

from __future__ import annotations

import json

import pytest

from appliance.config.plan import Respond
from appliance.model.exchange import Exchange
from appliance.model.fault import REASONS, Fault, Reason
from appliance.model.headers import HeaderEdits, Headers, get
from appliance.model.message import Request
from appliance.proxy.reply import render
from appliance.routing.match import Match
from appliance.routing.rewrite import Redirect
from tests.kit.plans import listener, plan, route
from tests.kit.proxy import running


class Stream:
    """As much of a stream as an exchange asks for."""

    def __init__(self, headers: Headers) -> None:
        self.request = Request(b"GET", b"http", b"a", b"/", b"", headers)


def rendered(reason: Reason, *headers: tuple[bytes, bytes]) -> tuple[int, Headers, bytes]:
    exchange = Exchange("id17", Stream(list(headers)), "web", "::1", 0.0)
    response = render(exchange, Fault(reason, "detail for the log"), "edge")
    return response.status, response.headers, response.body.read_nowait()


@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS)
def test_every_fault_has_a_text_form(reason: Reason) -> None:
    """Its sentence, its id and the request's, and never the detail."""
    status, headers, body = rendered(reason)
    assert status == reason.status
    assert body.decode() == f"{reason.sentence} ({reason.id}, request id17)\n"
    assert get(headers, b"content-type") == b"text/plain; charset=utf-8"
    assert get(headers, b"proxy-status") == f'edge; error={reason.error}; details="{reason.id}"'.encode()
    assert get(headers, b"x-request-id") == b"id17"


@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS)
def test_every_fault_has_a_json_form(reason: Reason) -> None:
    """For those who accept it."""
    status, headers, body = rendered(reason, (b"accept", b"text/html, application/json;q=0.9"))
    assert status == reason.status
    assert json.loads(body) == {"error": reason.id, "message": reason.sentence, "request_id": "id17"}
    assert get(headers, b"content-type") == b"application/json"


@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS)
def test_every_fault_has_a_grpc_form(reason: Reason) -> None:
    """Trailers-only: 200, its status in the head, no body."""
    status, headers, body = rendered(reason, (b"content-type", b"application/grpc+proto"))
    assert (status, body) == (200, b"")
    assert get(headers, b"content-type") == b"application/grpc+proto"
    assert get(headers, b"grpc-status") == b"%d" % reason.grpc
    assert get(headers, b"grpc-message") == reason.sentence.encode()


def test_405_says_what_is_allowed() -> None:
    """Allow is required with it (RFC 9110 section 15.5.6)."""
    _, headers, _ = rendered(REASONS["no-connect"])
    assert b"GET" in get(headers, b"allow")


async def test_a_fixed_answer(autojump_clock: object) -> None:
    """Status, body and headers of the profile; text unless it says otherwise; no upstream is asked."""
    fixed = Respond(418, b"short and stout", ((b"x-pot", b"tea"),))
    typed = Respond(200, b"{}", ((b"content-type", b"application/json"),))
    async with running(plan=plan(route(fixed, Match(path="/a")), route(typed))) as proxy:
        client = proxy.connect()
        answer = await client.get(b"/a")
        assert (answer.status, answer.body, answer.get(b"x-pot")) == (418, b"short and stout", b"tea")
        assert answer.get(b"content-type") == b"text/plain; charset=utf-8"
        assert (await client.get(b"/b")).get(b"content-type") == b"application/json"
        await client.send(b"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await client.answer(b"HEAD")
        assert (answer.status, answer.body, answer.get(b"content-length")) == (418, b"", b"15")
        assert (await client.get(b"/a")).status == 418
        assert proxy.upstream_wires == []


async def test_an_empty_fixed_answer(autojump_clock: object) -> None:
    """Has a length and no type."""
    async with running(plan=plan(route(Respond(200)))) as proxy:
        answer = await proxy.connect().get()
        assert (answer.get(b"content-length"), answer.get(b"content-type")) == (b"0", None)


async def test_a_redirect(autojump_clock: object) -> None:
    """Where to, the query kept; the connection goes on."""
    async with running(plan=plan(route(Redirect(301, host="b.example")))) as proxy:
        client = proxy.connect()
        for _ in range(2):
            answer = await client.get(b"/x?y=z")
            assert (answer.status, answer.get(b"location")) == (301, b"http://b.example/x?y=z")


async def test_a_listener_that_only_redirects_to_https(autojump_clock: object) -> None:
    """Whatever is asked, the same at https and without the port of http; routes are not asked."""
    listeners = (listener(redirect_https=True), listener("plain"))
    async with running(plan=plan(route(Respond(200)), listeners=listeners)) as proxy:
        client = proxy.connect()
        await client.send(b"GET /x?y HTTP/1.1\r\nHost: a.example:8080\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.get(b"location")) == (308, b"https://a.example/x?y")
        assert (await proxy.connect(listener=1).get()).status == 200


async def test_a_route_edits_its_own_answers_too(autojump_clock: object) -> None:
    """Response edits hold whoever answers."""
    edits = HeaderEdits(set=((b"x-frame", b"deny"),))
    routes = (
        route(Respond(200), Match(path="/a"), response_headers=edits),
        route(Redirect(path="/b"), response_headers=edits),
    )
    async with running(plan=plan(*routes)) as proxy:
        client = proxy.connect()
        for path in (b"/a", b"/x", b"/a"):
            assert (await client.get(path)).get(b"x-frame") == b"deny"


async def test_faults_are_told_in_the_clients_form(autojump_clock: object) -> None:
    """Through the whole stack: JSON and gRPC, also when the head was refused."""
    async with running(plan=plan(route(match=Match(path="/none")))) as proxy:
        client = proxy.connect()
        answer = await client.get(b"/", b"Accept: application/json")
        assert json.loads(answer.body)["error"] == "no-route"
        answer = await client.get(b"/", b"Content-Type: application/grpc")
        assert (answer.status, answer.get(b"grpc-status"), answer.body) == (200, b"12", b"")
        answer = await client.get(b"/%00", b"Accept: application/json")
        assert (answer.status, json.loads(answer.body)["error"]) == (400, "bad-path")
