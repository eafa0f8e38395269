"""Connected pairs of real TCP sockets, for tests that are about sockets."""

from __future__ import annotations

import gc
import os
import socket
import struct


def loopback() -> tuple[socket.socket, socket.socket]:
    """Give two connected non-blocking sockets on the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        two, _ = server.accept()
    for sock in (one, two):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one, two


def without_goodbye(sock: socket.socket) -> None:
    """Let a later close be a reset, as after a crash, instead of an end."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset(sock: socket.socket) -> None:
    """Close with a reset."""
    without_goodbye(sock)
    sock.close()


def open_descriptors() -> int:
    """Give how many descriptors this process holds, but for what is only waiting to be collected."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))
