"""What is sent, and when: windows, whose turn it is, and a peer that does not read."""

from __future__ import annotations

import pytest
import trio
from hyperframe.frame import DataFrame, HeadersFrame

from appliance.http import h2_frames as f
from appliance.http.h2_fields import block
from appliance.model.fault import CLIENT_SLOW
from appliance.net.transport import HIGH_WATER
from tests.kit.h2_client import Bench, RawClient, bench

WIDE = f.window_update(0, 1 << 24)
FRAME = f.MAX_FRAME


async def asked(client: RawClient, *ids: int) -> None:
    await client.send(*(client.head(id) for id in ids))
    await client.hear()


async def send(mux: Bench, id: int, size: int, *, end: bool = True) -> None:
    await mux.made[id].send(bytes(size), end=end, limit=60, why=CLIENT_SLOW)


def order(client: RawClient) -> list[int]:
    """Streams in the order in which their DATA came."""
    return [frame.stream_id for frame in client.all(DataFrame)]


def runs(ids: list[int]) -> list[int]:
    return [id for at, id in enumerate(ids) if not at or ids[at - 1] != id]


async def all_wait(
    client: RawClient, mux: Bench, nursery: trio.Nursery, *priorities: tuple[int, bool]
) -> None:
    """Let streams 1, 3, 5 ... of these priorities wait, 50 KB each, for the connection's window."""
    first = 2 * len(priorities) + 1
    ids = range(1, first, 2)
    await asked(client, *ids, first)
    await send(mux, first, f.FIRST_WINDOW)
    for id, (urgency, turns) in zip(ids, priorities, strict=True):
        mux.made[id].urgency, mux.made[id].incremental = urgency, turns
        nursery.start_soon(send, mux, id, 50_000)
        await trio.testing.wait_all_tasks_blocked()
    await client.hear()
    client.frames.clear()


async def test_a_body_is_cut_into_frames_and_ends_with_its_last(autojump_clock: object) -> None:
    """Frames of at most 16 KiB; END_STREAM stands on the last of them, not on one more."""
    async with bench() as (mux, client):
        await asked(client, 1)
        await send(mux, 1, 40_000)
        await client.hear()
        frames = client.all(DataFrame)
        assert [len(frame.data) for frame in frames] == [FRAME, FRAME, 40_000 - 2 * FRAME]
        assert ["END_STREAM" in frame.flags for frame in frames] == [False, False, True]


async def test_frames_may_be_larger_where_the_peer_says_so(autojump_clock: object) -> None:
    """A peer's greater frame size is used up to 64 KiB, so that no one stream holds the others up."""
    async with bench() as (mux, client):
        await client.send(f.settings({f.FRAME_SIZE: 1 << 20}))
        await asked(client, 1)
        await send(mux, 1, f.FIRST_WINDOW)
        assert mux.frame_size == 1 << 16
        await client.hear()
        assert [len(frame.data) for frame in client.all(DataFrame)] == [f.FIRST_WINDOW]


async def test_an_end_without_data_and_trailers(autojump_clock: object) -> None:
    """The end alone is an empty frame; trailers take its place."""
    async with bench() as (mux, client):
        await asked(client, 1, 3)
        await send(mux, 1, 0)
        mux.made[3].out_head = f.heads(3, block([(b":status", b"200")]), end=False)
        mux.made[3].out_trailers = block([(b"x-sum", b"1")])
        await send(mux, 3, 10)
        await client.hear()
        (empty, full) = client.all(DataFrame)
        assert (empty.data, empty.flags) == (b"", {"END_STREAM"})
        assert (full.data, list(full.flags)) == (bytes(10), [])
        assert (client.answers[3].trailers, client.answers[3].whole) == ([(b"x-sum", b"1")], True)


@pytest.mark.parametrize("which", ["stream", "connection"])
async def test_no_window_is_overdrawn(which: str, autojump_clock: object) -> None:
    """Exactly what each window allows is sent, byte by byte if need be."""
    async with bench() as (mux, client), trio.open_nursery() as nursery:
        await asked(client, 1)
        await client.send(f.window_update(0 if which == "stream" else 1, 1 << 20))
        nursery.start_soon(send, mux, 1, f.FIRST_WINDOW + 10)
        await client.hear()
        assert len(client.answers[1].body) == f.FIRST_WINDOW
        for n in range(10):
            assert len(client.answers[1].body) == f.FIRST_WINDOW + n
            await client.send(f.window_update(1 if which == "stream" else 0, 1))
            await client.hear()
        assert client.answers[1].whole


async def test_a_window_may_shrink_below_nothing(autojump_clock: object) -> None:
    """A smaller first window counts for what was sent already (RFC 9113 section 6.9.2)."""
    async with bench() as (mux, client), trio.open_nursery() as nursery:
        await asked(client, 1)
        await client.send(WIDE)
        nursery.start_soon(send, mux, 1, f.FIRST_WINDOW + 100)
        await client.hear()
        await client.send(f.settings({f.WINDOW: 1000}))
        await client.hear()
        assert mux.made[1].window == 1000 - f.FIRST_WINDOW
        await client.send(f.window_update(1, f.FIRST_WINDOW - 1000))
        await client.hear()
        assert len(client.answers[1].body) == f.FIRST_WINDOW
        await client.send(f.settings({f.WINDOW: 1100}))
        await client.hear()
        assert client.answers[1].whole


async def test_equals_take_turns(autojump_clock: object) -> None:
    """Streams that want turns get a frame each."""
    async with bench() as (mux, client), trio.open_nursery() as nursery:
        await all_wait(client, mux, nursery, (3, True), (3, True), (3, True))
        await client.send(WIDE)
        await client.hear()
        assert order(client)[:9] == [1, 3, 5] * 3
        assert all(client.answers[id].whole for id in (1, 3, 5))


async def test_others_come_one_after_the_other(autojump_clock: object) -> None:
    """Without ``i`` the older stream is sent whole before the next begins, and before those with turns."""
    async with bench() as (mux, client), trio.open_nursery() as nursery:
        await all_wait(client, mux, nursery, (3, True), (3, False), (3, False))
        await client.send(WIDE)
        await client.hear()
        assert runs(order(client)) == [3, 5, 1]


async def test_the_urgent_come_first(autojump_clock: object) -> None:
    """A lower number goes first, whoever asked first."""
    async with bench() as (mux, client), trio.open_nursery() as nursery:
        await all_wait(client, mux, nursery, (7, False), (3, True), (0, True), (1, False))
        await client.send(WIDE)
        await client.hear()
        assert runs(order(client)) == [5, 7, 3, 1]


async def test_a_shut_stream_holds_nobody_up(autojump_clock: object) -> None:
    """A stream whose own window is shut is passed over, however urgent it is."""
    async with bench() as (mux, client), trio.open_nursery() as nursery:
        await asked(client, 1, 3)
        await client.send(WIDE)
        mux.made[1].urgency = 0
        nursery.start_soon(send, mux, 1, f.FIRST_WINDOW + 1)
        await client.hear()
        await send(mux, 3, 1000)
        await client.hear()
        assert client.answers[3].whole
        assert not client.answers[1].whole
        nursery.cancel_scope.cancel()


async def test_heads_wait_for_no_window(autojump_clock: object) -> None:
    """With the connection's window shut, a head goes out and its DATA waits."""
    async with bench() as (mux, client), trio.open_nursery() as nursery:
        await all_wait(client, mux, nursery, (3, True))
        await asked(client, 5)
        mux.made[5].out_head = f.heads(5, block([(b":status", b"200")]), end=False)
        nursery.start_soon(send, mux, 5, 10)
        await client.hear()
        assert client.answers[5].status == 200
        assert order(client) == []
        assert len(client.all(HeadersFrame)) == 1
        await client.send(WIDE)
        await client.hear()
        assert client.answers[5].body == bytes(10)
        assert len(client.all(HeadersFrame)) == 1


@pytest.mark.parametrize("trailers", [None, [(b"grpc-status", b"0")]])
async def test_ends_wait_for_no_window(
    trailers: list[tuple[bytes, bytes]] | None, autojump_clock: object
) -> None:
    """With the connection's window shut by others, an end goes out all the same, with trailers or without."""
    async with bench() as (mux, client), trio.open_nursery() as nursery:
        await all_wait(client, mux, nursery, (3, True))
        await asked(client, 5)
        stream = mux.made[5]
        stream.out_head = f.heads(5, block([(b":status", b"200")]), end=False)
        stream.out_trailers = None if trailers is None else block(trailers)
        with trio.fail_after(1):
            await send(mux, 5, 0)
        await client.hear()
        assert (client.answers[5].whole, client.answers[5].trailers) == (True, trailers or [])
        nursery.cancel_scope.cancel()


async def test_a_peer_that_reads_slowly_is_waited_for(autojump_clock: object) -> None:
    """No more than a watermark lies unsent; when the peer reads, it goes on."""
    async with bench(back=1000) as (mux, client), trio.open_nursery() as nursery:
        await client.send(WIDE, f.settings({f.WINDOW: 1 << 20}))
        await client.send(client.head(1))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(send, mux, 1, 1 << 20)
        await trio.testing.wait_all_tasks_blocked()
        assert HIGH_WATER - 1000 <= mux.transport.unsent <= HIGH_WATER + FRAME
        await client.hear()
        assert (len(client.answers[1].body), client.answers[1].whole) == (1 << 20, True)
        assert mux.transport.unsent == 0


async def test_a_peer_that_reads_nothing_is_given_up(autojump_clock: object) -> None:
    """After ``limit`` seconds without progress the connection ends, by the reason it was made with."""
    async with bench(back=1000, limit=30) as (mux, client), trio.open_nursery() as nursery:
        await client.send(WIDE, f.settings({f.WINDOW: 1 << 20}), client.head(1))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(send, mux, 1, 1 << 20)
        await trio.sleep(29)
        assert mux.error is None
        await trio.sleep(2)
        assert mux.error.reason is CLIENT_SLOW
        nursery.cancel_scope.cancel()


async def test_turns_hold_while_the_peer_is_slow(autojump_clock: object) -> None:
    """The first stream to write does not take all of a slow connection."""
    async with bench(back=1000) as (mux, client), trio.open_nursery() as nursery:
        await client.send(WIDE, f.settings({f.WINDOW: 1 << 20}))
        await client.send(*(client.head(id) for id in (1, 3, 5)))
        await trio.testing.wait_all_tasks_blocked()
        for id in (1, 3, 5):
            mux.made[id].incremental = True
            nursery.start_soon(send, mux, id, 200_000)
            await trio.testing.wait_all_tasks_blocked()
        await client.hear()
        counts = dict.fromkeys((1, 3, 5), 0)
        for id in order(client):
            counts[id] += 1
            assert max(counts.values()) - min(counts.values()) <= HIGH_WATER // FRAME + 2
        assert all(client.answers[id].whole for id in (1, 3, 5))


async def test_many_streams_are_spread_evenly(autojump_clock: object) -> None:
    """With a window that opens bit by bit, no stream gets far ahead of another."""
    async with bench() as (mux, client), trio.open_nursery() as nursery:
        await all_wait(client, mux, nursery, *[(3, True)] * 10)
        for _ in range(20):
            await client.send(f.window_update(0, FRAME))
            await client.hear()
            got = [len(client.answers[id].body) for id in range(1, 21, 2) if id in client.answers]
            got += [0] * (10 - len(got))
            assert max(got) - min(got) <= FRAME
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("sizes", "told"), [([0], True), ([4095], True), ([0, 65_536], True), ([4096], False)]
)
async def test_a_smaller_table_is_confirmed_once(
    sizes: list[int], told: bool, autojump_clock: object
) -> None:
    """The next field block begins with a table of no size (RFC 7541 section 4.2), those after it do not."""
    async with bench() as (mux, client):
        asked_for = b"".join(f.settings({f.TABLE_SIZE: size})[f.HEAD :] for size in sizes)
        await client.send(f.pack(f.SETTINGS, 0, 0, asked_for), client.head(1), client.head(3), client.head(5))
        await client.hear()
        fields = block([(b":status", b"200")])
        mux.write(mux.head_frames(1, fields, end=True))
        mux.made[3].out_head = mux.head_frames(3, fields, end=False)
        mux.made[3].out_trailers = block([(b"x", b"y")])
        await send(mux, 3, 10)
        mux.write(mux.head_frames(5, fields, end=True))
        await client.hear()
        first, *others = [frame.data[:1] for frame in client.all(HeadersFrame)]
        assert (first == b"\x20") is told
        assert b"\x20" not in others
        assert len(others) == 3
