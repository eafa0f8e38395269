"""The breakers of one set of rules over the endpoints of one upstream, and what is told when one moves.

Most routes share the breakers of their upstream; a route that writes rules of its own has its own, so that
what it calls a failure does not shut others out. With ``scope: upstream`` the endpoints share one.

A breaker hears of an attempt when it has ended. With a failure it keeps what the request was, so that a
trip can name the requests that caused it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from appliance.config.plan_policy import BreakerPlan
from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import Fault
from appliance.model.headers import get
from appliance.model.message import Response
from appliance.policy.breaker import OK, Breaker, Shift, State, Verdict
from appliance.policy.verdict import UNKNOWN, of_fault, of_grpc, of_status

LONG = 64 * 1024  # bytes of an answer, from which on a probe does not keep its place until the end
GRPC_FAILURES = frozenset((2, 4, 13, 14, 15))  # UNKNOWN DEADLINE_EXCEEDED INTERNAL UNAVAILABLE DATA_LOSS
PATIENCE = 5.0  # seconds for which a probe keeps its place although the client has not sent all of it


@dataclass(frozen=True, slots=True)
class Evidence:
    """A request that failed: who, what, where, how (status or fault), when and for how long (seconds).

    ``overload``: the endpoint asked to be spared, which is no failure in a row.
    """

    id: str
    method: str
    path: str
    endpoint: str
    how: str
    at: float
    took: float
    overload: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What an endpoint looked like at a moment."""

    name: str
    state: State | None
    in_flight: int
    healthy: bool
    drained: bool


@dataclass(frozen=True, slots=True)
class BreakerShift:
    """A breaker has moved. ``name`` is UPSTREAM/ADDRESS, UPSTREAM, or ROUTE@ before either."""

    name: str
    shift: Shift
    rules: BreakerPlan
    endpoints: tuple[Look, ...]


class Fuse:
    """A breaker under its name and rules: the Guard of the attempts that it admits.

    ``refused`` counts the requests that went nowhere while it let nobody through.
    """

    __slots__ = ("_fine", "_probe", "breaker", "moved", "name", "refused", "rules")

    def __init__(
        self, name: str, rules: BreakerPlan, now: float, moved: Callable[[Fuse, Shift], None]
    ) -> None:
        self.name = name
        self.rules = rules
        self.moved = moved
        self.refused = 0
        self._fine = frozenset(range(200, 400)) - rules.failures.statuses
        self.breaker = Breaker(rules, now, lambda shift: self.moved(self, shift))
        self._probe: tuple[Attempt, Exchange] | None = None

    def follow(self, rules: BreakerPlan, moved: Callable[[Fuse, Shift], None]) -> None:
        """Go by other rules from now on, and tell somebody else; the state stays."""
        self.rules = rules
        self.moved = moved
        self._fine = frozenset(range(200, 400)) - rules.failures.statuses
        self.breaker.follow(rules)

    def ready(self, now: float) -> bool:
        """Say whether an attempt may begin; a probe that waits for its client does not keep others out."""
        if self.breaker.ready(now):
            return True
        if self._probe is None or self.breaker.state is not State.HALF_OPEN:
            return False
        attempt, exchange = self._probe
        if now - attempt.began < PATIENCE or exchange.request.body.ended:
            return False
        self._probe = None
        self.breaker.provisional(attempt.ticket, Verdict.NEUTRAL, now)
        return self.breaker.ready(now)

    def probing(self, attempt: Attempt, exchange: Exchange) -> None:
        """Hear which request has the place of the probe."""
        if attempt.ticket > 0:
            self._probe = attempt, exchange

    def ended(self, attempt: Attempt, exchange: Exchange, fault: Fault | None, now: float) -> None:
        """Settle the ticket of an attempt by how it ended."""
        if self._probe is not None and self._probe[0] is attempt:
            self._probe = None
        response = attempt.response
        if response is not None and response.tunnel is not None:  # its 101 was the success
            fault = None
        well = fault is None and response is not None and response.status in self._fine
        if well and (exchange.request.method != b"POST" or not exchange.grpc):
            self.breaker.settle(attempt.ticket, OK, now)
            return
        verdict = self._judge(attempt, exchange, fault)
        evidence = None
        if verdict is Verdict.FAIL or verdict is Verdict.OVERLOAD:
            evidence = _evidence(attempt, exchange, fault, verdict, now)
        self.breaker.settle(attempt.ticket, verdict, now, evidence)

    def head(self, attempt: Attempt, exchange: Exchange, now: float) -> None:
        """Let a probe whose answer will be long give its place back; its end is still judged."""
        response = attempt.response
        if self.breaker.state is not State.HALF_OPEN or response is None:
            return
        if response.tunnel is not None:
            self.breaker.settle(attempt.ticket, OK, now)
            attempt.ticket = 0
            return
        if response.body.ended:
            return
        length = response.body.length
        if length is None or length > LONG:
            verdict = of_status(response.status, self.rules.failures)
            evidence = None if verdict is Verdict.OK else _evidence(attempt, exchange, None, verdict, now)
            self.breaker.provisional(attempt.ticket, verdict, now, evidence)

    def _judge(self, attempt: Attempt, exchange: Exchange, fault: Fault | None) -> Verdict:
        response = attempt.response
        if fault is not None:
            return of_fault(fault, self.rules.failures)
        if response is None:
            return Verdict.NEUTRAL
        if response.status == 200 and exchange.grpc:
            return of_grpc(grpc_status(response))
        return of_status(response.status, self.rules.failures)


class Fuses:
    """The breakers of one set of rules, made as endpoints are asked for; none at all without rules.

    ``known`` are those that there are, by the names of endpoints.
    """

    __slots__ = ("_moved", "_name", "_now", "_shared", "known", "rules")

    def __init__(
        self,
        name: str,
        rules: BreakerPlan | None,
        now: Callable[[], float],
        moved: Callable[[Fuses, Fuse, Shift], None],
    ) -> None:
        """``name`` is UPSTREAM, or ROUTE@UPSTREAM."""
        self.rules = rules
        self._name = name
        self._now = now
        self._moved = partial(moved, self)
        self.known: dict[str, Fuse] = {}
        self._shared: Fuse | None = None

    def of(self, endpoint: str) -> Fuse | None:
        """Give the breaker of the endpoint with this name."""
        fuse = self.known.get(endpoint)
        return fuse if fuse is not None else self._make(endpoint)

    def all(self) -> list[Fuse]:
        """Give every breaker that has been asked for, each once."""
        return list(dict.fromkeys(self.known.values()))

    def follow(self, rules: BreakerPlan | None, moved: Callable[[Fuses, Fuse, Shift], None]) -> None:
        """Go by other rules from now on; breakers over another scope, or none, begin anew."""
        if rules is None or self.rules is None or rules.scope != self.rules.scope:
            self.known.clear()
            self._shared = None
        self.rules = rules
        self._moved = partial(moved, self)
        if rules is not None:
            for fuse in self.all():
                fuse.follow(rules, self._moved)

    def forget(self, endpoint: str) -> None:
        """Drop the breaker of an endpoint that is gone."""
        self.known.pop(endpoint, None)

    def _make(self, endpoint: str) -> Fuse | None:
        rules = self.rules
        if rules is None:
            return None
        fuse = self._shared
        if fuse is None:
            name = self._name if rules.scope == "upstream" else f"{self._name}/{endpoint}"
            fuse = Fuse(name, rules, self._now(), self._moved)
            if rules.scope == "upstream":
                self._shared = fuse
        self.known[endpoint] = fuse
        return fuse


def grpc_status(response: Response) -> int | None:
    """Give the gRPC status of an answer that has been read, None if it ended without one."""
    raw = get(response.body.trailers, b"grpc-status") or get(response.headers, b"grpc-status")
    if raw is None:
        return None
    return int(raw) if raw.isdigit() and len(raw) < 4 else UNKNOWN


def _evidence(
    attempt: Attempt, exchange: Exchange, fault: Fault | None, verdict: Verdict, now: float
) -> Evidence:
    return Evidence(
        exchange.id,
        exchange.request.method.decode("latin-1"),
        exchange.path.decode("latin-1"),
        attempt.endpoint.name,
        _how(attempt.response, exchange, fault),
        now,
        now - attempt.began,
        verdict is Verdict.OVERLOAD,
    )


def _how(response: Response | None, exchange: Exchange, fault: Fault | None) -> str:
    if fault is not None:
        return fault.reason.id
    if response is None:
        return "-"
    if response.status != 200 or not exchange.grpc:
        return str(response.status)
    status = grpc_status(response)
    return "no grpc-status" if status is None else f"grpc-status {status}"
