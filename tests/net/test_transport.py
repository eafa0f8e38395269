"""The Transport over a real socket, and that the tests' wires behave the same."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable

import pytest
import trio
from trio.testing import MockClock

from appliance.model.fault import CLIENT_GONE, CLIENT_SLOW, UPSTREAM_IDLE, Fault
from appliance.net.park import Lot
from appliance.net.poller import Poller
from appliance.net.transport import FAIR, PeerGone, SocketTransport, Transport
from tests.kit.sockets import loopback, without_goodbye
from tests.kit.wires import pair

Pair = tuple[Transport, Transport]


@pytest.fixture
def autojump_clock() -> MockClock:
    """Let time pass only when the kernel, too, has been quiet for a moment."""
    return MockClock(autojump_threshold=0.001)


@pytest.fixture
async def lot() -> AsyncIterator[Lot]:
    """A lot that is swept."""
    lot = Lot(trio.current_time)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lot.run)
        yield lot
        nursery.cancel_scope.cancel()


@pytest.fixture(params=["wires", "unix", "tcp"])
async def ends(request: pytest.FixtureRequest, lot: Lot) -> AsyncIterator[Pair]:
    """Two connected transports, of each kind."""
    if request.param == "wires":
        yield pair(lot)
        return
    poller = Poller(lot)
    one, two = socket.socketpair() if request.param == "unix" else loopback()
    one.setblocking(False)
    two.setblocking(False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        transports = [SocketTransport(sock, poller) for sock in (one, two)]
        yield tuple(transports)
        for transport in transports:
            transport.close()
        nursery.cancel_scope.cancel()
    poller.close()


def reset(transport: Transport) -> None:
    """End the connection as a crash would."""
    if isinstance(transport, SocketTransport):
        if transport.sock.family == socket.AF_UNIX:
            pytest.skip("Unix sockets have no reset of their own")
        without_goodbye(transport.sock)
        transport.close()
    else:
        transport.reset()


async def drain(transport: Transport, count: int) -> int:
    """Read until ``count`` bytes or the end; give how many came."""
    got = 0
    while got < count and (data := await transport.receive()):
        got += len(data)
    return got


async def test_bytes_arrive_in_order(ends: Pair, autojump_clock: object) -> None:
    """What one end writes the other receives, at most as much as asked for."""
    one, two = ends
    one.write(b"hello ")
    one.write(b"world")
    assert await two.receive(3) == b"hel"
    got = b""
    while len(got) < 8:
        got += await two.receive()
    assert got == b"lo world"
    two.write(b"back")
    assert await one.receive() == b"back"


async def test_receive_waits(ends: Pair, nursery: trio.Nursery, autojump_clock: object) -> None:
    """Until something comes."""
    one, two = ends
    got: list[bytes] = []

    async def read() -> None:
        got.append(await two.receive())

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    assert got == []
    one.write(b"x")
    await trio.sleep(0.01)
    assert got == [b"x"]


async def test_a_writer_learns_what_was_not_taken(
    ends: Pair, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """The rest is kept and goes out while somebody waits for it to."""
    one, two = ends
    blob = b"0123456789" * 1_000_000
    one.write(blob)
    assert one.unsent > 1_000_000
    nursery.start_soon(drain, two, len(blob))
    await one.wait_drained(0, 5, CLIENT_SLOW)
    assert one.unsent == 0


async def test_a_writer_may_go_on_at_a_low_mark(
    ends: Pair, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """``low`` bytes may remain."""
    one, two = ends
    one.write(b"x" * 10_000_000)
    nursery.start_soon(drain, two, 10_000_000)
    await one.wait_drained(5_000_000, 5, CLIENT_SLOW)
    assert 0 < one.unsent <= 5_000_000
    one.close()


async def test_a_peer_that_takes_nothing_is_given_up(ends: Pair, autojump_clock: object) -> None:
    """After ``limit`` seconds without progress, by the name that the caller gave it."""
    one, _ = ends
    one.write(b"x" * 10_000_000)
    with pytest.raises(Fault) as caught:
        await one.wait_drained(0, 5, CLIENT_SLOW)
    assert caught.value.reason is CLIENT_SLOW
    assert 5 <= trio.current_time() <= 5.06


async def test_progress_starts_the_clock_anew(
    ends: Pair, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """A slow reader is not a dead one."""
    one, two = ends
    one.write(b"x" * 20_000_000)

    async def sip() -> None:
        while True:
            await trio.sleep(3)
            await drain(two, 4_000_000)

    nursery.start_soon(sip)
    await one.wait_drained(0, 5, CLIENT_SLOW)
    assert trio.current_time() >= 6
    nursery.cancel_scope.cancel()


async def test_a_silent_peer_is_given_up(ends: Pair, autojump_clock: object) -> None:
    """The reader's deadline is a number on its park."""
    one, _ = ends
    one.rx.due, one.rx.why = trio.current_time() + 2, UPSTREAM_IDLE
    with pytest.raises(Fault) as caught:
        await one.receive()
    assert caught.value.reason is UPSTREAM_IDLE
    assert 2 <= trio.current_time() <= 2.06


async def test_the_end_is_read_after_the_bytes(ends: Pair, autojump_clock: object) -> None:
    """And again and again; the other direction still works."""
    one, two = ends
    one.write(b"last")
    one.shut_writing()
    assert await two.receive() == b"last"
    assert [await two.receive() for _ in range(3)] == [b"", b"", b""]
    two.write(b"answer")
    assert await one.receive() == b"answer"


@pytest.mark.parametrize("how", [lambda end: end.shut_writing(), lambda end: end.close(), reset])
async def test_the_hangup_is_told_at_once(
    how: Callable[[Transport], None], ends: Pair, autojump_clock: object
) -> None:
    """Before what was sent is read, whatever kind of end it is."""
    one, two = ends
    told: list[float] = []
    two.on_hangup = lambda: told.append(trio.current_time())
    one.write(b"unread")
    await trio.sleep(0.01)
    assert not two.hung_up
    assert told == []
    how(one)
    await trio.sleep(0.01)
    assert two.hung_up
    assert told
    assert not two.alive()


async def test_a_reset_is_no_end(ends: Pair, autojump_clock: object) -> None:
    """It raises, so that a cut message is not taken for a whole one."""
    one, two = ends
    reset(one)
    await trio.sleep(0.01)
    with pytest.raises(PeerGone):
        await two.receive()


async def test_writing_to_a_closed_end_shows_in_the_next_wait(ends: Pair, autojump_clock: object) -> None:
    """Write itself never raises."""
    one, two = ends
    two.close()
    await trio.sleep(0.01)
    for _ in range(3):
        one.write(b"x" * 100_000)
        await trio.sleep(0.01)
    with pytest.raises(PeerGone):
        await one.wait_drained(0, 5, CLIENT_SLOW)


async def test_closing_wakes_who_is_parked(ends: Pair, nursery: trio.Nursery, autojump_clock: object) -> None:
    """Reader and writer get PeerGone; closing again does nothing; the lot forgets both parks."""
    one, _ = ends
    ended: list[str] = []

    async def read() -> None:
        with pytest.raises(PeerGone):
            await one.receive()
        ended.append("reader")

    async def write() -> None:
        one.write(b"x" * 10_000_000)
        with pytest.raises(PeerGone):
            await one.wait_drained(0, 5, CLIENT_SLOW)
        ended.append("writer")

    nursery.start_soon(read)
    nursery.start_soon(write)
    await trio.testing.wait_all_tasks_blocked()
    one.close()
    one.close()
    await trio.testing.wait_all_tasks_blocked()
    assert sorted(ended) == ["reader", "writer"]
    assert not {one.rx, one.tx} & one.lot.parks
    assert one.unsent == 0
    assert not one.alive()


async def test_an_interruption_leaves_the_connection_usable(
    ends: Pair, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """The reader raises the fault, and may read on."""
    one, two = ends
    ended: list[str] = []

    async def read() -> None:
        with pytest.raises(Fault):
            await one.receive()
        ended.append("interrupted")
        ended.append((await one.receive()).decode())

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    one.interrupt(Fault(CLIENT_GONE))
    await trio.testing.wait_all_tasks_blocked()
    two.write(b"more")
    await trio.sleep(0.01)
    assert ended == ["interrupted", "more"]


async def test_an_interruption_comes_before_bytes(ends: Pair, autojump_clock: object) -> None:
    """It is remembered until somebody reads."""
    one, two = ends
    two.write(b"x")
    await trio.sleep(0.01)
    one.interrupt(Fault(CLIENT_GONE))
    with pytest.raises(Fault):
        await one.receive()
    assert await one.receive() == b"x"


async def test_alive_is_open_and_silent(ends: Pair, autojump_clock: object) -> None:
    """Bytes that nobody asked for make an idle connection unusable."""
    one, two = ends
    await trio.sleep(0.01)
    assert one.alive()
    assert one.alive()
    two.write(b"x")
    await trio.sleep(0.01)
    assert not one.alive()


async def test_a_fast_peer_cannot_hold_the_loop(
    ends: Pair, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """After ``FAIR`` receives without parking others get their turn."""
    one, two = ends
    one.write(b"x" * (FAIR * 4))
    await trio.sleep(0.01)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    nursery.start_soon(other)
    for _ in range(FAIR - 1):
        await two.receive(1)
    assert turns == 0
    for _ in range(FAIR * 2 + 1):
        await two.receive(1)
    assert turns >= 1
    nursery.cancel_scope.cancel()


async def test_who_is_cancelled_has_taken_nothing(
    ends: Pair, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """Whatever a receive takes it gives: a reader that is stopped leaves the rest to the next."""
    one, two = ends
    sent = bytes(range(FAIR * 4))
    one.write(sent)
    await trio.sleep(0.01)
    got = b""
    with trio.CancelScope() as scope:
        while True:
            got += await two.receive(1)
            scope.cancel()
    assert 0 < len(got) < len(sent)
    while len(got) < len(sent):
        got += await two.receive(1)
    assert got == sent
