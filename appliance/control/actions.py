"""What operators can do to a running proxy: each action checked, bounded in time, told and remembered.

An action may say what its operator saw (``expect``); if that is not so any more, nothing is done. The same id
from the same peer has its first result again for five minutes, so that a client may ask again safely. What
is set for a time ends by itself; ``tick`` sees to it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import trio

from appliance.config.diff_text import render
from appliance.model.fault import CANCELLED, Fault
from appliance.model.text import PRINTABLE, counted
from appliance.model.units import format_duration
from appliance.policy.breaker import Forced
from appliance.proxy.worker import Worker
from appliance.upstream.breakers import Fuse
from appliance.upstream.cluster import Cluster
from appliance.upstream.endpoint import Endpoint
from appliance.upstream.probe import check

from .audit import RATE, Audit, Key
from .board import Board
from .command import Order, Refused, Result, done, expected
from .reload import Outcome, Reloader
from .roles import Peer
from .things import endpoint_state

FORCE_FOR: Final = 600.0
LEVEL_FOR: Final = 600.0
_MOST: Final = 1000  # changes
_TEXT: Final = 100_000  # characters of a difference
_LOOKS: Final = frozenset(("profile.validate", "profile.diff", "endpoint.check"))
"""Ops that change nothing, so that asking again is asking anew."""
_ARGS: Final[Mapping[str, frozenset[str]]] = {
    "breaker.force": frozenset(("breaker", "state", "ttl", "reason")),
    "breaker.reset": frozenset(("breaker", "reason")),
    "breaker.clear": frozenset(("breaker", "reason")),
    "endpoint.drain": frozenset(("endpoint", "ttl", "reason", "last")),
    "endpoint.undrain": frozenset(("endpoint", "reason")),
    "endpoint.weight": frozenset(("endpoint", "weight", "reason", "last")),
    "endpoint.check": frozenset(("endpoint",)),
    "request.cancel": frozenset(("rid", "reason")),
    "log.level": frozenset(("level", "ttl", "reason")),
}
_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
_log = logging.getLogger("meshctl")


@dataclass(frozen=True, slots=True)
class _Override:
    """What an operator has set on an endpoint."""

    by: str
    reason: str
    until: float


class Actions:
    """Does what operators ask for. ``reloader`` may be None where there is no file."""

    def __init__(
        self, worker: Worker, board: Board, reloader: Reloader | None, now: Callable[[], float]
    ) -> None:
        self._worker = worker
        self._board = board
        self._reloader = reloader
        self._now = now
        self._drains: dict[Endpoint, _Override] = {}
        self._forced: dict[str, float] = {}
        self._level: tuple[int, float] | None = None
        self._busy: set[Key] = set()
        self._audit = Audit(worker.bulletin, now)
        self._ops: dict[str, Callable[[Order], Awaitable[Result]]] = {
            "breaker.force": self._force,
            "breaker.reset": self._reset,
            "breaker.clear": self._clear,
            "endpoint.drain": self._drain,
            "endpoint.undrain": self._undrain,
            "endpoint.weight": self._weight,
            "endpoint.check": self._check,
            "profile.validate": self._diff,
            "profile.diff": self._diff,
            "profile.reload": self._reload,
            "request.cancel": self._cancel,
            "log.level": self._log_level,
            "proxy.drain": self._drain_all,
            "proxy.stop": self._stop,
        }

    async def run(self, peer: Peer, command: Mapping[str, Any]) -> Result:
        """Do one command: ``{id, op, args, expect, dry_run}``; what is wrong with it is a result, too."""
        id, op = command.get("id"), command.get("op")
        args, expect = command.get("args", {}), command.get("expect") or {}
        if not isinstance(id, str) or not 0 < len(id) <= 100:
            return Result("invalid", "a command has an id of at most 100 characters")
        if not isinstance(op, str) or not isinstance(args, dict) or not isinstance(expect, dict):
            return Result("invalid", "op is a text, args and expect are objects")
        who = peer.uid if peer.uid is not None else peer.address
        if not self._audit.in_pace(who):
            return Result("busy", f"more than {RATE:g} commands a second")
        order = Order(args, expect, command.get("dry_run") is True, peer)
        if op not in self._ops:
            there = ", ".join(self._ops)
            result = Result("unsupported", f"there is no {op[:50]}; there are {there}")
            self._audit.refuse(op, order, result)
            return result
        if peer.role != "operator" or self._worker.plan.stats.actions != "operator":
            result = Result("denied", "this needs an operator; you may only look")
            self._audit.refuse(op, order, result)
            return result
        unknown = sorted(args.keys() - _ARGS.get(op, frozenset(("reason",))))
        if unknown:
            there = ", ".join(sorted(_ARGS.get(op, ("reason",))))
            return Result("invalid", f"{op} has no args.{unknown[0][:50]}; it has {there}")
        key = (who, id)
        asked = {"op": op, "args": args}
        looks = order.dry_run or op in _LOOKS
        before = None if looks else self._audit.result_of(key, asked)
        if before is not None:
            return before
        if key in self._busy:
            return Result("busy", "this command is being done")
        self._busy.add(key)
        try:
            result = await self._ops[op](order)
        except Refused as refused:
            result = refused.result
        finally:
            self._busy.discard(key)
        if not looks:
            self._audit.remember(key, asked, result)
        if not order.dry_run and op not in ("profile.validate", "profile.diff"):
            self._audit.tell(op, order, result)
        return result

    def tick(self) -> None:
        """End what has been set for a time that is over."""
        now = self._now()
        for name in [name for name, until in self._forced.items() if now >= until]:
            del self._forced[name]
            known = self._board.fuses.get(name)
            if known is not None:
                if known[0].breaker.forced is not None:
                    known[0].breaker.release()
                self._say("breaker", name, f"breaker {name} speaks for itself again: its time is over")
        if self._drains:
            self._end_drains(now)
        if self._level is not None and now >= self._level[1]:
            _log.setLevel(self._level[0])
            self._level = None

    def _end_drains(self, now: float) -> None:
        """Let endpoints have requests again whose time is over; forget those that are gone."""
        homes = {
            each: cluster
            for cluster in self._worker.current().clusters.values()
            for each in cluster.endpoints
        }
        for endpoint, override in list(self._drains.items()):
            cluster = homes.get(endpoint)
            if cluster is None or not endpoint.drained:
                del self._drains[endpoint]
            elif now >= override.until:
                del self._drains[endpoint]
                endpoint.drained = False
                cluster.warm(endpoint)
                name = f"{cluster.name}/{endpoint.name}"
                self._say("endpoint", name, f"endpoint {name} is no longer drained: its time is over")

    def debug_for(self, seconds: float) -> None:
        """Log everything for a time."""
        usual = _log.level if self._level is None else self._level[0]
        self._level = (usual, self._now() + seconds)
        _log.setLevel(logging.DEBUG)

    def overrides(self, endpoint: Endpoint) -> dict[str, Any]:
        """Give what is told of an endpoint that an operator has drained."""
        override = self._drains.get(endpoint)
        if override is None:
            return {"by": None, "reason": None, "until": None}
        until = None if override.until == inf else self._board.moment(override.until)
        return {"by": override.by, "reason": override.reason, "until": until}

    # breakers

    def _breaker(self, order: Order) -> tuple[Fuse, Cluster]:
        name = order.word("breaker")
        self._board.refresh()
        known = self._board.fuses.get(name)
        if known is None:
            names = ", ".join(list(self._board.fuses)[:5]) or "none"
            raise Refused("not_found", f"there is no breaker {name[:100]}; there are {names}")
        expected(order, self._board.breaker(name) or {}, ("st", "since"), name)
        return known

    async def _force(self, order: Order) -> Result:
        fuse, cluster = self._breaker(order)
        state = order.word("state")
        if state not in ("open", "closed"):
            raise Refused("invalid", "args.state is open or closed")
        ttl = order.ttl(FORCE_FOR)
        until = "until it is cleared" if ttl == inf else f"for {format_duration(round(ttl, 3))}"
        what = "its failures stop nothing"
        if state == "open":
            behind = [each for each in cluster.endpoints if cluster.fuses.of(each.name) is fuse]
            what = "nothing is sent" + (_left(self._usable(cluster, behind), cluster) if behind else "")
        if not order.dry_run:
            forced = Forced(state == "open", self._now() + ttl, order.reason, order.peer.label)
            fuse.breaker.force(forced)
            self._forced.pop(fuse.name, None)
            if ttl < inf:
                self._forced[fuse.name] = forced.until
        return self._told(order, fuse.name, f"force breaker {fuse.name} {state} {until}: {what}")

    async def _reset(self, order: Order) -> Result:
        fuse, _ = self._breaker(order)
        if not order.dry_run:
            self._forced.pop(fuse.name, None)
            fuse.breaker.release()
            fuse.breaker.reset(self._now())
        return self._told(order, fuse.name, f"reset breaker {fuse.name}: closed, all results forgotten")

    async def _clear(self, order: Order) -> Result:
        fuse, _ = self._breaker(order)
        if fuse.breaker.forced is None:
            raise Refused("conflict", f"breaker {fuse.name} is not forced", self._board.breaker(fuse.name))
        if not order.dry_run:
            self._forced.pop(fuse.name, None)
            fuse.breaker.release()
        return self._told(order, fuse.name, f"clear breaker {fuse.name}: it speaks for itself")

    def _told(self, order: Order, name: str, plan: str) -> Result:
        return Result("ok", done(order, plan), self._board.breaker(name) or {})

    # endpoints

    def _endpoint(self, order: Order) -> tuple[Cluster, Endpoint]:
        name = order.word("endpoint")
        clusters = self._worker.current().clusters
        for cluster in clusters.values():
            for endpoint in cluster.endpoints:
                if f"{cluster.name}/{endpoint.name}" == name:
                    state = endpoint_state(endpoint, cluster.fuses.of(endpoint.name), self._now())
                    now = {"state": state, "weight": endpoint.full_weight, "act": endpoint.in_flight}
                    expected(order, now, ("state", "weight"), name)
                    return cluster, endpoint
        names = [f"{row.name}/{each.name}" for row in clusters.values() for each in row.endpoints]
        raise Refused("not_found", f"there is no endpoint {name[:100]}; there are {', '.join(names[:5])}")

    async def _drain(self, order: Order) -> Result:
        cluster, endpoint = self._endpoint(order)
        ttl = order.ttl(inf) if "ttl" in order.args else inf
        left = self._without(order, cluster, endpoint)
        until = "" if ttl == inf else f" for {format_duration(round(ttl, 3))}"
        if not order.dry_run:
            endpoint.drained = True
            self._drains[endpoint] = _Override(order.peer.label, order.reason, self._now() + ttl)
        plan = f"drain endpoint {cluster.name}/{endpoint.name}{until}: no new requests{left}"
        return Result(
            "ok", f"{done(order, plan)}, {endpoint.in_flight} in flight", {"act": endpoint.in_flight}
        )

    def _without(self, order: Order, cluster: Cluster, endpoint: Endpoint) -> str:
        """Say how many endpoints stay usable without one; refuses to take the last, unless that is meant."""
        usable = self._usable(cluster, [endpoint])
        if not usable and self._usable(cluster, []) and order.args.get("last") is not True:
            raise Refused(
                "conflict",
                f"this takes the last usable endpoint of {cluster.name}, and then every request fails; "
                "say so if it is meant (args.last: true, --last)",
            )
        return _left(usable, cluster)

    def _usable(self, cluster: Cluster, without: Collection[Endpoint]) -> int:
        """Count the endpoints that may have requests, but for some."""
        now = self._now()
        return sum(
            each not in without
            and each.full_weight > 0
            and endpoint_state(each, cluster.fuses.of(each.name), now) == "up"
            for each in cluster.endpoints
        )

    async def _undrain(self, order: Order) -> Result:
        cluster, endpoint = self._endpoint(order)
        name = f"{cluster.name}/{endpoint.name}"
        if not endpoint.drained:
            raise Refused("conflict", f"endpoint {name} is not drained")
        if not order.dry_run:
            endpoint.drained = False
            self._drains.pop(endpoint, None)
            cluster.warm(endpoint)
        return Result("ok", done(order, f"undrain endpoint {name}: it may have requests again"))

    async def _weight(self, order: Order) -> Result:
        cluster, endpoint = self._endpoint(order)
        weight = order.args.get("weight")
        if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= 1_000_000:
            raise Refused("invalid", "args.weight is a whole number, 0 to 1000000")
        before = endpoint.full_weight
        left = "" if weight else self._without(order, cluster, endpoint)
        if not order.dry_run:
            cluster.set_weight(endpoint, weight)
        name = f"{cluster.name}/{endpoint.name}"
        plan = f"weigh endpoint {name} {weight} instead of {before}, until a reload{left}"
        return Result("ok", done(order, plan), {"weight": weight})

    async def _check(self, order: Order) -> Result:
        cluster, endpoint = self._endpoint(order)
        plan = cluster.plan.health
        name = f"{cluster.name}/{endpoint.name}"
        if plan is None:
            raise Refused("failed", f"upstream {cluster.name} has no health checks in the profile")
        why = await check(endpoint.probe_dial, endpoint.address, endpoint.host, plan)
        text = f"endpoint {name} is well" if not why else f"endpoint {name} is not well: {why}"
        return Result("ok", text.translate(PRINTABLE), {"ok": not why, "why": why})

    # the rest

    async def _diff(self, order: Order) -> Result:
        return await self._load(order, dry_run=True)

    async def _reload(self, order: Order) -> Result:
        return await self._load(order, dry_run=order.dry_run)

    async def _load(self, order: Order, *, dry_run: bool) -> Result:
        expect = order.expect.get("digest", "")
        if "digest" in order.expect and not (isinstance(expect, str) and expect):
            raise Refused("invalid", "expect.digest is that of the file that was shown")
        if self._reloader is None:
            raise Refused("unsupported", "there is no file to load")
        with trio.CancelScope(shield=not dry_run):  # whoever asked may leave; half a reload must not be
            outcome = await self._reloader.reload(dry_run=dry_run, expect=expect)
        code = "ok" if outcome.ok else "conflict" if outcome.other else "failed"
        return Result(code, outcome.text, outcome_fields(outcome))

    async def _cancel(self, order: Order) -> Result:
        rid = order.word("rid")
        found = [each for each in self._worker.ending.live if each.id == rid]
        if not found:
            raise Refused("not_found", f"no request {rid[:100]} is under way")
        exchange = found[0]
        if not order.dry_run:
            exchange.fail(Fault(CANCELLED, order.reason and f"by {order.peer.label}: {order.reason}"))
        return Result("ok", done(order, f"cancel request {rid}"))

    async def _log_level(self, order: Order) -> Result:
        word = order.word("level")
        if word not in _LEVELS:
            raise Refused("invalid", f"args.level is one of {', '.join(_LEVELS)}")
        ttl = order.ttl(LEVEL_FOR)
        until = "until it is set anew" if ttl == inf else f"for {format_duration(round(ttl, 3))}"
        if not order.dry_run:
            usual = _log.level if self._level is None else self._level[0]
            self._level = (usual, self._now() + ttl)
            _log.setLevel(_LEVELS[word])
        return Result("ok", done(order, f"log {word} {until}"))

    async def _drain_all(self, order: Order) -> Result:
        if self._worker.draining:
            raise Refused("conflict", "the proxy drains already; proxy.stop ends what is under way")
        return await self._stop(order)

    async def _stop(self, order: Order) -> Result:
        """Stop as by a signal: the first time it drains, the second it ends at once."""
        left = counted(self._worker.in_flight, "request")
        if not order.dry_run:
            self._worker.stop()
        return Result("ok", done(order, f"stop the proxy: {left} under way"))

    def _say(self, kind: str, subject: str, text: str) -> None:
        _log.info("%s", text)
        self._worker.bulletin.add(kind, "info", subject, text)


def _left(usable: int, cluster: Cluster) -> str:
    return f", {usable} of {counted(len(cluster.endpoints), 'endpoint')} left"


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """Give what came of a reload, for machines."""
    changes = [{"path": each.path, "kind": each.kind} for each in outcome.changes[:_MOST]]
    told = render(outcome.changes, ("running", "on disk"), False)[:_TEXT] if outcome.changes else ""
    problems = outcome.problems[:_TEXT]
    return {
        "gen": outcome.generation,
        "digest": outcome.digest,
        "changes": changes,
        "diff": told,
        "problems": problems,
    }
