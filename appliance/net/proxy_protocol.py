"""The PROXY protocol, versions 1 and 2: what a load balancer says of a client before the client's own bytes.

The source is HAProxy's specification (doc/proxy-protocol.txt). The header is read in pieces that cannot
reach beyond its end, so that whatever follows stays with the transport, TLS included. A peer that should
send one and sends something else is refused: to guess would let anybody claim any address.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from math import inf
from struct import unpack
from typing import Final

from appliance.model.fault import HANDSHAKE_TIMEOUT, Fault

from .handshake import Refused
from .listen import UNIX_PEER
from .transport import PeerGone, Transport

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V1: Final = b"PROXY "
_MAX_V1: Final = 107  # bytes, its line end included (section 2.1)
_MAX_V2: Final = 4096  # bytes behind the fixed part; addresses need 216 at most, the rest are extensions
_LOCAL, _PROXY = 0, 1
_UNSPECIFIED, _INET, _INET6, _UNIX = range(4)


async def receive_header(transport: Transport, limit: float) -> str | None:
    """Give the client's address, or None where the sender speaks for itself (LOCAL, UNKNOWN).

    Waits for at most ``limit`` seconds; raises Refused. The caller closes the transport.
    """
    rx = transport.rx
    rx.due, rx.why = transport.lot.now() + limit, HANDSHAKE_TIMEOUT
    try:
        start = await transport.receive(len(_SIGNATURE))
        if not start:
            raise Refused("it left without a word", silent=True)
        start += await _exactly(transport, len(_SIGNATURE) - len(start))
        if start == _SIGNATURE:
            return await _v2(transport)
        if start.startswith(_V1):
            return v1(await _line(transport, start))
        raise Refused("it sent no PROXY header, which `proxy_protocol` demands of it")
    except PeerGone as gone:
        raise Refused(str(gone)) from None
    except Fault as fault:
        text = f"no PROXY header within {limit:g} s" if fault.reason is HANDSHAKE_TIMEOUT else str(fault)
        raise Refused(text) from None
    finally:
        rx.due = inf


def v1(line: bytes) -> str | None:
    """Read the text form, a line without its end; raises Refused."""
    kind, *parts = line[len(_V1) :].split(b" ")
    if kind == b"UNKNOWN":
        return None
    try:
        if kind not in (b"TCP4", b"TCP6") or len(parts) != 4 or not all(map(_is_port, parts[2:])):
            raise ValueError
        of = IPv4Address if kind == b"TCP4" else IPv6Address
        client, _ = of(parts[0].decode("ascii")), of(parts[1].decode("ascii"))
    except ValueError:
        raise Refused(f"its PROXY header is malformed: {line!r}") from None
    return _name(client)


def v2(command: int, family: int, rest: bytes) -> str | None:
    """Read what stands behind the length of the binary form; raises Refused."""
    if command == _LOCAL:
        return None
    size = {_INET: 4, _INET6: 16, _UNIX: 108}.get(family >> 4, 0)
    if command != _PROXY or family >> 4 > _UNIX or family & 15 > 2:
        raise Refused(f"its PROXY header has an unknown command or family: {command}, {family:#04x}")
    if size and len(rest) < 2 * size + (0 if size == 108 else 4):
        raise Refused("its PROXY header is too short for its addresses")
    if family >> 4 == _UNIX:
        return UNIX_PEER
    return _name(ip_address(rest[:size])) if size else None


async def _v2(transport: Transport) -> str | None:
    version, family, length = unpack("!BBH", await _exactly(transport, 4))
    if version >> 4 != 2:
        raise Refused(f"its PROXY header is of version {version >> 4}, which is unknown")
    if length > _MAX_V2:
        raise Refused(f"its PROXY header is longer than {_MAX_V2} bytes")
    return v2(version & 15, family, await _exactly(transport, length))


async def _line(transport: Transport, start: bytes) -> bytes:
    line = start
    while not line.endswith(b"\r\n"):
        count = 1 if line.endswith(b"\r") else 2  # no more than what must still come
        if len(line) + count > _MAX_V1 or b"\n" in line:
            raise Refused(f"its PROXY header is malformed: {line!r}")
        line += await _exactly(transport, count)
    return line[:-2]


async def _exactly(transport: Transport, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await transport.receive(count - len(data))
        if not more:
            raise PeerGone("closed in the middle of its PROXY header")
        data += more
    return data


def _name(address: IPv4Address | IPv6Address) -> str:
    """Write an address as that of a peer is written."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _is_port(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 5 and int(text) <= 65535
