"""Benchmarks beside other proxies: `python tests/bench/run.py h1 [--rounds 5] [--peers nginx,envoy]`.

Cases are h1, h2, tls and grpc; several run one after the other. Or `python tests/bench/run.py components`:
what the parts of a request cost (its --help says how).

What is compared is CPU time per unit of work, user + system of all processes of a proxy, and the ratio
between proxies within one run: on a shared machine with few cores no other figure carries over. All peers
are started first, then take turns, round by round (A B C A B C); the table has medians. Nothing is pinned.

The case `h1` has four parts (`--parts small,one,bodies,idle`):

  small   a 66-byte answer over 32 kept-alive connections, wrk with one thread
  one     the same over one connection: latency without queueing, and what each proxy adds to `direct`;
          where `direct` itself spreads widely the scheduler changed its mind (a wake-up on the same core
          costs a few µs, on an idle one tens), and the run says little
  bodies  10 MB files over 4 connections, a bounded number per round
  idle    a fresh proxy holding --connections clients that made one request each: RSS for each of them

The others say at their head what their parts are:

  h2      h2-h1, h2-h2, h1-h2: which version clients and the origin speak, all without TLS
  tls     h1, h2, new, resumed, bulk: kept connections beside plain ones, handshakes, 100 MB bodies
  grpc    calls, one: unary calls, 64 at once and one after the other

`direct` is the origin (nginx, one worker) without a proxy: its CPU is that of the origin itself. A round
with an answer that is not 200 and whole, an error, or fewer answers than asked is INVALID: it is named in
the remarks and is in no median. A peer that is not installed is named and left out.

Needs Debian's nginx-light, haproxy, wrk and curl; but for h1 also nghttp2-client and nghttp2-server, and
nghttp2-proxy for the peer nghttpx. The other peers come from the `bench` dependency group,
put into .venv-bench on first use (`python tests/bench/install.py` does only that). We run as
dist/meshctl.pyz when that is built, else as `python -m appliance`; `--meshctl COMMAND` says otherwise, and
given twice sets two builds against each other. `--full` adds the rate limiter to our profile, at a rate
that never refuses. `--quick` is for trying the benchmark, not for figures.
"""

import argparse
import importlib
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from install import install
from peers import PEERS, Peer, meshctl, meshctl_command
from procs import cpu_seconds, machine_busy_seconds
from tables import machine

CASES = {"h1": "case_h1", "h2": "case_h2", "tls": "case_tls", "grpc": "case_grpc"}
OURS = "meshctl"


def arguments(words: list[str]) -> argparse.Namespace:
    """Read the command line; what is not given stays None until its case is known."""
    parser = argparse.ArgumentParser(
        prog="run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="+", choices=CASES, metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, help="turns of each peer (default 5, tls 3)")
    parser.add_argument("--seconds", type=int, help="of load in each turn (default 3 for h1, else 2)")
    parser.add_argument("--connections", type=int, help="idle ones (default 10000, at most the fd limit)")
    parser.add_argument("--peers", help=f"of {', '.join([*PEERS, OURS])}; each case has a choice of its own")
    parser.add_argument("--parts", help="of the case; default: all")
    parser.add_argument("--meshctl", action="append", metavar="COMMAND", help="repeatable")
    parser.add_argument("--full", action="store_true", help="our rate limiter on, never refusing")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 s, 1000 idle connections")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw rounds")
    options = parser.parse_args(words)
    known = {part: None for case in options.cases for part in module(case).PARTS}
    options.parts = set(options.parts.split(",") if options.parts else known)
    options.connections = max(1, options.connections or (1000 if options.quick else 10_000))
    if options.peers:
        options.peers = list(dict.fromkeys(options.peers.split(",")))
    if unknown := options.parts - set(known):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if unknown := set(options.peers or ()) - {*PEERS, OURS}:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join([*PEERS, OURS])}")
    return options


def module(case: str) -> ModuleType:
    return importlib.import_module(CASES[case])


def settled(options: argparse.Namespace, case: ModuleType) -> argparse.Namespace:
    """Return the options of one case, with its own defaults where nothing was given."""
    rounds, seconds = (2, 1) if options.quick else (case.ROUNDS, case.SECONDS)
    found = argparse.Namespace(**vars(options))
    found.rounds = max(1, options.rounds or rounds)
    found.seconds = max(1, options.seconds or seconds)
    found.peers = options.peers or [*case.PEERS, OURS]
    return found


def chosen(options: argparse.Namespace) -> list[Peer]:
    """Return the peers to run, installing what the registry has and is not there; ours come last."""
    peers = [PEERS[name] for name in options.peers if name != OURS]
    if any(peer.packaged and peer.path() is None for peer in peers):
        install()
    for peer in peers:
        if peer.path() is None:
            print(f"bench: {peer.name} is missing ({peer.program} not found)", file=sys.stderr)
    if OURS in options.peers:
        for number, command in enumerate(options.meshctl or [meshctl_command()], 1):
            name = OURS if number == 1 else f"{OURS}-{number}"
            peers.append(meshctl(name, command, options.full))
    return peers


def end_once(number: int, _frame: object) -> None:
    """Leave through every `finally`, so that nothing stays behind; a second signal is not heard."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main(words: list[str]) -> int:
    if words[:1] == ["components"]:
        return int(importlib.import_module("components").main(words[1:]))
    options = arguments(words)
    tools = {tool for case in options.cases for tool in module(case).TOOLS}
    if missing := [tool for tool in sorted(tools) if shutil.which(tool) is None]:
        print(f"bench: {', '.join(missing)} missing", file=sys.stderr)
        return 2
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end_once)
    found = [measure(module(name), options, words) for name in options.cases]
    if options.json:
        options.json.write_text(json.dumps(found if len(found) > 1 else found[0], indent=1) + "\n")
    return 0


def measure(case: ModuleType, given: argparse.Namespace, words: list[str]) -> dict[str, object]:
    """Run one case and print its tables; return the raw rounds and where they come from."""
    options = settled(given, case)
    peers = chosen(options)
    began, busy, own = time.monotonic(), machine_busy_seconds(), cpu_seconds(os.getpid())
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        rounds, text = case.run(peers, options, Path(directory))
    took = time.monotonic() - began
    foreign = max(0.0, (machine_busy_seconds() - busy) - (cpu_seconds(os.getpid()) - own))
    versions = ", ".join(f"{peer.name} {peer.version_text()}" for peer in peers)
    command = f"python tests/bench/run.py {shlex.join(words)}"
    print(f"\n`{command}`\n")
    print(f"{machine()}. {versions}.")
    print(
        f"Median of {options.rounds} rounds; {took:.0f} s; other work took {foreign / took:.0%} of a core.\n"
    )
    print("\n\n".join(text), flush=True)
    head = {"command": command, "machine": machine(), "versions": versions, "foreign_cpu": foreign / took}
    return {**head, "rounds": rounds}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
