"""A circuit breaker: closed, open, half-open; pure, and told the time.

    CLOSED      all pass; opens after so many failures in a row, or at a share of failures in a window
    OPEN        none passes until the pause is over; the next one who asks then makes it half-open
    HALF_OPEN   one at a time passes, as a probe; enough successes close it, one failure opens it again

A ticket names the period in which it was given, which changes at every transition. A result that
comes with a ticket of an earlier period changes nothing, so what was sent before an outage cannot
prolong it, and a success that is late cannot end it. The place of a probe is a lease: whatever
happens to its request, settling the ticket returns it. A stream that is long may return its place
early; its success counts at its end, or when it has gone on for as long as the first pause.

Looking (``ready``) never changes anything; asking for a ticket does. There is no timer: a breaker that
nobody asks stays as it is.

An operator may force it open or closed for a time. What the breaker would say goes on beneath: forced
closed, those that it would have admitted are its probes and its witnesses, the others are nobody's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Any, Final, Literal, Protocol

from .window import Window

UNHEARD: Final = -1
"""The ticket of a request that passed only because the breaker is forced closed."""

MAX_EVIDENCE: Final = 20
SHOWN: Final = 24
"""Results that ``history`` shows."""
_SERIAL: Final = 1 << 32


class State(Enum):
    """What a breaker says."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Verdict(Enum):
    """What the end of a request says about the endpoint.

    ``OVERLOAD`` (429, RESOURCE_EXHAUSTED) counts for the share of failures and fails a probe, but is no
    failure in a row; ``NEUTRAL`` says nothing.
    """

    OK = "ok"
    FAIL = "fail"
    OVERLOAD = "overload"
    NEUTRAL = "neutral"


OK: Final = Verdict.OK
_CLOSED: Final = State.CLOSED

Rule = Literal["failure_threshold", "error_rate", "open_for", "success_threshold", "probe"]


@dataclass(frozen=True, slots=True)
class Shift:
    """One transition: by which rule, with what counts, and for an opening the failures behind it.

    ``since`` is when the old state began, ``until`` when probes begin (seconds), 0 unless it opened.
    ``evidence`` is what was handed to ``settle`` with the failures that counted, the latest last.
    """

    old: State
    new: State
    at: float
    rule: Rule
    run: int
    failed: int
    total: int
    until: float
    evidence: tuple[Any, ...]
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Forced:
    """What an operator has set: until when (seconds), why, and who."""

    open: bool
    until: float
    reason: str
    by: str


class Rules(Protocol):
    """The settings that a breaker goes by; durations in seconds, 0 turns a rule off."""

    @property
    def failure_threshold(self) -> int:
        """Failures in a row."""

    @property
    def error_rate(self) -> float:
        """A share of the window, 0 to 1."""

    @property
    def min_requests(self) -> int:
        """Results in the window before its share counts."""

    @property
    def window(self) -> float:
        """Its length."""

    @property
    def open_for(self) -> float:
        """The first pause."""

    @property
    def max_open_for(self) -> float:
        """The longest pause."""

    @property
    def success_threshold(self) -> int:
        """Probes in a row that close it."""


class Breaker:
    """The breaker of one endpoint, or of several that share it.

    ``state`` is what it would say by itself; ``forced`` what an operator has put before that. ``told`` is
    called with every Shift, in the middle of the call that made it. ``oks`` counts successes, ``failures``
    says how many there had been at each of the last failures.
    """

    __slots__ = (
        "_closed_ticket", "_evidence", "_lease", "_period", "_rules", "_serial", "_streams", "_told",
        "_usual", "_window", "failures", "forced", "oks", "openings", "run", "since", "state", "successes",
        "until",
    )  # fmt: skip

    def __init__(self, rules: Rules, now: float, told: Callable[[Shift], None] = lambda _: None) -> None:
        self._rules = rules
        self._told = told
        self._window = Window(rules.window)
        self._evidence: deque[Any] = deque(maxlen=MAX_EVIDENCE)
        self._period = 1
        self._serial = 0
        self._closed_ticket = self._usual = _SERIAL
        self._lease = 0
        self._streams: dict[int, float] = {}
        self.state = State.CLOSED
        self.since = now
        self.until = 0.0
        self.run = 0
        self.successes = 0
        self.openings = 0
        self.oks = 0
        self.failures: deque[int] = deque(maxlen=SHOWN)
        self.forced: Forced | None = None

    def ready(self, now: float) -> bool:
        """Say whether a ticket would be given now; changes nothing."""
        forced = self.forced
        if forced is not None and now < forced.until:
            return not forced.open
        if self.state is State.CLOSED:
            return True
        if self.state is State.OPEN:
            return now >= self.until
        return not self._lease

    def ready_at(self, now: float) -> float:
        """Give when a ticket can be had at the earliest, as far as is known."""
        forced = self.forced
        if forced is not None and forced.open and now < forced.until:
            return forced.until
        return max(now, self.until) if self.state is State.OPEN else now

    def admit(self, now: float) -> int:
        """Give a ticket, to be settled once; 0 is a refusal."""
        if self._usual:
            return self._usual
        forced = self.forced
        if forced is not None and now >= forced.until:
            self.release()
            forced = None
        if forced is None:
            return self._own(now)
        return 0 if forced.open else self._own(now) or UNHEARD

    def settle(self, ticket: int, verdict: Verdict, now: float, evidence: Any = None) -> None:
        """Tell how a request ended; ``evidence`` is kept with failures for whoever asks why it opened."""
        if verdict is OK and ticket == self._closed_ticket and self.state is _CLOSED:
            self.run = 0
            self.oks += 1
            window = self._window
            if now < window.until:
                window.total += 1
            else:
                window.add(False, now)
            return
        if ticket // _SERIAL != self._period:
            return
        if self.state is State.CLOSED:
            self._count(verdict, now, evidence)
            return
        if ticket == self._lease:
            self._lease = 0
        began = self._streams.pop(ticket, None)
        if began is not None and verdict in (OK, Verdict.NEUTRAL):
            verdict = Verdict.NEUTRAL if began == inf else OK  # it was well for as long as anybody listened
        self._probed(verdict, now, evidence)

    def provisional(self, ticket: int, verdict: Verdict, now: float, evidence: Any = None) -> None:
        """Return a probe's place before its end, at which it is still settled.

        OK is for the head of a long stream: unless the stream fails, it is a success in the end.
        """
        if not ticket or ticket != self._lease:
            return
        self._lease = 0
        if verdict is OK:
            self._streams[ticket] = now
        else:
            self._probed(verdict, now, evidence)

    def force(self, forced: Forced) -> None:
        """Put what an operator wants before what the breaker says."""
        self.forced = forced
        self._usual = 0

    def release(self) -> None:
        """Let the breaker speak for itself again."""
        self.forced = None
        self._usual = self._closed_ticket if self.state is _CLOSED else 0

    def follow(self, rules: Rules) -> None:
        """Go by other rules from now on; the state stays, and so do results in a window as long."""
        if rules.window != self._rules.window:
            self._window = Window(rules.window)
        self._rules = rules

    def reset(self, now: float) -> None:
        """Begin anew as closed, forgetting all results; what is under way no longer counts."""
        self._enter(State.CLOSED, now)
        self.openings = 0

    def share(self, now: float) -> tuple[int, int]:
        """Give how many results of the window were failures, and how many there were."""
        self._window.advance(now)
        return self._window.failed, self._window.total

    def history(self) -> str:
        """Give the last results that counted, the oldest first: ``o`` for a success, ``x`` for a failure."""
        told = ""
        end = self.oks
        for mark in reversed(self.failures):
            told = "x" + "o" * min(end - mark, SHOWN) + told
            end = mark
            if len(told) >= SHOWN:
                break
        return ("o" * min(end, SHOWN) + told)[-SHOWN:]

    def _own(self, now: float) -> int:
        """Give the ticket that the breaker would give if nobody forced it."""
        if self.state is State.CLOSED:
            return self._closed_ticket
        if self.state is State.OPEN:
            if now < self.until:
                return 0
            self._shift(State.HALF_OPEN, "open_for", now)
        if self._lease:
            return 0
        if self._streams and self._ripen(now):
            return self._closed_ticket
        self._serial += 1
        self._lease = self._period * _SERIAL + self._serial
        return self._lease

    def _count(self, verdict: Verdict, now: float, evidence: Any) -> None:
        """Take a result while closed."""
        if verdict is Verdict.NEUTRAL:
            return
        rules = self._rules
        self._window.add(True, now)
        self._evidence.append(evidence)
        self.failures.append(self.oks)
        if verdict is Verdict.FAIL:
            self.run += 1
            if rules.failure_threshold and self.run >= rules.failure_threshold:
                self._open("failure_threshold", now)
                return
        failed, total = self._window.failed, self._window.total
        if rules.error_rate and total >= rules.min_requests and failed >= rules.error_rate * total:
            self._open("error_rate", now)

    def _ripen(self, now: float) -> bool:
        """Count the streams that have gone on for long; says whether that has closed the breaker."""
        for ticket, began in list(self._streams.items()):
            if now - began >= self._rules.open_for:
                self._streams[ticket] = inf
                self._probed(OK, now, None)
                if self.state is _CLOSED:
                    return True
        return False

    def _probed(self, verdict: Verdict, now: float, evidence: Any) -> None:
        """Take a result while half-open."""
        if verdict in (Verdict.FAIL, Verdict.OVERLOAD):
            self._evidence.append(evidence)
            self.failures.append(self.oks)
            self._open("probe", now)
        elif verdict is OK:
            self.oks += 1
            self.successes += 1
            if self.successes >= self._rules.success_threshold:
                self.openings = 0
                self._shift(State.CLOSED, "success_threshold", now)

    def _open(self, rule: Rule, now: float) -> None:
        pause = min(
            self._rules.open_for * 2 ** min(self.openings, 30),
            max(self._rules.max_open_for, self._rules.open_for),
        )
        self.openings += 1
        self.until = now + pause
        self._shift(State.OPEN, rule, now)

    def _shift(self, new: State, rule: Rule, now: float) -> None:
        self._window.advance(now)
        shift = Shift(
            self.state, new, now, rule, self.run, self._window.failed, self._window.total,
            self.until if new is State.OPEN else 0.0,
            tuple(self._evidence) if new is State.OPEN else (), self.since,
        )  # fmt: skip
        self._enter(new, now)
        self._told(shift)

    def _enter(self, new: State, now: float) -> None:
        self.state = new
        self.since = now
        self._period += 1
        self._closed_ticket = self._period * _SERIAL
        self._usual = self._closed_ticket if new is _CLOSED and self.forced is None else 0
        self._lease = 0
        self._streams.clear()
        self.successes = 0
        if new is State.CLOSED:
            self.run = 0
            self._window.clear()
            self._evidence.clear()
