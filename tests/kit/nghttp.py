"""The programs of nghttp2: its server as an origin, its client and its load generator before the proxy.

They share no code with the h2 library that the proxy is built on, so what both agree on is the protocol.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .certs import certs
from .peers import Meshctl, end, free_port, need, wait_port

LIMIT = 60.0


@contextmanager
def nghttpd(root: Path, *options: str, tls: bool = False) -> Iterator[int]:
    """Run nghttpd with the files of ``root``, on loopback; gives its port."""
    need("nghttpd")
    port, pair = free_port(), certs().pair("server")
    rest = [str(port), pair.key, pair.cert] if tls else ["--no-tls", str(port)]
    with (root.parent / f"nghttpd-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            ["nghttpd", "-a", "127.0.0.1", "-d", str(root), *options, *rest], stdout=log, stderr=log
        )
    try:
        wait_port(port, process)
        yield port
    finally:
        end(process)


def nghttp(*arguments: str) -> str:
    """Run nghttp, which must succeed; gives what it printed."""
    need("nghttp")
    done = subprocess.run(["nghttp", *arguments], capture_output=True, timeout=LIMIT, check=False)
    shown = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, shown
    return shown


def statuses(*arguments: str) -> list[int]:
    """Run nghttp and give the status of each of its requests, as its statistics list them."""
    shown = nghttp("--stat", "--null-out", *arguments)
    return [int(code) for code in re.findall(r"^ *\d+ +\+\S+ +[+*] *\S+ +\S+ +(\d{3}) ", shown, re.MULTILINE)]


@dataclass(frozen=True)
class Load:
    """What h2load counted."""

    requests: str
    codes: str
    body: int
    printed: str

    def clean(self, total: int) -> bool:
        """True when all of ``total`` requests had a 2xx answer and nothing went wrong."""
        return self.requests == (
            f"{total} total, {total} started, {total} done, {total} succeeded, 0 failed, 0 errored, 0 timeout"
        ) and self.codes.startswith(f"{total} 2xx")


def h2load(*arguments: str) -> Load:
    """Run h2load, which must succeed."""
    need("h2load")
    done = subprocess.run(
        ["h2load", *arguments], capture_output=True, text=True, timeout=LIMIT, check=False, errors="replace"
    )
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    found = [
        re.search(pattern, shown)
        for pattern in (r"requests: (.*)", r"status codes: (.*)", r"traffic: .*, \S+ \((\d+)\) data")
    ]
    assert all(found), shown
    requests, codes, body = (match[1] for match in found if match)
    return Load(requests, codes, int(body), shown)


def ports(proxy: Meshctl) -> list[int]:
    """Give the ports of all its listeners, in the order of the profile."""
    line = next(line for line in proxy.err.splitlines() if "listening:" in line)
    return [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", line)]


def forget_peak(proxy: Meshctl) -> None:
    """Let the peak of its memory begin anew at what it holds now."""
    Path(f"/proc/{proxy.process.pid}/clear_refs").write_text("5")


def peak(proxy: Meshctl) -> int:
    """Give the most memory it has held since ``forget_peak``, in bytes."""
    for line in Path(f"/proc/{proxy.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")
