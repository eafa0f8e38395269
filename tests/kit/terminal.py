"""A real terminal (pty) and what it shows (pyte)."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable

import pyte


class Terminal:
    """A terminal with a `meshctl` command in it."""

    def __init__(self, *words: str, size: tuple[int, int] = (120, 36), **environ: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.screen = pyte.Screen(*size)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "appliance", *words],
            stdin=slave, stdout=slave, stderr=slave, env=env | environ, start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def read(self, seconds: float = 0.2) -> None:
        """Take what it draws."""
        if select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            self.raw += data
            self.stream.feed(data)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def wait(self, true: Callable[[], bool], limit: float = 30) -> float:
        """Take what it draws until something is so; give how long that took."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < limit, self.text
            self.read()
        return time.monotonic() - began

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def hang_up(self) -> None:
        """Take the terminal away, as a window that is closed or a connection that breaks."""
        os.close(self.master)
        self.master = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        if self.master >= 0:
            os.close(self.master)
