"""The reader of a connection: frames in any cutting, what is remembered of streams, and what it bounds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import trio
from hyperframe.frame import PingFrame, RstStreamFrame, WindowUpdateFrame

from appliance.http import h2_frames as f
from appliance.http.h2_frames import Code, H2ConnectionError
from appliance.http.h2_mux import MAX_REPLIES, MAX_UNSENT
from appliance.model.fault import CLIENT_GONE, CLIENT_SLOW, Fault
from appliance.net.transport import PeerGone
from tests.kit.h2_client import Bench, RawClient, bench, request


def ping(text: bytes = b"12345678") -> bytes:
    return f.pack(f.PING, 0, 0, text)


def data(size: int, id: int = 1, *, end: bool = False) -> bytes:
    return f.pack(f.DATA, f.END_STREAM if end else 0, id, bytes(size))


def post(client: RawClient, id: int = 1) -> bytes:
    return client.head(id, request(b"POST"), end=False)


def code(mux: Bench) -> Code:
    assert isinstance(mux.error, H2ConnectionError), mux.error
    return mux.error.code


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 10, 64, 1000])
async def test_any_cutting_is_the_same(size: int, autojump_clock: object) -> None:
    """Frames may come in pieces of any size, several in one piece, or both."""
    async with bench() as (mux, client):
        block = client.block(request(b"PUT", b"/x", [(b"x-long", b"v" * 300)]))
        frames = f.heads(1, block, end=False, most=50) + data(500) + ping() + data(0, end=True)
        for at in range(0, len(frames), size):
            await client.send(frames[at : at + size])
            await trio.testing.wait_all_tasks_blocked()
            assert mux.partial == (begun(frames[: at + size]))
        await client.hear()
        assert dict(mux.heads[1])[b"x-long"] == b"v" * 300
        assert await mux.made[1].read() == bytes(500)
        assert client.pongs == [b"12345678"]


def begun(sent: bytes) -> bool:
    """Say whether a field block, or a frame that is not DATA, has begun and not ended."""
    at, block = 0, False
    while (frame := f.unpack(sent, at)) is not None:
        block = frame[0] in (f.HEADERS, f.CONTINUATION) and not frame[1] & f.END_HEADERS
        at += f.HEAD + len(frame[3])
    rest = sent[at:]
    return block or (bool(rest) and rest[3:4] != b"\0")


async def test_what_is_said_first(autojump_clock: object) -> None:
    """Settings, and a window of the connection that has room for every stream's."""
    async with bench(max_streams=10) as (mux, client):
        mux.write(mux.hello({f.MAX_STREAMS: 10}))
        await client.hear()
        settings, window = client.frames
        assert settings.settings == {f.MAX_STREAMS: 10}
        assert window.window_increment == 9 * f.FIRST_WINDOW


async def test_each_stream_may_fill_its_window_at_once(autojump_clock: object) -> None:
    """Streams that nobody reads do not use up the window of those that are read."""
    async with bench(max_streams=3) as (mux, client):
        for id in (1, 3, 5):
            await client.send(post(client, id), *(data(n, id) for n in (16_384, 16_384, 16_384, 16_383)))
        await client.hear()
        assert mux.error is None
        await client.send(data(1, 3))
        await client.hear()
        assert code(mux) == Code.FLOW_CONTROL_ERROR


async def test_a_full_stream_is_an_error_of_its_own(autojump_clock: object) -> None:
    """More DATA than a stream's window resets that stream, and its bytes go back to the connection."""
    async with bench(max_streams=3) as (mux, client):
        await client.send(post(client, 1), post(client, 3))
        await client.send(*(data(n, 1) for n in (16_384, 16_384, 16_384, 16_384)))
        await client.hear()
        assert client.resets(1) == Code.FLOW_CONTROL_ERROR
        assert mux.broken == [(1, Code.FLOW_CONTROL_ERROR, True)]
        await client.send(data(100, 3, end=True))
        assert await mux.made[3].read() == bytes(100)
        mux.made[1].abandon()
        assert mux._room + mux._credit == mux._full


async def test_windows_are_whole_again_after_anything(autojump_clock: object) -> None:
    """However a stream ends, all that it took of the connection's window comes back."""
    async with bench(max_streams=2) as (mux, client):
        for id in range(1, 80, 2):
            await client.send(
                post(client, id), data(3000, id), f.pack(f.DATA, f.PADDED, id, b"\5abcde" + b"x")
            )
            await client.hear()
            stream = mux.made[id]
            if id % 3 == 0:
                await stream.read()
                stream.close(Code.CANCEL)
            elif id % 3 == 1:
                stream.close(Code.CANCEL)
                await client.send(data(500, id))
            else:
                await client.send(f.reset(id, Code.CANCEL))
                await client.hear()
                stream.close()
        await client.hear()
        assert mux.error is None
        assert mux._room + mux._credit == mux._full
        given = sum(frame.window_increment for frame in client.all(WindowUpdateFrame) if not frame.stream_id)
        assert given + mux._credit == taken(mux)


def taken(mux: Bench) -> int:
    """Bytes of DATA that each of the streams above has had."""
    return sum(3000 + 7 + (500 if id % 3 == 1 else 0) for id in mux.made)


@pytest.mark.parametrize("max_streams", [10, 300])
async def test_frames_that_crossed_a_reset_are_passed_over(max_streams: int, autojump_clock: object) -> None:
    """As many streams as there may be can be reset at once, and what was on its way does no harm."""
    async with bench(max_streams=max_streams) as (mux, client):
        ids = range(1, 2 * max_streams, 2)
        await client.send(*(post(client, id) for id in ids))
        await client.hear()
        for id in ids:
            mux.streams[id].close(Code.NO_ERROR)
        for id in ids:
            await client.send(data(10, id), client.head(id, [(b"x-sum", b"1")]))
            if id < 100:
                await client.send(f.window_update(id, 1))
        assert await client.alive()
        assert mux.error is None


async def test_resets_are_forgotten_in_the_end(autojump_clock: object) -> None:
    """The memory of resets is bounded: the oldest goes."""
    async with bench(max_streams=10) as (mux, client):
        for id in range(1, 402, 2):
            await client.send(post(client, id))
            await client.hear()
            mux.streams[id].close(Code.NO_ERROR)
        assert len(mux._reset) == 128
        await client.send(data(1, 1))
        await client.hear()
        assert code(mux) == Code.STREAM_CLOSED


async def test_what_comes_behind_a_goaway_is_passed_over(autojump_clock: object) -> None:
    """Frames of streams above the last one that was named are ignored, whatever they are."""
    async with bench() as (mux, client):
        await client.send(post(client, 1))
        await client.hear()
        mux.ceiling = 1
        mux.opened = lambda id, fields, end: setattr(mux, "last", id)  # type: ignore[method-assign]
        await client.send(post(client, 3), data(10, 3), client.head(3, [(b"x", b"y")]), f.window_update(3, 1))
        assert await client.alive()
        assert mux.error is None
        await client.send(data(10, 1, end=True))
        assert await mux.made[1].read() == bytes(10)


async def test_a_length_that_was_declared_is_kept_to(autojump_clock: object) -> None:
    """DATA that is more than its Content-Length, or ends before, breaks its stream."""
    async with bench() as (mux, client):
        for id in (1, 3, 5, 7):
            await client.send(post(client, id))
            await client.hear()
            mux.made[id].length = mux.made[id].left = 5
        trailers = client.head(7, [(b"x", b"y")])
        await client.send(
            data(6, 1), data(4, 3, end=True), data(3, 5), data(2, 5, end=True), data(3, 7), trailers
        )
        await client.hear()
        resets = {frame.stream_id: frame.error_code for frame in client.all(RstStreamFrame)}
        assert resets == dict.fromkeys((1, 3, 7), Code.PROTOCOL_ERROR)
        assert mux._room + mux._credit == mux._full - 5 - 3


async def test_the_last_of_a_setting_counts(autojump_clock: object) -> None:
    """A setting that is repeated in one frame has its last value, in frames as in what follows."""
    async with bench() as (mux, client):
        twice = f.settings({f.WINDOW: 5})[9:] + f.settings({f.WINDOW: 70_000, f.MAX_STREAMS: 7})[9:]
        await client.send(f.pack(f.SETTINGS, 0, 0, twice), post(client))
        await client.hear()
        assert (mux.first_window, mux.made[1].window, mux.peer_streams) == (70_000, 70_000, 7)
        assert client.acks == 1


PIECES = [
    ("DATA", lambda client, n: data(1), 64),
    ("streams", lambda client, n: client.head(2 * n + 3), 32),
    ("heads of 600 fields", lambda client, n: f.heads(2 * n + 3, b"\x90" * 600, end=True), 1),
    ("long SETTINGS", lambda client, n: f.pack(f.SETTINGS, 0, 0, f.settings({99: 9})[9:] * 2700), 1),
    ("windows of streams", lambda client, n: f.settings({f.WINDOW: n}), 2),
    ("PRIORITY_UPDATE", lambda client, n: f.pack(f.PRIORITY_UPDATE, 0, 0, bytes(16_000)), 2),
]


@pytest.mark.parametrize(("make", "most"), [row[1:] for row in PIECES], ids=[row[0] for row in PIECES])
async def test_others_have_their_turn(
    make: Callable[[RawClient, int], bytes],
    most: int,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: object,
) -> None:
    """Of what comes in one piece 64 frames are taken at a time, fewer if they are work, then others run."""
    async with bench() as (mux, client):
        await client.send(post(client), *[client.head(id, end=False) for id in range(1001, 1161, 2)])
        await client.hear()
        mux.last = 1
        taken, frame, at_once = 0, mux._frame, []

        def count(*parts: object) -> None:
            nonlocal taken
            taken += 1
            frame(*parts)

        async def let_run() -> None:
            nonlocal taken
            at_once.append(taken)
            taken = 0

        mux._frame, mux._work = count, 0
        monkeypatch.setattr(trio.lowlevel, "checkpoint", let_run)
        await mux.take(b"".join(make(client, n) for n in range(130)))
        monkeypatch.undo()
        assert at_once[: 130 // most] == [most] * (130 // most)


async def test_turns_are_counted_over_pieces(autojump_clock: object) -> None:
    """Frames that are read piece by piece, without a wait between them, are no way around the turns."""
    async with bench() as (mux, client):
        await client.send(post(client))
        await client.hear()
        mux.transport.rx.ready, mux._work = True, 0
        for _ in range(63):
            await mux.take(data(1))
        assert mux._work == 63
        mux.transport.rx.ready = False
        await mux.take(data(1, end=True))
        assert mux._work == 0


async def test_whoever_has_left_is_not_read_to_the_end(autojump_clock: object) -> None:
    """When writing fails nobody hears answers, so of what a client sent before no more than a turn is taken.

    An upstream is read on: it may have answered before it left.
    """
    for client_side, most in ((False, 32), (True, 100)):
        async with bench() as (mux, client):
            mux.client, mux.unopened = client_side, lambda id: id > mux.last
            mux._work, mux.transport.broken = 0, True
            with pytest.raises(PeerGone) if not client_side else nullcontext():
                await mux.take(b"".join(client.head(id) for id in range(1, 201, 2)))
            assert len(mux.made) == most


async def test_an_endless_block_is_cut(autojump_clock: object) -> None:
    """A field block has 64 frames at most, even if they are empty (a CONTINUATION flood)."""
    async with bench() as (mux, client):
        await client.send(f.pack(f.HEADERS, f.END_STREAM, 1, client.block(request())))
        await client.send(*[f.pack(f.CONTINUATION, 0, 1, b"")] * 63)
        await client.hear()
        assert mux.error is None
        await client.send(f.pack(f.CONTINUATION, 0, 1, b""))
        await client.hear()
        assert (code(mux), mux.error.flood) == (Code.ENHANCE_YOUR_CALM, "continuation")


async def test_a_block_of_four_limits_is_cut(autojump_clock: object) -> None:
    """What would never be read is not kept either: 128 KiB of a field block that has not ended."""
    async with bench() as (mux, client):
        await client.send(f.pack(f.HEADERS, 0, 1, bytes(16_384)))
        for _ in range(8):
            await client.send(f.pack(f.CONTINUATION, 0, 1, bytes(16_384)))
            await client.hear()
        assert code(mux) == Code.ENHANCE_YOUR_CALM
        assert mux.transport.incoming.data == b""


@pytest.mark.parametrize("reads", [True, False])
async def test_answers_to_control_frames_are_bounded(reads: bool, autojump_clock: object) -> None:
    """A peer that asks and does not read is not read itself, and is given up when it never does."""
    async with bench(back=100, limit=30) as (mux, client):
        for _ in range(4500):
            await trio.sleep(0.011)
            with trio.move_on_after(0.001):
                await client.send(ping())
            if mux._replies > MAX_REPLIES:
                break
        assert MAX_REPLIES < mux._replies <= MAX_REPLIES + 100
        with trio.move_on_after(1):
            await client.send(ping() * 8000)
        assert mux._replies <= MAX_REPLIES + 100
        if reads:
            await client.hear()
            assert isinstance(mux.error, H2ConnectionError), "now the flood is seen"
            assert len(client.all(PingFrame)) > 3000
        else:
            await trio.sleep(31)
            assert isinstance(mux.error, Fault)
            assert mux.error.reason is CLIENT_SLOW


async def test_heads_that_nobody_reads_are_bounded(autojump_clock: object) -> None:
    """A client that asks on and on for answers without a body, and reads none, is not read itself."""
    async with bench(back=100, limit=30) as (mux, client):
        mux.opened = lambda id, fields, end: answer(mux, id)  # type: ignore[method-assign]
        frames = b"".join(client.head(id) for id in range(1, 20_000, 2))
        with trio.move_on_after(5):
            await client.send(frames)
        await trio.sleep(1)
        assert MAX_UNSENT < mux.transport.unsent < MAX_UNSENT + 64 * 1024 * 12
        before = mux.last
        await trio.sleep(5)
        assert mux.last == before < 19_000
        await trio.sleep(30)
        assert isinstance(mux.error, Fault)


def answer(mux: Bench, id: int) -> None:
    mux.last = id
    mux.write(f.pack(f.HEADERS, f.END_HEADERS | f.END_STREAM, id, bytes(100)))


async def test_failing_ends_every_stream(autojump_clock: object) -> None:
    """When the connection is no more, each stream is told, with a fault of its own."""
    async with bench() as (mux, client):
        await client.send(post(client, 1), post(client, 3))
        await client.hear()
        mux.fail(lambda: Fault(CLIENT_GONE, "gone"))
        assert not mux.streams
        for id in (1, 3):
            with pytest.raises(Fault):
                await mux.made[id].read()


async def test_goaway_is_passed_on(autojump_clock: object) -> None:
    """Last stream and code of a GOAWAY reach whoever owns the connection."""
    async with bench() as (mux, client):
        await client.send(f.goaway(7, Code.NO_ERROR, "bye"))
        await client.hear()
        assert mux.left == (7, 0)
