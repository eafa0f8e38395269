"""Clients of both versions, HTTP/2 to the origin: every kind of body meets every kind of answer.

The origin is the h2 library, which complains of every rule of RFC 9113 that the proxy breaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import trio

from appliance.http.h2_frames import Code
from tests.http.sides import (
    LARGE,
    OPEN,
    SMALL,
    TRAILERS,
    UPLOADS,
    Pairs,
    Upload,
    both,
    check_goes_on,
    cut,
    exchange,
    patient,
    send,
    side,
)
from tests.kit.h2_client import Answer as NewAnswer
from tests.kit.h2_origin import H2Call, H2Origin, Handler, answer
from tests.kit.plans import ORIGIN
from tests.kit.proxy import running
from tests.kit.wires import by


@dataclass(frozen=True)
class Reply:
    """A kind of answer: how the origin gives it, and what must arrive."""

    name: str
    handler: Handler
    status: int = 200
    body: bytes = b""
    trailers: Pairs = field(default_factory=list)
    method: bytes = b""
    interim: tuple[int, ...] = ()
    length: bytes | None = None


def unsized(*pieces: bytes, apart: bool = False) -> Handler:
    """Give a handler whose answer says no length; ``apart``: the end has a frame of its own."""

    async def handle(call: H2Call) -> None:
        await call.read()
        await call.head(end=not pieces and not apart)
        for n, piece in enumerate(pieces):
            await call.data(piece, end=n == len(pieces) - 1 and not apart)
        if apart:
            await call.data(b"", end=True)

    return handle


def bodiless(status: int, headers: Pairs, *, ended: bool = True) -> Handler:
    """Give a handler that answers with a head; its end is in the head, or in an empty frame behind it."""

    async def handle(call: H2Call) -> None:
        await call.read()
        await call.head(status, headers, end=ended)
        if not ended:
            await call.data(b"", end=True)

    return handle


async def hints(call: H2Call) -> None:
    """Give two interim answers and one that counts."""
    for _ in range(2):
        await call.head(103, [(b"link", b"</style.css>")])
    await answer(b"late")(call)


NINETY_NINE = [(b"content-length", b"99")]
REPLIES = [
    Reply("none", bodiless(204, []), 204),
    Reply("none-late-end", bodiless(204, [], ended=False), 204),
    Reply("not-modified", bodiless(304, NINETY_NINE), 304, length=b"99"),
    Reply("head", bodiless(200, NINETY_NINE), method=b"HEAD", length=b"99"),
    Reply("head-late-end", bodiless(200, NINETY_NINE, ended=False), method=b"HEAD", length=b"99"),
    Reply("empty", answer(b""), length=b"0"),
    Reply("sized", answer(b"hello"), body=b"hello", length=b"5"),
    Reply("large", answer(LARGE), body=LARGE, length=b"%d" % len(LARGE)),
    Reply("unsized", unsized(b"one ", b"x" * 300), body=b"one " + b"x" * 300),
    Reply("late-end", unsized(b"one ", b"x" * 300, apart=True), body=b"one " + b"x" * 300),
    Reply("large-unsized", unsized(LARGE), body=LARGE),
    Reply("trailers", answer(b"sum", trailers=TRAILERS), body=b"sum", trailers=TRAILERS),
    Reply("large-trailers", answer(LARGE, trailers=TRAILERS), body=LARGE, trailers=TRAILERS),
    Reply("only-trailers", answer(b"", trailers=TRAILERS), trailers=TRAILERS),
    Reply("hints", hints, body=b"late", interim=(103, 103), length=b"4"),
]


def cases() -> Iterator[object]:
    """Give all combinations, whole and in pieces: small or smaller by turns, so that each meets both."""
    for n, upload in enumerate(UPLOADS):
        for m, reply in enumerate(REPLIES):
            for cutting in (None, (1, 7)[(n + m) % 2]):
                yield pytest.param(upload, reply, cutting, id=f"{upload.name}-{reply.name}-{cutting}")


@pytest.mark.parametrize(("upload", "reply", "cutting"), cases())
@both
async def test_both_messages_arrive(
    down: str, upload: Upload, reply: Reply, cutting: int | None, autojump_clock: object
) -> None:
    """What either side sends reaches the other whole, and the connection to the origin goes on."""
    origin = H2Origin(reply.handler, answer(b"again"))
    origin.cuts = lambda: cut(cutting)
    method = reply.method or (b"GET" if upload.body is None else b"POST")
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await side(proxy, down, cutting)
        got = await exchange(proxy, client, method, upload)
        assert got.whole
        assert (got.status, got.body, got.trailers) == (reply.status, reply.body, reply.trailers)
        assert tuple(got.interim) == reply.interim
        if down == "h2":
            assert got.get(b"content-length") == reply.length
            assert not {b"connection", b"transfer-encoding", b"keep-alive"} & dict(got.headers).keys()
        (seen,) = origin.calls
        assert (seen.get(b":method"), seen.get(b":path"), seen.whole) == (method, b"/a/b?c=d", True)
        assert (seen.body, seen.trailers) == (upload.body or b"", upload.trailers)
        assert (seen.get(b":authority"), seen.get(b"x-mine")) == (b"a.example", b"2")
        assert not {b"connection", b"transfer-encoding", b"host"} & dict(seen.headers).keys()
        assert seen.get(b"via") == (b"2.0 edge" if down == "h2" else b"1.1 edge")
        assert got.get(b"via") == b"2.0 edge"
        await check_goes_on(proxy, client, origin)
        assert proxy.journal.faults == [None, None]


@pytest.mark.parametrize("size", range(2, 30))
@both
async def test_any_cutting_gives_the_same(down: str, size: int, autojump_clock: object) -> None:
    """Pieces of every size on every wire change nothing."""
    origin = H2Origin(answer(b"hello", trailers=TRAILERS), answer(b"again"))
    origin.cuts = lambda: by(size)
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await side(proxy, down, size)
        got = await exchange(proxy, client, b"POST", UPLOADS[6])
        assert (got.body, got.trailers) == (b"hello", TRAILERS)
        assert (origin.calls[0].body, origin.calls[0].trailers) == (SMALL, TRAILERS)
        await check_goes_on(proxy, client, origin)


def early(*, reads: bool, code: Code | None = None) -> Handler:
    """Give a handler that answers as soon as there is a head, and perhaps resets what still comes."""

    async def handle(call: H2Call) -> None:
        call.reads = reads
        await call.head(413, [(b"content-length", b"2")])
        await call.data(b"no", end=True)
        if code is not None:
            await call.cancel(code)

    return handle


@pytest.mark.parametrize("code", [None, Code.NO_ERROR], ids=["only-answered", "reset-too"])
@pytest.mark.parametrize("upload", [*UPLOADS, OPEN], ids=lambda upload: upload.name)
@both
async def test_an_answer_may_come_early(
    down: str, upload: Upload, code: Code | None, autojump_clock: object
) -> None:
    """It is whole, the rest of the upload is called off on both sides, and only its stream has ended."""
    unfinished = upload is OPEN or upload.name.startswith("large")
    origin = H2Origin(early(reads=not unfinished, code=code), answer(b"again"))
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await side(proxy, down)
        ask = await client.ask(b"POST", b"/", upload)
        if upload is not OPEN:
            proxy.nursery.start_soon(send, ask, upload)
        got = await ask.answer()
        assert (got.status, got.body, got.whole) == (413, b"no", True)
        await proxy.settle()
        if unfinished and isinstance(got, NewAnswer):
            assert got.reset == Code.NO_ERROR
        elif unfinished:
            assert got.get(b"connection") == b"close"
        if unfinished and code is None:
            assert origin.calls[0].reset == Code.NO_ERROR
        await check_goes_on(proxy, client, origin)


@both
async def test_both_directions_move_at_once(down: str, autojump_clock: object) -> None:
    """Each piece of an upload arrives, and is answered, while the rest is still to come."""

    async def echo(call: H2Call) -> None:
        await call.head()
        at = 0
        while not call.whole:
            await call.changed.wait()
            piece, at = call.body[at:], len(call.body)
            if piece:
                await call.data(piece)
        await call.end([*call.trailers, (b"x-echo", b"1")])

    async with running({ORIGIN: H2Origin(echo)}, patient()) as proxy:
        client = await side(proxy, down)
        ask = await client.ask(b"POST", b"/", OPEN)
        for n in range(5):
            await trio.sleep(60)
            await ask.piece(b"piece %d" % n)
            await proxy.settle()
            assert ask.holds(b"piece %d" % n)
        await ask.finish(TRAILERS)
        got = await ask.answer()
        assert got.body == b"".join(b"piece %d" % n for n in range(5))
        assert got.trailers == [*TRAILERS, (b"x-echo", b"1")]
        await proxy.check_idle()


@both
async def test_who_answers_early_may_reset_what_he_does_not_read(down: str, autojump_clock: object) -> None:
    """The reset calls off the upload and nothing else: a slow reader still gets the answer to its end."""
    body = LARGE[:60_000]

    async def refuse(call: H2Call) -> None:
        call.reads = False
        await call.head(413)
        await call.data(body)
        await call.end(TRAILERS)
        await call.cancel(Code.NO_ERROR)

    origin = H2Origin(refuse, answer(b"again"))
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await side(proxy, down, back=500)
        ask = await client.ask(b"POST", b"/", OPEN)
        proxy.nursery.start_soon(ask.piece, LARGE)
        await proxy.settle()
        got = await ask.answer()
        assert (got.status, got.body, got.trailers, got.whole) == (413, body, TRAILERS, True)
        await check_goes_on(proxy, client, origin)
        assert proxy.journal.faults == [None, None]
