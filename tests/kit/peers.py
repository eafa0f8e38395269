"""Real programs for the live tests: nginx as an origin, meshctl itself, each on a port of its own.

Every process is ended by its id when its ``with`` block ends, whatever happened inside.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
START_LIMIT = 20.0
END_LIMIT = 15.0


def need(*programs: str) -> None:
    """Skip the test, naming the program, when one is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def free_port() -> int:
    """Give a port that was free a moment ago, for programs that cannot choose one themselves."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until something accepts on ``port``; fails when ``process`` ends first."""
    deadline = time.monotonic() + START_LIMIT
    pause = threading.Event()
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as sock:
            sock.settimeout(0.5)
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.02)
    raise AssertionError(f"nothing listens on port {port}")


def end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
    """End ``process`` and give its exit code."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(END_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@contextmanager
def nginx(folder: Path, server: str) -> Iterator[int]:
    """Run nginx with ``server`` as the inside of its server block; gives its port."""
    need("nginx")
    port = free_port()
    (folder / "www").mkdir(exist_ok=True)
    config = folder / "nginx.conf"
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""  # its workers must be able to read the test's folder
    config.write_text(
        f"{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err;"
        "events { worker_connections 2048; }"
        f"http {{ access_log off; keepalive_requests 1000000; client_max_body_size 0; {temporary}"
        f"server {{ listen 127.0.0.1:{port}; root {folder}/www; {server} }} }}"
    )
    process = subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        wait_port(port, process)
        yield port
    finally:
        end(process, signal.SIGQUIT)


class Meshctl:
    """A running ``meshctl run``: ``port`` of its first listener, ``err`` and ``out`` so far."""

    def __init__(self, process: subprocess.Popen[bytes], err: Path, out: Path) -> None:
        self.process = process
        self._err = err
        self._out = out
        self.port = 0

    @property
    def err(self) -> str:
        """What it has written to stderr."""
        return self._err.read_text()

    @property
    def out(self) -> str:
        """What it has written to stdout."""
        return self._out.read_text()

    @property
    def url(self) -> str:
        """The base URL of its first listener."""
        return f"http://127.0.0.1:{self.port}"

    def rss(self) -> int:
        """Give its resident memory in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def wait_listening(self) -> None:
        """Wait for the start line and read the port from it."""
        deadline = time.monotonic() + START_LIMIT
        pause = threading.Event()
        while time.monotonic() < deadline and self.process.poll() is None:
            if "listening:" in self.err and self.err.endswith("\n"):
                found = re.search(r"127\.0\.0\.1:(\d+)", self.err)
                self.port = int(found[1]) if found else 0
                return
            pause.wait(0.02)
        raise AssertionError(f"meshctl did not start:\n{self.err}")


@contextmanager
def meshctl(folder: Path, profile: str, *, nofile: int = 0) -> Iterator[Meshctl]:
    """Run ``meshctl run`` with ``profile`` (YAML text); ``nofile`` limits its descriptors."""
    path = folder / "edge.yaml"
    path.write_text(profile)
    err, out = folder / "err", folder / "out"
    command = [sys.executable, "-m", "appliance", "run", str(path)]
    if nofile:
        command = ["sh", "-c", f'ulimit -n {nofile} && exec "$@"', "sh", *command]
    with err.open("wb") as err_file, out.open("wb") as out_file:
        process = subprocess.Popen(
            command, cwd=ROOT, stderr=err_file, stdout=out_file, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
    running = Meshctl(process, err, out)
    try:
        running.wait_listening()
        yield running
    finally:
        end(process)


def curl(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run curl, quiet but for errors, for at most 30 seconds."""
    need("curl")
    return subprocess.run(
        ["curl", "-sS", "--max-time", "30", *arguments],
        input=stdin,
        capture_output=True,
        timeout=40,
        check=False,
    )
