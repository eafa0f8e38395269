"""What the stats socket costs: 100 endpoints, two clients at 4 Hz, and how much of a core that takes.

    python tests/bench/ticks.py [--seconds 20] [--busy]

The proxy runs in a process of its own, first without clients, then with two dashboards that want everything.
``--busy`` sends traffic through all endpoints meanwhile (by wrk, which has to be there), so that every thing
changes at every tick; the CPU of the requests is then in both figures, and their difference is what counts.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trio

from appliance.net.reach import Place, reach
from appliance.tui.feed import conversation
from appliance.wire.codec import SETS

ENDPOINTS = 100
WEB, FIRST = 28990, 29100
FRONT = """\
meshctl: 1
name: bench
listeners: {{web: {{bind: "127.0.0.1:{web}"}}}}
routes:
{routes}
upstreams:
{upstreams}
access_log: {{to: false}}
stats: {{socket: "{home}/bench.sock"}}
"""
BACK = """\
meshctl: 1
name: back
listeners:
{listeners}
routes: [{{name: all, respond: {{status: 200, body: hello}}}}]
access_log: {{to: false}}
stats: {{socket: "{home}/back.sock"}}
"""


def profiles(home: str) -> tuple[str, str]:
    """Give a profile of ten upstreams with ten endpoints each, and one of those endpoints."""
    routes, upstreams = [], []
    for n in range(10):
        routes.append(f"  - {{name: r{n}, match: {{path_prefix: /u{n}}}, to: u{n}}}")
        places = ", ".join(f'"127.0.0.1:{FIRST + n * 10 + m}"' for m in range(ENDPOINTS // 10))
        upstreams.append(f"  u{n}: {{endpoints: [{places}]}}")
    front = FRONT.format(web=WEB, routes="\n".join(routes), upstreams="\n".join(upstreams), home=home)
    listeners = [f'  l{n}: {{bind: "127.0.0.1:{FIRST + n}"}}' for n in range(ENDPOINTS)]
    return front, BACK.format(listeners="\n".join(listeners), home=home)


def start(home: str, name: str, text: str) -> subprocess.Popen[bytes]:
    """Run a proxy."""
    path = Path(home) / f"{name}.yaml"
    path.write_text(text)
    with (Path(home) / f"{name}.log").open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", "appliance", "run", str(path)], stderr=log, stdout=log)


def cpu(pid: int) -> float:
    """Give the CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def client(path: str, counts: list[int]) -> None:
    """Be a dashboard that wants everything."""
    stream = await reach(Place("bench", path=path))
    async with conversation(stream, "bench") as feed:
        await feed.subscribe(dict.fromkeys((name for name in SETS if name != "live"), True), 4.0, 0)
        async for frame in feed.frames():
            counts.append(len(str(frame)))


async def measure(pid: int, path: str, clients: int, seconds: float) -> tuple[float, int, int]:
    """Give the share of a core, the frames and their characters, while so many clients watch."""
    counts: list[int] = []
    async with trio.open_nursery() as nursery:
        for _ in range(clients):
            nursery.start_soon(client, path, counts)
        await trio.sleep(2)
        before, counted, began = cpu(pid), len(counts), time.monotonic()
        await trio.sleep(seconds)
        share = (cpu(pid) - before) / (time.monotonic() - began)
        nursery.cancel_scope.cancel()
    return share, len(counts) - counted, sum(counts[counted:])


def main() -> None:
    """Measure by turns, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        front, back = profiles(home)
        processes = [start(home, "back", back), start(home, "front", front)]
        pid = processes[1].pid
        try:
            time.sleep(4)
            if options.busy:
                processes.append(load(home, int(options.rounds * 2 * (options.seconds + 4) + 5)))
            for _ in range(options.rounds):
                for clients in (0, 2):
                    share, frames, size = trio.run(
                        measure, pid, f"{home}/bench.sock", clients, options.seconds
                    )
                    told = f"{share * 100:.2f} % of a core, {frames} frames, {size} characters"
                    print(f"{clients} clients: {told}", flush=True)
        finally:
            for each in reversed(processes):
                each.send_signal(signal.SIGTERM)
                each.wait(40)


def load(home: str, seconds: int) -> subprocess.Popen[bytes]:
    """Begin to send requests through all upstreams."""
    script = Path(home) / "spread.lua"
    script.write_text('n = 0\nfunction request() n = n + 1 return wrk.format("GET", "/u" .. n % 10) end\n')
    words = ["wrk", "-t1", "-c8", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{WEB}/"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
