"""Move bytes from one socket to another inside the kernel, through a pipe (splice(2)).

A long body that needs no change need not visit Python: 10 MB cost a third less CPU this way than by
``recv`` and ``send``. Pipes are pooled, each 256 KiB; a pipe that is left with bytes in it (an error
between the two halves) is thrown away, because its bytes belong to nobody.
"""

from __future__ import annotations

import fcntl
import os
from math import inf

import trio

from appliance.model.fault import Fault, Reason

from .transport import PeerGone, SocketTransport

PIPE_SIZE = 256 * 1024
MAX_POOLED = 32
_FLAGS = 0x01 | 0x02  # SPLICE_F_MOVE | SPLICE_F_NONBLOCK
_CHUNK = 1 << 20
_FAIR = 8

_pool: list[tuple[int, int]] = []


class NoPipe(Exception):
    """The process has no descriptors left for a pipe; the bytes can still be read and written."""


def _open_pipe() -> tuple[int, int]:
    if _pool:
        return _pool.pop()
    try:
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NoPipe(str(error)) from None
    try:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    except OSError:  # over the user's pipe budget: the default size works too, in smaller steps
        pass
    return reader, writer


def _close_pipe(pipe: tuple[int, int], empty: bool) -> None:
    if empty and len(_pool) < MAX_POOLED:
        _pool.append(pipe)
    else:
        os.close(pipe[0])
        os.close(pipe[1])


def close_pool() -> None:
    """Close the pooled pipes; for the end of a worker."""
    while _pool:
        for fd in _pool.pop():
            os.close(fd)


class Limits:
    """How long either side may be silent, in seconds, what that is called, and a reset of the source."""

    __slots__ = ("cut", "read", "read_why", "write", "write_why")

    def __init__(self, read: float, read_why: Reason, cut: Reason, write: float, write_why: Reason) -> None:
        self.read = read
        self.read_why = read_why
        self.cut = cut
        self.write = write
        self.write_why = write_why


async def splice(source: SocketTransport, sink: SocketTransport, count: int, limits: Limits) -> int:
    """Move ``count`` bytes; returns how many were moved, fewer only if the source ended.

    The sink's write buffer must be empty. Raises NoPipe before anything was moved, PeerGone when the
    sink breaks, Fault(limits.cut) when the source is reset, and the other Faults of ``limits`` when
    either is silent for too long.
    """
    pipe = _open_pipe()
    inside = moved = turns = 0
    try:
        while moved + inside < count or inside:
            if not inside:
                inside = await _fill(source, pipe[1], count - moved, limits)
                if not inside:
                    return moved
            gone = await _drain(pipe[0], sink, inside, limits)
            inside -= gone
            moved += gone
            turns += 1
            if turns % _FAIR == 0:
                await trio.lowlevel.checkpoint()
        return moved
    finally:
        _close_pipe(pipe, not inside)


async def _fill(source: SocketTransport, pipe: int, want: int, limits: Limits) -> int:
    rx = source.rx
    while True:
        if rx.fault is None and rx.ready:
            try:
                return os.splice(source.fd, pipe, min(want, _CHUNK), flags=_FLAGS)
            except BlockingIOError:
                rx.ready = False
            except OSError as error:
                raise Fault(limits.cut, str(error)) from None
        rx.due = source.lot.now() + limits.read
        rx.why = limits.read_why
        await rx.wait()
        rx.due = inf


async def _drain(pipe: int, sink: SocketTransport, inside: int, limits: Limits) -> int:
    while True:
        if sink.broken:
            raise PeerGone("broken while written to")
        try:
            return os.splice(pipe, sink.fd, inside, flags=_FLAGS)
        except BlockingIOError:
            sink.want_write()
            await sink.wait_writable(limits.write, limits.write_why)
        except OSError as error:
            sink.broken = True
            raise PeerGone(str(error)) from None
