"""Listening: what is bound, what is adopted, and a loop that nothing ends but cancellation."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from appliance.model.address import Address
from appliance.net import listen
from appliance.net.listen import BindError, accept_forever, bind, bound_address, peer_name, unbind

LOCAL = Address("tcp", host="127.0.0.1", port=0)


@pytest.fixture
def autojump_clock() -> MockClock:
    """Let time pass only when the kernel, too, has been quiet for a moment."""
    return MockClock(autojump_threshold=0.001)


class Room:
    """Room for as many as ``free`` says."""

    def __init__(self, free: int = 1000) -> None:
        self.free = free
        self.freed = trio.Event()

    def has_room(self) -> bool:
        return self.free > 0

    async def wait_room(self) -> None:
        await self.freed.wait()


def test_a_port_of_the_systems_choice() -> None:
    """Port 0 is told as what it became; the socket does not block and is not inherited."""
    with bind(LOCAL, {}) as sock:
        host, _, port = bound_address(sock).rpartition(":")
        assert host == "127.0.0.1"
        assert int(port) > 0
        assert not sock.getblocking()
        assert not sock.get_inheritable()
        socket.create_connection((host, int(port))).close()


def test_every_local_address() -> None:
    """An empty host takes IPv4 and, where there is any, IPv6 on one socket."""
    with bind(Address("tcp", port=0), {}) as sock:
        port = sock.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            client, raw = sock.accept()
            client.close()
            assert peer_name(raw) == "127.0.0.1"
        assert bound_address(sock) in (f"[::]:{port}", f"0.0.0.0:{port}")


def test_a_port_that_is_taken() -> None:
    """The message says where, what and what to do."""
    with bind(LOCAL, {}) as sock:
        taken = Address("tcp", host="127.0.0.1", port=sock.getsockname()[1])
        with pytest.raises(BindError, match="choose another port") as caught:
            bind(taken, {})
        assert str(taken) in str(caught.value)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (Address("tcp", host="192.0.2.1", port=0), "No interface"),
        (Address("unix", path="/no/such/directory/s"), "No such file"),
        (Address("tcp", host="no.such.host.invalid", port=0), "cannot listen"),
    ],
)
def test_what_cannot_be_bound(address: Address, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is a BindError whatever the kernel or the resolver calls it."""

    def getaddrinfo(host: str, *rest: object, **more: object) -> object:
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *rest, **more)

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(BindError, match=words):
        bind(address, {})


def test_a_unix_socket_replaces_a_dead_one_only(tmp_path: Path) -> None:
    """A file that nobody listens on is removed, one in use is not, and neither is what is no socket."""
    path = str(tmp_path / "s")
    with bind(Address("unix", path=path), {}) as sock:
        assert bound_address(sock) == f"unix:{path}"
        with pytest.raises(BindError, match="Another process"):
            bind(Address("unix", path=path), {})
        sock.setblocking(False)
        sock.accept()[0].close()  # the second bind's question whether anybody listens
    with bind(Address("unix", path=path), {}):
        pass
    other = tmp_path / "file"
    other.write_text("precious")
    with pytest.raises(BindError):
        bind(Address("unix", path=str(other)), {})
    assert other.read_text() == "precious"


def test_a_passed_socket_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name (sd_listen_fds_with_names(3)); unknown names and other processes' sockets are refused."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        monkeypatch.setattr(listen, "_FIRST_FD", os.dup(sock.fileno()) - 1)
        environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "other:web"}
        with bind(Address("fd", path="web"), environ) as adopted:
            assert adopted.getsockname() == sock.getsockname()
            assert not adopted.getblocking()
            assert not adopted.get_inheritable()
        with pytest.raises(BindError, match="other, web"):
            bind(Address("fd", path="admin"), environ)
        with pytest.raises(BindError, match="none"):
            bind(Address("fd", path="web"), {})
        with pytest.raises(BindError, match="LISTEN_PID"):
            bind(Address("fd", path="web"), {**environ, "LISTEN_PID": "1"})


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (("192.0.2.1", 80), "192.0.2.1"),
        (("::ffff:192.0.2.1", 80, 0, 0), "192.0.2.1"),
        (("2001:db8::1", 80, 0, 0), "2001:db8::1"),
        (("fe80::1%eth0", 80, 0, 2), "fe80::1"),
        ("", "unix"),
        (b"\0abstract", "unix"),
    ],
)
def test_a_peer_has_one_name(raw: object, name: str) -> None:
    """IPv4 stays IPv4 on a socket for both; a Unix peer has no address."""
    assert peer_name(raw) == name


async def accepting(
    nursery: trio.Nursery, room: Room, sock: socket.socket, start: Callable[[socket.socket, str], None]
) -> None:
    nursery.start_soon(accept_forever, sock, room, start)
    await trio.testing.wait_all_tasks_blocked()


async def test_connections_are_handed_over(nursery: trio.Nursery, autojump_clock: object) -> None:
    """Non-blocking, without delay for small segments, with the name of who it is."""
    got: list[tuple[socket.socket, str]] = []
    with bind(LOCAL, {}) as sock:
        await accepting(nursery, Room(), sock, lambda *pair: got.append(pair))
        clients = [socket.create_connection(sock.getsockname()) for _ in range(3)]
        await trio.sleep(0.01)
        assert [peer for _, peer in got] == ["127.0.0.1"] * 3
        for one, _ in got:
            assert not one.getblocking()
            assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for one in [*clients, *(accepted for accepted, _ in got)]:
            one.close()
        nursery.cancel_scope.cancel()


async def test_without_room_nobody_is_accepted(nursery: trio.Nursery, autojump_clock: object) -> None:
    """They wait in the kernel's backlog until there is room."""
    got: list[socket.socket] = []
    room = Room(2)

    def start(sock: socket.socket, _peer: str) -> None:
        room.free -= 1
        got.append(sock)

    with bind(LOCAL, {}) as sock:
        await accepting(nursery, room, sock, start)
        clients = [socket.create_connection(sock.getsockname()) for _ in range(4)]
        await trio.sleep(1)
        assert len(got) == 2
        room.free = 1
        room.freed.set()
        room.freed = trio.Event()
        await trio.sleep(0.01)
        assert len(got) == 3
        for one in [*clients, *got]:
            one.close()
        nursery.cancel_scope.cancel()


class Failing:
    """A socket whose accepts fail as the list says, before real ones are given."""

    def __init__(self, sock: socket.socket, *codes: int) -> None:
        self.sock = sock
        self.codes = list(codes)

    def accept(self) -> tuple[socket.socket, object]:
        if self.codes:
            raise OSError(self.codes.pop(0), "no luck")
        return self.sock.accept()

    def fileno(self) -> int:
        return self.sock.fileno()

    def __getattr__(self, name: str) -> object:
        return getattr(self.sock, name)


@pytest.mark.parametrize(
    ("code", "pause"),
    [
        (errno.EMFILE, 0.1),
        (errno.ENFILE, 0.1),
        (errno.ENOBUFS, 0.1),
        (errno.ENOMEM, 0.1),
        (errno.ECONNABORTED, 0),
        (errno.EPERM, 0),
    ],
)
async def test_no_error_ends_the_loop(
    code: int, pause: float, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture, autojump_clock: object
) -> None:
    """Where the kernel has run out of something the loop pauses and says so; else it goes on at once."""
    caplog.set_level(logging.WARNING, "meshctl")
    got: list[socket.socket] = []
    arrived = trio.Event()

    def start(sock: socket.socket, _peer: str) -> None:
        got.append(sock)
        arrived.set()

    with bind(LOCAL, {}) as sock:
        client = socket.create_connection(sock.getsockname())
        nursery.start_soon(accept_forever, Failing(sock, code, code), Room(), start)
        await arrived.wait()
        assert 2 * pause <= trio.current_time() <= 2 * pause + 0.03
        assert len(caplog.records) == (2 if pause else 0)
        client.close()
        got[0].close()
        nursery.cancel_scope.cancel()


def test_a_socket_file_goes_with_its_listener(tmp_path: Path) -> None:
    """At once, so that a successor's file of the same name stays; a second call finds nothing to do."""
    address = Address("unix", path=str(tmp_path / "s"))
    sock = bind(address, {})
    unbind(sock, address)
    assert not (tmp_path / "s").exists()
    successor = bind(address, {})
    unbind(sock, address)
    assert (tmp_path / "s").exists()
    unbind(successor, address)
