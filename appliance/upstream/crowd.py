"""How many requests an upstream has at once, and who waits for a place, in the order of arrival.

A cap is no breaker: it protects an upstream that is well from more than it can do. Whoever finds it full
waits a little, among few; beyond that the answer is 503 at once, because a long queue only makes everybody
late. A place that becomes free is offered to the one who has waited longest, and newcomers stand behind
those that wait. Who cannot use it (it asks for another endpoint) passes it on and keeps its rank.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

from appliance.config.plan_policy import UpstreamLimits
from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import UPSTREAM_FULL, Fault
from appliance.model.headers import Headers

from .waiting import interruptible

_RETRY_AFTER: Headers = [(b"retry-after", b"1")]


class _Turn:
    """One who waits; ``offered`` between the offer of a place and the answer to it."""

    __slots__ = ("event", "offered")

    def __init__(self) -> None:
        self.event = trio.Event()
        self.offered = False


class Crowd:
    """The requests of one upstream: in flight and waiting; ``refused`` counts those sent away."""

    __slots__ = ("_name", "_turns", "in_flight", "limits", "refused")

    def __init__(self, name: str, limits: UpstreamLimits) -> None:
        self.limits = limits
        self.in_flight = 0
        self.refused = 0
        self._name = name
        self._turns: deque[_Turn] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._turns)

    @property
    def full(self) -> bool:
        """Say whether a newcomer has to wait."""
        return self.in_flight >= self.limits.max_requests or bool(self._turns)

    def leave(self) -> None:
        """Count one request less, and offer its place."""
        self.in_flight -= 1
        if self._turns:
            self._offer()

    async def wait(self, exchange: Exchange, choose: Callable[[], Attempt | None]) -> Attempt:
        """Queue until ``choose`` gives an attempt; it is asked whenever a place is free.

        Raises Fault: UPSTREAM_FULL when the queue is full or nothing came in time, what ``choose`` raises,
        or the exchange's own.
        """
        limits = self.limits
        if len(self._turns) >= limits.max_pending:
            raise self._refusal(f"{len(self._turns)} wait already (max_pending)")
        turn = _Turn()
        self._turns.append(turn)
        try:
            with interruptible(exchange, limits.pending_timeout):
                while True:
                    await turn.event.wait()
                    attempt = choose() if self.in_flight < limits.max_requests else None
                    if attempt is not None:
                        turn.offered = False
                        return attempt
                    self._offer()
                    turn.event, turn.offered = trio.Event(), False
        finally:
            self._turns.remove(turn)
            if turn.offered:
                self._offer()
        raise self._refusal(f"no place came within {limits.pending_timeout:g} s (pending_timeout)")

    def _offer(self) -> None:
        for turn in self._turns:
            if not turn.offered:
                turn.offered = True
                turn.event.set()
                return

    def _refusal(self, why: str) -> Fault:
        self.refused += 1
        flight = f"{self._name} has {self.in_flight} requests in flight"
        return Fault(UPSTREAM_FULL, f"{flight}, {why}", _RETRY_AFTER)
