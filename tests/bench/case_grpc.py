"""Unary gRPC calls, HTTP/2 without TLS on both sides: a small message each way, the status in the trailers.

    calls  h2load, 8 connections with 8 calls at once on each
    one    one call after the other: latency without queueing, and what each proxy adds to `direct`

The origin is nghttpd: it waits for the end of the request, then sends head, message and trailers. A probe
before each turn finds message and status; under load the bytes of the messages are counted. nginx keeps
one connection to the origin for each call in flight, as its grpc_pass ships; the others share theirs.
"""

import argparse
import shutil
from functools import partial
from pathlib import Path

from loads_h2 import h2load, probe_by_curl
from peers import Job, Peer
from procs import Child, Fleet, StartError, ends_on_port, free_ports
from rivals import DIRECT, REFERENCE, Rival, in_turn, of, per_request, requests_table, start, weigh, without
from tables import Round, against, middle, table

PARTS = ("calls", "one")
PEERS = ("nginx", "haproxy", "envoy", "caddy")
ROUNDS, SECONDS = 5, 2
TOOLS = ("h2load", "nghttpd", "curl")

SHAPES = {"calls": (8, 8), "one": (1, 1)}
CLIENTS = 64
METHOD = "bench.Echo/Say.grpc"
TEXT = b"\n\x20a field of thirty-two bytes, so!"
MESSAGE = b"\0" + len(TEXT).to_bytes(4) + TEXT
STATUS = "grpc-status: 0"
HEADERS = ("-H", "content-type: application/grpc", "-H", "te: trailers")


class Server:
    """A started nghttpd that answers the call, and the file with the message that is sent and returned."""

    def __init__(self, fleet: Fleet) -> None:
        self.port = free_ports(1)[0]
        root = fleet.directory / "origin"
        self.message = root / METHOD
        self.message.parent.mkdir(parents=True)
        self.message.write_bytes(MESSAGE)
        types = fleet.directory / "mime.types"
        types.write_text("application/grpc grpc\n")
        program = shutil.which("nghttpd")
        if program is None:
            raise StartError("the origin needs nghttpd (Debian: nghttp2-server)")
        command = [program, "--no-tls", "-a", "127.0.0.1", "-d", str(root), "--no-content-length"]
        command += [f"--mime-types-file={types}", f"--trailer={STATUS}", "-m", "1000", str(self.port)]
        self.child: Child = fleet.start("origin", command, self.port)

    def accepted(self) -> int:
        """Return how many connections it has or lately had; ended ones count for a minute."""
        return ends_on_port(self.port)

    def wrong_answer(self, port: int) -> str:
        """Return what is wrong with one call, '' when nothing is."""
        extra = ["--http2-prior-knowledge", "--data-binary", f"@{self.message}", *HEADERS]
        return probe_by_curl(f"http://127.0.0.1:{port}/{METHOD}", "2", MESSAGE, extra, STATUS.encode())


def call(server: Server, part: str, seconds: int, rival: Rival) -> Round:
    """Give one rival a turn."""
    wrong = rival.failed or server.wrong_answer(rival.port)
    if wrong:
        return without(rival, wrong)
    url, extra = f"http://127.0.0.1:{rival.port}/{METHOD}", ["-d", str(server.message), *HEADERS]
    return per_request(weigh(rival, server, lambda: h2load(url, SHAPES[part], seconds, len(MESSAGE), extra)))


def one_table(rounds: list[Round]) -> str:
    names = list(dict.fromkeys(str(one["peer"]) for one in rounds))
    columns = [
        ("p50 µs", middle("p50", spread=True)),
        (f"added, x {REFERENCE}", against(of(rounds, REFERENCE), "p50", of(rounds, DIRECT))),
        ("p99 µs", middle("p99")),
        ("CPU µs/call", middle("cpu_us", 1)),
    ]
    return "### Unary gRPC calls, one after the other\n\n" + table(names, rounds, columns)


def run(peers: list[Peer], options: argparse.Namespace, directory: Path) -> tuple[list[Round], list[str]]:
    """Measure every part asked for; return the raw rounds and the Markdown."""
    rounds, text = list[Round](), []
    with Fleet(directory) as fleet:
        server = Server(fleet)
        job = Job(0, server.port, CLIENTS, fleet.directory, clients_h2=True, origin_h2=True, grpc=True)
        rivals = [Rival(DIRECT, server.port, server.child)]
        rivals += [start(fleet, peer, job, server.wrong_answer) for peer in peers]
        for part, (connections, streams) in SHAPES.items():
            if part not in options.parts:
                continue
            for rival in rivals:  # a warm-up, so that no first round pays for first times
                call(server, part, 1, rival)
            found = in_turn(rivals, options, part, partial(call, server, part, options.seconds))
            title = f"Unary gRPC calls, {connections} connections, {streams} at once on each"
            text.append(requests_table(title, found, unit="call") if connections > 1 else one_table(found))
            rounds += found
    return rounds, text
