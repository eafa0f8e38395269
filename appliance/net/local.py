"""The stats socket: a private Unix socket, or TCP; far from the data path, by the streams of trio."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import struct
import tempfile
from collections.abc import Mapping

import trio

from appliance.model.address import Address

from .listen import BindError, bind

LONGEST_PATH = 107  # bytes of a Unix socket's path (unix(7))
_SEND_BUFFER = 64 * 1024
_UCRED = struct.Struct("3i")


def standard_directory(environ: Mapping[str, str], uid: int) -> str:
    """Give where sockets are: root's, in a user's runtime directory, else in a private temporary one."""
    if uid == 0:
        return "/run/meshctl"
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    return f"{runtime}/meshctl" if runtime else f"{tempfile.gettempdir()}/meshctl-{uid}"


def standard_path(name: str, environ: Mapping[str, str], uid: int) -> str:
    """Give the path of the socket of the proxy with this name."""
    return f"{standard_directory(environ, uid)}/{name}.sock"


def bind_private(path: str, group: int | None) -> socket.socket:
    """Listen on a Unix socket for its owner alone, and ``group`` if one is given; raises BindError."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise BindError(f"cannot listen on unix:{path}: the path has more than {LONGEST_PATH} bytes")
    _private_directory(os.path.dirname(path), group)
    mask = os.umask(0o177)
    try:
        sock = bind(Address("unix", path=path), {})
    finally:
        os.umask(mask)
    if group is not None:
        try:
            os.chown(path, -1, group)
            os.chmod(path, 0o660)
        except OSError as error:
            sock.close()
            os.unlink(path)
            raise BindError(f"cannot give unix:{path} to its group: {error.strerror}") from None
    return sock


def _private_directory(path: str, group: int | None) -> None:
    """Make a directory that nobody else may enter; one that is there must be ours, or root's."""
    try:
        os.mkdir(path, 0o700)
        if group is not None:
            os.chown(path, -1, group)
            os.chmod(path, 0o750)  # noqa: S103 (the group may enter)
    except FileExistsError:
        pass
    except OSError as error:
        raise BindError(f"cannot make the directory {path}: {error.strerror}") from None
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()):
        raise BindError(f"{path} is not a directory of this user; name another place in stats.socket")
    if found.st_uid == os.geteuid() and found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
        raise BindError(f"others may write into {path}: chmod go-w {path}")


def peer_of(stream: trio.SocketStream) -> tuple[int, int, int]:
    """Give pid, uid and gid of who connected to a Unix socket, as the kernel knows them (unix(7))."""
    raw = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, gid = _UCRED.unpack(raw)
    return pid, uid, gid


def listener_of(sock: socket.socket) -> trio.SocketListener:
    """Give a listener of trio's for a bound socket, which stays open when that is closed."""
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock.dup()))


def keep_short(stream: trio.SocketStream) -> None:
    """Let the kernel hold little of what a client has not read."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)


def is_local(stream: trio.SocketStream) -> bool:
    """Say whether it is a Unix socket."""
    return bool(stream.socket.family == socket.AF_UNIX)


def peer_address(stream: trio.SocketStream) -> str:
    """Give the IP address of the other side, empty if it has gone."""
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:
        return ""


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """Give what TLS needs; raises OSError where the files cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context


def secure(stream: trio.SocketStream, context: ssl.SSLContext) -> trio.SSLStream[trio.SocketStream]:
    """Give a stream that speaks TLS, the server's side."""
    return trio.SSLStream(stream, context, server_side=True, https_compatible=True)
