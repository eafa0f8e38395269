"""One stream: what arrives is read once and in order, windows go back as it is read, and waits end."""

from __future__ import annotations

import pytest
import trio
from hyperframe.frame import WindowUpdateFrame

from appliance.http import h2_frames as f
from appliance.model.fault import BODY_TIMEOUT, CLIENT_GONE, CLIENT_SLOW, STOPPING, Fault
from tests.kit.h2_client import RawClient, bench, request

TICK = 0.051
HALF = f.FIRST_WINDOW // 2


def data(payload: bytes, *, end: bool = False, id: int = 1) -> bytes:
    return f.pack(f.DATA, f.END_STREAM if end else 0, id, payload)


async def posted(client: RawClient, *frames: bytes, id: int = 1) -> None:
    await client.send(client.head(id, request(b"POST"), end=False), *frames)
    await client.hear()


def updates(client: RawClient, id: int) -> list[int]:
    return [frame.window_increment for frame in client.all(WindowUpdateFrame) if frame.stream_id == id]


async def test_pieces_are_read_in_order_and_joined(autojump_clock: object) -> None:
    """What has come since the last reading is one piece; at the end comes nothing, again and again."""
    async with bench() as (mux, client):
        await posted(client, data(b"one "), data(b"two "), data(b"three"))
        stream = mux.streams[1]
        assert not stream.at_hand()
        assert await stream.read() == b"one two three"
        assert stream.read_nowait() == b""
        assert not stream.ended
        await client.send(data(b"four", end=True))
        assert await stream.read() == b"four"
        assert stream.ended
        assert stream.at_hand()
        assert await stream.read() == await stream.read() == b""


async def test_the_end_may_come_alone(autojump_clock: object) -> None:
    """A reader that waits is told of an end without data, and gets the trailers."""
    async with bench() as (mux, client):
        await posted(client)
        stream = mux.streams[1]
        await client.send(client.head(1, [(b"x-sum", b"1")]))
        assert await stream.read() == b""
        assert stream.ended
        assert stream.trailers == [(b"x-sum", b"1")]


async def test_the_end_is_seen_by_reading_only(autojump_clock: object) -> None:
    """An end that arrives between two reads shows in the second, so that nobody takes it for written."""
    async with bench() as (mux, client):
        await posted(client, data(b"x"))
        stream = mux.streams[1]
        assert (stream.read_nowait(), stream.ended) == (b"x", False)
        await client.send(client.head(1, [(b"x-sum", b"1")]))
        await client.hear()
        assert (stream.at_hand(), stream.ended) == (True, False)
        assert (stream.read_nowait(), stream.ended) == (b"", True)


async def test_what_has_not_been_read_is_not_the_end(autojump_clock: object) -> None:
    """The end is seen behind the last piece, not before it."""
    async with bench() as (mux, client):
        await posted(client, data(b"x", end=True))
        stream = mux.streams[1]
        assert stream.at_hand()
        assert not stream.ended
        assert stream.read_nowait() == b"x"
        assert stream.ended


async def test_a_window_opens_when_half_of_it_was_read(autojump_clock: object) -> None:
    """Nothing is given back for what lies unread, nor byte by byte; padding counts."""
    async with bench() as (mux, client):
        await posted(client, data(bytes(16_000)), data(bytes(16_000)), data(bytes(HALF - 32_001)))
        stream = mux.streams[1]
        assert stream.room == f.FIRST_WINDOW - HALF + 1
        await client.hear()
        assert updates(client, 1) == []
        stream.read_nowait()
        await client.hear()
        assert updates(client, 1) == []
        await client.send(f.pack(f.DATA, f.PADDED, 1, b"\x09" + bytes(9)))
        await client.hear()
        assert updates(client, 1) == [HALF - 1 + 10]
        assert stream.room == f.FIRST_WINDOW


async def test_a_stream_that_has_ended_gets_no_window(autojump_clock: object) -> None:
    """After the end only the connection's window is of use."""
    async with bench(max_streams=1) as (mux, client):
        await posted(client, data(bytes(16_000)), data(bytes(16_000)), data(bytes(16_000), end=True))
        mux.streams[1].read_nowait()
        await client.hear()
        assert updates(client, 1) == []
        assert updates(client, 0) == [48_000]


async def test_abandoned_bytes_go_back_to_the_connection(autojump_clock: object) -> None:
    """Nobody reads them, but other streams need the window; what comes later goes back at once."""
    async with bench(max_streams=1) as (mux, client):
        await posted(client, data(bytes(16_000)))
        stream = mux.streams[1]
        stream.abandon()
        await client.send(data(bytes(16_000)), data(bytes(16_000)))
        await client.hear()
        assert sum(updates(client, 0)) >= 32_000
        assert updates(client, 1) == []
        assert stream.read_nowait() == b""


async def test_what_arrived_before_a_break_is_still_read(autojump_clock: object) -> None:
    """First the bytes, then the fault."""
    async with bench() as (mux, client):
        await posted(client, data(b"early"), f.reset(1, f.Code.CANCEL))
        assert mux.broken == [(1, f.Code.CANCEL, False)]
        assert 1 not in mux.streams
        stream = mux.made[1]
        assert await stream.read() == b"early"
        with pytest.raises(Fault) as caught:
            await stream.read()
        assert caught.value.reason is CLIENT_GONE


async def test_a_body_must_go_on(autojump_clock: object) -> None:
    """Silence is bounded by the rules; each piece starts the clock anew."""
    async with bench() as (mux, client):
        await posted(client)
        stream = mux.streams[1]
        await trio.sleep(50)
        await client.send(data(b"x"))
        assert await stream.read() == b"x"
        started = trio.current_time()
        with pytest.raises(Fault) as caught:
            await stream.read()
        assert caught.value.reason is BODY_TIMEOUT
        assert 60 <= trio.current_time() - started <= 60 + TICK


async def test_sending_waits_for_the_window(autojump_clock: object) -> None:
    """What the peer's window does not take waits; ``send`` returns when all of it has gone."""
    async with bench() as (mux, client):
        await posted(client)
        stream = mux.streams[1]
        gone = False

        async def send() -> None:
            nonlocal gone
            await stream.send(bytes(70_000), end=True, limit=30, why=CLIENT_SLOW)
            gone = True

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await client.hear()
            assert len(client.answers[1].body) == f.FIRST_WINDOW
            assert not gone
            await client.send(f.window_update(0, 100_000))
            await client.hear()
            assert len(client.answers[1].body) == f.FIRST_WINDOW
            await client.send(f.window_update(1, 100_000))
            await client.hear()
            assert gone
            assert (len(client.answers[1].body), client.answers[1].whole) == (70_000, True)
            assert stream.local


async def test_a_window_that_stays_shut_ends_the_sending(autojump_clock: object) -> None:
    """``limit`` seconds without progress raise ``why``."""
    async with bench() as (mux, client):
        await posted(client)
        with pytest.raises(Fault) as caught:
            await mux.streams[1].send(bytes(70_000), end=True, limit=30, why=CLIENT_SLOW)
        assert caught.value.reason is CLIENT_SLOW
        assert 30 <= trio.current_time() <= 30 + TICK


async def test_progress_is_what_counts(autojump_clock: object) -> None:
    """A peer that opens its window now and then, a little, is slow and not gone."""
    async with bench() as (mux, client):
        await posted(client)
        async with trio.open_nursery() as nursery:

            async def trickle() -> None:
                while not client.answers.get(1) or not client.answers[1].whole:
                    await trio.sleep(20)
                    await client.send(f.window_update(0, 1000), f.window_update(1, 1000))
                    await client.hear()

            nursery.start_soon(trickle)
            await mux.streams[1].send(bytes(70_000), end=True, limit=30, why=CLIENT_SLOW)
        assert trio.current_time() >= 100
        assert len(client.answers[1].body) == 70_000


async def test_a_break_ends_the_sending(autojump_clock: object) -> None:
    """A reset while ``send`` waits is raised there, and raised again by the next ``send``."""
    async with bench() as (mux, client):
        await posted(client)
        stream = mux.streams[1]
        faults = []

        async def send() -> None:
            for _ in range(2):
                try:
                    await stream.send(bytes(70_000), end=True, limit=30, why=CLIENT_SLOW)
                except Fault as fault:
                    faults.append(fault.reason)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await client.hear()
            await client.send(f.reset(1, f.Code.CANCEL))
        assert faults == [CLIENT_GONE, CLIENT_GONE]
        assert not mux._queue


async def test_an_interruption_reaches_both_directions(autojump_clock: object) -> None:
    """Whoever reads and whoever waits to send hear of it."""
    async with bench() as (mux, client):
        await posted(client)
        stream = mux.streams[1]
        faults = []

        async def hear(what: str) -> None:
            try:
                if what == "read":
                    await stream.read()
                else:
                    await stream.send(bytes(70_000), end=True, limit=30, why=CLIENT_SLOW)
            except Fault as fault:
                faults.append((what, fault.reason))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear, "read")
            nursery.start_soon(hear, "send")
            await client.hear()
            stream.interrupt(Fault(STOPPING))
        assert sorted(faults, key=str) == [("read", STOPPING), ("send", STOPPING)]


@pytest.mark.parametrize("code", [None, f.Code.CANCEL])
async def test_closing_leaves_nothing(code: f.Code | None, autojump_clock: object) -> None:
    """A closed stream is in no table and no lot; the peer is told when there is a code."""
    async with bench() as (mux, client):
        await posted(client)
        stream = mux.streams[1]
        parks = len(mux.lot.parks)
        with trio.move_on_after(1):
            await stream.read()
        assert len(mux.lot.parks) == parks + 2
        stream.close(code)
        assert not mux.streams
        assert len(mux.lot.parks) == parks
        await client.hear()
        assert client.resets(1) == code
        await client.send(data(b"late"))
        await client.hear()
        assert (mux.error is None) == (code is not None)
