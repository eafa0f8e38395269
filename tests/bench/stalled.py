"""What dashboards that stopped reading cost everybody else: latency without them and with eight, by turns.

    python tests/bench/stalled.py [--rounds 5] [--seconds 5] [--clients 8]

The proxy runs in a process of its own before another one that answers; wrk asks over 16 connections. The
stalled clients subscribe to everything at the highest rate and then read nothing; whoever is sent away comes
back.
"""

from __future__ import annotations

import argparse
import json
import re
import select
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
from pathlib import Path

from ticks import WEB, profiles, start

from appliance.wire.codec import PROTOCOL, SETS, STREAM

_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def stall(path: str) -> socket.socket:
    """Open a websocket, subscribe to everything, and read nothing from then on."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    head = (
        f"GET {STREAM} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Sec-WebSocket-Protocol: {PROTOCOL}", "", "",
    )  # fmt: skip
    said = json.dumps({"k": "sub", "rate": 4, "sets": dict.fromkeys(SETS, True), "events_after": 0}).encode()
    frame = bytes((0x81, 0x80 | 126)) + len(said).to_bytes(2, "big") + bytes(4) + said  # masked by zeroes
    sock.sendall("\r\n".join(head).encode() + frame)
    return sock


def crowd(path: str, clients: int, over: threading.Event) -> None:
    """Let so many stall until it is over; whoever was sent away comes back."""
    socks = [stall(path) for _ in range(clients)]
    while not over.wait(5):
        for index, sock in enumerate(socks):
            if select.select([], [], [sock], 0)[2] or _ended(sock):
                sock.close()
                socks[index] = stall(path)
    for sock in socks:
        sock.close()


def _ended(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP)
    return bool(poll.poll(0))


def load(seconds: float) -> tuple[float, float, float]:
    """Give requests per second, p50 and p99 (ms) of some seconds of load."""
    words = ["wrk", "-t1", "-c16", f"-d{seconds:g}s", "--latency", f"http://127.0.0.1:{WEB}/u1"]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    times = dict(re.findall(r"^ *(50|99)% +([0-9.]+[a-z]+)$", out, re.MULTILINE))
    found = re.search(r"Requests/sec: +([0-9.]+)", out)
    return float(found[1]) if found else 0.0, _ms(times["50"]), _ms(times["99"])


def _ms(text: str) -> float:
    number, unit = re.fullmatch(r"([0-9.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]


def main() -> None:
    """Measure by turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        front, back = profiles(home)
        processes = [start(home, "back", back), start(home, "front", front)]
        found: dict[int, list[tuple[float, float, float]]] = {0: [], options.clients: []}
        try:
            threading.Event().wait(4)
            load(2)
            for _ in range(options.rounds):
                for clients, rows in found.items():
                    over = threading.Event()
                    thread = threading.Thread(target=crowd, args=(f"{home}/bench.sock", clients, over))
                    thread.start()
                    threading.Event().wait(1)
                    rows.append(load(options.seconds))
                    over.set()
                    thread.join()
        finally:
            for each in reversed(processes):
                each.send_signal(signal.SIGTERM)
                each.wait(40)
        log = Path(home, "front.log").read_text().count("\n")
    for clients, rows in found.items():
        rate, half, most = (statistics.median(column) for column in zip(*rows, strict=True))
        spread = f"{min(row[2] for row in rows):.2f}-{max(row[2] for row in rows):.2f}"
        print(f"{clients} stalled: {rate:.0f} requests/s, p50 {half:.2f} ms, p99 {most:.2f} ms ({spread})")
    print(f"the proxy wrote {log} lines")


if __name__ == "__main__":
    main()
