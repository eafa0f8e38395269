"""HTTP/1.1 on both sides: small answers under load, one client, big bodies, many idle clients."""

import argparse
import json
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loads import Load, curl, probe, wrk
from origin import BIG_PATH, BIG_SIZE, SMALL, Origin
from peers import Job, Peer
from procs import Child, Fleet, StartError, cpu_seconds, free_ports, raise_fd_limit, rss_bytes
from tables import Round, against, middle, table

CONNECTIONS = 32
BIG_CONNECTIONS = 4
BIG_COUNT = 100  # bodies a round: 1 GB
REFERENCE = "envoy"
DIRECT = "direct"
FD_SPARE = 300
SETTLE = 2.0
ROUTES_WITHIN = 5.0
IDLE_READY_WITHIN = 240


@dataclass(frozen=True, slots=True)
class Rival:
    """A started proxy (or the origin itself) and why it could not start, if so."""

    name: str
    port: int
    child: Child | None
    failed: str = ""


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def start(fleet: Fleet, peer: Peer, origin: Origin, clients: int) -> Rival:
    """Start one proxy in a directory of its own; a failure becomes its remark in the table."""
    path = peer.path()
    if path is None:
        return Rival(peer.name, 0, None, f"{peer.program} is not installed")
    directory = Path(tempfile.mkdtemp(prefix=f"{peer.name}-", dir=fleet.directory))
    port = free_ports(1)[0]
    command = peer.configure(path, Job(port, origin.port, clients, directory))
    try:
        child = fleet.start(directory.name, command.argv, port, command.environment)
    except StartError as error:
        return Rival(peer.name, 0, None, str(error))
    deadline = time.monotonic() + ROUTES_WITHIN
    while probe(port, "/", SMALL)[0] and time.monotonic() < deadline:
        time.sleep(0.05)  # Traefik listens before it has read its routes; what stays wrong is found later
    return Rival(peer.name, port, child)


def weigh(rival: Rival, origin: Origin, load: Callable[[], Load]) -> Round:
    """Run one load on one proxy; return the round with the CPU its tree spent meanwhile."""
    if rival.child is None:
        return {"peer": rival.name, "wrong": rival.failed}
    accepted, before = origin.accepted(), cpu_seconds(rival.child.pid)
    done = load()
    cpu, opened = cpu_seconds(rival.child.pid) - before, origin.accepted() - accepted
    found: Round = {"peer": rival.name, "wrong": done.wrong, "cpu": cpu, "answers": done.answers}
    found |= {
        "seconds": done.seconds,
        "bytes": done.bytes,
        "p50": done.p50,
        "p99": done.p99,
        "opened": opened,
    }
    if rival.child.popen.poll() is not None:
        found["wrong"] = f"ended: {rival.child.log_tail()}"
    elif rival.name != DIRECT and opened > CONNECTIONS * 2:
        found["note"] = f"opened {opened} upstream connections for {done.answers} requests"
    return found


def in_turn(
    rivals: list[Rival], options: argparse.Namespace, title: str, one: Callable[[Rival], Round]
) -> list[Round]:
    """Give every rival a turn in every round, so that a slow minute of the machine meets them all."""
    rounds = []
    for number in range(options.rounds):
        for rival in rivals:
            found = one(rival) | {"part": title, "round": number}
            rounds.append(found)
            say(f"{title} round {number + 1} {rival.name}: {found['wrong'] or 'done'}")
    return rounds


def small(rivals: list[Rival], origin: Origin, options: argparse.Namespace, connections: int) -> list[Round]:
    """Run wrk on the small answer; adds CPU µs per request and requests per second."""
    title = f"small-c{connections}"
    seconds = options.seconds if connections > 1 else max(1, options.seconds // 2)

    def one(rival: Rival) -> Round:
        wrong, size = probe(rival.port, "/", SMALL) if rival.child else (rival.failed, 0)
        if wrong:
            return {"peer": rival.name, "wrong": wrong}
        found = weigh(rival, origin, lambda: wrk(rival.port, connections, seconds, size))
        if not found["wrong"]:
            found["cpu_us"] = found["cpu"] / found["answers"] * 1e6
            found["rate"] = found["answers"] / found["seconds"]
        return found

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
            return {"peer": rival.name, "wrong": wrong}
        url = f"http://127.0.0.1:{rival.port}{BIG_PATH}"
        began = time.monotonic()
        found = weigh(rival, origin, lambda: curl(url, count, BIG_CONNECTIONS, BIG_SIZE))
        if not found["wrong"]:
            found["cpu_ms_gb"] = found["cpu"] / found["bytes"] * 1e12
            found["mb_s"] = found["bytes"] / (time.monotonic() - began) / 1e6
        return found

    return in_turn(rivals, options, "bodies", one)


def idle(fleet: Fleet, origin: Origin, peer: Peer, count: int) -> Round:
    """Start a fresh proxy, give it idle clients, return its RSS for each and its CPU while they sit."""
    rival = start(fleet, peer, origin, count)
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
            rivals += [start(fleet, peer, origin, CONNECTIONS) for peer in peers]
        for rival in rivals:
            if rival.failed:
                say(f"{rival.name}: {rival.failed}")
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


def of(rounds: list[Round], name: str) -> list[Round]:
    return [one for one in rounds if one["peer"] == name]


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
