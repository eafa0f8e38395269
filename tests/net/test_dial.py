"""Connecting: every kind of address, every kind of failure, and nothing that came meanwhile is lost."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from trio.abc import HostnameResolver
from trio.testing import MockClock

from appliance.model.address import Address
from appliance.model.fault import CONNECT_FAILED, CONNECT_TIMEOUT, DNS_FAILED, Fault
from appliance.net.dial import dial
from appliance.net.park import Lot
from appliance.net.poller import Poller
from appliance.net.transport import SocketTransport
from tests.kit.sockets import open_descriptors, reset


@pytest.fixture
def autojump_clock() -> MockClock:
    """Let time pass only when the kernel, too, has been quiet for a moment."""
    return MockClock(autojump_threshold=0.001)


@pytest.fixture
async def poller() -> AsyncIterator[Poller]:
    lot = Lot(trio.current_time)
    poller = Poller(lot)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lot.run)
        nursery.start_soon(poller.run)
        yield poller
        nursery.cancel_scope.cancel()
    poller.close()


class Names(HostnameResolver):
    """Answers from a table; a name that is not in it does not exist, one without addresses never answers."""

    def __init__(self, **table: list[str]) -> None:
        self.table = table

    async def getaddrinfo(self, host: object, port: object, *rest: object, **more: object) -> list[object]:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in self.table:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if not self.table[name]:
            await trio.sleep_forever()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in self.table[name]]

    async def getnameinfo(self, *rest: object) -> object:
        raise NotImplementedError


def tcp(sock: socket.socket, host: str = "127.0.0.1") -> Address:
    return Address("tcp", host=host, port=sock.getsockname()[1])


async def failure(poller: Poller, address: Address, timeout: float = 2) -> Fault:
    with pytest.raises(Fault) as caught:
        await dial(poller, address, timeout)
    return caught.value


async def test_a_connection(poller: Poller, autojump_clock: object) -> None:
    """Both ways, without delay for small segments, and with no deadline left over."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = await dial(poller, tcp(server), 2)
        theirs, _ = server.accept()
        with theirs:
            transport.write(b"ping")
            assert theirs.recv(10) == b"ping"
            theirs.send(b"pong")
            assert await transport.receive() == b"pong"
            assert transport.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert not os.get_inheritable(transport.fd)
            await trio.sleep(5)
            assert transport.alive()
        transport.close()


async def test_a_unix_socket(poller: Poller, tmp_path: Path, autojump_clock: object) -> None:
    """By its path; one that nobody listens on is refused, one that is not there is named."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        transport = await dial(poller, Address("unix", path=path), 2)
        theirs, _ = server.accept()
        theirs.send(b"x")
        assert await transport.receive() == b"x"
        transport.close()
        theirs.close()
    fault = await failure(poller, Address("unix", path=path))
    assert fault.reason is CONNECT_FAILED
    assert "refused" in fault.detail
    fault = await failure(poller, Address("unix", path=path + "x"))
    assert (fault.reason, path in fault.detail) == (CONNECT_FAILED, True)


async def test_a_refused_connection(poller: Poller, autojump_clock: object) -> None:
    """Says where to, and what the kernel said; leaves no descriptor."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = tcp(server)
    before = open_descriptors()
    fault = await failure(poller, address)
    assert fault.reason is CONNECT_FAILED
    assert str(address) in fault.detail
    assert "refused" in fault.detail
    assert open_descriptors() <= before
    assert poller.lot.parks == set()


async def test_a_connect_that_is_not_answered(poller: Poller, autojump_clock: object) -> None:
    """Ends after its own limit: here the backlog of the server is full."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [await dial(poller, tcp(server), 2)]
        fault = None
        while fault is None and len(waiting) < 10:
            began = trio.current_time()
            try:
                waiting.append(await dial(poller, tcp(server), 2))
            except Fault as caught:
                fault = caught
        assert fault is not None
        assert fault.reason is CONNECT_TIMEOUT
        assert str(tcp(server)) in fault.detail
        assert 2 <= trio.current_time() - began <= 2.1
        for transport in waiting:
            transport.close()
    assert poller.lot.parks == set()


_open: list[socket.socket] = []


async def together(poller: Poller, server: socket.socket, end: str) -> SocketTransport:
    """Dial while the server greets and perhaps leaves, before the poller has looked even once."""
    step, poller.poll = poller.poll, lambda: 0
    dialled: list[SocketTransport | Fault] = []

    async def connect() -> None:
        try:
            dialled.append(await dial(poller, tcp(server), 2))
        except Fault as fault:
            dialled.append(fault)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(connect)
        theirs: socket.socket | None = None
        while theirs is None:
            await trio.lowlevel.checkpoint()
            with suppress(BlockingIOError):
                theirs, _ = server.accept()
        theirs.send(b"greeting")
        if end == "reset":
            reset(theirs)
        elif end == "close":
            theirs.close()
        poller.poll = step
        poller.poll()
    if end == "none":
        _open.append(theirs)
    if isinstance(dialled[0], Fault):
        raise dialled[0]
    return dialled[0]


@pytest.mark.parametrize("end", ["close", "none"])
async def test_what_comes_with_the_connection_is_not_missed(
    end: str, poller: Poller, autojump_clock: object
) -> None:
    """A server may speak, or leave, before we have noticed that we are connected: one edge says it all."""
    with socket.create_server(("127.0.0.1", 0)) as server, trio.fail_after(1):
        server.setblocking(False)
        transport = await together(poller, server, end)
        assert await transport.receive() == b"greeting"
        if end == "close":
            assert transport.hung_up
            assert await transport.receive() == b""
        transport.close()
        while _open:
            _open.pop().close()


async def test_a_server_that_resets_at_once(poller: Poller, autojump_clock: object) -> None:
    """Is no connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        with pytest.raises(Fault) as caught:
            await together(poller, server, "reset")
        assert caught.value.reason is CONNECT_FAILED


async def test_a_name_is_resolved_each_time(poller: Poller, autojump_clock: object) -> None:
    """Its addresses are tried in order until one answers."""
    names = Names(both=["127.0.0.2", "127.0.0.1"])
    trio.socket.set_custom_hostname_resolver(names)
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = await dial(poller, Address("dns", host="both", port=server.getsockname()[1]), 2)
        assert transport.sock.getpeername()[0] == "127.0.0.1"
        transport.close()


async def test_a_name_that_is_not_known(poller: Poller, autojump_clock: object) -> None:
    """Is a fault of its own, with the resolver's words."""
    trio.socket.set_custom_hostname_resolver(Names())
    fault = await failure(poller, Address("dns", host="nowhere", port=80))
    assert fault.reason is DNS_FAILED
    assert "nowhere:80" in fault.detail
    assert "not known" in fault.detail


async def test_a_resolver_that_does_not_answer(poller: Poller, autojump_clock: object) -> None:
    """Shares the limit of the connect."""
    trio.socket.set_custom_hostname_resolver(Names(slow=[]))
    fault = await failure(poller, Address("dns", host="slow", port=80), 3)
    assert fault.reason is DNS_FAILED
    assert trio.current_time() == 3


async def test_all_addresses_refuse(poller: Poller, autojump_clock: object) -> None:
    """The last one's reason is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    trio.socket.set_custom_hostname_resolver(Names(both=["127.0.0.1", "127.0.0.2"]))
    fault = await failure(poller, Address("dns", host="both", port=port))
    assert fault.reason is CONNECT_FAILED


async def test_cancellation_leaves_nothing(poller: Poller, autojump_clock: object) -> None:
    """No descriptor and no park."""
    before = open_descriptors()
    with socket.create_server(("127.0.0.1", 0)) as server:
        step, poller.poll = poller.poll, lambda: 0
        with trio.CancelScope() as scope:
            scope.cancel()
            await dial(poller, tcp(server), 2)
        poller.poll = step
        await trio.lowlevel.checkpoint()
    assert open_descriptors() <= before
    assert poller.lot.parks == set()
