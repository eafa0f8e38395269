"""What every case shares: rivals are started, take turns under one load, and are weighed meanwhile."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from loads import Load
from peers import Job, Peer
from procs import Child, Fleet, StartError, cpu_seconds, free_ports, rss_bytes
from tables import Round, against, middle, table

REFERENCE = "envoy"
DIRECT = "direct"
MANY_OPENED = 64  # upstream connections opened in one turn: twice the clients of any load here
ROUTES_WITHIN = 5.0


class Behind(Protocol):
    """The origin, as far as a turn needs it."""

    def accepted(self) -> int:
        """Return how many connections it has had so far."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A started proxy (or the origin itself) and why it could not start, if so."""

    name: str
    port: int
    child: Child | None
    failed: str = ""


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def start(fleet: Fleet, peer: Peer, job: Job, ready: Callable[[int], str]) -> Rival:
    """Start one proxy on a port and in a directory of its own; a failure becomes its remark in the table.

    `ready` says what is wrong with an answer from a port; it may find fault for a while: Traefik listens
    before it has read its routes. What stays wrong is found later, by the probe before each turn.
    """
    path = peer.path()
    if path is None:
        return Rival(peer.name, 0, None, f"{peer.program} is not installed")
    directory = Path(tempfile.mkdtemp(prefix=f"{peer.name}-", dir=fleet.directory))
    port = free_ports(1)[0]
    try:
        command = peer.configure(path, replace(job, port=port, directory=directory))
        child = fleet.start(directory.name, command.argv, port, command.environment)
    except StartError as error:
        say(f"{peer.name}: {error}")
        return Rival(peer.name, 0, None, str(error))
    deadline = time.monotonic() + ROUTES_WITHIN
    while ready(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    return Rival(peer.name, port, child)


def weigh(rival: Rival, origin: Behind, load: Callable[[], Load]) -> Round:
    """Run one load on one proxy; return the round with the CPU its tree spent meanwhile."""
    if rival.child is None:
        return without(rival, rival.failed)
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
        "rss_mib": rss_bytes(rival.child.pid) / 2**20,
    }
    if rival.child.popen.poll() is not None:
        found["wrong"] = f"ended: {rival.child.log_tail()}"
    elif rival.name != DIRECT and opened > MANY_OPENED:
        found["note"] = f"opened {opened} upstream connections for {done.answers} requests"
    return found


def without(rival: Rival, wrong: str) -> Round:
    """Return the round of a rival that gets no load: its probe failed, or it is not there at all."""
    return {"peer": rival.name, "wrong": wrong, "absent": rival.child is None}


def per_request(found: Round) -> Round:
    """Add CPU µs per request and requests per second to a valid round."""
    answers, cpu, seconds = (float(str(found.get(key) or 0)) for key in ("answers", "cpu", "seconds"))
    if not found["wrong"] and answers:
        found |= {"cpu_us": cpu / answers * 1e6, "rate": answers / seconds}
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


def of(rounds: list[Round], name: str) -> list[Round]:
    return [one for one in rounds if one["peer"] == name]


def requests_table(
    title: str, rounds: list[Round], floor: list[Round] | None = None, unit: str = "request"
) -> str:
    """Return the table of a part that counts requests; `floor` has the same rounds without what was added."""
    names = list(dict.fromkeys(str(one["peer"]) for one in rounds))
    columns = [
        (f"CPU µs/{unit}", middle("cpu_us", 1, spread=True)),
        (f"x {REFERENCE}", against(of(rounds, REFERENCE), "cpu_us")),
        (f"{unit}s/s", middle("rate")),
        ("p50 µs", middle("p50")),
        ("p99 µs", middle("p99")),
        ("RSS, MiB", middle("rss_mib", 1)),
    ]
    if floor is not None:
        columns.insert(2, ("added CPU µs", middle("added_us", 1)))
        for name in names:
            add_difference(of(rounds, name), of(floor, name))
    return f"### {title}\n\n{table(names, rounds, columns)}"


def add_difference(rounds: list[Round], floor: list[Round]) -> None:
    """Write to each valid round what it costs more per request than the round of the same number below."""
    ground = {one["round"]: one["cpu_us"] for one in floor if "cpu_us" in one}
    for one in rounds:
        if "cpu_us" in one and one["round"] in ground:
            one["added_us"] = float(str(one["cpu_us"])) - float(str(ground[one["round"]]))
