"""PROXY headers: what each says, and that nothing behind one is lost, whatever the cuts."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from appliance.net.handshake import Refused
from appliance.net.listen import UNIX_PEER
from appliance.net.park import Lot
from appliance.net.proxy_protocol import receive_header, v1, v2
from tests.kit.wires import by, pair

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
PORTS = struct.pack("!HH", 4711, 443)


def binary(rest: bytes = b"", *, version: int = 2, command: int = 1, family: int = 0x11) -> bytes:
    """Give a header in the binary form."""
    return SIGNATURE + struct.pack("!BBH", version << 4 | command, family, len(rest)) + rest


def packed(*addresses: str) -> bytes:
    return b"".join(ip_address(address).packed for address in addresses) + PORTS


LONGEST = b"PROXY TCP6 " + b" ".join([b"ffff:f...f:ffff".replace(b"...", b"fff:ffff:ffff:ffff:ffff:fff")] * 2)
GOOD = {
    b"PROXY TCP4 192.0.2.1 198.51.100.7 4711 443\r\n": "192.0.2.1",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 0 65535\r\n": "1.2.3.4",
    b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n": "2001:db8::1",
    b"PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n": "1.2.3.4",
    LONGEST + b" 65535 65535\r\n": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN whatever it may say 1 2\r\n": None,
    binary(packed("192.0.2.1", "198.51.100.7")): "192.0.2.1",
    binary(packed("192.0.2.1", "198.51.100.7") + b"\x03\x00\x04abcd" * 20): "192.0.2.1",
    binary(packed("2001:db8::1", "::1"), family=0x21): "2001:db8::1",
    binary(packed("::ffff:1.2.3.4", "::1"), family=0x22): "1.2.3.4",
    binary(b"/a".ljust(216, b"\0"), family=0x31): UNIX_PEER,
    binary(b"", family=0): None,
    binary(b"", command=0, family=0): None,
    binary(packed("192.0.2.1", "198.51.100.7"), command=0): None,
}
BAD = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdef",
    b"PROXY TCP4 192.0.2.1 198.51.100.7 4711\r\n",
    b"PROXY TCP4  192.0.2.1 198.51.100.7 4711 443\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.7 4711 443 \r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.7 4711 65536\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.7 -1 443\r\n",
    b"PROXY TCP4 192.0.2.300 198.51.100.7 1 443\r\n",
    b"PROXY TCP4 2001:db8::1 198.51.100.7 1 443\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.7 4711 443\n\r\n",
    b"PROXY TCP6 192.0.2.1 198.51.100.7 1 443\r\n",
    b"PROXY TCP5 192.0.2.1 198.51.100.7 1 443\r\n",
    b"PROXY tcp4 192.0.2.1 198.51.100.7 1 443\r\n",
    b"PROXY TCP4 \xff\xfe 198.51.100.7 1 443\r\n",
    b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    b"PROXY UNKNOWN " + b"x" * 500,
    binary(packed("192.0.2.1", "198.51.100.7")[:-1]),
    binary(packed("2001:db8::1", "::1")[:-1], family=0x21),
    binary(b"/a".ljust(215, b"\0"), family=0x31),
    binary(b"", version=1),
    binary(b"", version=3),
    binary(packed("192.0.2.1", "198.51.100.7"), command=2),
    binary(packed("192.0.2.1", "198.51.100.7"), family=0x41),
    binary(packed("192.0.2.1", "198.51.100.7"), family=0x13),
    binary(packed("192.0.2.1", "198.51.100.7") + b"x" * 4096),
]


async def read(data: bytes, cut: int | None = None, *, end: bool = False) -> tuple[str | None, bytes]:
    """Give what a header says and what is left behind it; raises Refused."""
    lot = Lot(trio.current_time)
    near, far = pair(lot, capacity=1 << 20, cuts=None if cut is None else by(cut))
    near.write(data)
    if end:
        near.shut_writing()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lot.run)
            try:
                said: str | Refused | None = await receive_header(far, 10.0)
            except Refused as why:
                said = why
            nursery.cancel_scope.cancel()
    if isinstance(said, Refused):
        raise said
    return said, far.receive_nowait(1 << 20) or b""


@pytest.mark.parametrize("cut", [None, 1, 2, 5, 13])
@pytest.mark.parametrize("header", GOOD)
async def test_what_a_header_says(header: bytes, cut: int | None, autojump_clock: object) -> None:
    """And not a byte of what follows is taken."""
    for rest in (b"", b"G", b"\r\n", b"\x16\x03\x01 and so on"):
        client, left = await read(header + rest, cut)
        assert client == GOOD[header]
        assert left == rest[: cut or None]


@pytest.mark.parametrize("cut", [None, 1])
@pytest.mark.parametrize("header", BAD)
async def test_what_is_no_header_is_refused(header: bytes, cut: int | None, autojump_clock: object) -> None:
    """In words, without waiting for more than the header may have."""
    before = trio.current_time()
    with pytest.raises(Refused, match="PROXY header"):
        await read(header + b"x" * 20, cut)
    assert trio.current_time() == before


@pytest.mark.parametrize("header", [next(iter(GOOD)), binary(packed("192.0.2.1", "198.51.100.7"))])
async def test_an_end_or_a_pause_in_the_middle(header: bytes, autojump_clock: object) -> None:
    """Is told as what it is."""
    for count in range(len(header)):
        with pytest.raises(
            Refused, match="closed in the middle" if count else "left without a word"
        ) as found:
            await read(header[:count], end=True)
        assert found.value.silent == (count == 0)
    for count in (0, 3, 14, len(header) - 1):
        before = trio.current_time()
        with pytest.raises(Refused, match="no PROXY header within 10 s"):
            await read(header[:count])
        assert 10 <= trio.current_time() - before <= 10.1


@given(st.binary(max_size=120))
def test_any_line_is_an_address_or_refused(line: bytes) -> None:
    """Nothing else comes out of the text form."""
    try:
        client = v1(b"PROXY " + line)
    except Refused:
        return
    assert client is None or ip_address(client)


@given(st.integers(0, 15), st.integers(0, 255), st.binary(max_size=240))
def test_any_bytes_are_an_address_or_refused(command: int, family: int, rest: bytes) -> None:
    """Nothing else comes out of the binary form."""
    try:
        client = v2(command, family, rest)
    except Refused:
        return
    assert client in (None, UNIX_PEER) or ip_address(client)
