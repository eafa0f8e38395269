"""A real proxy process for tests of commands that speak to one: its profile, its socket, and commands."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROFILE = """\
meshctl: 1
name: edge
listeners: {{web: {{bind: "unix:{home}/web.sock"}}}}
routes:
  - {{name: well, match: {{path: /well}}, respond: {{status: 200, body: well}}}}
  - {{name: ill, match: {{path: /ill}}, to: app}}
upstreams: {{app: {{endpoints: ["unix:{home}/a.sock", "unix:{home}/b.sock"], retry: {{max_retries: 0}}}}}}
access_log: {{to: log.jsonl}}
stats: {{socket: "{home}/edge.sock"{stats}}}
"""


class Edge:
    """A running proxy whose upstream is dead; ``meshctl`` runs a command against it."""

    def __init__(self, home: Path, process: subprocess.Popen[bytes]) -> None:
        self.home, self.process = home, process
        self.socket = str(home / "edge.sock")
        self.profile = home / "edge.yaml"

    def get(self, path: str = "/well", times: int = 1) -> str:
        """Ask the proxy; gives the id of the last request."""
        answer = b""
        for _ in range(times):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(10)
                sock.connect(str(self.home / "web.sock"))
                sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
                answer = b"".join(iter(lambda: sock.recv(65536), b""))
        for line in answer.split(b"\r\n"):
            if line.lower().startswith(b"x-request-id:"):
                return line.split()[1].decode()
        return ""

    def meshctl(
        self, *words: str, code: int = 0, environ: Mapping[str, str] | None = None, target: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; fails unless it ends with ``code``."""
        env = dict(os.environ) | ({"MESHCTL_TARGET": self.socket} if target else {}) | dict(environ or {})
        ran = subprocess.run(
            [sys.executable, "-m", "appliance", *words],
            capture_output=True, text=True, timeout=60, env=env, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert ran.returncode == code, (ran.returncode, ran.stdout, ran.stderr)
        return ran


@contextmanager
def edge(home: Path, stats: str = "") -> Iterator[Edge]:
    """Run a proxy for as long as the block."""
    (home / "edge.yaml").write_text(PROFILE.format(home=home, stats=stats))
    with (home / "stderr").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance", "run", str(home / "edge.yaml")],
            stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip
    running = Edge(home, process)
    try:
        wait_for(lambda: (home / "edge.sock").exists() and (home / "web.sock").exists(), process)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_for(true: Any, process: subprocess.Popen[bytes]) -> None:
    """Wait until something is so; fails when the process has ended."""
    end = time.monotonic() + 30
    while not true():
        assert process.poll() is None, "the proxy has ended"
        assert time.monotonic() < end
        time.sleep(0.02)
