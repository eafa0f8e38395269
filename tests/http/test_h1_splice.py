"""Relaying a long body inside the kernel: when it applies, that nothing is lost, and how it fails.

Only the kernel can splice, so these tests use socket pairs; nothing here goes by a network.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from appliance.http.framing import CHUNKED, UNTIL_CLOSE
from appliance.http.h1_body import Inbox, SizedBody, body_of
from appliance.http.h1_splice import WORTHWHILE, relay
from appliance.model.fault import CLIENT_SLOW, UPSTREAM_SLOW, Fault
from appliance.model.message import FixedBody
from appliance.net import splice
from appliance.net.park import Lot
from appliance.net.poller import Poller
from appliance.net.transport import PeerGone, SocketTransport
from tests.kit.h1gen import inbox, rules

LENGTH = 300_000
DATA = Random(1).randbytes(LENGTH)


class Bench:
    """A source and a sink, with the far ends that a peer would hold."""

    def __init__(self, poller: Poller) -> None:
        feeder, source = socket.socketpair()
        sink, reader = socket.socketpair()
        for sock in (feeder, source, sink, reader):
            sock.setblocking(False)
        self.feeder = trio.socket.from_stdlib_socket(feeder)
        self.reader = trio.socket.from_stdlib_socket(reader)
        self.source = SocketTransport(source, poller)
        self.sink = SocketTransport(sink, poller)
        self.got = b""

    def body(self, length: int = LENGTH) -> SizedBody:
        return SizedBody(Inbox(self.source), rules(), length)

    async def feed(self, data: bytes) -> None:
        while data:
            data = data[await self.feeder.send(data) :]

    async def collect(self, count: int) -> None:
        while len(self.got) < count:
            data = await self.reader.recv(65536)
            if not data:
                return
            self.got += data

    def close(self) -> None:
        self.feeder.close()
        self.reader.close()
        self.source.close()
        self.sink.close()


@asynccontextmanager
async def benched() -> AsyncIterator[Bench]:
    poller = Poller(Lot(trio.current_time))
    bench = Bench(poller)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        nursery.start_soon(poller.lot.run)
        try:
            yield bench
        finally:
            nursery.cancel_scope.cancel()
            bench.close()
    poller.close()


async def test_a_long_body_goes_through_whole() -> None:
    """Every byte once and in order, and not one of the next message."""
    async with benched() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(bench.feed, DATA + b"next")
        nursery.start_soon(bench.collect, LENGTH)
        body = bench.body()
        assert await relay(body, bench.sink, 5, CLIENT_SLOW) == LENGTH
        assert body.ended
        assert body.left == 0
        assert await bench.source.receive() == b"next"
        await wait_all_tasks_blocked()
        assert bench.got == DATA


async def test_the_rest_of_a_body_goes_behind_what_was_written() -> None:
    """What the sink has kept is sent before the kernel takes over."""
    async with benched() as bench, trio.open_nursery() as nursery:
        body = bench.body()
        first = DATA[:1000]
        await bench.feed(first)
        written = b"h" * 1_000_000 + await body.read()
        bench.sink.write(written)
        assert bench.sink.unsent
        nursery.start_soon(bench.feed, DATA[1000:])
        nursery.start_soon(bench.collect, len(written) + LENGTH - 1000)
        assert await relay(body, bench.sink, 5) == LENGTH - 1000
        await wait_all_tasks_blocked()
        assert bench.got == written + DATA[1000:]


async def test_where_it_does_not_apply_nothing_happens() -> None:
    """Short bodies, bytes in memory, bodies of unknown length, and ends that are no plain sockets."""
    async with benched() as bench:
        await bench.feed(b"x" * 100)
        box = Inbox(bench.source)
        held = bench.body()
        held.inbox.data = b"x"
        wired = SizedBody(inbox(b""), rules(), LENGTH)
        for body in (
            bench.body(WORTHWHILE - 1),
            held,
            body_of(CHUNKED, box, rules()),
            body_of(UNTIL_CLOSE, box, rules()),
            FixedBody(DATA),
            wired,
        ):
            assert await relay(body, bench.sink, 5) == 0
            assert not body.ended
        assert await relay(bench.body(), wired.inbox.transport, 5) == 0
        assert len(await bench.source.receive()) == 100


async def test_a_source_that_ends_too_soon_cuts_the_body() -> None:
    """What came is passed on and counted; the fault is the one of the body's rules."""
    async with benched() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(bench.collect, LENGTH)
        await bench.feed(DATA[:100_000])
        bench.feeder.shutdown(socket.SHUT_WR)
        body = bench.body()
        with pytest.raises(Fault) as caught:
            await relay(body, bench.sink, 5)
        assert caught.value.reason.id == "cut-short"
        assert not body.ended
        assert body.left == LENGTH - 100_000
        await wait_all_tasks_blocked()
        assert bench.got == DATA[:100_000]
        nursery.cancel_scope.cancel()


async def test_a_sink_that_has_gone_is_no_fault_of_the_source() -> None:
    """It is PeerGone, which the caller lays to whom the sink belongs."""
    async with benched() as bench:
        await bench.feed(DATA[:100_000])
        bench.reader.close()
        with pytest.raises(PeerGone):
            await relay(bench.body(), bench.sink, 5)


async def test_silence_is_laid_to_the_side_that_is_silent(autojump_clock: object) -> None:
    """A source that stops is the rules' fault, a sink that stops is the one named by the caller."""
    async with benched() as bench:
        began = trio.current_time()
        with pytest.raises(Fault) as caught:
            await relay(bench.body(), bench.sink, 5, UPSTREAM_SLOW)
        assert caught.value.reason.id == "body-timeout"
        assert 10 <= trio.current_time() - began <= 10.06
    async with benched() as bench, trio.open_nursery() as nursery:
        nursery.start_soon(bench.feed, DATA * 10)
        began = trio.current_time()
        with pytest.raises(Fault) as caught:
            await relay(bench.body(LENGTH * 10), bench.sink, 5, UPSTREAM_SLOW)
        assert caught.value.reason is UPSTREAM_SLOW
        assert 5 <= trio.current_time() - began <= 5.06
        nursery.cancel_scope.cancel()


async def test_a_relay_that_failed_leaves_nothing_behind(autojump_clock: object) -> None:
    """No descriptor, and the next body gets a pipe without anybody else's bytes in it."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        async with benched() as bench, trio.open_nursery() as nursery:
            nursery.start_soon(bench.feed, b"z" * 2_000_000)
            with trio.move_on_after(1):
                await relay(bench.body(2_000_000), bench.sink, 5)
            nursery.cancel_scope.cancel()
        await test_a_long_body_goes_through_whole()
    assert len(os.listdir("/proc/self/fd")) <= before + 2  # one pooled pipe


async def test_without_descriptors_the_bytes_go_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pipe is no fault: nothing is moved, and the caller reads and writes."""

    def none_left(_flags: int) -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(splice, "_pool", [])
    monkeypatch.setattr(os, "pipe2", none_left)
    async with benched() as both:
        body = both.body()
        assert await relay(body, both.sink, 5, CLIENT_SLOW) == 0
        assert body.left == LENGTH
