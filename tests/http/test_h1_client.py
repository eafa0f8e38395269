"""The upstream's end: when its clocks run, which answers are believed, when a connection is used again."""

from __future__ import annotations

from math import inf

import pytest
import trio

from appliance.config.plan import Plan
from tests.kit.origin import (
    Call,
    Handler,
    Origin,
    chunked_bytes,
    deaf,
    early,
    head,
    raw,
    silent,
    sized,
    sized_bytes,
)
from tests.kit.plans import listener, plan, route, upstream
from tests.kit.proxy import running

TICK = 0.051
READ = 256 * 1024  # what a streaming body asks for at once
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def timed(*, per_try: float = inf, response: float = inf, idle: float = inf, **listening: float) -> Plan:
    """Give a plan without limits but for those that are named."""
    return plan(
        route(response=response, idle=idle),
        upstreams=(upstream(per_try=per_try, pool_idle=3600),),
        listeners=(listener(**{"body_idle": 3600, "write": 3600, "keepalive": 0, **listening}),),
    )


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        ({"per_try": 3, "response": 8}, "try-timeout"),
        ({"per_try": 8, "response": 3}, "response-timeout"),
        ({"per_try": 3}, "try-timeout"),
        ({"response": 3}, "response-timeout"),
    ],
)
async def test_the_shorter_limit_for_the_head_counts(
    limits: dict[str, float], fault: str, autojump_clock: object
) -> None:
    """No head in time is a 504 that says which of the two clocks rang."""
    async with running(Origin(silent(), sized(b"next")), timed(**limits)) as proxy:
        client = proxy.connect()
        answer = await client.get()
        assert answer.status == 504
        assert 3 <= trio.current_time() <= 3 + TICK
        assert fault.encode() in answer.body
        await proxy.check_idle()
        assert proxy.journal.faults == [fault]
        assert (await client.get()).body == b"next"


async def test_the_clocks_start_at_the_last_byte_of_the_request(autojump_clock: object) -> None:
    """An upload may take an hour; the upstream has its three seconds after it."""
    async with running(Origin(silent()), timed(per_try=3, response=4)) as proxy:
        client = proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            await trio.sleep(30)
            await client.send(b"x")
        assert (await client.answer()).status == 504
        assert 603 <= trio.current_time() <= 603 + TICK
        await proxy.check_idle()


async def test_the_clocks_stop_at_the_head(autojump_clock: object) -> None:
    """A body may take as long as it likes, as long as it moves."""
    answer = raw(sized_bytes(b"0123456789"), by=10, pause=2)
    async with running(Origin(answer), timed(per_try=30, response=30, idle=3)) as proxy:
        assert (await proxy.connect().get()).body == b"0123456789"
        slow = raw(sized_bytes(b"x" * 100), by=47, pause=2.5)
        proxy.origins["10.0.0.1:80"].handlers = (slow,)
        assert (await proxy.connect().get()).whole
        await proxy.check_idle()


async def test_an_interim_answer_does_not_stop_the_clock(autojump_clock: object) -> None:
    """Hints are no answer: the final head is due all the same."""
    hints = head(103, [(b"link", b"</a>")], b"Early Hints")
    async with running(Origin(silent(hints)), timed(per_try=3)) as proxy:
        answer = await proxy.connect().get()
        assert (answer.status, answer.interim) == (504, [103])
        assert trio.current_time() <= 3 + TICK


async def test_an_answer_that_falls_silent_is_cut(autojump_clock: object) -> None:
    """Once the answer has begun, ``idle`` seconds without a byte end it, and the client sees a cut."""
    origin = Origin(silent(head(200, [(b"content-length", b"10")]) + b"12345"))
    async with running(origin, timed(idle=6, per_try=1)) as proxy:
        answer = await proxy.connect().get()
        assert (answer.status, answer.body, answer.whole) == (200, b"12345", False)
        assert 6 <= trio.current_time() <= 6 + TICK
        await proxy.check_idle()
        assert proxy.journal.faults == ["upstream-idle"]
        assert proxy.pooled == 0


async def test_an_upstream_that_does_not_read_is_given_up(autojump_clock: object) -> None:
    """An upload that makes no progress for ``idle`` seconds is a 504."""
    async with running(Origin(deaf()), timed(idle=6)) as proxy:
        client = proxy.connect()
        proxy.nursery.start_soon(
            client.send, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + b"x" * 900_000
        )
        answer = await client.answer()
        assert (answer.status, answer.get(b"connection")) == (504, b"close")
        assert proxy.journal.faults == ["upstream-slow"] or trio.current_time() <= 6 + TICK
        await proxy.check_idle()


async def test_an_upload_is_held_back_by_a_slow_upstream(autojump_clock: object) -> None:
    """The proxy holds at most 64 KiB and one read of a body that its upstream does not take."""
    origin = Origin(deaf())
    origin.capacity = 1000
    async with running(origin, timed()) as proxy:
        client = proxy.connect(capacity=1_000_000)
        proxy.nursery.start_soon(
            client.send, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000
        )
        await proxy.settle()
        taken = client.wire.given - len(client.wire.outgoing.data)
        held = taken - proxy.upstream_wires[0].given
        assert 50_000 < held <= 64 * 1024 + READ
        assert client.wire.unsent > 500_000


async def test_a_full_upstream_can_still_answer(autojump_clock: object) -> None:
    """Both directions move by themselves: an answer is read while the upload is stuck."""
    async with running(Origin(early(sized_bytes(b"enough", 413))), timed()) as proxy:
        client = proxy.connect()
        proxy.nursery.start_soon(
            client.send, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + b"x" * 900_000
        )
        answer = await client.answer()
        assert (answer.status, answer.body) == (413, b"enough")
        client.wire.close()
        await proxy.check_idle()


MALFORMED = [
    b"HTTP/2 200 OK\r\n\r\n",
    b"hello\r\n\r\n",
    b"HTTP/1.1 200 OK\nA: b\n\n" + b"x" * 70_000,
    head(200, [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")]),
    head(200, [(b"content-length", b"1"), (b"content-length", b"2")]),
    head(200, [(b"content-length", b"-1")]),
    head(200, [(b"transfer-encoding", b"gzip, chunked")]),
    head(200, [(b"transfer-encoding", b"chunked")], version=b"HTTP/1.0"),
    head(200, [(b"x", b"a\r\n folded")]),
    head(200, [(b"x", b"a\x00b")]),
    head(101, [(b"upgrade", b"websocket"), (b"connection", b"upgrade")]),
    head(103) * 40,
    head(200, [(b"x", b"y" * 70_000)]),
    head(200, [(b"x", b"y")] * 300),
    head(200, [(b"transfer-encoding", b"chunked")]) + b"zz\r\n",
]


@pytest.mark.parametrize("answer", MALFORMED, ids=range(len(MALFORMED)))
async def test_an_answer_that_is_not_http_is_a_502(answer: bytes, autojump_clock: object) -> None:
    """What could be read in two ways is read in none; the connection is closed, the client is told."""
    async with running(Origin(raw(answer))) as proxy:
        client = proxy.connect()
        told = await client.get()
        assert (told.status, told.whole) == (502, True)
        assert b"upstream-bad" in told.body
        await proxy.check_idle()
        assert proxy.pooled == 0


LENIENT = [
    b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
]


@pytest.mark.parametrize("answer", LENIENT, ids=range(len(LENIENT)))
async def test_odd_but_clear_answers_are_read(answer: bytes, autojump_clock: object) -> None:
    """Leniency is owed where nothing is ambiguous."""
    async with running(Origin(raw(answer))) as proxy:
        assert (await proxy.connect().get()).body == b"ok"
        await proxy.settle()
        assert proxy.pooled == 1


@pytest.mark.parametrize(
    "answer",
    [
        sized_bytes(b"ok") + b"more",
        sized_bytes(b"ok", headers=[(b"connection", b"close")]),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        sized_bytes(b"ok") + sized_bytes(b"another"),
        head(204) + b"body",
    ],
)
async def test_a_connection_with_a_doubt_is_not_used_again(answer: bytes, autojump_clock: object) -> None:
    """Bytes beyond the answer would become the head of the next one: somebody else's."""
    origin = Origin(raw(answer), sized(b"next"))
    async with running(origin) as proxy:
        client = proxy.connect()
        await client.get()
        await proxy.check_idle()
        assert proxy.pooled == 0
        assert (await client.get()).body == b"next"
        assert len(origin.wires) == 2


def late_excess(first: bytes, excess: bytes) -> Handler:
    async def handle(call: Call) -> None:
        await call.read()
        await call.send(first)
        await trio.sleep(0.5)
        await call.send(excess)

    return handle


async def test_bytes_on_an_idle_connection_condemn_it(autojump_clock: object) -> None:
    """What an upstream sends unasked is not taken for the next answer."""
    origin = Origin(late_excess(sized_bytes(b"ok"), sized_bytes(b"poison")), sized(b"next"))
    async with running(origin) as proxy:
        client = proxy.connect()
        await client.get()
        await trio.sleep(1)
        assert (await client.get()).body == b"next"
        assert len(origin.wires) == 2


async def test_empty_bodies_are_told_where_methods_expect_one(autojump_clock: object) -> None:
    """POST without a body says Content-Length: 0 (RFC 9110 section 8.6); GET says nothing."""
    origin = Origin()
    async with running(origin) as proxy:
        for method in (b"POST", b"PUT", b"PATCH", b"GET", b"DELETE"):
            client = proxy.connect()
            await client.send(b"%b / HTTP/1.1\r\nHost: a\r\n\r\n" % method)
            await client.answer()
        lengths = [seen.get(b"content-length") for seen in origin.requests]
        assert lengths == [b"0", b"0", b"0", None, None]


async def test_a_request_without_a_host_gets_the_endpoints(autojump_clock: object) -> None:
    """HTTP/1.0 may leave Host out; the upstream is spoken to in HTTP/1.1 and needs one."""
    origin = Origin()
    async with running(origin) as proxy:
        client = proxy.connect()
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.answer()).status == 200
        assert origin.requests[0].get(b"host") == b"10.0.0.1:80"


async def test_hop_by_hop_fields_do_not_cross(autojump_clock: object) -> None:
    """Connection, what it names, and its kin stay on their side, in both directions; TE: trailers crosses."""
    back = [(b"Connection", b"x-hop"), (b"X-Hop", b"1"), (b"Keep-Alive", b"timeout=5"), (b"X-End", b"1")]
    origin = Origin(raw(sized_bytes(b"", headers=back)))
    async with running(origin) as proxy:
        client = proxy.connect()
        answer = await client.get(
            b"/",
            b"Connection: keep-alive, x-hop, x-forwarded-for",
            b"X-Hop: 1",
            b"Keep-Alive: 1",
            b"TE: trailers, deflate",
            b"Proxy-Connection: close",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AAMA",
            b"X-End: 1",
        )
        seen = {name for name, _ in origin.requests[0].headers}
        assert {b"te", b"x-end", b"x-forwarded-for"} <= seen
        assert not seen & {b"x-hop", b"keep-alive", b"proxy-connection", b"upgrade", b"http2-settings"}
        assert origin.requests[0].get(b"te") == b"trailers"
        assert {name for name, _ in answer.headers} == {b"x-end", b"via", b"content-length", b"date"}


async def test_trailers_that_frame_or_route_are_dropped(autojump_clock: object) -> None:
    """A trailer may not say late what a head would have had to say."""
    trailers = [(b"x-sum", b"1"), (b"content-length", b"5"), (b"host", b"evil"), (b"authorization", b"x")]
    origin = Origin(raw(chunked_bytes([b"a"], trailers)))
    async with running(origin) as proxy:
        client = proxy.connect()
        tail = b"".join(b"%b: %b\r\n" % pair for pair in trailers)
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
            + tail
            + b"\r\n"
        )
        assert (await client.answer()).trailers == [(b"x-sum", b"1")]
        assert origin.requests[0].trailers == [(b"x-sum", b"1")]


async def test_an_old_deadline_does_not_ring_in_the_next_exchange(autojump_clock: object) -> None:
    """An upload that ends after its answer's head leaves no clock running on the pooled connection."""
    big = 200_000

    async def answers_first(call: Call) -> None:
        if len(origin.requests) == 1:
            await call.send(head(204))
            await trio.sleep(1)
        await call.read()
        if len(origin.requests) > 1:
            await call.send(head(204))

    origin = Origin(answers_first)
    async with running(origin, timed(per_try=2)) as proxy:
        client = proxy.connect(back=1)  # so small that our answer waits while the upload goes on
        post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
        proxy.nursery.start_soon(client.send, post % big + b"x" * big)
        await trio.sleep(1.5)
        assert (await client.answer()).status == 204
        await trio.sleep(5)
        assert proxy.pooled == 1
        other = proxy.connect()
        await other.send(post % 4)
        for octet in (b"1", b"2", b"3", b"4"):
            await trio.sleep(1)
            await other.send(octet)
        assert (await other.answer()).status == 204
        await proxy.check_idle()
