"""What the wires do beyond a Transport's contract (which ``tests/net/test_transport`` holds them to)."""

from __future__ import annotations

import pytest
import trio

from appliance.net.park import Lot
from appliance.net.transport import PeerGone
from tests.kit.wires import by, pair


def lot() -> Lot:
    return Lot(lambda: 0.0)


async def test_a_wire_is_bounded() -> None:
    """What does not fit stays with the writer, is counted there, and goes as the reader makes room."""
    one, two = pair(lot(), capacity=10, back=3)
    one.write(b"x" * 25)
    assert (one.given, one.unsent) == (10, 15)
    two.write(b"yyyyy")
    assert (two.given, two.unsent) == (3, 2)
    assert await two.receive(4) == b"xxxx"
    assert two.taken == 4
    assert (one.given, one.unsent) == (14, 11)


async def test_a_wire_may_deliver_in_pieces() -> None:
    """As many bytes at a time as the cuts say; when they end, all."""
    one, two = pair(lot(), cuts=by(2, 3, after=5))
    one.write(b"abcdefghijklmnopqrst")
    assert [await two.receive() for _ in range(5)] == [b"ab", b"cd", b"ef", b"ghijk", b"lmnop"]
    one, two = pair(lot(), cuts=[1])
    one.write(b"abc")
    assert [await two.receive() for _ in range(2)] == [b"a", b"bc"]


async def test_closing_on_unread_bytes_is_a_reset() -> None:
    """As the kernel does it: the peer must not think that they were read."""
    one, two = pair(lot())
    one.write(b"unread")
    two.close()
    with pytest.raises(PeerGone):
        await one.receive()


async def test_bytes_before_a_reset_can_be_read() -> None:
    """They had arrived."""
    one, two = pair(lot())
    one.write(b"last words")
    one.reset()
    assert await two.receive() == b"last words"
    with pytest.raises(PeerGone):
        await two.receive()


async def test_a_script_can_wait_until_its_bytes_are_taken(nursery: trio.Nursery) -> None:
    """However small the wire is."""
    one, two = pair(lot(), capacity=1)
    nursery.start_soon(one.send, b"abc")
    assert [await two.receive() for _ in range(3)] == [b"a", b"b", b"c"]
