"""Every kind of request body meets every kind of answer, client and cutting, through the whole stack."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
import trio

from tests.kit.origin import (
    Call,
    Handler,
    Origin,
    Seen,
    chunked_bytes,
    early,
    head,
    raw,
    reset,
    silent,
    sized,
    sized_bytes,
    until_close,
)
from tests.kit.plans import ORIGIN
from tests.kit.proxy import Answer, Client, running
from tests.kit.wires import by

LARGE = bytes(range(256)) * 1200  # 300 KiB: more than every buffer on its way
SMALL = b"small request body"
PIECES = [b"one ", b"x" * 300, b" three"]
TRAILERS = [(b"x-sum", b"17"), (b"x-end", b"yes")]


@dataclass(frozen=True)
class Upload:
    """A kind of request body: what follows the head, and what must arrive."""

    name: str
    header: bytes = b""
    wire: bytes = b""
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    waits: bool = False


def in_chunks(pieces: list[bytes], trailers: list[tuple[bytes, bytes]]) -> bytes:
    return chunked_bytes(pieces, trailers).partition(b"\r\n\r\n")[2]


UPLOADS = [
    Upload("none"),
    Upload("sized", b"Content-Length: %d\r\n" % len(SMALL), SMALL, SMALL),
    Upload("large", b"Content-Length: %d\r\n" % len(LARGE), LARGE, LARGE),
    Upload("chunked", b"Transfer-Encoding: chunked\r\n", in_chunks(PIECES, []), b"".join(PIECES)),
    Upload(
        "trailers", b"Transfer-Encoding: chunked\r\n", in_chunks(PIECES, TRAILERS), b"".join(PIECES), TRAILERS
    ),
    Upload(
        "expect", b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(SMALL), SMALL, SMALL, waits=True
    ),
]


@dataclass(frozen=True)
class Reply:
    """A kind of answer: how the origin gives it, and what must arrive."""

    name: str
    handler: Handler
    status: int = 200
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    method: bytes = b""
    interim: tuple[int, ...] = ()
    reusable: bool = True
    headers: dict[bytes, bytes] = field(default_factory=dict)


HINTS = head(103, [(b"link", b"</style.css>")], b"Early Hints")
REPLIES = [
    Reply("none", raw(head(204)), 204),
    Reply(
        "not-modified", raw(head(304, [(b"content-length", b"99")])), 304, headers={b"content-length": b"99"}
    ),
    Reply("head", sized(b"unseen"), method=b"HEAD", headers={b"content-length": b"6"}),
    Reply("sized", sized(b"hello", headers=[(b"X-Own", b"1")]), body=b"hello", headers={b"x-own": b"1"}),
    Reply("large", sized(LARGE), body=LARGE),
    Reply("chunked", raw(chunked_bytes(PIECES)), body=b"".join(PIECES)),
    Reply("trailers", raw(chunked_bytes(PIECES, TRAILERS)), body=b"".join(PIECES), trailers=TRAILERS),
    Reply("until-close", until_close(b"to the end"), body=b"to the end", reusable=False),
    Reply("hints", raw(HINTS + HINTS + sized_bytes(b"late")), body=b"late", interim=(103, 103)),
]


@dataclass(frozen=True)
class Kind:
    """A kind of client: version, what it says of the connection, and whether it may go on."""

    name: str
    version: bytes
    header: bytes
    keeps: bool


KINDS = [
    Kind("1.1", b"HTTP/1.1", b"", True),
    Kind("1.1-close", b"HTTP/1.1", b"Connection: close\r\n", False),
    Kind("1.0", b"HTTP/1.0", b"", False),
    Kind("1.0-keep", b"HTTP/1.0", b"Connection: keep-alive\r\n", True),
]

CUTTINGS = {"whole": None, "ones": (1, 3000), "sevens": (7, 3000)}


def cut(name: str) -> Iterable[int] | None:
    """Give fresh cuts; after some thousand pieces they grow, or large bodies would take minutes."""
    size = CUTTINGS[name]
    return None if size is None else by(*size, after=4093)


async def ask(client: Client, method: bytes, kind: Kind, upload: Upload) -> None:
    """Send one request of this kind; one that expects 100 sends its body all the same, as it may."""
    line = b"%b /a/b?c=d %b\r\nHost: a.example\r\nX-Mine: 2\r\n" % (method, kind.version)
    await client.send(line + kind.header + upload.header + b"\r\n" + upload.wire)


def goes_on(reply: Reply, kind: Kind) -> bool:
    """Only an answer whose end can be seen leaves an HTTP/1.0 client's connection usable."""
    return kind.keeps and (
        kind.version == b"HTTP/1.1" or reply.name not in ("chunked", "trailers", "until-close")
    )


CASES = [
    pytest.param(upload, reply, kind, id=f"{upload.name}-{reply.name}-{kind.name}")
    for upload in UPLOADS
    for reply in REPLIES
    for kind in KINDS
    if kind.version == b"HTTP/1.1" or upload.name in ("none", "sized", "large")
]


@pytest.mark.parametrize("cutting", CUTTINGS)
@pytest.mark.parametrize(("upload", "reply", "kind"), CASES)
async def test_both_messages_arrive(
    upload: Upload, reply: Reply, kind: Kind, cutting: str, autojump_clock: object
) -> None:
    """What either side sends reaches the other whole, and connections go on exactly when they may."""
    origin = Origin(reply.handler, sized(b"again"))
    origin.cuts = lambda: cut(cutting)
    method = reply.method or (b"POST" if upload.header else b"GET")
    goes = goes_on(reply, kind)
    async with running(origin) as proxy:
        client = proxy.connect(cuts=cut(cutting))
        proxy.nursery.start_soon(ask, client, method, kind, upload)
        answer = await client.answer(method)
        check_answer(answer, reply, kind)
        check_request(origin.requests[0], method, upload, kind)
        kept = None if kind.version == b"HTTP/1.1" else b"keep-alive"
        assert answer.get(b"connection") == (kept if goes else b"close")
        await proxy.settle()
        assert proxy.pooled == reply.reusable
        if goes:
            await client.send(b"GET /second HTTP/1.1\r\nHost: a.example\r\n\r\n")
            second = await client.answer()
            assert (second.status, second.body) == (200, b"again")
            assert origin.requests[1].target == b"/second"
            assert len(origin.wires) == (1 if reply.reusable else 2)
        else:
            assert await client.at_end()
        client.wire.close()
        await proxy.check_idle()
        assert proxy.open_clients == 0


def check_answer(answer: Answer, reply: Reply, kind: Kind) -> None:
    assert answer.whole
    assert (answer.status, answer.body) == (reply.status, reply.body)
    old = kind.version == b"HTTP/1.0"
    assert answer.trailers == ([] if old else reply.trailers)
    assert tuple(answer.interim) == (() if old else reply.interim)
    assert answer.get(b"via") == b"1.1 edge"
    for name, value in reply.headers.items():
        assert answer.get(name) == value


def check_request(seen: Seen, method: bytes, upload: Upload, kind: Kind) -> None:
    assert seen.get(b"via") == kind.version.removeprefix(b"HTTP/") + b" edge"
    assert (seen.method, seen.target, seen.version) == (method, b"/a/b?c=d", b"1.1")
    assert seen.whole
    assert (seen.body, seen.trailers) == (upload.body, upload.trailers)
    assert seen.get(b"host") == b"a.example"
    assert seen.get(b"x-mine") == b"2"
    assert seen.get(b"connection") is None
    assert (seen.get(b"expect") is not None) == upload.waits


@pytest.mark.parametrize("kind", KINDS[:2], ids=lambda kind: kind.name)
@pytest.mark.parametrize("upload", UPLOADS[1:], ids=lambda upload: upload.name)
async def test_an_answer_may_come_before_its_request_is_read(
    upload: Upload, kind: Kind, autojump_clock: object
) -> None:
    """An early answer is passed on whole; a request that was not, ends both connections."""
    origin = Origin(early(sized_bytes(b"no", 413)))
    async with running(origin) as proxy:
        client = proxy.connect()
        proxy.nursery.start_soon(ask, client, b"POST", kind, upload)
        answer = await client.answer()
        assert (answer.status, answer.body, answer.whole) == (413, b"no", True)
        if upload.name == "large":
            assert answer.get(b"connection") == b"close"
            assert await client.at_end()
            await proxy.settle()
            assert proxy.pooled == 0
        client.wire.close()
        await proxy.check_idle()


async def test_an_upload_that_is_cut_by_an_early_answer_leaves_nothing_running(
    autojump_clock: object,
) -> None:
    """The client may go on sending for a moment; nobody is left to read it, and nobody is left waiting."""
    origin = Origin(early(sized_bytes(b"no", 413)))
    async with running(origin) as proxy:
        client = proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n12345")
        assert (await client.answer()).status == 413
        await client.send(b"x" * 100)
        assert await client.at_end()
        await trio.sleep(2)
        await proxy.check_idle()
        assert proxy.open_clients == 0


def continues(answer: bytes) -> Handler:
    async def handle(call: Call) -> None:
        assert not call.request.body
        await call.send(head(100, reason=b"Continue"))
        await call.read()
        await call.send(answer)

    return handle


@pytest.mark.parametrize("cutting", CUTTINGS)
async def test_a_client_that_waits_for_100_is_told_by_the_origin(
    cutting: str, autojump_clock: object
) -> None:
    """Expect and 100 are passed on; the proxy does not answer for the origin, and nobody waits in vain."""
    origin = Origin(continues(sized_bytes(b"thanks")), sized(b"again"))
    origin.cuts = lambda: cut(cutting)
    async with running(origin) as proxy:
        client = proxy.connect(cuts=cut(cutting))
        await client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert await client.wire.receive(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"12345")
        assert (await client.answer()).body == b"thanks"
        assert origin.requests[0].body == b"12345"
        assert (await client.get()).body == b"again"
        assert len(origin.wires) == 1
        await proxy.check_idle()


async def test_a_client_that_waits_for_100_may_be_refused(autojump_clock: object) -> None:
    """A final answer instead of 100 ends the connection: whether the body still comes is unknowable."""
    origin = Origin(early(sized_bytes(b"", 417)))
    async with running(origin) as proxy:
        client = proxy.connect()
        await client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.get(b"connection")) == (417, b"close")
        assert await client.at_end()
        await proxy.check_idle()
        assert proxy.pooled == 0


async def test_five_requests_in_one_write_get_five_answers_in_order(autojump_clock: object) -> None:
    """Pipelined requests are answered one after the other over one upstream connection."""
    origin = Origin(*(sized(b"answer %d" % n) for n in range(5)))
    async with running(origin) as proxy:
        client = proxy.connect()
        posts = b"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        posts += b"POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET "
        gets = [b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in (0, 1, 4)]
        await client.send(gets[0] + gets[1] + posts + gets[2])
        assert [(await client.answer()).body for _ in range(5)] == [b"answer %d" % n for n in range(5)]
        assert [seen.target for seen in origin.requests] == [b"/%d" % n for n in range(5)]
        assert [seen.body for seen in origin.requests] == [b"", b"", b"abc", b"GET ", b""]
        assert len(origin.wires) == 1
        await proxy.check_idle()


async def test_the_last_of_a_pipeline_may_ask_to_close(autojump_clock: object) -> None:
    """What follows a request with Connection: close is never served."""
    async with running() as proxy:
        client = proxy.connect()
        last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        await client.send(last + b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer()).get(b"connection") == b"close"
        assert await client.at_end()
        assert [seen.target for seen in proxy.origins[ORIGIN].requests] == [b"/"]


HEAD = head(200, [(b"content-length", b"10")])
CHUNKED = head(200, [(b"transfer-encoding", b"chunked")])

# What the origin does before it crashes, and what the client is told: None is a connection cut in the answer.
CRASHES = [
    ("before-reading", reset(read=False), 502, "upstream-reset"),
    ("after-reading", reset(), 502, "upstream-reset"),
    ("in-head", reset(b"HTTP/1.1 200 OK\r\nx-a"), 502, "upstream-cut"),
    ("in-head-closed", raw(b"HTTP/1.1 200 OK\r\nx-a", close=True), 502, "upstream-cut"),
    ("closed", raw(b"", close=True), 502, "upstream-reset"),
    ("after-hints", reset(HINTS), 502, "upstream-cut"),
    ("after-head", reset(HEAD), None, "upstream-cut"),
    ("in-body", reset(HEAD + b"12345"), None, "upstream-cut"),
    ("in-body-closed", raw(HEAD + b"12345", close=True), None, "upstream-cut"),
    ("in-chunk", reset(CHUNKED + b"5\r\nab"), None, "upstream-cut"),
    ("between-chunks", raw(CHUNKED + b"2\r\nab\r\n", close=True), None, "upstream-cut"),
    ("in-trailers", raw(CHUNKED + b"0\r\nx-a: b\r\n", close=True), None, "upstream-cut"),
    ("until-close", reset(head(200) + b"half"), None, "upstream-cut"),
]


@pytest.mark.parametrize("upload", [UPLOADS[0], UPLOADS[1], UPLOADS[2], UPLOADS[4]], ids=lambda up: up.name)
@pytest.mark.parametrize(
    ("handler", "status", "fault"), [c[1:] for c in CRASHES], ids=[c[0] for c in CRASHES]
)
async def test_an_upstream_that_fails_costs_one_answer(
    handler: Handler, status: int | None, fault: str, upload: Upload, autojump_clock: object
) -> None:
    """Before the head the client is told why; after it the connection is cut; nothing else suffers."""
    origin = Origin(handler, sized(b"again"))
    method = b"POST"
    async with running(origin) as proxy:
        client = proxy.connect()
        proxy.nursery.start_soon(ask, client, method, KINDS[0], upload)
        answer = await client.answer(method)
        await proxy.check_idle()
        assert proxy.pooled == 0
        assert origin.open == 0
        assert proxy.journal.faults == [fault]
        if status is None:
            assert (answer.status, answer.whole) == (200, False)
            assert await client.at_end()
        else:
            assert (answer.status, answer.whole) == (status, True)
            assert fault.encode() in answer.body
        assert (await proxy.connect().get()).body == b"again"
        await proxy.check_idle()


BREAKS = [
    ("in-head", b"GET / HTTP/1.1\r\nHo", False),
    ("in-body", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345", True),
    ("in-chunk", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12", True),
    ("waiting", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
]


@pytest.mark.parametrize("how", ["reset", "close", "shut_writing"])
@pytest.mark.parametrize(("sent", "recorded"), [c[1:] for c in BREAKS], ids=[c[0] for c in BREAKS])
async def test_a_client_that_fails_costs_one_exchange(
    sent: bytes, recorded: bool, how: str, autojump_clock: object
) -> None:
    """Whenever the client leaves, the attempt ends, its connection is closed and nobody is left waiting."""
    origin = Origin(silent())
    async with running(origin) as proxy:
        client = proxy.connect()
        await client.send(sent)
        await proxy.settle()
        before = trio.current_time()
        getattr(client.wire, how)()
        await proxy.check_idle()
        assert trio.current_time() == before
        assert origin.open == 0
        assert len(origin.wires) == recorded
        assert proxy.journal.faults == ["client-gone"] * recorded
        assert proxy.open_clients == 0
