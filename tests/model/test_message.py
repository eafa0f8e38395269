"""Messages: the bodies that are in memory, and the target that is sent on."""

from __future__ import annotations

import pytest

from appliance.model.message import NO_BODY, Body, FixedBody, NoBody, Request, Response


async def read(body: Body) -> list[bytes]:
    pieces = []
    while not body.ended:
        pieces.append(await body.read())
    assert await body.read() == b""
    assert body.read_nowait() == b""
    return pieces


async def test_no_body_is_at_its_end() -> None:
    """Whatever is asked of the one instance that serves all, it does not change."""
    for body in (NO_BODY, NoBody()):
        body.abandon()
        assert body.at_hand()
        assert (body.length, body.ended, body.trailers) == (0, True, [])
        assert await read(body) == []


@pytest.mark.parametrize("data", [b"", b"hello"])
async def test_a_fixed_body_is_given_once(data: bytes) -> None:
    """In one piece, waited for or not; its length stays what it was."""
    for first in (FixedBody.read_nowait, FixedBody.abandon):
        body = FixedBody(data)
        assert body.at_hand()
        assert body.ended == (not data)
        assert await read(body) == ([data] if data else [])
        again = FixedBody(data)
        assert first(again) in (data, None)
        assert again.ended
        assert await read(again) == []
        assert body.length == again.length == len(data)


def test_the_target_joins_path_and_query() -> None:
    """As origin form, without a question mark that has nothing behind it (RFC 9112 section 3.2.1)."""
    for path, query, target in ((b"/a", b"", b"/a"), (b"/a", b"b?c", b"/a?b?c"), (b"*", b"", b"*")):
        assert Request(b"GET", b"http", b"a", path, query, []).target == target


def test_messages_have_no_body_until_one_is_given() -> None:
    """And a request is of HTTP/1.1, not streaming, until somebody says otherwise."""
    request = Request(b"GET", b"http", b"a", b"/", b"", [])
    assert (request.body, request.version, request.streaming) == (NO_BODY, "HTTP/1.1", False)
    response = Response(200, [(b"a", b"b")])
    assert (response.status, response.headers, response.body, response.reason) == (
        200,
        [(b"a", b"b")],
        NO_BODY,
        b"",
    )
