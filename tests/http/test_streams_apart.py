"""Streams of one connection to the origin, and what one of them does to the others: nothing.

A stream may be reset from either side, be slow, or stop, with a client of either version; the others go on,
the same connection serves the next request, and nothing of the exchange stays behind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from h2.settings import SettingCodes

from appliance.http import h2_frames as f
from appliance.http.h2_frames import Code
from tests.http.sides import (
    LARGE,
    NOTHING,
    OPEN,
    TRAILERS,
    UPLOADS,
    NewAsk,
    Upload,
    both,
    check_cut,
    check_goes_on,
    cut,
    exchange,
    patient,
    send,
    side,
)
from tests.kit.h2_client import polite, raw
from tests.kit.h2_origin import H2Call, H2Origin, Handler, answer, resets, silent
from tests.kit.plans import ORIGIN
from tests.kit.proxy import running


def begins(*steps: Callable[[H2Call], Awaitable[None]], code: Code = Code.INTERNAL_ERROR) -> Handler:
    """Give a handler that reads the request, does so much, and resets the stream."""

    async def handle(call: H2Call) -> None:
        await call.read()
        for step in steps:
            await step(call)
        await call.cancel(code)

    return handle


async def hinted(call: H2Call) -> None:
    await call.head(103)


async def headed(call: H2Call) -> None:
    await call.head(200, [(b"content-length", b"10")])


async def half(call: H2Call) -> None:
    await call.data(b"12345")


async def headed_without_length(call: H2Call) -> None:
    await call.head(200, [])


async def bad(call: H2Call) -> None:
    await call.read()
    await call.head(200, [(b"content-length", b"many")])


async def too_long(call: H2Call) -> None:
    await call.read()
    await call.head(200, [(b"content-length", b"4")])
    await half(call)


async def too_short(call: H2Call) -> None:
    await call.read()
    await headed(call)
    await call.data(b"12345", end=True)


async def bad_trailers(call: H2Call) -> None:
    await call.read()
    await headed_without_length(call)
    await half(call)
    await call.end([(b":status", b"200")])


# What the origin does, and what the client is told: None is an answer that is cut off.
CRASHES = [
    ("unread", resets(Code.INTERNAL_ERROR), 502, "upstream-reset"),
    ("read", begins(), 502, "upstream-reset"),
    ("no-error", begins(code=Code.NO_ERROR), 502, "upstream-reset"),
    ("refused", resets(Code.REFUSED_STREAM), 502, "upstream-refused"),
    ("after-hints", begins(hinted), 502, "upstream-cut"),
    ("after-head", begins(headed), None, "upstream-cut"),
    ("in-body", begins(headed, half), None, "upstream-cut"),
    ("unsized", begins(headed_without_length, half), None, "upstream-cut"),
    ("no-error-in-body", begins(headed, half, code=Code.NO_ERROR), None, "upstream-cut"),
    ("bad-head", bad, 502, "upstream-bad"),
    ("too-long", too_long, None, "upstream-bad"),
    ("too-short", too_short, None, "upstream-bad"),
    ("bad-trailers", bad_trailers, None, "upstream-bad"),
]


@pytest.mark.parametrize("upload", [UPLOADS[n] for n in (0, 2, 3, 7)], ids=lambda upload: upload.name)
@pytest.mark.parametrize(
    ("handler", "status", "fault"), [c[1:] for c in CRASHES], ids=[c[0] for c in CRASHES]
)
@both
async def test_a_stream_that_fails_costs_one_answer(
    down: str, handler: Handler, status: int | None, fault: str, upload: Upload, autojump_clock: object
) -> None:
    """Before the head the client is told why, after it the answer is cut; its neighbour is unharmed."""
    release = trio.Event()

    async def neighbour(call: H2Call) -> None:
        await call.head()
        await release.wait()
        await call.data(b"unharmed", end=True)

    origin = H2Origin(neighbour, handler, answer(b"again"))
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await side(proxy, down)
        other = await client.ask(b"GET")
        await proxy.settle()
        got = await exchange(proxy, client, b"POST", upload)
        await proxy.settle()
        assert proxy.journal.faults == [fault]
        if status is None:
            check_cut(got)
        else:
            assert (got.status, got.whole) == (status, True)
            assert fault.encode() in got.body
        release.set()
        assert (await other.answer()).body == b"unharmed"
        await check_goes_on(proxy, client, origin)


@both
async def test_an_answer_may_fail_behind_its_last_byte(down: str, autojump_clock: object) -> None:
    """It is recorded as cut; only a client in HTTP/1.1, which has every byte, cannot be told."""
    origin = H2Origin(begins(headed, half, half), answer(b"again"))
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await side(proxy, down)
        got = await exchange(proxy, client, b"GET")
        assert (got.body, got.whole) == (b"12345" * 2, down == "h1")
        await check_goes_on(proxy, client, origin)
        assert proxy.journal.faults == ["upstream-cut", None]


@pytest.mark.parametrize("how", ["close", "reset"])
@both
async def test_a_connection_that_fails_costs_what_it_carried(
    down: str, how: str, autojump_clock: object
) -> None:
    """Answers that have begun are cut, others are refused, and the next request opens another."""

    async def begun(call: H2Call) -> None:
        await headed(call)
        await half(call)

    async def crash(call: H2Call) -> None:
        getattr(call.line.wire, how)()

    origin = H2Origin(begun, silent(), crash, answer(b"again"))
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await side(proxy, down)
        asks = []
        for _ in range(3):
            asks.append(await client.ask(b"POST"))
            await proxy.settle()
        check_cut(await asks[0].answer())
        assert [(await ask.answer()).status for ask in asks[1:]] == [502, 502]
        await proxy.check_idle()
        assert sorted(map(str, proxy.journal.faults)) == ["upstream-cut", "upstream-reset", "upstream-reset"]
        assert (await exchange(proxy, client, b"GET")).body == b"again"
        assert len(origin.wires) == 2
        await proxy.check_idle()


async def deaf(call: H2Call) -> None:
    """Take no more of the body than one window, and answer nothing; the connection has room for others."""
    call.reads = False
    call.line.h2.increment_flow_control_window(1 << 24)
    await call.line.flush()
    await trio.sleep_forever()


async def stalls(call: H2Call) -> None:
    """Answer half, and then nothing for ever."""
    await call.read()
    await headed(call)
    await half(call)
    await trio.sleep_forever()


LEAVES = {
    "waiting": (silent(), NOTHING),
    "in-answer": (stalls, NOTHING),
    "in-large-answer": (answer(LARGE), NOTHING),
    "in-upload": (silent(), OPEN),
    "in-large-upload": (deaf, OPEN),
    "in-both": (begins(), OPEN),
}


@pytest.mark.parametrize("when", LEAVES)
@pytest.mark.parametrize(
    ("down", "how"),
    [("h1", "close"), ("h1", "reset"), ("h1", "shut_writing")]
    + [("h2", "close"), ("h2", "reset"), ("h2", "withdraw")],
)
async def test_a_client_that_leaves_cancels_one_stream(
    down: str, how: str, when: str, autojump_clock: object
) -> None:
    """Nothing of its exchange stays behind, and the connection to the origin serves others."""
    handler, upload = LEAVES[when]

    async def both_ways(call: H2Call) -> None:
        await call.head()
        await call.data(LARGE)

    origin = H2Origin(both_ways if when == "in-both" else handler, answer(b"again"))
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await side(proxy, down)
        ask = await client.ask(b"POST", b"/", upload)
        if upload is OPEN:
            proxy.nursery.start_soon(ask.piece, b"x" if when == "in-upload" else LARGE * 4)
        await proxy.settle()
        assert proxy.in_flight == 1
        before = trio.current_time()
        if how == "withdraw":
            assert isinstance(ask, NewAsk)
            await ask.withdraw()
        else:
            ask.leave(how)
        await proxy.check_idle()
        assert trio.current_time() == before
        assert proxy.journal.faults == ["client-gone"]
        assert origin.calls[0].reset == Code.CANCEL
        if how != "withdraw":
            assert proxy.open_clients == 0
            client = await side(proxy, down)
        await check_goes_on(proxy, client, origin)


@both
async def test_what_leavers_left_unread_is_given_back(down: str, autojump_clock: object) -> None:
    """Any number of clients may leave in the middle: the connection's window is not used up by them."""
    origin = H2Origin(answer(LARGE))
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await side(proxy, down)
        for _ in range(120):
            ask = await client.ask(b"GET")
            await proxy.settle()
            if isinstance(ask, NewAsk):
                await ask.withdraw()
            else:
                ask.leave("close")
        await proxy.check_idle()
        assert (await exchange(proxy, client, b"GET")).body == LARGE
        assert len(origin.wires) == 1


async def test_what_has_been_given_up_is_not_sent_later(autojump_clock: object) -> None:
    """An answer that waits for the connection's window is not sent on behind the reset of its stream."""
    origin = H2Origin(answer(LARGE))
    async with running({ORIGIN: origin}, patient(write=10.0)) as proxy:
        client = await raw(proxy, {f.WINDOW: 1 << 20})
        await client.send(client.head(1))
        await client.hear()
        assert len(client.answers[1].body) == f.FIRST_WINDOW
        await trio.sleep(10.1)
        await client.hear()
        assert client.resets(1) == Code.CANCEL
        await client.send(f.window_update(0, 1 << 20))
        await client.hear()
        assert len(client.answers[1].body) == f.FIRST_WINDOW
        assert await client.alive()
        await proxy.check_idle()


@pytest.mark.parametrize("capacity", [1, 100, 5000])
@both
async def test_a_slow_reader_gets_all(down: str, capacity: int, autojump_clock: object) -> None:
    """However little its wire takes at once, nothing is lost or torn."""
    body = LARGE[:40_000]
    origin = H2Origin(answer(body, trailers=TRAILERS), answer(b"again"))
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await side(proxy, down, back=capacity)
        got = await exchange(proxy, client, b"GET")
        assert (got.body, got.trailers, got.whole) == (body, TRAILERS, True)
        await check_goes_on(proxy, client, origin)


async def test_a_window_of_one_byte_gets_all(autojump_clock: object) -> None:
    """The slowest that a client in HTTP/2 can read."""
    origin = H2Origin(answer(b"x" * 15), answer(b"again"))
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await polite(proxy, {SettingCodes.INITIAL_WINDOW_SIZE: 1})
        assert (await client.get()).body == b"x" * 15
        assert (await client.get()).body == b"again"
        await proxy.check_idle()


@both
async def test_a_slow_writer_is_read_to_the_end(down: str, autojump_clock: object) -> None:
    """A byte every few seconds, either way, is a body like others."""

    async def drips(call: H2Call) -> None:
        await call.read()
        await call.head()
        for _ in range(20):
            await trio.sleep(7)
            await call.data(b"y")
        await call.end(TRAILERS)

    origin = H2Origin(drips, answer(b"again"))
    async with running({ORIGIN: origin}, patient(header=5.0, body_idle=10.0, idle=10.0)) as proxy:
        client = await side(proxy, down)
        ask = await client.ask(b"POST", b"/", OPEN)
        for _ in range(20):
            await trio.sleep(7)
            await ask.piece(b"x")
        await ask.finish(TRAILERS)
        got = await ask.answer()
        assert (got.body, got.trailers, got.whole) == (b"y" * 20, TRAILERS, True)
        assert (origin.calls[0].body, origin.calls[0].trailers) == (b"x" * 20, TRAILERS)
        assert trio.current_time() == 280
        await check_goes_on(proxy, client, origin)


@both
async def test_an_upload_that_stops_is_told_so(down: str, autojump_clock: object) -> None:
    """After ``body_idle`` the client has its 408, and the origin's stream is cancelled."""
    origin = H2Origin(silent(), answer(b"again"))
    async with running({ORIGIN: origin}, patient(body_idle=10.0)) as proxy:
        client = await side(proxy, down)
        ask = await client.ask(b"POST", b"/", OPEN)
        await ask.piece(b"x")
        got = await ask.answer()
        assert (got.status, got.whole) == (408, True)
        assert 10 <= trio.current_time() <= 10.1
        await proxy.settle()
        assert origin.calls[0].reset == Code.CANCEL
        assert not origin.calls[0].whole
        await check_goes_on(proxy, client, origin)


@both
async def test_an_answer_that_stops_is_cut(down: str, autojump_clock: object) -> None:
    """After ``idle`` the client sees that it is not whole, and the origin's stream is cancelled."""
    origin = H2Origin(stalls, answer(b"again"))
    async with running({ORIGIN: origin}, patient(idle=10.0)) as proxy:
        client = await side(proxy, down)
        ask = await client.ask(b"GET")
        check_cut(await ask.answer())
        assert 10 <= trio.current_time() <= 10.1
        await proxy.settle()
        assert proxy.journal.faults == ["upstream-idle"]
        assert origin.calls[0].reset == Code.CANCEL
        await check_goes_on(proxy, client, origin)


@both
async def test_an_answer_that_nobody_reads_is_given_up(down: str, autojump_clock: object) -> None:
    """After ``write`` seconds without progress the origin's stream is cancelled, and no other."""
    origin = H2Origin(answer(LARGE), answer(b"again"))
    async with running({ORIGIN: origin}, patient(write=10.0)) as proxy:
        client = await side(proxy, down)
        await client.ask(b"GET")
        await trio.sleep(10.1)
        await proxy.settle()
        assert proxy.journal.faults == ["client-slow"]
        assert origin.calls[0].reset == Code.CANCEL
        await check_goes_on(proxy, client, origin)


@pytest.mark.parametrize("cutting", [None, 1009])
@both
async def test_a_stream_that_nobody_reads_holds_nobody_up(
    down: str, cutting: int | None, autojump_clock: object
) -> None:
    """Of fifty streams of one connection one is never read: the others are whole, and little waits."""
    sent: dict[bytes | None, int] = {}

    async def in_pieces(call: H2Call) -> None:
        path = call.get(b":path")
        await call.head()
        for at in range(0, len(LARGE), 1024):
            await call.data(LARGE[at : at + 1024])
            sent[path] = at + 1024
        await call.end(TRAILERS)

    origin = H2Origin(in_pieces)
    origin.capacity = 1 << 24  # fifty windows: handlers do not wait for each other's turn to write
    origin.cuts = lambda: cut(cutting)
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await side(proxy, down, cutting)
        asks = [await client.ask(b"GET", b"/%d" % n) for n in range(50)]
        unread = asks.pop(7)
        for ask in asks:
            got = await ask.answer()
            assert (got.body, got.trailers, got.whole) == (LARGE, TRAILERS, True)
        await proxy.settle()
        assert (len(origin.wires), len(origin.calls), proxy.in_flight) == (1, 50, 1)
        assert f.FIRST_WINDOW < sent[b"/7"] <= 4 * f.FIRST_WINDOW
        got = await unread.answer()
        assert (got.body, got.trailers, got.whole) == (LARGE, TRAILERS, True)
        await proxy.check_idle()


@pytest.mark.parametrize("cutting", [None, 1009])
@both
async def test_an_upload_that_nobody_takes_holds_nobody_up(
    down: str, cutting: int | None, autojump_clock: object
) -> None:
    """Of fifty streams of one connection the origin does not read one: the others are served."""

    async def by_path(call: H2Call) -> None:
        await (deaf if call.get(b":path") == b"/7" else answer(b"thanks"))(call)

    upload = UPLOADS[7]
    origin = H2Origin(by_path)
    origin.cuts = lambda: cut(cutting)
    async with running({ORIGIN: origin}, patient()) as proxy:
        client = await side(proxy, down, cutting)
        asks = [await client.ask(b"POST", b"/%d" % n, upload) for n in range(50)]
        for ask in asks:
            proxy.nursery.start_soon(send, ask, upload)
        stuck = asks.pop(7)
        for ask in asks:
            assert (await ask.answer()).body == b"thanks"
        await proxy.settle()
        assert (len(origin.wires), len(origin.calls), proxy.in_flight) == (1, 50, 1)
        for call in origin.calls:
            if call.get(b":path") == b"/7":
                assert 0 < len(call.body) <= 2 * f.FIRST_WINDOW
            else:
                assert (call.body, call.trailers) == (LARGE, TRAILERS)
        if isinstance(stuck, NewAsk):
            await stuck.withdraw()
        else:
            stuck.leave("close")
        await proxy.check_idle()
