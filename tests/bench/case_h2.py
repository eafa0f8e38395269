"""HTTP/2 without TLS: from clients to HTTP/1.1 origins, all the way, and from HTTP/1.1 to HTTP/2 origins.

    h2-h1   h2load, 8 connections with 8 streams each; the origin speaks HTTP/1.1
    h2-h2   the same; the origin speaks HTTP/2 by prior knowledge
    h1-h2   wrk over 32 kept-alive connections; the origin speaks HTTP/2

In the rows `direct` stands the origin, asked in the protocol of the clients.
"""

import argparse
from functools import partial
from pathlib import Path

from loads import probe, wrk
from loads_h2 import h2load, probe_by_curl
from origin import SMALL, Origin
from peers import Job, Peer
from procs import Fleet
from rivals import DIRECT, Rival, in_turn, per_request, requests_table, start, weigh, without
from tables import Round

PARTS = ("h2-h1", "h2-h2", "h1-h2")
PEERS = ("nginx", "haproxy", "envoy", "nghttpx", "caddy", "traefik")
ROUNDS, SECONDS = 5, 2
TOOLS = ("h2load", "wrk", "curl")

SHAPE = (8, 8)
CONNECTIONS = 32
CROWD = 1000  # the origin must have room for what all peers together keep open
TITLES = {
    "h2-h1": f"HTTP/2 from clients ({SHAPE[0]} connections, {SHAPE[1]} streams each), HTTP/1.1 to the origin",
    "h2-h2": f"HTTP/2 on both sides ({SHAPE[0]} connections, {SHAPE[1]} streams each)",
    "h1-h2": f"HTTP/1.1 from clients ({CONNECTIONS} connections), HTTP/2 to the origin",
}


def ready_h2(port: int) -> str:
    return probe_by_curl(f"http://127.0.0.1:{port}/", "2", SMALL, ["--http2-prior-knowledge"])


def ready_h1(port: int) -> str:
    return probe(port, "/", SMALL)[0]


def from_h2(origin: Origin, seconds: int, rival: Rival) -> Round:
    """Give one rival a turn with clients that speak HTTP/2."""
    wrong = rival.failed or ready_h2(rival.port)
    if wrong:
        return without(rival, wrong)
    url = f"http://127.0.0.1:{rival.port}/"
    return per_request(weigh(rival, origin, lambda: h2load(url, SHAPE, seconds, len(SMALL))))


def from_h1(origin: Origin, seconds: int, rival: Rival) -> Round:
    """Give one rival a turn with clients that speak HTTP/1.1."""
    wrong, size = probe(rival.port, "/", SMALL) if rival.child else (rival.failed, 0)
    if wrong:
        return without(rival, wrong)
    return per_request(weigh(rival, origin, lambda: wrk(rival.port, CONNECTIONS, seconds, size)))


def measure(
    fleet: Fleet, origin: Origin, peers: list[Peer], options: argparse.Namespace, part: str
) -> list[Round]:
    """Start the peers for one part, give each its turns, end them."""
    clients_h2, origin_h2 = part.startswith("h2"), part.endswith("h2")
    behind = origin.port_h2 if origin_h2 else origin.port
    job = Job(0, behind, CONNECTIONS, fleet.directory, clients_h2=clients_h2, origin_h2=origin_h2)
    ready = ready_h2 if clients_h2 else ready_h1
    turn = from_h2 if clients_h2 else from_h1
    rivals = [Rival(DIRECT, origin.port_h2 if clients_h2 else origin.port, origin.child)]
    rivals += [start(fleet, peer, job, ready) for peer in peers]
    for rival in rivals:  # a warm-up, so that no first round pays for first times
        if rival.child:
            turn(origin, 1, rival)
    rounds = in_turn(rivals, options, part, partial(turn, origin, options.seconds))
    for rival in rivals[1:]:
        if rival.child:
            fleet.end(rival.child)
    return rounds


def run(peers: list[Peer], options: argparse.Namespace, directory: Path) -> tuple[list[Round], list[str]]:
    """Measure every part asked for; return the raw rounds and the Markdown."""
    rounds, text = list[Round](), []
    with Fleet(directory) as fleet:
        origin = Origin(fleet, CROWD)
        for part in PARTS:
            if part in options.parts:
                found = measure(fleet, origin, peers, options, part)
                text.append(requests_table(TITLES[part], found))
                rounds += found
    return rounds, text
