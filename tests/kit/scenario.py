"""Scenarios as data: a profile, what the servers do and when, who asks and when, and what comes of it.

A scenario is a YAML file in ``tests/scenarios``::

    says: one sentence
    profile: |            the profile; version, listener and a route to `app` are added where it has none
    servers:              for each address, from which second on it behaves how
      10.0.0.1:80: {0: 200, 5: 503}
    names:                for each name that is looked up, from which second on it has which addresses
    requests:             who asks: once `at`, or `from` .. `to` (inclusive) `every` so many seconds
      - {from: 0, to: 9, every: 1}
    expect:
      moves:              every transition of every breaker, in order
      events:             what else was told: health and names
      answers:            for each row of requests one character each, in the order of asking (see MARKS)
      asked:              how many requests each server has seen, checks of its health not counted
      took:               the longest time of each mark, in seconds; from a tenth on
      notes:              what the access log says of retries and the like, in order

A server does one of: a status; ``A/B`` (these in turn); ``A after T`` (seconds); ``A for T`` (a body that
takes so long); ``refuse`` a connection, ``reset`` one after the request, ``hang``. Where several ask at once
(``count``), the marks are counted: ``1. 49o``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
import yaml

from appliance.config.load import load
from appliance.config.plan import Plan
from appliance.model.fault import CONNECT_FAILED, Fault, Reason
from appliance.net.transport import PeerGone
from appliance.upstream.watch import HealthShift, NameShift

from .origin import Call, Origin, sized_bytes
from .proxy import Answer, Proxy, running

FOLDER = Path(__file__).parent.parent / "scenarios"
_BASE = "meshctl: 1\nlisteners: {web: {bind: ':8080'}}\nname: edge\n"
_ROUTE = "routes: [{name: all, to: app}]\n"


class Server(Origin):
    """An origin whose behaviour changes with time; it counts what it is asked."""

    def __init__(self, script: dict[float, Any]) -> None:
        super().__init__(self._handle)
        self._script = script
        self._turn = 0
        self.asked = 0

    def behaviour(self) -> str:
        """Give what it does now."""
        return str(_now(self._script))

    async def admit(self, timeout: float, too_late: Reason) -> None:
        """Refuse connections while the script says so."""
        if self.behaviour() == "refuse":
            raise Fault(CONNECT_FAILED, "refused")

    async def _handle(self, call: Call) -> None:
        if call.request.get(b"user-agent") != b"meshctl-health":
            self.asked += 1
        await call.read()
        turns = self.behaviour().split("/")
        what = turns[self._turn % len(turns)]
        self._turn += 1
        if what == "hang":
            await trio.sleep_forever()
        if what in ("reset", "refuse"):  # who refuses has closed what was open
            call.wire.reset()
            return
        what, _, late = what.partition(" after ")
        what, _, long = what.partition(" for ")
        await trio.sleep(float(late or 0))
        answer = sized_bytes(b"x" * 100_000, int(what)) if long else sized_bytes(b"hello", int(what))
        await call.send(answer[:1000])
        await trio.sleep(float(long or 0))
        await call.send(answer[1000:])


START = 0.0  # MockClock begins here


@dataclass
class Asked:
    """One request of a scenario and what became of it."""

    at: float
    mark: str = ""
    took: float = 0.0


@dataclass
class Outcome:
    """What came of a scenario, in the form of its ``expect``."""

    moves: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def load_scenario(path: Path) -> tuple[dict[str, Any], Plan]:
    """Read a scenario and the plan of its profile, which must be without errors."""
    scenario = yaml.safe_load(path.read_text())
    text = scenario["profile"]
    text = _BASE + ("" if "routes:" in text else _ROUTE) + text
    plan, diagnostics = load(path.name, text=text.encode(), env={})
    assert plan is not None, diagnostics.render()
    return scenario, plan


async def play(scenario: dict[str, Any], plan: Plan) -> Outcome:
    """Play a scenario on virtual time; afterwards nothing may be left in flight."""
    servers = {address: Server(script) for address, script in scenario["servers"].items()}
    rows: list[list[Asked]] = [
        [Asked(at) for at in _times(row) for _ in range(row.get("count", 1))] for row in scenario["requests"]
    ]
    async with running(servers, plan) as proxy:
        proxy.names_at = lambda host: _now(scenario.get("names", {})[host])
        async with trio.open_nursery() as nursery:
            for row, asked in zip(scenario["requests"], rows, strict=True):
                for each in asked:
                    nursery.start_soon(_ask, proxy, row, each)
        await proxy.check_idle()
        assert all(cluster.crowd.in_flight == 0 for cluster in proxy.snapshot.clusters.values())
        moves = [
            f"{each.shift.at - START:g} {each.name} {each.shift.new.value} by {each.shift.rule}"
            for each in proxy.shifts
        ]
        events = [_event(at, each) for at, each in proxy.events]
        notes = [str(record["notes"]) for record in proxy.journal.records if record["notes"]]
    counts = {address: server.asked for address, server in servers.items()}
    answers = [_answers(row, asked) for row, asked in zip(scenario["requests"], rows, strict=True)]
    return Outcome(
        moves, events, answers, counts, _slowest([each for asked in rows for each in asked]), notes
    )


def _now(script: dict[float, Any]) -> Any:
    """Give the entry that holds now."""
    return [what for at, what in sorted(script.items()) if at <= trio.current_time() - START][-1]


def _event(at: float, event: object) -> str:
    """Give an event that is no breaker's in a few words."""
    if isinstance(event, HealthShift):
        return f"{at:.1f} {event.endpoint} {'healthy' if event.healthy else f'unhealthy: {event.why}'}"
    assert isinstance(event, NameShift)
    parts = [f"+{each}" for each in event.came] + [f"-{each}" for each in event.gone]
    return f"{at:.1f} {event.name} {event.why or ' '.join(parts)}"


def _times(row: dict[str, Any]) -> list[float]:
    if "at" in row:
        return [float(row["at"])]
    steps = round((row["to"] - row["from"]) / row["every"])
    return [row["from"] + step * row["every"] for step in range(steps + 1)]


async def _ask(proxy: Proxy, row: dict[str, Any], asked: Asked) -> None:
    await trio.sleep_until(START + asked.at)
    client = proxy.connect(peer=row.get("client", "192.0.2.7"))
    method, body = row.get("method", "GET").encode(), row.get("body", "").encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in row.get("headers", {}).items()).encode()
    if body:
        lines += b"content-length: %d\r\n" % len(body)
    head = b"%b %b HTTP/1.1\r\nhost: a.example\r\n%b\r\n" % (method, row.get("path", "/").encode(), lines)
    began = trio.current_time()
    await client.send(head + body)
    if "leaves" in row:
        await trio.sleep(row["leaves"])
        client.wire.close()
        asked.mark = MARKS["left"]
        return
    try:
        answer = await client.answer(method)
    except PeerGone:
        asked.mark = MARKS["lost"]
    else:
        asked.mark = _mark(answer)
    asked.took = trio.current_time() - began
    client.wire.close()


MARKS = {
    "200": ".",
    "no-endpoint": "o",
    "upstream-full": "f",
    "rate-limited": "L",
    "connect-failed": "c",
    "connect-timeout": "c",
    "upstream-reset": "r",
    "try-timeout": "t",
    "response-timeout": "T",
    "request-timeout": "T",
    "injected": "i",
    "left": "l",
    "cut": "/",
    "lost": "?",
}
"""What stands for which end; ``x`` is a failure that a server answered with, else it is the last digit."""


def _mark(answer: Answer) -> str:
    if not answer.whole:
        return MARKS["cut"]
    status = answer.get(b"proxy-status")
    if status is not None:
        return MARKS[status.decode().split("details=")[1].strip('"')]
    if answer.status >= 500:
        return "x"
    return MARKS.get(str(answer.status)) or str(answer.status)[-1]


def _answers(row: dict[str, Any], asked: list[Asked]) -> str:
    """Give the marks of one row, which asked in order of time."""
    ordered = sorted(asked, key=lambda each: each.at)
    if "count" not in row:
        return "".join(each.mark for each in ordered)
    steps = [Counter(each.mark for each in asked if each.at == at) for at in _times(row)]
    return " | ".join(" ".join(f"{count}{mark}" for mark, count in sorted(step.items())) for step in steps)


def _slowest(asked: list[Asked]) -> dict[str, float]:
    longest = {
        mark: max(each.took for each in asked if each.mark == mark) for mark in {a.mark for a in asked}
    }
    return {mark: round(took, 2) for mark, took in sorted(longest.items()) if took >= 0.1}
