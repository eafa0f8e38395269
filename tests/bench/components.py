"""What the parts of a request cost: `python tests/bench/run.py components`.

Each part runs in a loop of its own; the best of the rounds counts, since whatever disturbs a loop makes it
slower. All parts take turns, round by round, with a call of an empty function, so that the multiples hold on
any machine. No I/O is in it: these are figures about arithmetic, not about traffic.

The last table has the stack of a route, all its layers on, over a service that answers at once, and what is
left of it when only that service is called.
"""

import argparse
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = ROOT / "dist" / "meshctl.pyz"
sys.path.insert(0, str(ARCHIVE / "site-packages") if ARCHIVE.exists() else str(ROOT))

from tables import machine  # noqa: E402

from appliance.config.load import load  # noqa: E402
from appliance.model.exchange import Exchange  # noqa: E402
from appliance.model.message import Request, Response  # noqa: E402
from appliance.policy import balance  # noqa: E402
from appliance.policy.breaker import Breaker, Verdict  # noqa: E402
from appliance.policy.bucket import Buckets  # noqa: E402
from appliance.proxy import snapshot, stack  # noqa: E402
from appliance.proxy.ending import Ending  # noqa: E402
from appliance.proxy.layers.shed import Pressure  # noqa: E402
from appliance.routing.match import Match  # noqa: E402
from appliance.routing.table import RouteTable  # noqa: E402
from appliance.upstream.cluster import Outside  # noqa: E402

PUBLISHED = {"breaker": 52e6, "limiter": 20e6, "route": 30e6}
"""Operations a second that a service mesh proxy in Rust publishes for these three, by its own benchmarks."""

PROFILE = """
meshctl: 1
name: edge
listeners: {web: {bind: ":8080"}}
rate_limit: {rate: 1000000/s, burst: 1000000, key: client_ip}
routes:
  - name: all
    to: app
    rate_limit: {rate: 1000000/s, burst: 1000000}
    headers: {request: {set: {x-edge: "1"}}}
upstreams:
  app: {endpoints: [10.0.0.1:80, 10.0.0.2:80, 10.0.0.3:80]}
"""


class Item:
    """An endpoint, as far as a policy sees it."""

    def __init__(self, name: str, weight: int) -> None:
        self.name, self.weight, self.in_flight = name, weight, 0


class Rules:
    """A breaker's rules with the usual values."""

    failure_threshold, error_rate, min_requests, window = 5, 0.5, 20, 10.0
    open_for, max_open_for, success_threshold = 30.0, 30.0, 2


def nothing() -> None:
    """Be called."""


def parts() -> dict[str, tuple[str, Callable[[], object]]]:
    """Give each part: its label, the published figure that it stands beside, and one operation."""
    breaker = Breaker(Rules(), 0.0)
    now = time.monotonic

    def admitted() -> None:
        breaker.settle(breaker.admit(5.0), Verdict.OK, 5.0)

    buckets = Buckets(1e6, 1_000_000)
    clients = [f"192.0.2.{n}" for n in range(256)]
    for client in clients:
        buckets.take(client, 0)
    exact = RouteTable([(Match(path=f"/exact/{n}"), n) for n in range(1000)])
    prefixes = RouteTable([(Match(path_prefix=f"/service-{n}/api/"), n) for n in range(1000)])
    few = [Item(f"10.0.0.{n}:80", 100) for n in range(3)]
    found = {
        "breaker: admit and record": ("breaker", admitted),
        "limiter: take, one of 256 clients": ("limiter", lambda: buckets.take("192.0.2.7", 10_000_000)),
        "route: exact path, one of 1,000": (
            "route",
            lambda: exact.find(b"a.example", b"/exact/500", b"GET", [], b""),
        ),
        "route: prefix, one of 1,000": (
            "route",
            lambda: prefixes.find(b"a.example", b"/service-500/api/orders/17", b"GET", [], b""),
        ),
        "the clock": ("", now),
    }
    for kind in ("round_robin", "weighted", "random", "least_conn", "ewma", "consistent_hash"):
        policy = balance.make(kind, few, Random(1))
        found[f"pick: {kind}, 3 endpoints"] = ("", lambda policy=policy: policy.pick(None, b"key", 5.0))
        many = balance.make(kind, [Item(f"10.0.1.{n}:80", 1 + n % 3) for n in range(20)], Random(1))
        found[f"pick: {kind}, 20 of three weights"] = ("", lambda many=many: many.pick(None, b"key", 5.0))
    return found


def per_call(operation: Callable[[], object], seconds: float) -> float:
    """Give the seconds of one call, over about ``seconds``."""
    count = 100
    while True:
        rounds = range(count)
        began = time.perf_counter()
        for _ in rounds:
            operation()
        took = time.perf_counter() - began
        if took >= seconds:
            return took / count
        count = max(2 * count, int(count * 1.1 * seconds / max(took, 1e-9)))


class Stream:
    """A client that has asked and does not listen."""

    started = False
    sent = 0

    def __init__(self) -> None:
        headers = [(b"user-agent", b"curl/8.5.0"), (b"accept", b"*/*")]
        self.request = Request(b"GET", b"http", b"a.example", b"/orders/17", b"", headers)

    def watch_hangup(self, _exchange: Exchange) -> None:
        """Stay."""


async def answered(exchange: Exchange) -> Response:
    """Take the place of the network: every try is answered at once."""
    response = Response(200, [(b"content-type", b"text/plain")])
    if exchange.attempt is not None:
        exchange.attempt.response = response
    return response


def finish(work: Coroutine[Any, Any, Response]) -> None:
    """Run what never waits to its end."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise RuntimeError("a layer waited for something")


def whole_stack() -> tuple[Callable[[], None], Callable[[], None]]:
    """Give one request through all layers, and one that is only answered."""
    plan, diagnostics = load("profile.yaml", text=PROFILE.encode(), env={})
    if plan is None:
        raise SystemExit(diagnostics.render())
    stack.forward = answered
    outside = Outside(None, time.monotonic, Random(1), lambda _: None, lambda *_: None)
    service = snapshot.revive(plan, outside, set(), Pressure(plan.process.memory)).service
    ending = Ending(None, set(), time.monotonic)

    def through() -> None:
        exchange = Exchange("1", Stream(), "web", "192.0.2.7", 5.0)
        finish(service(exchange))
        ending.end(exchange)

    def bare() -> None:
        exchange = Exchange("1", Stream(), "web", "192.0.2.7", 5.0)
        finish(answered(exchange))
        ending.end(exchange)

    return through, bare


def main(words: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="run.py components", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each part (default 7)")
    parser.add_argument("--seconds", type=float, default=0.1, help="of each turn (default 0.1)")
    options = parser.parse_args(words)
    rows = {"an empty call": ("", nothing), **parts()}
    through, bare = whole_stack()
    stacks = {"all layers": ("", through), "the answer alone": ("", bare)}
    best = {name: float("inf") for name in (*rows, *stacks)}
    for _ in range(options.rounds):
        for name, (_, operation) in (*rows.items(), *stacks.items()):
            best[name] = min(best[name], per_call(operation, options.seconds))
    empty = best["an empty call"]
    print(f"{machine()}. One process, Python {sys.version.split()[0]}; best of {options.rounds} rounds.\n")
    print("| | ns | operations/s | empty calls | published, Rust |\n|---|---:|---:|---:|---:|")
    for name, (beside, _) in rows.items():
        took = best[name]
        theirs = f"{PUBLISHED[beside] / 1e6:.0f} M/s" if beside else ""
        print(f"| {name} | {took * 1e9:.0f} | {1 / took / 1e6:.2f} M | {took / empty:.1f} | {theirs} |")
    print(
        "\nThe published figures are a Rust proxy's own, from micro-benchmarks on another machine:"
        "\nthey say how far apart the two languages are in such loops, not how far apart two proxies are."
    )
    cost = best["all layers"] - best["the answer alone"]
    print("\n| | us a request |\n|---|---:|")
    for name in stacks:
        print(f"| {name} | {best[name] * 1e6:.2f} |")
    print(f"| **the stack: limits, route, headers, retry, breaker, balance** | **{cost * 1e6:.2f}** |")
    return 0
