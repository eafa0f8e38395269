"""Open a connection to an address: non-blocking connect, its deadline on the park like any other wait."""

from __future__ import annotations

import errno
import os
import socket
from ipaddress import ip_address
from math import inf

import trio

from appliance.model.address import Address
from appliance.model.fault import CONNECT_FAILED, CONNECT_TIMEOUT, DNS_FAILED, Fault

from .poller import Poller
from .transport import SocketTransport


async def dial(poller: Poller, address: Address, timeout: float) -> SocketTransport:
    """Connect to ``address`` within ``timeout`` seconds.

    A name is resolved each time; its addresses are tried in the resolver's order. Raises Fault with
    CONNECT_FAILED, CONNECT_TIMEOUT or DNS_FAILED, each naming the address and what the kernel said.
    """
    if address.kind == "unix":
        return await _connect(socket.AF_UNIX, address.path, address, poller, timeout)
    due = poller.lot.now() + timeout
    fault = Fault(DNS_FAILED, f"{address} has no address")
    found = await _resolve(address, timeout)
    for index, (family, target) in enumerate(found):
        left = due - poller.lot.now()
        if left <= 0:
            break
        try:  # an address that never answers leaves the others their share of the time
            return await _connect(family, target, address, poller, left / (len(found) - index))
        except Fault as failed:
            fault = failed
    raise fault


async def _resolve(address: Address, timeout: float) -> list[tuple[int, tuple[str, int]]]:
    try:
        version = ip_address(address.host).version
    except ValueError:
        pass
    else:
        return [(socket.AF_INET if version == 4 else socket.AF_INET6, (address.host, address.port))]
    with trio.move_on_after(timeout):
        try:
            found = await trio.socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Fault(DNS_FAILED, f"{address}: {error.strerror or error}") from None
        return [(row[0], row[4][:2]) for row in found]  # type: ignore[misc]
    raise Fault(DNS_FAILED, f"{address}: no answer within {timeout:g} s")


async def _connect(
    family: int, target: str | tuple[str, int], address: Address, poller: Poller, timeout: float
) -> SocketTransport:
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except OSError as error:
        raise Fault(CONNECT_FAILED, f"{address}: {error.strerror}") from None
    try:
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex(target)
        if code not in (0, errno.EINPROGRESS):
            raise Fault(CONNECT_FAILED, f"{address}: {os.strerror(code)}")
        transport = SocketTransport(sock, poller, connecting=True)
    except BaseException:
        sock.close()
        raise
    try:
        if code:
            await transport.wait_writable(timeout, CONNECT_TIMEOUT)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise Fault(CONNECT_FAILED, f"{address}: {os.strerror(code)}")
    except BaseException as error:
        transport.close()
        if isinstance(error, Fault) and not error.detail:
            error.detail = f"{address}: no answer to connect within {timeout:g} s"
        raise
    transport.tx.due = inf
    return transport
