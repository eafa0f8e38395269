"""Load generators, each bounded in count or time, each saying how many good answers came back.

wrk counts a redirect as good and says nothing of short bodies. So a probe first takes one answer apart,
and a wrk run whose bytes per answer differ from the probe's is no valid run.
"""

import json
import socket
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WRK_REPORT = Path(__file__).with_name("report.lua")
SIZE_TOLERANCE = 0.05
RECEIVE = 1 << 18


@dataclass(frozen=True, slots=True)
class Load:
    """What one run did: good answers, wall seconds, bytes read, latency in µs; `wrong` says why not valid."""

    answers: int
    seconds: float
    bytes: int
    p50: float
    p99: float
    wrong: str


def fetch(port: int, path: str = "/", timeout: float = 10.0) -> tuple[int, bytes, bytes]:
    """Return status, head and body of one keep-alive GET; reads exactly the answer, by its length."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        data = bytearray()
        while b"\r\n\r\n" not in data:
            if not (chunk := sock.recv(RECEIVE)):
                raise ConnectionError("closed before the end of the head")
            data += chunk
        head, _, rest = bytes(data).partition(b"\r\n\r\n")
        length = content_length(head)
        body = bytearray(rest)
        while len(body) < length:
            if not (chunk := sock.recv(RECEIVE)):
                raise ConnectionError(f"closed after {len(body)} of {length} body bytes")
            body += chunk
        return int(head.split(b" ", 2)[1]), head + b"\r\n\r\n", bytes(body)


def content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ConnectionError("an answer without content-length")


def probe(port: int, path: str, body: bytes) -> tuple[str, int]:
    """Return what is wrong with one answer ('' when nothing is), and its size in bytes, head included."""
    try:
        status, head, got = fetch(port, path)
    except (OSError, ValueError, IndexError) as error:
        return f"probe: {error}", 0
    if status != 200:
        return f"probe: status {status}", 0
    if got != body:
        return f"probe: another body ({len(got)} bytes)", 0
    return "", len(head) + len(got)


def wrk(port: int, connections: int, seconds: float, answer_size: int) -> Load:
    """Run wrk with one thread for `seconds` (it knows whole ones, so they are rounded up)."""
    whole = max(1, -int(-seconds // 1))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{whole}s", "--timeout", "10s", "--latency"]
    command += ["-s", str(WRK_REPORT), f"http://127.0.0.1:{port}/"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=whole + 30, check=False)
    except subprocess.TimeoutExpired:
        return Load(0, whole, 0, 0, 0, "wrk did not end")
    line = next((one for one in done.stdout.splitlines() if one.startswith("@")), None)
    if line is None:
        return Load(0, whole, 0, 0, 0, f"wrk: {(done.stderr or done.stdout).strip()[-200:]}")
    found = json.loads(line[1:])
    wrong = [
        f"{found[key]} {key} errors"
        for key in ("connect", "read", "write", "status", "timeout")
        if found[key]
    ]
    if not found["requests"]:
        wrong.append("no answers")
    elif abs(found["bytes"] / found["requests"] / answer_size - 1) > SIZE_TOLERANCE:
        wrong.append(f"{found['bytes'] / found['requests']:.0f} bytes per answer, probe {answer_size}")
    return Load(
        found["requests"], found["us"] / 1e6, found["bytes"], found["p50"], found["p99"], ", ".join(wrong)
    )


def curl(url: str, count: int, connections: int, body_size: int, extra: Sequence[str] = ()) -> Load:
    """Fetch one URL `count` times from one curl process over `connections` kept-alive connections.

    curl reads 100 KiB at a time and needs a quarter second of CPU per GB; wrk reads 8 KiB at a time, needs
    four times as much, and on two cores would be what is measured.
    """
    command = [
        "curl",
        "-s",
        "--no-progress-meter",
        "-Z",
        "--parallel-max",
        str(connections),
        "--max-time",
        "120",
    ]
    command += ["-o", "/dev/null", "-w", "%{http_code} %{size_download} %{num_connects} %{time_total}\\n"]
    command += [*extra, f"{url}?[1-{count}]"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        return Load(0, 180, 0, 0, 0, "curl did not end")
    rows = [line.split() for line in done.stdout.splitlines()]
    good = [row for row in rows if row[0] == "200" and int(row[1]) == body_size]
    wrong = []
    if len(good) < count:
        codes = Counter(f"{row[0]} with {row[1]} bytes" for row in rows if row not in good)
        seen = ", ".join(f"{n} x {what}" for what, n in codes.most_common(3)) or "no answer"
        wrong.append(f"{len(good)} good answers of {count}: {seen}")
    if sum(int(row[2]) for row in rows) > connections * 2:
        wrong.append("connections not kept alive")
    times = sorted(float(row[3]) * 1e6 for row in good) or [0.0]
    total = sum(int(row[1]) for row in rows)
    return Load(len(good), 0.0, total, times[len(times) // 2], times[-1], ", ".join(wrong))
