"""What the dashboard costs: bytes to the terminal, share of a core, memory, time to its first picture.

It plays a recording in a terminal of its own (pty), so that each run shows the same. For figures of the file
that users run, name it: ``python tests/bench/dashboard.py --pyz dist/meshctl.pyz``.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORDING = ROOT / "docs" / "pictures" / "edge-01.meshrec"
SIZES = ((80, 24), (120, 36))
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pyz", help="the archive to run instead of the tree")
    options.add_argument("--seconds", type=float, default=40)
    options.add_argument("--view", default="overview")
    options.add_argument("words", nargs="*", help="further words for meshctl top")
    wanted = options.parse_args()
    start = [sys.executable, wanted.pyz] if wanted.pyz else [sys.executable, "-m", "appliance"]
    command = [*start, "top", "--replay", str(RECORDING), "--view", wanted.view, *wanted.words]
    for cells, count in SIZES:
        first, sent, share, rss = measure(command, cells, count, wanted.seconds)
        print(
            f"{cells}x{count} {wanted.view}: first picture {first:.2f} s, {sent / 1000:.1f} KB/s, "
            f"{share:.1%} of a core, RSS {rss / 1e6:.0f} MB"
        )


def measure(command: list[str], cells: int, count: int, seconds: float) -> tuple[float, float, float, int]:
    """Give seconds to the first picture, then bytes per second, the share of a core, and resident bytes."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", count, cells, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=ROOT)
    os.close(slave)
    try:
        seen = b""
        while b"REPLAY" not in seen:
            seen += os.read(master, 65536)
        first = time.monotonic() - began
        _drain(master, 3)  # what it does once
        before = _cpu(process.pid)
        sent = _drain(master, seconds)
        used = _cpu(process.pid) - before
        status = Path(f"/proc/{process.pid}/status").read_text()
        rss = int(status.partition("VmRSS:")[2].split()[0]) * 1024
        os.write(master, b"q")
        _drain(master, 1)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    return first, sent / seconds, used / seconds, rss


def _drain(master: int, seconds: float) -> int:
    """Read what comes for so long; give how many bytes that were."""
    end, got = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        if select.select([master], [], [], left)[0]:
            try:
                got += len(os.read(master, 65536))
            except OSError:
                return got
    return got


def _cpu(pid: int) -> float:
    """Give the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


if __name__ == "__main__":
    main()
