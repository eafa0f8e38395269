"""The client's end: time limits, refusals, lingering, what keeps a connection and what ends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf

import pytest
import trio

from appliance.config.plan import ListenerLimits, Plan, Respond
from appliance.model.message import FixedBody, Response
from appliance.net.transport import PeerGone
from tests.kit.origin import Origin, silent, sized
from tests.kit.plans import listener, plan, route
from tests.kit.proxy import Client, Proxy, running
from tests.kit.wires import by

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\n"
TICK = 0.051  # what a sweep may be late, and a hair


def timed(**timeouts: float) -> Plan:
    return plan(listeners=(listener(**timeouts),))


async def elapsed(work: Callable[[], Awaitable[object]]) -> float:
    before = trio.current_time()
    await work()
    return trio.current_time() - before


async def test_a_head_must_arrive_in_time(autojump_clock: object) -> None:
    """A client that connects and says nothing is told 408 after ``header``, and closed."""
    async with running(plan=timed(header=3)) as proxy:
        client = proxy.connect()
        answer = await client.answer()
        assert answer.status == 408
        assert answer.get(b"connection") == b"close"
        assert 3 <= trio.current_time() <= 3 + TICK
        assert b"header-timeout" in answer.body
        assert await client.at_end()


@pytest.mark.parametrize("nth", [1, 2])
async def test_slow_loris_is_cut_by_the_whole_head(nth: int, autojump_clock: object) -> None:
    """The limit is for the head in all: one byte a second does not push it further away."""
    async with running(plan=timed(header=5, keepalive=60)) as proxy:
        client = proxy.connect()
        if nth == 2:
            await client.get()
            await trio.sleep(30)
        started = trio.current_time()
        if nth == 1:
            await trio.sleep(3)  # silence before the first byte is part of the first head

        async def drip() -> None:
            for octet in GET[:-2] + b"x" * 100:
                await client.send(bytes((octet,)))
                await trio.sleep(1)

        proxy.nursery.start_soon(drip)
        assert (await client.answer()).status == 408
        assert 5 <= trio.current_time() - started <= 5 + TICK
        await trio.sleep(2)
        assert proxy.open_clients == 0


async def test_a_silent_connection_between_requests_ends_quietly(autojump_clock: object) -> None:
    """After ``keepalive`` seconds without a request the connection is closed without a word."""
    async with running(plan=timed(keepalive=7)) as proxy:
        client = proxy.connect()
        await client.get()
        assert 7 <= await elapsed(client.at_end) <= 7 + TICK
        assert await client.at_end()
        assert len(proxy.journal.records) == 1


async def test_without_a_keepalive_limit_it_lasts(autojump_clock: object) -> None:
    """Without a limit an idle connection stays, and the head that ends the idling is timed all the same."""
    async with running(plan=timed(keepalive=inf, header=5)) as proxy:
        client = proxy.connect()
        await client.get()
        await trio.sleep(600)
        assert (await client.get()).status == 200
        await client.send(b"GET / HT")
        assert (await client.answer()).status == 408


@pytest.mark.parametrize(
    "body", [POST + b"12345", POST.replace(b"Content-Length: 10", b"Transfer-Encoding: chunked")]
)
async def test_a_body_must_go_on(body: bytes, autojump_clock: object) -> None:
    """A body that stops is told 408 after ``body_idle``; each piece that comes starts the clock anew."""
    async with running(plan=timed(body_idle=4)) as proxy:
        client = proxy.connect()
        await client.send(body)
        await trio.sleep(3)
        await client.send(b"1\r\n")
        answer = await client.answer()
        assert (answer.status, answer.get(b"connection")) == (408, b"close")
        assert 7 <= trio.current_time() <= 7 + TICK
        await proxy.settle()
        assert proxy.journal.faults == ["body-timeout"]
        assert proxy.journal.exchanges[0].attempt is not None
        await proxy.check_idle()
        assert proxy.pooled == 0


REFUSALS = [
    (b"NONSENSE\r\n\r\n", 400, b"bad-request"),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, b"bad-version"),
    (b"GET / HTTP/1.1\r\n\r\n", 400, b"bad-host"),
    (b"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400, b"bad-path"),
    (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405, b"no-connect"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400, b"bad-length"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, b"bad-coding"),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        b"bad-framing",
    ),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 20 + b"\r\n", 431, b"too-many-headers"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"y" * 4096, 431, b"head-too-large"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", 413, b"body-too-large"),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + b"x" * 101,
        413,
        b"body-too-large",
    ),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n", 400, b"bad-chunk"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab", 400, b"bad-chunk"),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n",
        400,
        b"bad-trailer",
    ),
]
LIMITS = ListenerLimits(max_headers=10, max_header_size=2048, max_body_size=100)


@pytest.mark.parametrize("cutting", [None, 1])
@pytest.mark.parametrize(("sent", "status", "fault"), REFUSALS)
async def test_a_refusal_is_answered_recorded_and_final(
    sent: bytes, status: int, fault: bytes, cutting: int | None, autojump_clock: object
) -> None:
    """What cannot be read gets its status and id, a line in the log, and the end of the connection."""
    async with running(plan=plan(listeners=(listener(limits=LIMITS),))) as proxy:
        client = proxy.connect(cuts=by(cutting) if cutting else None)
        await client.send(sent + b"\r\n" + GET)
        answer = await client.answer()
        assert (answer.status, answer.get(b"connection"), answer.whole) == (status, b"close", True)
        assert fault in answer.body
        assert fault in answer.get(b"proxy-status")
        assert await client.at_end()
        assert proxy.journal.faults == [fault.decode()]
        client.wire.close()
        await proxy.check_idle()
        assert proxy.open_clients == 0


async def test_after_a_refusal_the_client_can_finish_reading(autojump_clock: object) -> None:
    """The proxy half-closes and drains a little, so that an answer is not destroyed by a reset."""
    async with running() as proxy:
        client = proxy.connect()
        await client.send(b"NONSENSE\r\n\r\n")
        assert (await client.answer()).status == 400
        assert client.wire.hung_up
        await client.send(b"x" * 30_000)
        await proxy.settle()
        assert proxy.open_clients == 1
        assert client.wire.outgoing.data == b""
        client.wire.close()
        await proxy.settle()
        assert proxy.open_clients == 0


async def test_lingering_is_bounded_in_time_and_bytes(autojump_clock: object) -> None:
    """A refused client is drained for one second or 64 KiB, whichever ends first."""
    async with running() as proxy:
        quiet, loud = proxy.connect(), proxy.connect()
        await quiet.send(b"NONSENSE\r\n\r\n")
        await loud.send(b"NONSENSE\r\n\r\n")
        await loud.answer()
        for _ in range(3):
            await loud.send(b"x" * 32_000)
        await proxy.settle()
        assert proxy.open_clients == 1
        await trio.sleep(1 + TICK)
        assert proxy.open_clients == 0


async def test_an_empty_line_before_a_request_is_skipped(autojump_clock: object) -> None:
    """One leading CRLF is forgiven (RFC 9112 section 2.2), wherever it is cut."""
    async with running() as proxy:
        for cuts in (None, 1, 2):
            client = proxy.connect(cuts=by(cuts) if cuts else None)
            await client.send(b"\r\n" + GET)
            assert (await client.answer()).status == 200


async def test_a_connection_that_ends_before_a_head_leaves_no_record(autojump_clock: object) -> None:
    """Nothing was asked, so nothing is answered or logged."""
    async with running() as proxy:
        for sent in (b"", b"GET / HT"):
            client = proxy.connect()
            await client.send(sent)
            client.wire.shut_writing()
            assert await client.at_end()
        await proxy.settle()
        assert proxy.open_clients == 0
        assert proxy.journal.records == []


async def test_stopping_closes_what_is_idle_and_lets_the_rest_finish(autojump_clock: object) -> None:
    """``stop`` ends an idle connection at once; a request under way is answered with Connection: close."""
    origin = Origin(sized(b"first"), silent_for(5, b"second"))
    async with running(origin) as proxy:
        idle, busy = proxy.connect(), proxy.connect()
        await idle.get()
        await busy.send(GET)
        await proxy.settle()
        proxy.keep_open = False
        for server in list(proxy.servers):
            server.stop()
        assert await idle.at_end()
        assert trio.current_time() == 0
        answer = await busy.answer()
        assert (answer.body, answer.get(b"connection")) == (b"second", b"close")
        assert await busy.at_end()


def silent_for(seconds: float, body: bytes) -> Callable[[object], Awaitable[None]]:
    async def handle(call: object) -> None:
        await call.read()
        await trio.sleep(seconds)
        await call.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    return handle


async def test_a_client_that_half_closes_while_it_waits_is_gone(autojump_clock: object) -> None:
    """As with nginx: the end of what the client sends means that it no longer wants its answer."""
    origin = Origin(silent())
    async with running(origin) as proxy:
        client = proxy.connect()
        await client.send(GET)
        await proxy.settle()
        client.wire.shut_writing()
        await proxy.check_idle()
        assert trio.current_time() == 0
        assert proxy.journal.faults == ["client-gone"]
        assert proxy.journal.records[0]["status"] == 499
        assert origin.open == 0


async def test_a_client_that_is_gone_already_costs_the_upstream_nothing(autojump_clock: object) -> None:
    """A request whose sender has left before it is forwarded is not forwarded."""
    origin = Origin()
    async with running(origin) as proxy:
        client = proxy.connect()
        await client.send(GET)
        client.wire.shut_writing()
        await proxy.check_idle()
        assert proxy.journal.faults == ["client-gone"]
        assert origin.requests == []


async def test_bodies_at_hand_are_discarded_so_that_the_connection_goes_on(autojump_clock: object) -> None:
    """When the proxy itself answers, a small body that has arrived does not end the connection."""
    async with running() as proxy:
        client = proxy.connect()
        answered(proxy, b"mine")
        for body in (
            b"Content-Length: 3\r\n\r\nabc",
            b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        ):
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + body)
            answer = await client.answer()
            assert (answer.body, answer.get(b"connection")) == (b"mine", None)
        await client.send(POST + b"12345")
        assert (await client.answer()).get(b"connection") == b"close"


def answered(proxy: Proxy, body: bytes) -> None:
    """Let the proxy answer everything by itself."""

    async def service(_exchange: object) -> Response:
        return Response(200, [], FixedBody(body))

    object.__setattr__(proxy.snapshot, "service", service)


async def test_nobody_answers_a_client_that_resets(autojump_clock: object) -> None:
    """A reset between requests ends the connection and nothing else."""
    async with running() as proxy:
        client: Client = proxy.connect()
        await client.get()
        client.wire.reset()
        await proxy.check_idle()
        assert proxy.open_clients == 0
        with pytest.raises(PeerGone):
            await client.wire.receive()


async def test_pipelined_requests_take_turns_with_others(autojump_clock: object) -> None:
    """A crowd of requests that nothing makes wait does not keep the loop to itself."""
    count = 640
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with running(plan=plan(route(Respond(204)))) as proxy:
        client = proxy.connect(capacity=1 << 20)
        await proxy.settle()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * count)
            for _ in range(count):
                assert (await client.answer()).status == 204
            nursery.cancel_scope.cancel()
    assert turns >= count // 32 - 2  # trio runs a batch in any order: the first and the last may be missed
