"""What ``meshctl route --live`` adds: how the route and its upstreams are in a proxy that runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.config.offline import Outcome
from appliance.config.plan import Plan
from appliance.config.policy_text import Line
from appliance.model.text import counted
from appliance.tui.feed import Feed
from appliance.wire.delta import Fields, State

from .exits import Exit
from .remote import talk
from .say import progress, show, state_words

WANTED = {"proxy": True, "rt": True, "up": True, "ep": True, "br": True}


class Running:
    """The state of a proxy at one moment; ``m`` is that moment (ms since its start)."""

    def __init__(self, name: str, state: State, m: int) -> None:
        self.name = name
        self.state = state
        self.m = m

    def lines(self, plan: Plan, outcome: Outcome) -> list[Line]:
        """Say whether it runs this profile, and how what the request meets is now."""
        proxy = self.state.get("proxy", {}).get("", {})
        same = proxy.get("digest") == plan.digest
        what = "this profile" if same else "another profile than this file; what it runs may differ"
        lines = [Line("running", f"{self.name}, generation {show('n', proxy.get('gen'))}: {what}")]
        if outcome.route is None:
            return lines
        row = self.state.get("rt", {}).get(outcome.route.name)
        if row is None:
            return [*lines, Line("now", f"{self.name} has no route {outcome.route.name}")]
        lines.append(Line("now", f"route {outcome.route.name}: {_flow(row)}"))
        for share in outcome.shares:
            lines += self._upstream(outcome.route.name, share.upstream)
        return lines

    def document(self, plan: Plan, outcome: Outcome) -> dict[str, Any]:
        """Give the same for programs."""
        names = {share.upstream for share in outcome.shares}
        proxy = self.state.get("proxy", {}).get("", {})
        route = "" if outcome.route is None else outcome.route.name
        of = {
            kind: {key: row for key, row in self.state.get(kind, {}).items() if row.get("up", key) in names}
            for kind in ("up", "ep")
        }
        fuses = [self._fuse(route, row.get("up", ""), key) for key, row in of["ep"].items()]
        of["br"] = {key: row for key, row in fuses if row is not None}
        return {
            "name": self.name,
            "m": self.m,
            "same_profile": proxy.get("digest") == plan.digest,
            "gen": proxy.get("gen"),
            "rt": self.state.get("rt", {}).get(route),
            **of,
        }

    def _fuse(self, route: str, upstream: str, endpoint: str) -> tuple[str, Fields | None]:
        """Give the breaker that requests of a route to an endpoint go through; a route may have its own."""
        breakers = self.state.get("br", {})
        for key in (f"{route}@{endpoint}", f"{route}@{upstream}", endpoint, upstream):
            if key in breakers:
                return key, breakers[key]
        return "", None

    def _upstream(self, route: str, name: str) -> list[Line]:
        row = self.state.get("up", {}).get(name)
        if row is None:
            return [Line("now", f"there is no upstream {name}")]
        ready = f"{show('n', row.get('up_n'))} of {counted(int(row.get('eps') or 0), 'endpoint')} ready"
        lines = [Line("now", f"upstream {name}: {ready}, {_flow(row)}")]
        for key, each in self.state.get("ep", {}).items():
            if each.get("up") != name:
                continue
            _, fuse = self._fuse(route, name, key)
            told = (
                "" if fuse is None else f"; breaker {state_words(fuse.get('st'))}, {progress(fuse, self.m)}"
            )
            busy = f"{show('act', each.get('act'))} under way"
            lines.append(Line("now", f"{each.get('addr')} {each.get('state')}, {busy}{told}"))
        return lines


def _flow(row: Mapping[str, Any]) -> str:
    told = f"{show('rps', row.get('rps'))} requests/s, {show('err', row.get('err'))} failed"
    if row.get("p50") is None:
        return told
    return f"{told}, p50 {show('p50', row.get('p50'))}, p99 {show('p99', row.get('p99'))}"


def running(target: str | None) -> Running | int:
    """Ask a proxy how it is; gives an exit code where it cannot be reached, having said why."""
    found: list[Running] = []

    async def look(feed: Feed) -> int:
        state = await feed.first(WANTED)
        found.append(Running(str(feed.server.get("name")), state, feed.m))
        return Exit.OK

    code = talk(target, "route", look, read_only=True)
    return found[0] if found else code
