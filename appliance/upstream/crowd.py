"""How many requests an upstream has at once, and who waits for a place, in the order of arrival.

A cap is no breaker: it protects an upstream that is well from more than it can do. Whoever finds it full
waits a little, among few; beyond that the answer is 503 at once, because a long queue only makes everybody
late. Whoever leaves chooses for those that wait: the place is given away before anybody else can ask, each
is asked in the order of arrival, and one who cannot use it (it wants another endpoint) keeps its rank.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from appliance.config.plan_policy import UpstreamLimits
from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import UPSTREAM_FULL, Fault
from appliance.model.headers import Headers

from .waiting import interruptible

_RETRY_AFTER: Headers = [(b"retry-after", b"1")]


Choose = Callable[[], Attempt | None]


class _Turn:
    """One who waits, and what it is given: an attempt, or the reason why there is none."""

    __slots__ = ("attempt", "choose", "event", "fault")

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.event = trio.Event()
        self.attempt: Attempt | None = None
        self.fault: Fault | None = None


class Crowd:
    """The requests of one upstream: in flight and waiting (``turns``); ``refused`` counts those sent away."""

    __slots__ = ("_name", "in_flight", "limits", "refused", "turns")

    def __init__(self, name: str, limits: UpstreamLimits) -> None:
        self.limits = limits
        self.in_flight = 0
        self.refused = 0
        self._name = name
        self.turns: list[_Turn] = []

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self.turns)

    @property
    def full(self) -> bool:
        """Say whether a newcomer has to wait."""
        return self.in_flight >= self.limits.max_requests or bool(self.turns)

    def offer(self) -> None:
        """Let all choose that wait, in the order of arrival, while there is a place."""
        for turn in list(self.turns):
            if self.in_flight >= self.limits.max_requests:
                return
            try:
                turn.attempt = turn.choose()
            except Fault as fault:
                turn.fault = fault
            if turn.attempt is not None or turn.fault is not None:
                self.turns.remove(turn)
                turn.event.set()

    async def wait(self, exchange: Exchange, choose: Choose) -> Attempt:
        """Queue until ``choose`` gives an attempt; it is asked, from outside, when a place is free.

        Raises Fault: UPSTREAM_FULL when the queue is full or nothing came in time, what ``choose`` raises,
        or the exchange's own.
        """
        limits = self.limits
        if len(self.turns) >= limits.max_pending:
            raise self._refusal(f"the queue is full (max_pending: {limits.max_pending})")
        turn = _Turn(choose)
        self.turns.append(turn)
        patience = min(limits.pending_timeout, exchange.response_due - trio.current_time())
        try:
            self.offer()
            with interruptible(exchange, patience):
                await turn.event.wait()
        except BaseException:
            if turn.attempt is not None:
                turn.attempt.end(exchange, exchange.fault, turn.attempt.began)
            raise
        finally:
            if turn in self.turns:
                self.turns.remove(turn)
        if turn.attempt is None:
            late = f"no place came within {round(patience, 3):g} s"
            raise turn.fault or self._refusal(f"{late} (pending_timeout, or the time of the route)")
        return turn.attempt

    def _refusal(self, why: str) -> Fault:
        self.refused += 1
        flight = f"{self._name} has {self.in_flight} requests in flight"
        return Fault(UPSTREAM_FULL, f"{flight}, {why}", _RETRY_AFTER)
