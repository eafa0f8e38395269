"""Try again, elsewhere if possible, when that can do no harm; and say why, or why not.

Encloses balance, so that a second try chooses anew and every try is judged by the breaker of its own
endpoint; stands below the deadline, which bounds all tries together. What may be repeated is decided in
``policy/retry``; here are the facts that it is decided by. An answer that is to be retried is withheld: the
client sees the last one.
"""

from __future__ import annotations

from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import RESPONSE_TIMEOUT, UPSTREAM_RESET, Fault, Side
from appliance.model.headers import get
from appliance.model.message import Response
from appliance.model.service import Layer, Service
from appliance.policy.retry import Progress, objection, pause
from appliance.policy.verdict import WORDS
from appliance.upstream.target import Target
from appliance.upstream.waiting import sleep

from ..replay import Rewind, keep

_HONOURED = (b"0", b"1")  # seconds of a Retry-After that are waited for here
_GRPC_UNAVAILABLE = "grpc-unavailable"


def retry(target: Target) -> Layer:
    """Give the layer that tries again by the rules of ``target``."""
    rules = _Rules(target)
    statuses = rules.plan.when.statuses
    buffer = rules.plan.buffer
    budget = target.budget

    def wrap(inner: Service) -> Service:
        async def serve(exchange: Exchange) -> Response:
            budget.deposit(exchange.started)
            request = exchange.request
            rewind = None if request.body.ended else keep(request, buffer)
            retries = 0
            while True:
                failed: Fault | None = None
                response: Response | None = None
                try:
                    response = await inner(exchange)
                except Fault as fault:
                    failed = fault
                else:
                    if response.status not in statuses and response.status != 200:
                        return response
                cause = rules.cause(exchange, response, failed)
                if not cause or not await rules.again(exchange, cause, failed, retries, rewind):
                    if response is None:
                        raise failed or RuntimeError("neither an answer nor a fault")
                    return response
                retries += 1

        return serve

    return wrap


class _Rules:
    """What is tried again, for one destination of a route."""

    def __init__(self, target: Target) -> None:
        self.plan = target.plan.retry
        self._target = target
        self._methods = frozenset(self.plan.methods)
        self._causes = {str(status) for status in self.plan.when.statuses} | self.plan.when.words
        self._too_long = f"the body is longer than retry.buffer ({self.plan.buffer} bytes)"
        self._grpc = _GRPC_UNAVAILABLE in self._causes

    def cause(self, exchange: Exchange, response: Response | None, fault: Fault | None) -> str:
        """Name what another try may mend, empty if the try ended otherwise."""
        if fault is not None:
            attempt = exchange.attempt
            if fault.reason.side is not Side.UPSTREAM or attempt is None or exchange.fault is not None:
                return ""
            return WORDS.get(fault.reason, "reset")
        if response is None:
            return ""
        if response.status != 200:
            return str(response.status)
        body = response.body
        if self._grpc and body.ended and get(response.headers, b"grpc-status") == b"14" and exchange.grpc:
            return _GRPC_UNAVAILABLE
        return ""

    async def again(
        self, exchange: Exchange, cause: str, fault: Fault | None, retries: int, rewind: Rewind | None
    ) -> bool:
        """Prepare another try, unless something speaks against it; either way the log learns why."""
        attempt = exchange.attempt
        if attempt is None:
            return False
        now = self._target.cluster.now()
        wait = self._wait(attempt, fault, retries)
        why = self._objection(exchange, cause, fault, retries)
        if not why and attempt.sent and rewind is not None and rewind() is None:
            why = self._too_long
        if not why and now + wait >= min(exchange.response_due, exchange.due):
            why = "the time of the route is over"
        if not why and not self._target.budget.withdraw(now):
            why = f"the retry budget of {self._target.cluster.name} is spent"
        body = None
        if not why and attempt.sent and rewind is not None:
            if attempt.connection is not None:
                await attempt.connection.stop_upload()
            body = rewind()  # only now: until it stopped, the upload could outgrow the buffer
            why = self._too_long if body is None else ""
        where = f"{attempt.endpoint.name}: {cause}"
        if why:
            exchange.note(f"{where}, not again: {why}")
            return False
        exchange.note(f"{where}, again after {wait * 1000:.0f} ms")
        self._leave(exchange, attempt, fault)
        if body is not None:
            exchange.request.body = body
        if wait:
            await sleep(exchange, wait)
        return True

    def _objection(self, exchange: Exchange, cause: str, fault: Fault | None, retries: int) -> str:
        attempt = exchange.attempt
        if attempt is None or attempt.begun:
            progress = Progress.BEGUN
        else:
            progress = Progress.SENT if attempt.sent else Progress.UNSENT
        method = exchange.request.method.decode("latin-1")
        if fault is not None and fault.reason is RESPONSE_TIMEOUT:
            return "the time of the route is over"
        why = objection(progress, cause, method, self._causes, self._methods)
        if not why and retries >= self.plan.max_retries:
            why = f"{retries} of retry.max_retries were made"
        return why

    def _wait(self, attempt: Attempt, fault: Fault | None, retries: int) -> float:
        """Give the seconds before the next try."""
        if _stale(attempt, fault):
            return 0.0
        backoff = self.plan.backoff
        if attempt.response is not None:
            asked = get(attempt.response.headers, b"retry-after")
            if asked in _HONOURED:
                return float(asked)
        return pause(retries, backoff.base, backoff.max, self._target.cluster.chance)

    def _leave(self, exchange: Exchange, attempt: Attempt, fault: Fault | None) -> None:
        """End a try that another one follows: its answer is dropped, its breaker hears."""
        if attempt.response is not None:
            _drop(attempt.response)
        exchange.request.streaming = False
        exchange.fresh = _stale(attempt, fault)
        exchange.tried = (*exchange.tried, attempt.endpoint)
        attempt.end(exchange, fault, self._target.cluster.now())


def _stale(attempt: Attempt, fault: Fault | None) -> bool:
    """Say whether a pooled connection died before an answer: its peer had probably closed it while idle."""
    return fault is not None and fault.reason is UPSTREAM_RESET and attempt.reused


def _drop(response: Response) -> None:
    """Read what has arrived of an answer that nobody will see, so that its connection may serve again."""
    body = response.body
    try:
        body.read_nowait()
    except Fault:
        pass  # malformed: the connection closes, and that is all
    body.abandon()
