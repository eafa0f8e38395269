"""The client's end: clocks, limits, floods, and how a connection ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from appliance.config.plan import ListenerLimits, Plan
from appliance.http import h2_frames as f
from appliance.http.h2_frames import Code
from appliance.proxy.floods import BROKEN
from tests.kit.h2_client import RawClient, polite, raw, request
from tests.kit.origin import Origin, deaf, silent, sized
from tests.kit.plans import listener, plan, route, upstream
from tests.kit.proxy import Proxy, running

TICK = 0.051


def timed(**timeouts: float) -> Plan:
    """Give a plan whose upstream may take an hour."""
    slow = upstream(per_try=3600.0)
    return plan(route(response=3600.0, idle=3600.0), upstreams=(slow,), listeners=(listener(**timeouts),))


def limited(**limits: int) -> Plan:
    return plan(listeners=(listener(limits=ListenerLimits(**limits)),))


async def until_over(client: RawClient, most: float = 300) -> float:
    """Wait for the end of a connection; give the seconds that it took."""
    before = trio.current_time()
    while not client.over:
        await trio.sleep(0.05)
        await client.hear()
        assert trio.current_time() - before < most
    return trio.current_time() - before


@pytest.mark.parametrize("sent", [f.PREFACE[:14], f.PREFACE, f.PREFACE + f.settings({})[:5]])
async def test_a_beginning_must_go_on(sent: bytes, autojump_clock: object) -> None:
    """Preface and settings are to come within ``header``; a byte now and then does not help."""
    async with running(plan=timed(header=3)) as proxy:
        client = RawClient(proxy.connect().wire)
        await client.send(sent)
        assert 3 <= await until_over(client) <= 3 + 2.5 * TICK
        await trio.sleep(2)
        assert proxy.open_clients == 0


async def test_a_connection_without_a_request_is_closed(autojump_clock: object) -> None:
    """Whoever says hello and asks nothing has ``header`` to do so."""
    async with running(plan=timed(header=3, keepalive=60)) as proxy:
        client = await raw(proxy)
        assert 3 <= await until_over(client) <= 3 + 2.5 * TICK
        assert client.goaways == [(0, Code.NO_ERROR)]


async def test_an_idle_connection_is_closed_and_told(autojump_clock: object) -> None:
    """After ``keepalive`` seconds without a stream it ends, with a GOAWAY that names the last one."""
    async with running(plan=timed(keepalive=7)) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1), client.head(3))
        await client.hear()
        assert client.answers[3].whole
        assert 7 <= await until_over(client) <= 7 + 2.5 * TICK
        assert client.goaways == [(3, Code.NO_ERROR)]


@pytest.mark.parametrize("kind", ["headers", "continuation"])
async def test_a_head_must_arrive_in_time(kind: str, autojump_clock: object) -> None:
    """A field block that has begun has ``header`` seconds in all, dripped or not (slow loris)."""
    async with running(Origin(silent()), timed(header=5)) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1))
        await client.hear()
        block = client.block(request())
        if kind == "headers":
            drip = [bytes((octet,)) for octet in f.pack(f.HEADERS, f.END_HEADERS | f.END_STREAM, 3, block)]
        else:
            drip = [f.pack(f.HEADERS, f.END_STREAM, 3, block)] + [f.pack(f.CONTINUATION, 0, 3)] * 30
        started = trio.current_time()
        for piece in drip:
            await client.send(piece)
            await trio.sleep(0.5)
            await client.hear()
            if client.over:
                break
        assert 5 <= trio.current_time() - started <= 6
        await proxy.settle()
        assert proxy.journal.faults == ["client-gone"]


async def test_a_long_upload_is_no_slow_head(autojump_clock: object) -> None:
    """Pieces may end in the middle of frames for as long as frames keep arriving whole."""
    origin = Origin(sized(b"thanks"))
    async with running(origin, timed(header=5)) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1, request(b"POST"), end=False))
        frames = f.pack(f.DATA, 0, 1, bytes(991)) * 40 + f.pack(f.DATA, f.END_STREAM, 1)
        await client.send(frames[:500])
        for at in range(500, len(frames), 1000):
            await trio.sleep(1)
            await client.send(frames[at : at + 1000])
            await client.hear()
        assert client.answers[1].body == b"thanks"
        assert origin.requests[0].body == bytes(991 * 40)
        assert client.goaways == []


async def test_heads_that_overlap_are_no_slow_head(autojump_clock: object) -> None:
    """A busy client's pieces may always end in the middle of a head, if each head is quick."""
    async with running(plan=timed(header=5)) as proxy:
        client = await raw(proxy)
        frames = [client.head(id) for id in range(1, 41, 2)]
        stream, cut = b"".join(frames), 0
        for frame in frames:
            await client.send(stream[cut : cut + len(frame) - (5 if not cut else 0)])
            cut += len(frame) - (5 if not cut else 0)
            await trio.sleep(1)
            await client.hear()
            assert not client.over
        await client.send(stream[cut:])
        await client.hear()
        assert sum(answer.whole for answer in client.answers.values()) == 20


async def test_a_silent_client_is_asked_and_then_given_up(autojump_clock: object) -> None:
    """With work under way, silence brings a PING after ``h2_ping``; unanswered for as long, it is the end."""
    async with running(Origin(silent()), timed(h2_ping=10)) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1))
        await trio.sleep(11)
        await client.hear()
        assert len(client.frames) == 4
        assert not client.over
        assert 8.9 <= await until_over(client) <= 9 + 2.5 * TICK
        await proxy.check_idle()
        assert proxy.journal.faults == ["client-gone"]


async def test_a_client_that_answers_pings_is_kept(autojump_clock: object) -> None:
    """Whoever answers may wait for as long as the route lets it."""
    async with running(Origin(silent()), timed(h2_ping=10)) as proxy:
        client = await polite(proxy)
        await client.ask()
        await trio.sleep(105)
        assert len(client.pings) == 10
        assert not client.over.is_set()


async def test_a_client_without_a_table_of_fields(autojump_clock: object) -> None:
    """A decoder that insists on its smaller table reads every head, those of answers made here too."""
    async with running(Origin(sized(b"ok"))) as proxy:
        client = await raw(proxy)
        await client.send(f.settings({f.TABLE_SIZE: 0}))
        client._decoder.max_allowed_table_size = 0  # raises at a block that does not begin with it
        await client.send(client.head(1), client.head(3), client.head(5, request(b"CONNECT")))
        await client.hear()
        assert [client.answers[id].status for id in (1, 3, 5)] == [200, 200, 405]


async def test_too_many_streams_are_refused_one_by_one(autojump_clock: object) -> None:
    """A stream beyond the limit is refused, so that it may be sent again; the others go on."""
    async with running(Origin(silent()), limited(max_streams=2)) as proxy:
        client = await raw(proxy)
        await client.send(*(client.head(id) for id in (1, 3, 5)))
        await client.hear()
        assert [client.resets(id) for id in (1, 3, 5)] == [None, None, Code.REFUSED_STREAM]
        await client.send(f.reset(1, Code.CANCEL))
        await client.hear()
        await client.send(client.head(7))
        assert await client.alive()
        assert client.resets(7) is None
        assert proxy.in_flight == 2


async def test_a_stream_that_has_ended_takes_no_place(autojump_clock: object) -> None:
    """What its last DATA lets a client open is served, though the task behind it has not ended yet."""
    async with running(Origin(sized(bytes(f.FIRST_WINDOW + 10))), limited(max_streams=2)) as proxy:
        client = await raw(proxy)
        await client.send(f.window_update(0, 1 << 20), client.head(1), client.head(3))
        await client.hear()
        more = [f.window_update(id, 10) for id in (1, 3)]
        await client.send(*more, client.head(5), client.head(7), client.head(9))
        await client.hear()
        assert [client.resets(id) for id in (1, 3, 5, 7, 9)] == [None] * 4 + [Code.REFUSED_STREAM]


@pytest.mark.parametrize(
    ("limits", "head", "status"),
    [
        ({"max_header_size": 4096}, [(b"x", b"v" * 5000)], 431),
        ({"max_headers": 10}, [(b"x", b"v")] * 20, 431),
        ({"max_body_size": 10}, [(b"content-length", b"11")], 413),
        ({}, [(b"connection", b"close")], 400),
    ],
)
async def test_refusals_are_answers(
    limits: dict[str, int], head: list[tuple[bytes, bytes]], status: int, autojump_clock: object
) -> None:
    """What one request has too much of is told on its stream; the connection serves the next."""
    async with running(plan=limited(**limits)) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1, request(b"POST", b"/", head), end=False))
        await client.hear()
        assert (client.answers[1].status, client.answers[1].reset) == (status, Code.NO_ERROR)
        await client.send(f.pack(f.DATA, f.END_STREAM, 1, b"x"), client.head(3))
        await client.hear()
        assert client.answers[3].body == b"hello"
        await proxy.check_idle()


def of(kind: int, flags: int = 0, id: int = 0, payload: bytes = b"") -> Callable[[RawClient, int], bytes]:
    return lambda client, n: f.pack(kind, flags, id, payload)


def opened(then: Callable[[int], bytes]) -> Callable[[RawClient, int], bytes]:
    return lambda client, n: client.head(2 * n + 5, request(b"POST"), end=False) + then(2 * n + 5)


# What is done over and over, and how often that is allowed at once.
FLOODS: dict[str, tuple[Callable[[RawClient, int], bytes], int]] = {
    "rapid-reset": (opened(lambda id: f.reset(id, Code.CANCEL)), 200),
    "provoked-by-window": (opened(lambda id: f.window_update(id, 0)), 100),
    "provoked-by-overflow": (opened(lambda id: f.window_update(id, f.MAX_WINDOW)), 100),
    "provoked-by-priority": (opened(lambda id: f.pack(f.PRIORITY, 0, id, b"x")), 100),
    "provoked-by-behind-the-end": (
        opened(lambda id: f.pack(f.DATA, f.END_STREAM, id) + f.pack(f.DATA, 0, id, b"x")),
        100,
    ),
    "ping": (of(f.PING, 0, 0, bytes(8)), 199),
    "settings": (lambda client, n: f.settings({}), 199),
    "priority": (of(f.PRIORITY, 0, 1, bytes(5)), 199),
    "priority-update": (of(f.PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=1"), 199),
    "empty-data": (of(f.DATA, 0, 1), 199),
    "unknown-frames": (of(99, 0, 0, b"x"), 199),
    "window-update": (lambda client, n: f.window_update(0, 1), 210),
}


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_ends_its_connection_and_no_other(name: str, autojump_clock: object) -> None:
    """One too many is GOAWAY with ENHANCE_YOUR_CALM; another client notices nothing."""
    make, allowed = FLOODS[name]
    async with running(Origin(deaf(), sized(b"hello")), timed(header=3600, keepalive=3600)) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1, request(b"POST"), end=False))
        await client.hear()
        other = await polite(proxy)
        for n in range(allowed):
            await client.send(make(client, n))
            if n % 16 == 0:
                await client.hear()
        await client.hear()
        assert client.goaways == []
        await client.send(make(client, allowed))
        await client.hear()
        assert [code for _, code in client.goaways] == [Code.ENHANCE_YOUR_CALM]
        assert (await other.get()).body == b"hello"
        await trio.sleep(2)
        await client.hear()
        assert client.over
        assert proxy.open_clients == 1
        ((kind, count),) = proxy.worker.floods.counts.items()
        assert (kind[0], count) == ("web", 1)
        assert kind[1] != BROKEN
        await proxy.check_idle()


async def test_a_steady_client_is_no_flood(autojump_clock: object) -> None:
    """Ten cancelled requests and fifty pings a second may go on for as long as they like."""
    async with running(Origin(silent()), timed(header=3600, keepalive=3600)) as proxy:
        client = await raw(proxy)
        for n in range(600):
            await client.send(client.head(2 * n + 1), f.reset(2 * n + 1, Code.CANCEL))
            await client.send(f.pack(f.PING, 0, 0, bytes(8)) * 5)
            await trio.sleep(0.1)
            await client.hear()
        assert client.goaways == []
        assert len(client.pongs) == 3000


async def stopped(proxy: Proxy) -> None:
    for server in list(proxy.servers):
        server.stop()
    await proxy.settle()


async def test_stopping_is_told_in_two_steps(autojump_clock: object) -> None:
    """First no more is asked for, then the last stream is named; what is under way ends in order."""
    origin = Origin(silent(), sized(b"in time"), sized(b"not served"))
    async with running(origin) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1, request(b"GET", b"/slow")))
        await client.hear()
        await stopped(proxy)
        await client.hear()
        assert client.goaways == [(f.MAX_STREAM, Code.NO_ERROR)]
        await client.send(client.head(3))
        await client.hear()
        assert client.answers[3].body == b"in time"
        await trio.sleep(1.1)
        await client.hear()
        assert client.goaways[1:] == [(3, Code.NO_ERROR)]
        await client.send(client.head(5, request(b"POST"), end=False), f.pack(f.DATA, f.END_STREAM, 5, b"x"))
        await client.hear()
        assert not client.over
        assert len(client.goaways) == 2
        assert 5 not in client.answers
        await client.send(f.reset(1, Code.CANCEL))
        await client.hear()
        assert client.over
        assert len(origin.requests) == 2
        await proxy.check_idle()


async def test_stopping_an_idle_connection_ends_it(autojump_clock: object) -> None:
    """Nothing is under way: both GOAWAYs and the end come at once."""
    async with running() as proxy:
        client = await polite(proxy)
        await client.get()
        await stopped(proxy)
        await proxy.settle()
        assert client.over.is_set()
        assert client.goaways[-1] == (1, Code.NO_ERROR)
        assert proxy.open_clients == 0


async def test_a_client_that_goes_away_is_served_to_the_end(autojump_clock: object) -> None:
    """After the client's GOAWAY its streams go on, and then the connection is closed."""
    async with running(Origin(silent(), sized(b"x"))) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1), f.goaway(0, Code.NO_ERROR))
        await client.hear()
        assert not client.over
        await client.send(client.head(3))
        await client.hear()
        assert client.answers[3].body == b"x"
        await client.send(f.reset(1, Code.CANCEL))
        await client.hear()
        assert client.over
        await proxy.check_idle()


async def test_a_client_that_went_away_can_be_stopped(autojump_clock: object) -> None:
    """Stopping counts for connections, too, whose client has said GOAWAY already."""
    async with running(Origin(silent())) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1), f.goaway(0, Code.NO_ERROR))
        await client.hear()
        await stopped(proxy)
        await trio.sleep(1.1)
        await client.hear()
        assert client.goaways == [(f.MAX_STREAM, Code.NO_ERROR), (1, Code.NO_ERROR)]


async def test_a_client_that_fails_is_gone(autojump_clock: object) -> None:
    """A GOAWAY with an error ends everything at once."""
    async with running(Origin(silent())) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1), f.goaway(0, Code.INTERNAL_ERROR))
        await client.hear()
        assert client.over
        await proxy.check_idle()
        assert proxy.journal.faults == ["client-gone"]


async def test_priorities_may_come_before_their_stream(autojump_clock: object) -> None:
    """A PRIORITY_UPDATE is kept for a stream that has not come, and counts before the field (RFC 9218)."""
    async with running(Origin(silent())) as proxy:
        client = await raw(proxy)
        update = f.pack(f.PRIORITY_UPDATE, 0, 0, b"\0\0\0\3u=1, i")
        await client.send(
            update, client.head(1), client.head(3, request(b"GET", b"/", [(b"priority", b"u=6")]))
        )
        await client.hear()
        (server,) = [each for each in proxy.servers if getattr(each, "streams", None)]
        found = {id: (stream.urgency, stream.incremental) for id, stream in server.streams.items()}
        assert found == {1: (3, True), 3: (1, True)}
        await client.send(f.pack(f.PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=0"))
        await client.hear()
        assert (server.streams[1].urgency, server.streams[1].incremental) == (0, False)
