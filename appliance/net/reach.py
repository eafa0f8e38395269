"""A connection to the stats socket of a running proxy, from outside: by Unix socket, TCP or TLS."""

from __future__ import annotations

import os
import shlex
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import trio

from .local import standard_directory

CONNECT_WITHIN: Final = 5.0


class ReachError(Exception):
    """A proxy cannot be reached: why, and what to do. ``denied``: it is there, but not for us."""

    def __init__(self, text: str, *, denied: bool = False) -> None:
        super().__init__(text)
        self.denied = denied


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stats socket is: ``path`` of a Unix one, or ``host`` and ``port``. ``name`` is for people.

    With ``ssh`` it is the socket of that name on another machine.
    """

    name: str
    path: str = ""
    host: str = ""
    port: int = 0
    tls: bool = False
    ssh: str = ""

    def __str__(self) -> str:
        if self.ssh:
            return f"ssh://{self.ssh}/{self.name}"
        return self.path or f"{'https://' if self.tls else ''}{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """Give what stands in the Host of requests."""
        if self.path or self.ssh:
            return "localhost"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def local_places(environ: Mapping[str, str], uid: int) -> list[Place]:
    """Give the sockets in the standard directories, those of this user first."""
    found: dict[str, Place] = {}
    for directory in dict.fromkeys((standard_directory(environ, uid), standard_directory(environ, 0))):
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue
        for name in names:
            if name.endswith(".sock"):
                found.setdefault(name, Place(name.removesuffix(".sock"), path=f"{directory}/{name}"))
    return list(found.values())


async def reach(place: Place, ca: str | None = None) -> trio.abc.Stream:
    """Connect; ``ca`` is a file of certificates to trust instead of the machine's. Raises ReachError."""
    if place.ssh:
        return await _reach_by_ssh(place)
    try:
        with trio.fail_after(CONNECT_WITHIN):
            if place.path:
                return await trio.open_unix_socket(place.path)
            stream = await trio.open_tcp_stream(place.host, place.port)
            if not place.tls:
                return stream
            try:
                context = ssl.create_default_context(cafile=ca)
                secured = trio.SSLStream(stream, context, server_hostname=place.host, https_compatible=True)
                await secured.do_handshake()
            except BaseException:
                await trio.aclose_forcefully(stream)
                raise
            return secured
    except trio.TooSlowError:
        raise ReachError(f"{place} does not answer within {CONNECT_WITHIN:g}s") from None
    except (OSError, trio.BrokenResourceError) as error:
        raise _error(place, error) from None


async def _reach_by_ssh(place: Place) -> trio.abc.Stream:
    """Speak to a command on another machine, which passes everything on to the socket there."""
    there = ["meshctl", "stats", "--stdio", *([place.name] if place.name else [])]
    command = ["ssh", "-oBatchMode=yes", "--", place.ssh, shlex.join(there)]
    try:
        process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except FileNotFoundError:
        raise ReachError("ssh is not installed here") from None
    if process.stdin is None or process.stdout is None:
        raise ReachError(f"{place} cannot be reached: ssh has no pipes")
    return _Piped(trio.StapledStream(process.stdin, process.stdout), process)


class _Piped(trio.abc.Stream):
    """The pipes of a process, which ends with them."""

    def __init__(self, pipes: trio.abc.Stream, process: trio.Process) -> None:
        self._pipes = pipes
        self._process = process

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._pipes.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._pipes.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return bytes(await self._pipes.receive_some(max_bytes))

    async def aclose(self) -> None:
        try:
            await self._pipes.aclose()
        finally:
            self._process.terminate()
            with trio.CancelScope(shield=True), trio.move_on_after(2):
                await self._process.wait()


def _error(place: Place, error: Exception) -> ReachError:
    """Say what is wrong, in the words of who has to mend it."""
    if isinstance(error, FileNotFoundError):
        return ReachError(f"there is no socket {place}: is the proxy running? (meshctl run PROFILE)")
    if isinstance(error, ConnectionRefusedError):
        return ReachError(f"nobody listens at {place}: the proxy has ended, or its stats listen elsewhere")
    if isinstance(error, PermissionError):
        text = (
            f"{place} is not for uid {os.geteuid()}: ask as its owner or as root, or set stats.socket_group"
        )
        return ReachError(text, denied=True)
    cause = error.__cause__ if isinstance(error, trio.BrokenResourceError) else error
    reason = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None) or str(cause or error)
    return ReachError(f"{place} cannot be reached: {reason}")
