"""Listening sockets: bind them, adopt those that systemd passes, and accept from them for ever.

Nothing ends an accept loop but cancellation. When descriptors run out the loop pauses and tries again;
when the connection cap is reached it waits for room: the kernel's backlog holds who comes meanwhile.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
from collections.abc import Callable, Mapping
from typing import Protocol

import trio

from appliance.model.address import Address

Socket = socket.socket
UNIX_PEER = "unix"  # the name of a peer that has no IP address
BACKLOG = 4096  # the kernel cuts it to net.core.somaxconn
_PAUSE = 0.1  # seconds to wait when the kernel has no descriptor or memory for a connection
_FIRST_FD = 3  # sd_listen_fds(3)
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_log = logging.getLogger("meshctl")


class BindError(Exception):
    """An address cannot be listened on; the message says which, why, and what to do."""


class Room(Protocol):
    """How many connections may be open at once."""

    def has_room(self) -> bool:
        """Say whether another connection may be accepted now."""

    async def wait_room(self) -> None:
        """Wait until ``has_room`` may have become true."""


def bind(address: Address, environ: Mapping[str, str]) -> socket.socket:
    """Give a non-blocking socket that listens on ``address``; raises BindError.

    ``environ`` holds LISTEN_FDS and its companions for ``fd:NAME``.
    """
    try:
        if address.kind == "fd":
            return _adopt(address.path, environ)
        if address.kind == "unix":
            return _bind_unix(address.path)
        return _bind_tcp(address)
    except OSError as error:
        raise BindError(f"cannot listen on {address}: {error.strerror or error}.{_advice(error)}") from None


def _advice(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return " Another process has it; stop that one or choose another port."
    if error.errno in (errno.EACCES, errno.EPERM):
        return " Ports below 1024 need root or CAP_NET_BIND_SERVICE; a socket's directory must be writable."
    if error.errno == errno.EADDRNOTAVAIL:
        return " No interface of this machine has that address."
    return ""


def _bind_tcp(address: Address) -> socket.socket:
    if address.host:
        info = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, target = info[0]
    elif socket.has_dualstack_ipv6():
        family, target = socket.AF_INET6, ("::", address.port)
    else:
        family, target = socket.AF_INET, ("0.0.0.0", address.port)  # noqa: S104
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if address.host else 0)
        sock.bind(target)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_unix(path: str) -> socket.socket:
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.bind(path)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    """Remove a socket file that nobody listens on; proof is a connect that fails."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:
            return


def _adopt(name: str, environ: Mapping[str, str]) -> socket.socket:
    """Give the socket that the service manager passed under ``name`` (sd_listen_fds_with_names(3))."""
    if environ.get("LISTEN_PID", str(os.getpid())) != str(os.getpid()):
        raise BindError(f"fd:{name}: LISTEN_PID is not this process")
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    count = int(environ.get("LISTEN_FDS", "0") or 0)
    for index in range(count):
        if index < len(names) and names[index] == name:
            sock = socket.socket(fileno=_FIRST_FD + index)
            sock.setblocking(False)
            sock.set_inheritable(False)
            return sock
    passed = ", ".join(names[:count]) or "none"
    raise BindError(f"fd:{name}: no such socket was passed (LISTEN_FDNAMES: {passed})")


def unbind(sock: socket.socket, address: Address) -> None:
    """Close a listening socket, and take its file away if it is one that ``bind`` has made.

    At once, not at the end of the process: by then the path may belong to a successor.
    """
    if address.kind == "unix" and sock.fileno() >= 0:
        try:
            os.unlink(address.path)
        except OSError:
            pass
    sock.close()


def bound_address(sock: socket.socket) -> str:
    """Give where ``sock`` really listens, for people: ``127.0.0.1:8080``, ``[::]:8080``, ``unix:PATH``."""
    if sock.family == socket.AF_UNIX:
        return f"unix:{sock.getsockname()}"
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def peer_name(raw: object) -> str:
    """Give the peer's IP address as text, IPv4 in its own form also on a dual-stack socket."""
    if isinstance(raw, tuple):
        host = str(raw[0])
        return host[7:] if host.startswith("::ffff:") and "." in host else host.partition("%")[0]
    return UNIX_PEER


async def accept_forever(
    sock: socket.socket, room: Room, start: Callable[[socket.socket, str], None]
) -> None:
    """Hand every connection of ``sock`` and its peer's name to ``start``, until cancelled."""
    while True:
        if not room.has_room():
            await room.wait_room()
            continue
        try:
            client, raw = sock.accept()
        except BlockingIOError:
            await trio.lowlevel.wait_readable(sock)
        except OSError as error:
            if error.errno in _EXHAUSTED:
                _log.warning("cannot accept on %s: %s; trying again", bound_address(sock), error.strerror)
                await trio.sleep(_PAUSE)
            else:  # the client gave up before we came (accept(2), "Error handling")
                await trio.lowlevel.checkpoint()
        else:
            client.setblocking(False)
            if client.family != socket.AF_UNIX:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start(client, peer_name(raw))
            await trio.lowlevel.checkpoint()
