"""Bytes from socket to socket inside the kernel: all of them, in order, and no pipe with a rest is kept."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from appliance.model.fault import CLIENT_SLOW, UPSTREAM_CUT, UPSTREAM_IDLE, Fault
from appliance.net import splice as module
from appliance.net.park import Lot
from appliance.net.poller import Poller
from appliance.net.splice import Limits, close_pool, splice
from appliance.net.transport import PeerGone, SocketTransport
from tests.kit.sockets import loopback, open_descriptors, reset

LIMITS = Limits(3, UPSTREAM_IDLE, UPSTREAM_CUT, 5, CLIENT_SLOW)


@pytest.fixture
def autojump_clock() -> MockClock:
    """Let time pass only when the kernel, too, has been quiet for a moment."""
    return MockClock(autojump_threshold=0.001)


class Bench:
    """source -> ours -> sink, with the outer ends in the hands of the test."""

    def __init__(self, poller: Poller) -> None:
        self.far_source, near_source = loopback()
        near_sink, self.far_sink = loopback()
        self.source = SocketTransport(near_source, poller)
        self.sink = SocketTransport(near_sink, poller)

    def close(self) -> None:
        self.source.close()
        self.sink.close()
        self.far_source.close()
        self.far_sink.close()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    lot = Lot(trio.current_time)
    poller = Poller(lot)
    bench = Bench(poller)
    close_pool()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        nursery.start_soon(lot.run)
        yield bench
        nursery.cancel_scope.cancel()
    bench.close()
    close_pool()
    poller.close()


async def feed(sock: socket.socket, data: bytes, end: str = "") -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[sock.send(left) :]
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock)
    if end == "close":
        sock.shutdown(socket.SHUT_WR)
    elif end == "reset":
        reset(sock)


async def gather(sock: socket.socket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count:
        await trio.lowlevel.wait_readable(sock)
        data = sock.recv(1 << 20)
        if not data:
            break
        got += data
    return bytes(got)


@pytest.mark.parametrize("count", [1, 1000, 256 * 1024, 3_000_000])
async def test_all_bytes_arrive_and_no_more(
    count: int, bench: Bench, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """``count`` of them; what follows in the source stays there."""
    blob = os.urandom(count)
    got: list[bytes] = []

    async def read() -> None:
        got.append(await gather(bench.far_sink, count))

    nursery.start_soon(feed, bench.far_source, blob + b"next message")
    nursery.start_soon(read)
    assert await splice(bench.source, bench.sink, count, LIMITS) == count
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert got == [blob]
    assert await bench.source.receive() == b"next message"
    assert len(module._pool) == 1


async def test_a_source_that_ends_early_is_told_by_the_count(
    bench: Bench, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """What did come is moved; the pipe is empty and kept."""
    nursery.start_soon(feed, bench.far_source, b"x" * 100, "close")
    assert await splice(bench.source, bench.sink, 1000, LIMITS) == 100
    assert await gather(bench.far_sink, 100) == b"x" * 100
    assert len(module._pool) == 1


async def test_a_source_that_is_reset_is_a_fault(bench: Bench, autojump_clock: object) -> None:
    """By the name that the caller gave it."""
    await feed(bench.far_source, b"", "reset")
    with pytest.raises(Fault) as caught:
        await splice(bench.source, bench.sink, 1000, LIMITS)
    assert caught.value.reason is UPSTREAM_CUT


async def test_a_silent_source_is_given_up(bench: Bench, autojump_clock: object) -> None:
    """After ``read`` seconds."""
    await feed(bench.far_source, b"x")
    with pytest.raises(Fault) as caught:
        await splice(bench.source, bench.sink, 1000, LIMITS)
    assert caught.value.reason is UPSTREAM_IDLE
    assert 3 <= trio.current_time() <= 3.1


async def test_a_sink_that_takes_nothing_is_given_up(
    bench: Bench, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """After ``write`` seconds; the pipe that holds the rest is thrown away."""
    nursery.start_soon(feed, bench.far_source, b"x" * 30_000_000)
    with pytest.raises(Fault) as caught:
        await splice(bench.source, bench.sink, 30_000_000, LIMITS)
    assert caught.value.reason is CLIENT_SLOW
    assert module._pool == []
    nursery.cancel_scope.cancel()


async def test_a_sink_that_breaks_is_gone(
    bench: Bench, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """It is marked as broken, and its pipe is not used again."""
    nursery.start_soon(feed, bench.far_source, b"x" * 30_000_000)
    reset(bench.far_sink)
    with pytest.raises(PeerGone):
        await splice(bench.source, bench.sink, 30_000_000, LIMITS)
    assert bench.sink.broken
    assert module._pool == []
    nursery.cancel_scope.cancel()


async def test_an_interruption_reaches_it(
    bench: Bench, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """A deadline or a client's leaving ends a body that is moved this way, too."""

    async def interrupt() -> None:
        await trio.sleep(1)
        bench.source.interrupt(Fault(UPSTREAM_CUT))

    nursery.start_soon(interrupt)
    with pytest.raises(Fault) as caught:
        await splice(bench.source, bench.sink, 1000, LIMITS)
    assert caught.value.reason is UPSTREAM_CUT
    assert trio.current_time() == 1


async def test_cancellation_leaves_no_pipe_open(bench: Bench, autojump_clock: object) -> None:
    """A pipe with bytes in it belongs to nobody."""
    before = open_descriptors()
    await feed(bench.far_source, b"x")
    with trio.move_on_after(1):
        await splice(bench.source, bench.sink, 1000, LIMITS)
    close_pool()
    assert open_descriptors() <= before


async def test_the_pool_is_bounded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    """A burst of long bodies leaves at most ``MAX_POOLED`` pipes behind."""
    monkeypatch.setattr(module, "MAX_POOLED", 2)
    pipes = [module._open_pipe() for _ in range(5)]
    for pipe in pipes:
        module._close_pipe(pipe, empty=True)
    assert len(module._pool) == 2
