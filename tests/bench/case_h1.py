"""HTTP/1.1 on both sides: small answers under load, one client, big bodies, many idle clients."""

import argparse
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loads import curl, probe, wrk
from origin import BIG_PATH, BIG_SIZE, SMALL, Origin
from peers import Job, Peer
from procs import Fleet, cpu_seconds, raise_fd_limit, rss_bytes
from rivals import DIRECT, REFERENCE, Rival, in_turn, of, per_request, say, start, weigh, without
from tables import Round, against, middle, table

PARTS = ("small", "one", "bodies", "idle")
PEERS = ("nginx", "haproxy", "envoy", "caddy", "traefik")
ROUNDS, SECONDS = 5, 3
TOOLS = ("wrk", "curl")
CONNECTIONS = 32
BIG_CONNECTIONS = 4
BIG_COUNT = 100  # bodies a round: 1 GB
FD_SPARE = 300
SETTLE = 2.0
IDLE_READY_WITHIN = 240


def small(rivals: list[Rival], origin: Origin, options: argparse.Namespace, connections: int) -> list[Round]:
    """Run wrk on the small answer; adds CPU µs per request and requests per second."""
    title = f"small-c{connections}"
    seconds = options.seconds if connections > 1 else max(1, options.seconds // 2)

    def one(rival: Rival) -> Round:
        wrong, size = probe(rival.port, "/", SMALL) if rival.child else (rival.failed, 0)
        if wrong:
            return without(rival, wrong)
        return per_request(weigh(rival, origin, lambda: wrk(rival.port, connections, seconds, size)))

    for rival in rivals:  # a warm-up, so that no first round pays for first times
        if rival.child and not probe(rival.port, "/", SMALL)[0]:
            wrk(rival.port, connections, 1, 1)
    return in_turn(rivals, options, title, one)


def bodies(rivals: list[Rival], origin: Origin, options: argparse.Namespace) -> list[Round]:
    """Fetch 10 MB bodies; adds CPU ms per GB (10^9 bytes) and MB per second."""
    count = BIG_COUNT // 4 if options.quick else BIG_COUNT

    def one(rival: Rival) -> Round:
        wrong, _ = probe(rival.port, BIG_PATH, origin.big) if rival.child else (rival.failed, 0)
        if wrong:
            return without(rival, wrong)
        url = f"http://127.0.0.1:{rival.port}{BIG_PATH}"
        began = time.monotonic()
        found = weigh(rival, origin, lambda: curl(url, count, BIG_CONNECTIONS, BIG_SIZE))
        if not found["wrong"]:
            found["cpu_ms_gb"] = found["cpu"] / found["bytes"] * 1e12
            found["mb_s"] = found["bytes"] / (time.monotonic() - began) / 1e6
        return found

    return in_turn(rivals, options, "bodies", one)


def begin(fleet: Fleet, peer: Peer, origin: Origin, clients: int) -> Rival:
    """Start one proxy before the origin; it is ready when it returns the small answer."""
    job = Job(0, origin.port, clients, fleet.directory)
    return start(fleet, peer, job, lambda port: probe(port, "/", SMALL)[0])


def idle(fleet: Fleet, origin: Origin, peer: Peer, count: int) -> Round:
    """Start a fresh proxy, give it idle clients, return its RSS for each and its CPU while they sit."""
    rival = begin(fleet, peer, origin, count)
    wrong = rival.failed or probe(rival.port, "/", SMALL)[0]
    found: Round = {"part": "idle", "round": 0, "peer": peer.name, "wrong": wrong}
    if rival.child is None:
        return found
    try:
        if wrong:
            return found
        wrk(rival.port, CONNECTIONS, 1, 1)
        time.sleep(SETTLE)
        base = rss_bytes(rival.child.pid)
        with idle_client(rival.port, count) as client:
            report = next_line(client)
            time.sleep(SETTLE)
            full, before = rss_bytes(rival.child.pid), cpu_seconds(rival.child.pid)
            time.sleep(SETTLE)
            cpu = cpu_seconds(rival.child.pid) - before
            left = next_line(client, go_on=True).get("open", 0)
        held = int(str(report.get("held", 0)))
        if held < count or left != held:
            found["wrong"] = (
                f"{held} of {count} connections opened, {left} stayed; {report.get('wrong')}".rstrip("; ")
            )
        else:
            found |= {"held": held, "base_mib": base / 2**20, "kib_each": (full - base) / held / 1024}
            found["idle_cpu"] = cpu / SETTLE * 100
        return found
    finally:
        fleet.end(rival.child)


@contextmanager
def idle_client(port: int, count: int) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, str(Path(__file__).with_name("idle.py")), str(port), str(count)]
    pipe = subprocess.PIPE
    client = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    try:
        yield client
    finally:
        client.kill()
        client.communicate()


def next_line(client: "subprocess.Popen[str]", go_on: bool = False) -> dict[str, object]:
    """Return the client's next report, or an empty one when it says nothing in time."""
    assert client.stdin and client.stdout
    try:
        if go_on:
            client.stdin.write("\n")
            client.stdin.flush()
    except BrokenPipeError:
        return {}
    ready, _, _ = select.select([client.stdout], [], [], IDLE_READY_WITHIN)
    line = client.stdout.readline() if ready else ""
    return dict(json.loads(line)) if line else {}


def run(peers: list[Peer], options: argparse.Namespace, directory: Path) -> tuple[list[Round], list[str]]:
    """Measure every part asked for; return the raw rounds and the Markdown."""
    limit = raise_fd_limit()
    count = min(options.connections, limit - FD_SPARE)
    names, rounds, text = [peer.name for peer in peers], [], []
    with Fleet(directory) as fleet:
        origin = Origin(fleet, count)
        rivals = [Rival(DIRECT, origin.port, origin.child)]
        if options.parts & {"small", "one", "bodies"}:
            rivals += [begin(fleet, peer, origin, CONNECTIONS) for peer in peers]
        alone: list[Round] = []
        if "one" in options.parts:
            alone = small(rivals, origin, options, 1)
        if "small" in options.parts:
            found = small(rivals, origin, options, CONNECTIONS)
            text.append(small_table([DIRECT, *names], found))
            rounds += found
        if alone:
            text.append(one_table([DIRECT, *names], alone))
            rounds += alone
        if "bodies" in options.parts:
            found = bodies(rivals, origin, options)
            text.append(bodies_table([DIRECT, *names], found))
            rounds += found
        for rival in rivals[1:]:
            if rival.child:
                fleet.end(rival.child)
        if "idle" in options.parts:
            found = []
            for peer in peers:
                found.append(idle(fleet, origin, peer, count))
                say(f"idle {peer.name}: {found[-1]['wrong'] or 'done'}")
            text.append(idle_table(names, found, count, limit))
            rounds += found
    return rounds, text


def small_table(names: list[str], rounds: list[Round]) -> str:
    columns = [
        ("CPU µs/request", middle("cpu_us", 1, spread=True)),
        (f"x {REFERENCE}", against(of(rounds, REFERENCE), "cpu_us")),
        ("requests/s", middle("rate")),
        ("p50 µs", middle("p50")),
        ("p99 µs", middle("p99")),
    ]
    title = f"### Small answer ({len(SMALL)} bytes), {CONNECTIONS} connections\n\n"
    return title + table(names, rounds, columns)


def one_table(names: list[str], rounds: list[Round]) -> str:
    columns = [
        ("p50 µs", middle("p50", spread=True)),
        (f"added, x {REFERENCE}", against(of(rounds, REFERENCE), "p50", of(rounds, DIRECT))),
        ("p99 µs", middle("p99")),
        ("CPU µs/request", middle("cpu_us", 1)),
    ]
    return "### Small answer, 1 connection\n\n" + table(names, rounds, columns)


def bodies_table(names: list[str], rounds: list[Round]) -> str:
    columns = [
        ("CPU ms/GB", middle("cpu_ms_gb", spread=True)),
        (f"x {REFERENCE}", against(of(rounds, REFERENCE), "cpu_ms_gb")),
        ("MB/s", middle("mb_s")),
    ]
    return f"### 10 MB bodies, {BIG_CONNECTIONS} connections\n\n" + table(names, rounds, columns)


def idle_table(names: list[str], rounds: list[Round], count: int, limit: int) -> str:
    columns = [
        ("KiB RSS each", middle("kib_each", 2)),
        ("RSS before, MiB", middle("base_mib", 1)),
        ("CPU while idle, %", middle("idle_cpu", 1)),
    ]
    title = f"### {count} idle keep-alive connections (open files limit {limit})\n\n"
    return title + table(names, rounds, columns)
