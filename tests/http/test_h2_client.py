"""The upstream's end in HTTP/2: one connection for many calls, and what is safe to try again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from appliance.config.plan import Plan
from appliance.config.plan_policy import Backoff, RetryPlan, UpstreamLimits
from appliance.http import h2_frames as f
from appliance.model.fault import CONNECT_FAILED
from tests.kit.h2_origin import H2Call, H2Origin, answer, resets, silent
from tests.kit.plans import listener, plan, route, upstream
from tests.kit.proxy import Client, running

ADDRESS = "10.0.0.1:80"
RETRY = RetryPlan(backoff=Backoff(0.0, 0.0))
TICK = 0.051


def profile(retry: RetryPlan | None = None, *, limits: UpstreamLimits | None = None, **times: float) -> Plan:
    """Give a plan whose upstream speaks HTTP/2."""
    timeouts = {"per_try": 3600.0, "pool_idle": 3600.0, **times}
    response = timeouts.pop("response", 3600.0)
    idle = timeouts.pop("idle", 3600.0)
    row = replace(upstream(**timeouts), protocol="http2", limits=limits or UpstreamLimits())
    rules = retry or RetryPlan(max_retries=0)
    web = listener(body_idle=3600, write=3600, keepalive=0)
    return plan(
        route(response=response, idle=idle, retry=rules),
        upstreams=(replace(row, retry=rules),),
        listeners=(web,),
    )


async def post(client: Client, body: bytes, *fields: bytes) -> None:
    """Send a POST with a body."""
    lines = b"".join(b"%b\r\n" % each for each in fields)
    await client.send(
        b"POST /p HTTP/1.1\r\nHost: a\r\ncontent-length: %d\r\n%b\r\n%b" % (len(body), lines, body)
    )


def lines(origin: H2Origin) -> int:
    return len(origin.wires)


async def test_a_request_arrives_as_it_was_asked(autojump_clock: object) -> None:
    """Pseudo-header fields from the request line, the others as they were; the answer comes back."""
    origin = H2Origin(answer(b"hello", headers=[(b"x-a", b"1")]))
    async with running({ADDRESS: origin}, profile()) as proxy:
        got = await proxy.connect().get(b"/x?y=1", b"x-b: 2", b"cookie: a=b")
        assert (got.status, got.body, got.get(b"x-a"), got.get(b"content-length")) == (
            200,
            b"hello",
            b"1",
            b"5",
        )
        (call,) = origin.calls
        names = [call.get(b":" + name) for name in (b"method", b"scheme", b"authority", b"path")]
        assert names == [b"GET", b"http", b"a.example", b"/x?y=1"]
        assert (call.get(b"x-b"), call.get(b"cookie"), call.get(b"host")) == (b"2", b"a=b", None)
        await proxy.check_idle()


async def test_many_requests_share_one_connection(autojump_clock: object) -> None:
    """Those that come while it is opened wait for it instead of opening their own."""
    origin = H2Origin(answer(b"hello"))
    origin.connect_time = 0.5
    async with running({ADDRESS: origin}, profile()) as proxy:
        clients = [proxy.connect() for _ in range(50)]
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(client.get)
        assert (len(origin.calls), lines(origin)) == (50, 1)
        await proxy.check_idle()


async def test_a_failed_connect_is_everybodys(autojump_clock: object) -> None:
    """Who waits for a connection shares its failure, instead of trying one after the other."""
    origin = H2Origin()
    origin.connect_time, origin.refuses = 0.5, CONNECT_FAILED
    async with running({ADDRESS: origin}, profile()) as proxy:
        clients = [proxy.connect() for _ in range(5)]
        for client in clients:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert [(await client.answer()).status for client in clients] == [502] * 5
        assert trio.current_time() < 0.6
        await proxy.check_idle()


async def test_the_peers_limit_of_streams_is_kept(autojump_clock: object) -> None:
    """Beyond it another connection is opened, up to the limit of connections; then nobody is served."""
    origin = H2Origin(silent(), settings={SettingCodes.MAX_CONCURRENT_STREAMS: 2})
    async with running({ADDRESS: origin}, profile(limits=UpstreamLimits(max_connections=2))) as proxy:
        for _ in range(4):
            await proxy.connect().send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await proxy.settle()
        assert lines(origin) == 2
        assert [len(line.calls) for line in origin.lines] == [2, 2]


@pytest.mark.parametrize("cut", [None, 1, 7])
async def test_bodies_and_trailers_cross_both_ways(cut: int | None, autojump_clock: object) -> None:
    """Of any length, however the bytes are cut."""

    async def echo(call: H2Call) -> None:
        await call.read()
        await call.head(200)
        await call.data(call.body)
        await call.end(call.trailers)

    origin = H2Origin(echo)
    if cut:
        origin.cuts = lambda: iter(lambda: cut, 0)
    async with running({ADDRESS: origin}, profile()) as proxy:
        client = proxy.connect()
        body = bytes(range(256)) * (8 if cut else 800)
        chunked = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (body[:1000], body[1000:]))
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            + chunked
            + b"0\r\nx-t: 1\r\n\r\n"
        )
        got = await client.answer()
        assert got.body == body
        assert origin.calls[0].trailers == [(b"x-t", b"1")]
        await proxy.check_idle()


async def test_a_long_download_stays_within_the_window(autojump_clock: object) -> None:
    """A client that does not read stops its own stream after one window, and no other."""
    origin = H2Origin(answer(b"x" * 1_000_000), answer(b"small"))
    async with running({ADDRESS: origin}, profile()) as proxy:
        slow = proxy.connect(back=1000)
        await slow.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        await proxy.settle()
        window = origin.lines[0].h2.local_flow_control_window(1)
        assert window == 0
        for _ in range(5):
            assert (await proxy.connect().get()).body == b"small"
        assert lines(origin) == 1
        assert len((await slow.answer()).body) == 1_000_000
        await proxy.check_idle()


async def test_an_upload_waits_for_the_peers_window(autojump_clock: object) -> None:
    """An upstream that does not take more is not sent more, and memory stays bounded."""

    async def late(call: H2Call) -> None:
        await trio.sleep(5)
        call.reads = True
        call.line.h2.acknowledge_received_data(len(call.body), call.id)
        await call.line.flush()
        await call.read()
        await call.head(200, end=True)

    origin = H2Origin(late)
    origin.reads = False
    async with running({ADDRESS: origin}, profile()) as proxy:
        client = proxy.connect()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post, client, b"y" * 300_000)
            await trio.sleep(1)
            assert len(origin.calls[0].body) == f.FIRST_WINDOW
            assert (await client.answer()).status == 200
        assert len(origin.calls[0].body) == 300_000
        await proxy.check_idle()


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_refused_stream_was_never_sent(method: bytes, autojump_clock: object) -> None:
    """REFUSED_STREAM lets any method go again (RFC 9113 section 8.7)."""
    origin = H2Origin(resets(ErrorCodes.REFUSED_STREAM), answer(b"ok"))
    async with running({ADDRESS: origin}, profile(RETRY)) as proxy:
        client = proxy.connect()
        await client.send(b"%b / HTTP/1.1\r\nHost: a\r\ncontent-length: 0\r\n\r\n" % method)
        assert (await client.answer(method)).body == b"ok"
        assert len(origin.calls) == 2
        await proxy.check_idle()


async def test_an_upstream_may_reset_every_stream(autojump_clock: object) -> None:
    """Resets of what we asked for are no flood, however many: the connection and its other calls live on."""
    late = trio.Event()

    async def wait(call: H2Call) -> None:
        await late.wait()
        await answer(b"late")(call)

    origin = H2Origin(wait, *[resets(ErrorCodes.NO_ERROR)] * 300, answer(b"ok"))
    async with running({ADDRESS: origin}, profile()) as proxy:
        first = proxy.connect()
        await first.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await proxy.settle()
        for _ in range(300):
            assert (await proxy.connect().get()).status == 502
        late.set()
        assert (await first.answer()).body == b"late"
        assert lines(origin) == 1


async def test_another_reset_is_no_refusal(autojump_clock: object) -> None:
    """A POST that was reset may have had its effect: it is not sent again."""
    origin = H2Origin(resets(ErrorCodes.INTERNAL_ERROR), answer(b"ok"))
    async with running({ADDRESS: origin}, profile(RETRY)) as proxy:
        client = proxy.connect()
        await post(client, b"pay")
        assert (await client.answer()).status == 502
        assert len(origin.calls) == 1
        await proxy.check_idle()


async def test_goaway_ends_only_what_it_names(autojump_clock: object) -> None:
    """Streams up to the last are finished, those above go again elsewhere, whatever their method."""
    gate = trio.Event()

    async def first(call: H2Call) -> None:
        await gate.wait()
        await answer(b"first")(call)

    async def second(call: H2Call) -> None:
        await call.line.raw(f.goaway(1, f.Code.NO_ERROR))

    origin = H2Origin(first, second, answer(b"again"))
    async with running({ADDRESS: origin}, profile(RETRY)) as proxy:
        one, two = proxy.connect(), proxy.connect()
        await one.send(b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n")
        await proxy.settle()
        await post(two, b"pay")
        assert (await two.answer()).body == b"again"
        assert lines(origin) == 2
        gate.set()
        assert (await one.answer()).body == b"first"
        await proxy.settle()
        assert origin.wires[0].hung_up
        await proxy.check_idle()


async def test_a_goaway_in_two_steps_loses_nothing(autojump_clock: object) -> None:
    """The first step names no stream and only says that no more should come."""
    gate = trio.Event()

    async def first(call: H2Call) -> None:
        await call.line.raw(f.goaway(f.MAX_STREAM, f.Code.NO_ERROR))
        await gate.wait()
        await answer(b"first")(call)

    origin = H2Origin(first, answer(b"second"))
    async with running({ADDRESS: origin}, profile()) as proxy:
        one = proxy.connect()
        await one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await proxy.settle()
        assert (await proxy.connect().get()).body == b"second"
        assert lines(origin) == 2
        gate.set()
        assert (await one.answer()).body == b"first"
        await proxy.check_idle()


async def test_a_lost_connection_is_a_reset_or_a_cut(autojump_clock: object) -> None:
    """Calls without a head were reset, those with one are cut short; no new call goes there."""
    gate = trio.Event()

    async def begun(call: H2Call) -> None:
        await call.head(200, [(b"content-length", b"10")])
        await call.data(b"12345")
        await gate.wait()
        call.line.wire.close()

    origin = H2Origin(begun, silent(), answer(b"well"))
    async with running({ADDRESS: origin}, profile()) as proxy:
        one, two = proxy.connect(), proxy.connect()
        for client in (one, two):
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await proxy.settle()
        gate.set()
        cut = await one.answer()
        assert (cut.body, cut.whole) == (b"12345", False)
        assert (await two.answer()).status == 502
        assert sorted(map(str, proxy.journal.faults)) == ["upstream-cut", "upstream-reset"]
        assert (await proxy.connect().get()).body == b"well"
        await proxy.check_idle()


async def test_a_client_that_leaves_cancels_its_stream(autojump_clock: object) -> None:
    """And only that: the connection serves on."""
    origin = H2Origin(silent(), answer(b"ok"))
    async with running({ADDRESS: origin}, profile()) as proxy:
        client = proxy.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await proxy.settle()
        client.wire.close()
        await proxy.settle()
        assert origin.calls[0].reset == ErrorCodes.CANCEL
        assert (await proxy.connect().get()).body == b"ok"
        assert lines(origin) == 1
        await proxy.check_idle()


@pytest.mark.parametrize(
    ("limits", "fault"), [({"per_try": 3.0}, "try-timeout"), ({"response": 3.0}, "response-timeout")]
)
async def test_the_head_has_its_time(limits: dict[str, float], fault: str, autojump_clock: object) -> None:
    """As with HTTP/1.1; the stream is cancelled, the connection stays."""
    origin = H2Origin(silent(), answer(b"ok"))
    async with running({ADDRESS: origin}, profile(**limits)) as proxy:
        assert (await proxy.connect().get()).status == 504
        assert 3 <= trio.current_time() <= 3 + TICK
        assert proxy.journal.faults == [fault]
        assert (await proxy.connect().get()).body == b"ok"
        assert lines(origin) == 1
        await proxy.check_idle()


async def test_an_answer_that_falls_silent_is_cut(autojump_clock: object) -> None:
    """After ``idle`` seconds without a byte."""

    async def half(call: H2Call) -> None:
        await call.head(200)
        await call.data(b"half")
        await trio.sleep_forever()

    origin = H2Origin(half)
    async with running({ADDRESS: origin}, profile(idle=6.0)) as proxy:
        got = await proxy.connect().get()
        assert (got.body, got.whole) == (b"half", False)
        assert proxy.journal.faults == ["upstream-idle"]
        await proxy.settle()
        assert origin.calls[0].reset == ErrorCodes.CANCEL
        await proxy.check_idle()


async def test_an_early_answer_stops_the_upload(autojump_clock: object) -> None:
    """RST_STREAM with NO_ERROR behind a whole answer is no failure (RFC 9113 section 8.1)."""

    async def early(call: H2Call) -> None:
        await call.head(413, [(b"content-length", b"4")])
        await call.data(b"much", end=True)
        await call.cancel(ErrorCodes.NO_ERROR)

    origin = H2Origin(early, answer(b"ok"))
    async with running({ADDRESS: origin}, profile()) as proxy:
        client = proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 100000\r\n\r\nabc")
        got = await client.answer()
        assert (got.status, got.body, got.whole) == (413, b"much", True)
        await proxy.settle()
        assert (await proxy.connect().get()).body == b"ok"
        assert lines(origin) == 1


async def test_interim_answers_pass(autojump_clock: object) -> None:
    """103 goes to the client before the final head."""

    async def hints(call: H2Call) -> None:
        await call.head(103, [(b"link", b"</a>")])
        await call.read()
        await answer(b"ok")(call)

    async with running({ADDRESS: H2Origin(hints)}, profile()) as proxy:
        got = await proxy.connect().get()
        assert (got.status, got.interim, got.body) == (200, [103], b"ok")
        await proxy.check_idle()


@pytest.mark.parametrize(
    "bad",
    [
        [(b":status", b"20")],
        [(b":status", b"101")],
        [(b"x-a", b"1")],
        [(b":status", b"200"), (b"connection", b"close")],
        [(b":status", b"200"), (b"x-a", b"1\r\nx: 2")],
        [(b":status", b"200"), (b"X-A", b"1")],
        [(b":status", b"200"), (b"content-length", b"x")],
    ],
)
async def test_a_malformed_head_is_no_answer(bad: list[tuple[bytes, bytes]], autojump_clock: object) -> None:
    """502, the stream is reset, and the connection serves on (RFC 9113 section 8.1.1)."""

    async def handle(call: H2Call) -> None:
        call.line.h2.config.header_encoding = None
        block = call.line.h2.encoder.encode(bad)
        await call.line.raw(f.heads(call.id, block, end=True))

    origin = H2Origin(handle, answer(b"ok"))
    async with running({ADDRESS: origin}, profile()) as proxy:
        assert (await proxy.connect().get()).status == 502
        assert proxy.journal.faults == ["upstream-bad"]
        assert (await proxy.connect().get()).body == b"ok"
        assert lines(origin) == 1
        await proxy.check_idle()


@pytest.mark.parametrize(
    "frames",
    [
        f.pack(f.PUSH_PROMISE, f.END_HEADERS, 1, b"\0\0\0\2\x88"),
        f.pack(f.HEADERS, f.END_HEADERS, 2, b"\x88"),
        f.pack(f.SETTINGS, 0, 0, b"\0\2\0\0\0\1"),
        f.pack(f.DATA, 0, 0, b"x"),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        f.pack(f.HEADERS, f.END_HEADERS, 1, b"\xff\xff\xff\xff\xff"),
    ],
)
async def test_a_broken_connection_is_given_up(frames: bytes, autojump_clock: object) -> None:
    """What no server may send ends the connection and its calls; the next call opens another."""

    async def handle(call: H2Call) -> None:
        await call.line.raw(frames)

    origin = H2Origin(handle, answer(b"ok"))
    async with running({ADDRESS: origin}, profile()) as proxy:
        assert (await proxy.connect().get()).status == 502
        assert (await proxy.connect().get()).body == b"ok"
        assert lines(origin) == 2
        await proxy.check_idle()


async def test_content_length_must_add_up(autojump_clock: object) -> None:
    """An answer shorter than it says is cut, not passed as whole."""

    async def short(call: H2Call) -> None:
        await call.head(200, [(b"content-length", b"10")])
        await call.line.raw(f.pack(f.DATA, f.END_STREAM, call.id, b"12345"))

    async with running({ADDRESS: H2Origin(short)}, profile()) as proxy:
        got = await proxy.connect().get()
        assert got.status == 502 or not got.whole
        assert proxy.journal.faults == ["upstream-bad"]
        await proxy.check_idle()


async def test_a_silent_peer_is_asked_whether_it_lives(autojump_clock: object) -> None:
    """With calls under way a PING goes out; a peer that does not answer that has gone."""
    origin = H2Origin(silent())
    async with running({ADDRESS: origin}, profile()) as proxy:
        client = proxy.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await trio.sleep(100)
        assert origin.lines[0].pings == 3
        client.wire.close()
        await proxy.settle()


async def test_idle_connections_expire(autojump_clock: object) -> None:
    """After ``pool_idle`` seconds, in order, with a GOAWAY."""
    origin = H2Origin(answer(b"ok"))
    async with running({ADDRESS: origin}, profile(pool_idle=4.0)) as proxy:
        await proxy.connect().get()
        await trio.sleep(4.2)
        assert origin.lines[0].goaways == [0]
        await proxy.connect().get()
        assert lines(origin) == 2


async def test_heads_leave_in_the_order_of_their_streams(autojump_clock: object) -> None:
    """To the peer a stream is closed once one with a higher number has begun (RFC 9113 section 5.1.1)."""
    origin = H2Origin(answer(b"ok"))
    async with running({ADDRESS: origin}, profile()) as proxy:
        await proxy.connect().get()
        clients = [proxy.connect() for _ in range(40)]
        for client in clients:
            client.wire.write(b"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\n\r\nhal")
        await proxy.settle()
        assert [call.id for call in origin.calls] == list(range(1, 83, 2))
        for client in clients:
            await client.send(b"ve")
        assert [(await client.answer()).body for client in clients] == [b"ok"] * 40
        assert {call.body for call in origin.calls[1:]} == {b"halve"}
        await proxy.check_idle()
