"""Writes of one batch go out together: held back while it runs, in order, and never lost."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import trio

from appliance.http.h1_reply import H1Stream
from appliance.http.h1_server import H1Server
from appliance.model.fault import CLIENT_SLOW
from appliance.model.message import FixedBody, Request, Response
from appliance.net.park import Lot
from appliance.net.poller import CROWD, Poller
from appliance.net.transport import CORK_LIMIT, SocketTransport
from tests.kit.plans import listener
from tests.kit.sockets import loopback


class Pairs:
    """A poller, and transports with the sockets at their other ends."""

    def __init__(self, count: int) -> None:
        self.poller = Poller(Lot(trio.current_time))
        self.transports: list[SocketTransport] = []
        self.peers: list[socket.socket] = []
        for _ in range(count):
            ours, theirs = loopback()
            self.transports.append(SocketTransport(ours, self.poller))
            self.peers.append(theirs)

    def close(self) -> None:
        for transport in self.transports:
            transport.close()
        for peer in self.peers:
            peer.close()
        self.poller.close()


@pytest.fixture
def pairs() -> Iterator[list[Pairs]]:
    made: list[Pairs] = []
    yield made
    for each in made:
        each.close()


def arrived(peer: socket.socket) -> bytes:
    try:
        return peer.recv(1 << 20)
    except BlockingIOError:
        return b""


async def test_a_batch_is_sent_when_all_of_it_has_run(pairs: list[Pairs]) -> None:
    """Each of a crowd of echoes finds the others' answers unsent; afterwards all have them, whole."""
    pairs.append(box := Pairs(CROWD))
    early: list[bytes] = []

    async def echo(transport: SocketTransport) -> None:
        data = await transport.receive()
        early.extend(arrived(peer) for peer in box.peers)
        transport.write(data)
        transport.write(b"!")
        assert transport.unsent == len(data) + 1
        assert transport.refused == 0

    for transport in box.transports:
        transport.rx.ready = False
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for transport in box.transports:
                nursery.start_soon(echo, transport)
            await trio.testing.wait_all_tasks_blocked()
            for number, peer in enumerate(box.peers):
                peer.send(b"%d" % number)
            nursery.start_soon(box.poller.run)
            while any(transport.unsent for transport in box.transports) or len(early) < CROWD**2:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert set(early) == {b""}
    assert [arrived(peer) for peer in box.peers] == [b"%d!" % number for number in range(CROWD)]


async def test_a_lone_event_is_answered_at_once(pairs: list[Pairs]) -> None:
    """Below a crowd nothing is held back: latency comes first."""
    pairs.append(box := Pairs(1))
    box.transports[0].write(b"now")
    assert arrived(box.peers[0]) == b"now"


async def test_what_is_long_goes_at_once_and_in_order(pairs: list[Pairs]) -> None:
    """More than the limit is not held back, and nothing overtakes what was."""
    pairs.append(box := Pairs(1))
    box.poller.corked = True
    (transport,), (peer,) = box.transports, box.peers
    transport.write(b"a" * 10)
    assert arrived(peer) == b""
    transport.write(b"b" * CORK_LIMIT)
    assert transport.unsent == 0
    assert arrived(peer) == b"a" * 10 + b"b" * CORK_LIMIT


@pytest.mark.parametrize("ending", ["close", "shut_writing", "wait_drained", "uncork"])
async def test_nothing_held_back_is_lost(ending: str, pairs: list[Pairs]) -> None:
    """Whoever ends the writing, or waits for its end, sends first what is held back."""
    pairs.append(box := Pairs(1))
    box.poller.corked = True
    (transport,), (peer,) = box.transports, box.peers
    transport.write(b"last words")
    if ending == "wait_drained":
        await transport.wait_drained(0, 1, CLIENT_SLOW)
    else:
        getattr(transport, ending)()
    assert arrived(peer) == b"last words"
    assert transport.unsent == 0


async def test_a_rest_that_nobody_waits_for_is_sent_by_the_poller(pairs: list[Pairs]) -> None:
    """A small answer into a full socket leaves when the client reads, without another request."""
    pairs.append(box := Pairs(1))
    (transport,), (peer,) = box.transports, box.peers
    transport.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    total = 0
    while not transport.refused:
        transport.write(b"x" * 65536)
        total += 65536
    box.poller.corked = True
    transport.write(b"the end")
    box.poller.corked = False
    got = b""
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(box.poller.run)
            while len(got) < total + 7:
                got += arrived(peer)
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert got.endswith(b"xthe end")


async def test_an_answer_that_closes_is_sent_whole(pairs: list[Pairs]) -> None:
    """A last answer that was held back and does not fit is waited for before the connection ends."""
    pairs.append(box := Pairs(1))
    (transport,), (peer,) = box.transports, box.peers
    transport.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    total = 0
    with pytest.raises(BlockingIOError):
        while True:
            total += transport.sock.send(b"x" * 65536)
    server = H1Server(transport, listener(), lambda: True)
    stream = H1Stream(server, Request(b"GET", b"http", b"a", b"/", b"", []), False, 1)
    got = b""
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            box.poller.corked = True
            nursery.start_soon(stream.respond, Response(200, [], FixedBody(b"y" * 9000)))
            await trio.testing.wait_all_tasks_blocked()
            assert transport.refused
            box.poller.corked = False
            nursery.start_soon(box.poller.run)
            while not got.endswith(b"y" * 9000):
                got += arrived(peer)
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert transport.unsent == 0
