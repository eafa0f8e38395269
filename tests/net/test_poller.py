"""One epoll for all: what an edge says, and that it is said to the right one."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import trio

from appliance.net.park import Lot, Park
from appliance.net.poller import Poller


class Polled:
    """A descriptor's parks, and how often its peer was seen to leave."""

    def __init__(self) -> None:
        self.rx = Park()
        self.tx = Park()
        self.hangups = 0
        self.uncorked = 0

    def writable(self) -> None:
        self.tx.wake()

    def uncork(self) -> None:
        self.uncorked += 1

    def hangup(self) -> None:
        self.hangups += 1


@pytest.fixture
def poller() -> Iterator[Poller]:
    poller = Poller(Lot(lambda: 0.0))
    yield poller
    poller.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


Ends = tuple[socket.socket, socket.socket]


def test_what_arrives_wakes_the_reader_once(poller: Poller, ends: Ends) -> None:
    """Edge-triggered: the same bytes are not told again, new ones are."""
    ours, theirs = ends
    polled = Polled()
    poller.watch(ours.fileno(), polled)
    poller.poll()
    assert not polled.rx.ready
    for _ in range(2):
        theirs.send(b"x")
        poller.poll()
        assert polled.rx.ready
        polled.rx.ready = False
        poller.poll()
        assert not polled.rx.ready
    assert not polled.tx.ready
    assert polled.hangups == 0


def test_writability_is_told_when_asked_for(poller: Poller, ends: Ends) -> None:
    """A connection that never fills costs no write events."""
    ours, theirs = ends
    polled = Polled()
    poller.watch(ours.fileno(), polled)
    poller.poll()
    assert not polled.tx.ready
    poller.want_write(ours.fileno())
    poller.poll()
    assert polled.tx.ready
    polled.tx.ready = False
    with pytest.raises(BlockingIOError):
        while True:
            ours.send(b"x" * 65536)
    poller.poll()
    polled.tx.ready = False
    theirs.recv(1 << 20)
    theirs.setblocking(False)
    try:
        while theirs.recv(1 << 20):
            pass
    except BlockingIOError:
        pass
    poller.poll()
    assert polled.tx.ready


@pytest.mark.parametrize("how", ["close", "shutdown"])
def test_a_leaving_peer_is_seen_at_once(how: str, poller: Poller, ends: Ends) -> None:
    """Even while bytes wait to be read; the reader is woken too, for the end is readable."""
    ours, theirs = ends
    polled = Polled()
    poller.watch(ours.fileno(), polled)
    theirs.send(b"last words")
    theirs.close() if how == "close" else theirs.shutdown(socket.SHUT_WR)
    poller.poll()
    assert polled.hangups >= 1
    assert polled.rx.ready


def test_a_forgotten_descriptor_is_silent(poller: Poller, ends: Ends) -> None:
    """Forgetting twice does no harm."""
    ours, theirs = ends
    polled = Polled()
    poller.watch(ours.fileno(), polled)
    poller.forget(ours.fileno())
    poller.forget(ours.fileno())
    theirs.send(b"x")
    poller.poll()
    assert not polled.rx.ready


def test_one_may_leave_while_others_are_told(poller: Poller) -> None:
    """An event for a descriptor that was forgotten in the same batch is dropped."""
    pairs = [socket.socketpair() for _ in range(2)]
    polled = [Polled(), Polled()]

    def forget_all() -> None:
        for ours, _ in pairs:
            poller.forget(ours.fileno())

    for one, (ours, _) in zip(polled, pairs, strict=True):
        one.hangup = forget_all
        poller.watch(ours.fileno(), one)
    for _, theirs in pairs:
        theirs.close()
    poller.poll()
    assert sum(one.rx.ready for one in polled) == 1
    for ours, _ in pairs:
        ours.close()


async def test_it_runs_on_trio(poller: Poller, ends: Ends, nursery: trio.Nursery) -> None:
    """Its task sleeps until something is ready, then wakes whoever is parked."""
    ours, theirs = ends
    polled = Polled()
    poller.watch(ours.fileno(), polled)
    nursery.start_soon(poller.run)
    await trio.testing.wait_all_tasks_blocked()
    theirs.send(b"x")
    await polled.rx.wait()
    assert ours.recv(10) == b"x"
    nursery.cancel_scope.cancel()
