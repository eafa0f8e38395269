"""HTTP/2 from the client, HTTP/1.1 to the origin: every kind of body meets every kind of answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
import trio
from h2.settings import SettingCodes

from appliance.config.plan import Plan
from appliance.http import h2_frames as f
from appliance.http.h2_frames import Code
from tests.kit.h2_client import PoliteClient, polite, raw, request
from tests.kit.origin import (
    Call,
    Handler,
    Origin,
    chunked_bytes,
    deaf,
    head,
    reset,
    silent,
    sized,
    sized_bytes,
    until_close,
)
from tests.kit.origin import (
    raw as raw_answer,
)
from tests.kit.plans import listener, plan, route, upstream
from tests.kit.proxy import running
from tests.kit.wires import by

Pairs = list[tuple[bytes, bytes]]

LARGE = bytes(range(256)) * 1200  # 300 KiB: more than every window and buffer on its way
SMALL = b"small request body"
PIECES = [b"one ", b"x" * 300, b" three"]
TRAILERS = [(b"x-sum", b"17"), (b"x-end", b"yes")]


@dataclass(frozen=True)
class Upload:
    """A kind of request body."""

    name: str
    headers: Pairs = field(default_factory=list)
    body: bytes | None = None
    trailers: Pairs = field(default_factory=list)
    padding: int | None = None


UPLOADS = [
    Upload("none"),
    Upload("empty", [], b""),
    Upload("sized", [(b"content-length", b"%d" % len(SMALL))], SMALL),
    Upload("large-sized", [(b"content-length", b"%d" % len(LARGE))], LARGE),
    Upload("unsized", [], SMALL),
    Upload("large-unsized", [], LARGE),
    Upload("padded", [], SMALL, [], 200),
    Upload("trailers", [], SMALL, TRAILERS),
    Upload("large-trailers", [], LARGE, TRAILERS),
    Upload("expect", [(b"expect", b"100-continue"), (b"content-length", b"%d" % len(SMALL))], SMALL),
]


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
    reusable: bool = True


HINTS = head(103, [(b"link", b"</style.css>")], b"Early Hints")
REPLIES = [
    Reply("none", raw_answer(head(204)), 204),
    Reply("not-modified", raw_answer(head(304, [(b"content-length", b"99")])), 304, length=b"99"),
    Reply("head", sized(b"unseen"), method=b"HEAD", length=b"6"),
    Reply("empty", sized(b""), length=b"0"),
    Reply("sized", sized(b"hello"), body=b"hello", length=b"5"),
    Reply("large", sized(LARGE), body=LARGE, length=b"%d" % len(LARGE)),
    Reply("chunked", raw_answer(chunked_bytes(PIECES)), body=b"".join(PIECES)),
    Reply("empty-chunked", raw_answer(chunked_bytes([]))),
    Reply("trailers", raw_answer(chunked_bytes(PIECES, TRAILERS)), body=b"".join(PIECES), trailers=TRAILERS),
    Reply("only-trailers", raw_answer(chunked_bytes([], TRAILERS)), trailers=TRAILERS),
    Reply("until-close", until_close(b"to the end"), body=b"to the end", reusable=False),
    Reply(
        "hints",
        raw_answer(HINTS + HINTS + sized_bytes(b"late")),
        body=b"late",
        interim=(103, 103),
        length=b"4",
    ),
]
CUTTINGS = {"whole": None, "ones": (1, 3000), "sevens": (7, 3000)}


def cut(name: str) -> Iterable[int] | None:
    """Give fresh cuts; after some thousand pieces they grow, or large bodies would take minutes."""
    size = CUTTINGS[name]
    return None if size is None else by(*size, after=4093)


def patient(**timeouts: float) -> Plan:
    """Give a plan in which only what a test names can time out."""
    slow = upstream(per_try=3600.0)
    web = listener(**{"body_idle": 3600.0, "write": 3600.0, "h2_ping": 3600.0, **timeouts})
    return plan(route(response=3600.0, idle=3600.0), upstreams=(slow,), listeners=(web,))


async def ask(client: PoliteClient, method: bytes, upload: Upload, path: bytes = b"/a/b?c=d") -> int:
    """Send one request of this kind and give its stream."""
    own = [(b"x-mine", b"2"), *upload.headers]
    id = await client.ask(method, path, own, end=upload.body is None)
    if upload.body is not None:
        await client.data(id, upload.body, end=not upload.trailers, padding=upload.padding)
    if upload.trailers:
        await client.trailers(id, upload.trailers)
    return id


@pytest.mark.parametrize("cutting", CUTTINGS)
@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.name)
@pytest.mark.parametrize("upload", UPLOADS, ids=lambda upload: upload.name)
async def test_both_messages_arrive(
    upload: Upload, reply: Reply, cutting: str, autojump_clock: object
) -> None:
    """What either side sends reaches the other whole, and both connections go on."""
    origin = Origin(reply.handler, sized(b"again"))
    origin.cuts = lambda: cut(cutting)
    method = reply.method or (b"GET" if upload.body is None else b"POST")
    async with running(origin) as proxy:
        client = await polite(proxy, cuts=cut(cutting))
        answer = await client.answer(await ask(client, method, upload))
        assert answer.whole
        assert (answer.status, answer.body, answer.trailers) == (reply.status, reply.body, reply.trailers)
        assert tuple(answer.interim) == reply.interim
        assert (answer.get(b"via"), answer.get(b"content-length")) == (
            b"1.1 edge",
            reply.length,
        )  # of an HTTP/1.1 origin
        assert not {b"connection", b"transfer-encoding", b"keep-alive"} & dict(answer.headers).keys()
        (seen,) = origin.requests
        assert (seen.method, seen.target, seen.version, seen.whole) == (method, b"/a/b?c=d", b"1.1", True)
        assert (seen.body, seen.trailers) == (upload.body or b"", upload.trailers)
        assert (seen.get(b"host"), seen.get(b"x-mine")) == (b"a.example", b"2")
        assert seen.get(b"via") == b"2.0 edge"
        await proxy.settle()
        assert proxy.pooled == reply.reusable
        assert (await client.get(b"/second")).body == b"again"
        await proxy.check_idle()
        assert not client.over.is_set()


@pytest.mark.parametrize("size", range(1, 40))
async def test_any_cutting_gives_the_same(size: int, autojump_clock: object) -> None:
    """Pieces of every size on every side change nothing."""
    origin = Origin(raw_answer(chunked_bytes(PIECES, TRAILERS)))
    origin.cuts = lambda: by(size)
    async with running(origin) as proxy:
        client = await polite(proxy, cuts=by(size))
        answer = await client.answer(await ask(client, b"POST", UPLOADS[7]))
        assert (answer.body, answer.trailers) == (b"".join(PIECES), TRAILERS)
        assert (origin.requests[0].body, origin.requests[0].trailers) == (SMALL, TRAILERS)
        await proxy.check_idle()


@pytest.mark.parametrize("upload", UPLOADS, ids=lambda upload: upload.name)
async def test_an_answer_may_come_early(upload: Upload, autojump_clock: object) -> None:
    """The answer is whole, the rest of the upload is called off, and the connection serves the next."""
    large = upload.name.startswith("large")

    async def refuse(call: Call) -> None:
        await call.send(sized_bytes(b"no", 413))
        if large:
            await trio.sleep_forever()
        await call.read()

    async with running(Origin(refuse, sized(b"again"))) as proxy:
        client = await polite(proxy)
        id = await ask(client, b"POST", upload)
        answer = await client.answer(id)
        assert (answer.status, answer.body, answer.whole) == (413, b"no", True)
        await proxy.settle()
        if large:
            assert answer.reset == Code.NO_ERROR
        assert (await client.get()).body == b"again"
        await proxy.check_idle()


CHUNKED = head(200, [(b"transfer-encoding", b"chunked")])
CRASHES = [
    ("before-reading", reset(read=False), 502, "upstream-reset"),
    ("after-reading", reset(), 502, "upstream-reset"),
    ("in-head", reset(b"HTTP/1.1 200 OK\r\nx-a"), 502, "upstream-cut"),
    ("after-hints", reset(HINTS), 502, "upstream-cut"),
    ("after-head", reset(head(200, [(b"content-length", b"10")])), None, "upstream-cut"),
    (
        "in-body",
        raw_answer(head(200, [(b"content-length", b"10")]) + b"12345", close=True),
        None,
        "upstream-cut",
    ),
    ("in-chunk", reset(CHUNKED + b"5\r\nab"), None, "upstream-cut"),
    ("in-trailers", raw_answer(CHUNKED + b"0\r\nx-a: b\r\n", close=True), None, "upstream-cut"),
]


@pytest.mark.parametrize("upload", [UPLOADS[n] for n in (0, 2, 3, 8)], ids=lambda upload: upload.name)
@pytest.mark.parametrize(
    ("handler", "status", "fault"), [c[1:] for c in CRASHES], ids=[c[0] for c in CRASHES]
)
async def test_an_upstream_that_fails_costs_one_stream(
    handler: Handler, status: int | None, fault: str, upload: Upload, autojump_clock: object
) -> None:
    """Before the head the client is told why; after it the stream is reset; the connection goes on."""
    async with running(Origin(handler, sized(b"again"))) as proxy:
        client = await polite(proxy)
        answer = await client.answer(await ask(client, b"POST", upload))
        await proxy.check_idle()
        assert proxy.journal.faults == [fault]
        if status is None:
            assert (answer.status, answer.whole, answer.reset) == (200, False, Code.INTERNAL_ERROR)
        else:
            assert (answer.status, answer.whole) == (status, True)
            assert fault.encode() in answer.body
        assert (await client.get()).body == b"again"
        await proxy.check_idle()


LEAVES = {
    "waiting": (silent(), UPLOADS[0]),
    "in-answer": (silent(head(200, [(b"content-length", b"10")]) + b"12345"), UPLOADS[0]),
    "in-large-answer": (sized(LARGE), UPLOADS[0]),
    "in-upload": (deaf(), Upload("open")),
    "in-large-upload": (deaf(), Upload("half")),
}


@pytest.mark.parametrize("how", ["reset", "close", "crash"])
@pytest.mark.parametrize("when", LEAVES)
async def test_a_client_that_leaves_frees_everything(when: str, how: str, autojump_clock: object) -> None:
    """A withdrawn stream, or a connection that ends, leaves no attempt, task or deadline behind."""
    handler, upload = LEAVES[when]
    origin = Origin(handler, sized(b"again"))
    async with running(origin, patient()) as proxy:
        client = await polite(proxy)
        id = await client.ask(b"POST", b"/", end=upload.name == "none")
        client.unread.add(id)
        if upload.name == "half":
            proxy.nursery.start_soon(client.data, id, LARGE * 4)
        await proxy.settle()
        if how == "reset":
            await client.reset(id)
        elif how == "close":
            client.wire.close()
        else:
            client.wire.reset()
        await proxy.settle()
        await proxy.check_idle()
        assert proxy.journal.faults == ["client-gone"]
        assert origin.open == 0
        if how == "reset":
            assert (await client.get()).body == b"again"
            await proxy.check_idle()
        else:
            assert proxy.open_clients == 0


def continues(answer: bytes) -> Handler:
    async def handle(call: Call) -> None:
        assert not call.request.body
        await call.send(head(100, reason=b"Continue"))
        await call.read()
        await call.send(answer)

    return handle


async def test_a_client_that_waits_for_100_is_told_by_the_origin(autojump_clock: object) -> None:
    """Expect and 100 are passed on, and the body follows."""
    origin = Origin(continues(sized_bytes(b"thanks")))
    async with running(origin, patient()) as proxy:
        client = await polite(proxy)
        fields = [(b"expect", b"100-continue"), (b"content-length", b"5")]
        id = await client.ask(b"PUT", b"/", fields, end=False)
        await proxy.settle()
        assert client.answers[id].interim == [100]
        await client.data(id, b"12345", end=True)
        assert (await client.answer(id)).body == b"thanks"
        assert origin.requests[0].get(b"expect") == b"100-continue"
        await proxy.check_idle()


async def test_a_stream_that_nobody_reads_holds_nobody_up(autojump_clock: object) -> None:
    """Of fifty streams one is never read: the others are whole, and one window is all that waits."""
    async with running(Origin(sized(LARGE)), patient()) as proxy:
        client = await polite(proxy)
        client.unread.add(15)
        ids = [await client.ask(path=b"/%d" % n) for n in range(50)]
        assert ids[7] == 15
        for id in ids:
            if id != ids[7]:
                answer = await client.answer(id)
                assert (answer.body, answer.whole) == (LARGE, True)
        await proxy.settle()
        assert len(client.answers[ids[7]].body) == f.FIRST_WINDOW
        assert proxy.in_flight == 1
        await client.read_on(ids[7])
        assert (await client.answer(ids[7])).body == LARGE
        await proxy.check_idle()


async def test_an_upload_that_nobody_takes_holds_nobody_up(autojump_clock: object) -> None:
    """An origin that reads nothing stops one upload after its window and buffers, and no other."""

    async def by_path(call: Call) -> None:
        await (deaf() if call.request.target == b"/deaf" else sized(b"thanks"))(call)

    async with running(Origin(by_path), patient()) as proxy:
        client = await polite(proxy)
        stuck = await client.ask(b"POST", b"/deaf", end=False)
        proxy.nursery.start_soon(client.data, stuck, LARGE * 4)
        for _ in range(50):
            assert (await client.post(LARGE)).body == b"thanks"
        await proxy.settle()
        assert proxy.in_flight == 1
        await client.reset(stuck)
        await proxy.check_idle()


@pytest.mark.parametrize("capacity", [1, 100, 5000])
async def test_a_slow_reader_gets_all(capacity: int, autojump_clock: object) -> None:
    """However little the wire takes at once, nothing is lost or torn, with many streams in between."""
    async with running(Origin(sized(LARGE[:40_000])), patient()) as proxy:
        client = await polite(proxy, back=capacity)
        ids = [await client.ask(path=b"/%d" % n) for n in range(5)]
        for id in ids:
            assert (await client.answer(id)).body == LARGE[:40_000]
        await proxy.check_idle()


async def test_a_slow_writer_is_read_to_the_end(autojump_clock: object) -> None:
    """A byte every few seconds is an upload like others."""
    origin = Origin(sized(b"thanks"))
    async with running(origin, patient(header=5.0, body_idle=10.0)) as proxy:
        client = await polite(proxy)
        id = await client.ask(b"POST", b"/", end=False)
        for n in range(20):
            await trio.sleep(7)
            await client.data(id, b"x", end=n == 19)
        assert (await client.answer(id)).body == b"thanks"
        assert origin.requests[0].body == b"x" * 20
        await proxy.check_idle()


async def test_an_upload_that_stops_is_told_so(autojump_clock: object) -> None:
    """After ``body_idle`` the stream has its 408, and the connection goes on."""
    async with running(Origin(sized(b"again")), patient(body_idle=10.0)) as proxy:
        client = await polite(proxy)
        id = await client.ask(b"POST", b"/", end=False)
        await client.data(id, b"x")
        answer = await client.answer(id)
        assert (answer.status, answer.whole) == (408, True)
        assert 10 <= trio.current_time() <= 10.1
        await proxy.settle()
        assert answer.reset == Code.NO_ERROR
        assert (await client.get()).body == b"again"
        await proxy.check_idle()


async def test_an_answer_that_nobody_reads_is_given_up(autojump_clock: object) -> None:
    """After ``write`` seconds without a window the stream is reset, and the connection goes on."""
    async with running(Origin(sized(LARGE), sized(b"again")), patient(write=10.0)) as proxy:
        client = await polite(proxy)
        id = await client.ask()
        client.unread.add(id)
        answer = await client.answer(id)
        assert (answer.whole, answer.reset) == (False, Code.CANCEL)
        assert 10 <= trio.current_time() <= 10.1
        assert proxy.journal.faults == ["client-slow"]
        assert (await client.get()).body == b"again"
        await proxy.check_idle()


async def test_small_frames_and_windows(autojump_clock: object) -> None:
    """A client whose windows hold a byte gets everything, a byte at a time."""
    async with running(Origin(sized(b"x" * 15)), patient()) as proxy:
        client = await polite(proxy, {SettingCodes.INITIAL_WINDOW_SIZE: 1})
        assert (await client.get()).body == b"x" * 15
        await proxy.check_idle()


async def test_trailers_that_are_bad_reach_nobody(autojump_clock: object) -> None:
    """A request whose trailers are malformed is not ended at the origin: it must not look whole."""
    origin = Origin(sized(b"thanks"))
    async with running(origin, patient()) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1, request(b"POST"), end=False), f.pack(f.DATA, 0, 1, b"body"))
        await client.hear()
        await client.send(client.head(1, [(b"x", b"a\r\nb: c")]))
        await client.hear()
        assert client.resets(1) == Code.PROTOCOL_ERROR
        assert not origin.requests[0].whole
        assert await client.alive()
        await proxy.check_idle()


async def test_cookies_and_forwarding_fields(autojump_clock: object) -> None:
    """Parted cookies are one in HTTP/1.1, and who asked, and how, is told to the origin."""
    origin = Origin()
    async with running(origin) as proxy:
        client = await polite(proxy)
        await client.get(b"/", (b"cookie", b"a=1"), (b"cookie", b"b=2"))
        (seen,) = origin.requests
        assert seen.get(b"cookie") == b"a=1; b=2"
        assert seen.get(b"x-forwarded-proto") == b"http"
        assert seen.get(b"x-forwarded-for") == b"192.0.2.7"
        assert proxy.journal.records[0]["protocol"] == "HTTP/2"
