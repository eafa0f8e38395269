"""TLS 1.3 from clients, HTTP/1.1 without it to the origin; one ECDSA P-256 certificate, one cipher suite.

    h1       h2load --h1, 32 kept connections, each rival without and with TLS in turn: what TLS adds
    h2       the same with HTTP/2, 8 connections with 8 streams each
    new      one request on each new connection, a whole handshake every time
    resumed  the same, but sessions are resumed
    bulk     a body of 100 MB, three times over one connection, HTTP/1.1 and HTTP/2

The four clients of `new` and `resumed` share the machine with the rival and are often slower than it is: the
CPU of a handshake says what it costs, the rate only what these clients saw.
"""

import argparse
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from loads import curl
from loads_h2 import CURL_TLS, h2load, probe_by_curl, s_time
from origin import HUGE_PATH, HUGE_SIZE, SMALL, Origin
from peers import Job, Pair, Peer
from procs import Fleet
from rivals import REFERENCE, Rival, in_turn, of, per_request, requests_table, start, weigh, without
from tables import Round, against, middle, table

PARTS = ("h1", "h2", "new", "resumed", "bulk")
PEERS = ("nginx", "haproxy", "envoy", "caddy")
ROUNDS, SECONDS = 3, 2
TOOLS = ("h2load", "curl", "openssl")

CROWD = 1000  # the origin must have room for what all peers together keep open
CLIENTS = 64
SHAPES = {"h1": (32, 1), "h2": (8, 8)}
VERSIONS = {"h1": ("1.1", "--http1.1", ("--h1",)), "h2": ("2", "--http2", ())}
BODIES = 3
PLAIN = " without TLS"


def make_pair(directory: Path) -> Pair:
    """Make a certificate for this run; raises CalledProcessError."""
    certificate, key, both = (directory / name for name in ("cert.pem", "key.pem", "both.pem"))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "30", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    for secret in (key, both):
        secret.chmod(0o600)
    return Pair(certificate, key, both)


def wrong_answer(kind: str, tls: bool, port: int) -> str:
    version, option, _ = VERSIONS[kind]
    if tls:
        return probe_by_curl(f"https://127.0.0.1:{port}/", version, SMALL, [option])
    option = "--http2-prior-knowledge" if kind == "h2" else option
    return probe_by_curl(f"http://127.0.0.1:{port}/", version, SMALL, [option])


def kept(origin: Origin, kind: str, seconds: int, rival: Rival) -> Round:
    """Give one rival a turn over kept connections; its name says whether it speaks TLS."""
    tls = not rival.name.endswith(PLAIN)
    wrong = rival.failed or wrong_answer(kind, tls, rival.port)
    if wrong:
        return without(rival, wrong)
    url = f"http{'s' if tls else ''}://127.0.0.1:{rival.port}/"
    shape, extra = SHAPES[kind], VERSIONS[kind][2]
    return per_request(weigh(rival, origin, lambda: h2load(url, shape, seconds, len(SMALL), extra)))


def handshakes(origin: Origin, resume: bool, seconds: int, rival: Rival) -> Round:
    """Give one rival a turn with a new connection for each request."""
    wrong = rival.failed or wrong_answer("h1", True, rival.port)
    if wrong:
        return without(rival, wrong)
    return per_request(weigh(rival, origin, lambda: s_time(rival.port, "/", seconds, len(SMALL), resume)))


def bodies(origin: Origin, kind: str, count: int, rival: Rival) -> Round:
    """Fetch long bodies; adds MB for each second of CPU, and MB per second."""
    wrong = rival.failed or wrong_answer(kind, True, rival.port)
    if wrong:
        return without(rival, wrong)
    url, extra = f"https://127.0.0.1:{rival.port}{HUGE_PATH}", [*CURL_TLS, VERSIONS[kind][1]]
    began = time.monotonic()
    found = weigh(rival, origin, lambda: curl(url, count, 1, HUGE_SIZE, extra))
    cpu, size = float(str(found.get("cpu", 0))), float(str(found.get("bytes", 0)))
    if not found["wrong"] and cpu:
        found |= {"mb_cpu_s": size / cpu / 1e6, "cpu_ms_gb": cpu / size * 1e12}
        found["mb_s"] = size / (time.monotonic() - began) / 1e6
    return found


class Bench:
    """One run: the origin, the peers that speak TLS, started once for all parts."""

    def __init__(self, fleet: Fleet, peers: list[Peer], options: argparse.Namespace) -> None:
        self.fleet, self.peers, self.options = fleet, peers, options
        self.origin = Origin(fleet, CROWD, huge=True)
        self.pair = make_pair(fleet.directory)
        job = Job(0, self.origin.port, CLIENTS, fleet.directory, pair=self.pair)
        self.rivals = [start(fleet, peer, job, partial(wrong_answer, "h1", True)) for peer in peers]

    def kept(self, kind: str) -> tuple[list[Round], str]:
        """Measure kept connections, plain and TLS rivals in turn."""
        job = Job(0, self.origin.port, CLIENTS, self.fleet.directory, clients_h2=kind == "h2")
        plain = [start(self.fleet, peer, job, partial(wrong_answer, kind, False)) for peer in self.peers]
        plain = [Rival(one.name + PLAIN, one.port, one.child, one.failed) for one in plain]
        both = [one for pair in zip(plain, self.rivals, strict=True) for one in pair]
        for rival in both:  # a warm-up, so that no first round pays for first times
            kept(self.origin, kind, 1, rival)
        rounds = in_turn(both, self.options, kind, partial(kept, self.origin, kind, self.options.seconds))
        for rival in plain:
            if rival.child:
                self.fleet.end(rival.child)
        floor = [one | {"peer": str(one["peer"]).removesuffix(PLAIN)} for one in rounds if is_plain(one)]
        above = [one for one in rounds if not is_plain(one)]
        connections, streams = SHAPES[kind]
        shape = f"{connections} connections" + (f", {streams} streams each" if streams > 1 else "")
        name = "HTTP/2" if kind == "h2" else "HTTP/1.1"
        return rounds, requests_table(f"{name} over TLS 1.3, {shape}", above, floor)

    def handshakes(self, resume: bool) -> tuple[list[Round], str]:
        """Measure new connections, with or without resumption."""
        title = "resumed" if resume else "new"
        one = partial(handshakes, self.origin, resume, self.options.seconds)
        rounds = in_turn(self.rivals, self.options, title, one)
        columns = [
            ("CPU µs/connection", middle("cpu_us", 0, spread=True)),
            (f"x {REFERENCE}", against(of(rounds, REFERENCE), "cpu_us")),
            ("connections/s", middle("rate")),
            ("RSS, MiB", middle("rss_mib", 1)),
        ]
        what = "resuming its session" if resume else "with a whole handshake"
        names = [rival.name for rival in self.rivals]
        return rounds, f"### One request on each new connection, {what}\n\n" + table(names, rounds, columns)

    def bulk(self) -> tuple[list[Round], str]:
        """Measure long bodies, first over HTTP/1.1, then over HTTP/2."""
        count = 1 if self.options.quick else BODIES
        rounds, text = [], []
        names = [rival.name for rival in self.rivals]
        for kind in ("h1", "h2"):
            one = partial(bodies, self.origin, kind, count)
            found = in_turn(self.rivals, self.options, f"bulk-{kind}", one)
            columns = [
                ("MB per CPU second", middle("mb_cpu_s", 0, spread=True)),
                (f"CPU ms/GB, x {REFERENCE}", against(of(found, REFERENCE), "cpu_ms_gb")),
                ("MB/s", middle("mb_s")),
                ("RSS, MiB", middle("rss_mib", 1)),
            ]
            name = "HTTP/2" if kind == "h2" else "HTTP/1.1"
            text.append(f"### Bodies of 100 MB over TLS, {name}\n\n{table(names, found, columns)}")
            rounds += found
        return rounds, "\n\n".join(text)


def is_plain(found: Round) -> bool:
    return str(found["peer"]).endswith(PLAIN)


def run(peers: list[Peer], options: argparse.Namespace, directory: Path) -> tuple[list[Round], list[str]]:
    """Measure every part asked for; return the raw rounds and the Markdown."""
    rounds, text = list[Round](), []
    with Fleet(directory) as fleet:
        bench = Bench(fleet, peers, options)
        parts: dict[str, Callable[[], tuple[list[Round], str]]] = {
            "h1": partial(bench.kept, "h1"),
            "h2": partial(bench.kept, "h2"),
            "new": partial(bench.handshakes, False),
            "resumed": partial(bench.handshakes, True),
            "bulk": bench.bulk,
        }
        for part, measure in parts.items():
            if part in options.parts:
                found, lines = measure()
                rounds += found
                text.append(lines)
    return rounds, text
