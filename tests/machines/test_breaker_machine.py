"""A breaker beside a slow and obvious one: whatever happens in whatever order, they say the same."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from appliance.config.plan_policy import BreakerPlan
from appliance.policy.breaker import Breaker, Shift, State, Verdict


@dataclass(eq=False)
class Sent:
    """A request that was admitted."""

    ticket: int
    period: int
    probe: bool
    began: float = 0.0
    counted: bool = False
    gave_up: bool = False


@dataclass
class Model:
    """The rules, spelt out over the list of all results of the present period."""

    rules: BreakerPlan
    state: State = State.CLOSED
    period: int = 0
    until: float = 0.0
    openings: int = 0
    results: list[Verdict] = field(default_factory=list)
    out: int = 0
    streams: list[Sent] = field(default_factory=list)

    def allows(self, now: float) -> bool:
        if self.state is State.OPEN:
            return now >= self.until
        return self.state is State.CLOSED or self.out == 0

    def enter(self, state: State) -> None:
        self.state, self.period, self.results, self.out = state, self.period + 1, [], 0
        self.streams = []

    def ripen(self, now: float) -> None:
        for stream in list(self.streams):
            if self.state is State.HALF_OPEN and not stream.counted and now - stream.began >= 10.0:
                stream.counted = True
                self.result(Verdict.OK, now)

    def open(self, now: float) -> None:
        self.until = now + min(self.rules.open_for * 2**self.openings, self.rules.max_open_for)
        self.openings += 1
        self.enter(State.OPEN)

    def result(self, verdict: Verdict, now: float) -> None:
        if verdict is Verdict.NEUTRAL:
            return
        self.results.append(verdict)
        if self.state is State.HALF_OPEN:
            if verdict is not Verdict.OK:
                self.open(now)
            elif len(self.results) >= self.rules.success_threshold:
                self.openings = 0
                self.enter(State.CLOSED)
            return
        row = 0
        for each in self.results:
            row = 0 if each is Verdict.OK else row + (each is Verdict.FAIL)
        if verdict is Verdict.FAIL and self.rules.failure_threshold and row >= self.rules.failure_threshold:
            self.open(now)
            return
        bad = sum(each is not Verdict.OK for each in self.results)
        many = len(self.results) >= self.rules.min_requests
        share = self.rules.error_rate * len(self.results)
        if verdict is not Verdict.OK and self.rules.error_rate and many and bad >= share:
            self.open(now)


class Machine(RuleBasedStateMachine):
    """Requests that come, end, hang and are late; the window is longer than any run."""

    sent = Bundle("sent")

    @initialize(
        run=st.integers(0, 4), share=st.sampled_from([0.0, 0.4, 1.0]), few=st.integers(1, 6),
        close=st.integers(1, 3), longest=st.sampled_from([10.0, 25.0]),
    )  # fmt: skip
    def begin(self, run: int, share: float, few: int, close: int, longest: float) -> None:
        rules = BreakerPlan(
            failure_threshold=run, error_rate=share, min_requests=few, window=1e9,
            open_for=10.0, max_open_for=longest, success_threshold=close,
        )  # fmt: skip
        self.now = 5.0
        self.shifts: list[Shift] = []
        self.breaker = Breaker(rules, self.now, self.shifts.append)
        self.model = Model(rules)

    @rule(target=sent)
    def ask(self) -> object:
        looked = self.breaker.ready(self.now)
        before = self.breaker.state
        assert self.breaker.ready(self.now) == looked
        assert self.breaker.state is before
        assert looked == self.model.allows(self.now)
        ticket = self.breaker.admit(self.now)
        assert bool(ticket) == looked
        if not ticket:
            return multiple()
        if self.model.state is State.OPEN:
            self.model.enter(State.HALF_OPEN)
        self.model.ripen(self.now)
        probe = self.model.state is State.HALF_OPEN
        self.model.out += probe
        return Sent(ticket, self.model.period, probe)

    @rule(request=consumes(sent), verdict=st.sampled_from(Verdict))
    def end(self, request: Sent, verdict: Verdict) -> None:
        self.breaker.settle(request.ticket, verdict, self.now)
        if request.period != self.model.period:
            return
        if request in self.model.streams:
            self.model.streams.remove(request)
            if verdict in (Verdict.OK, Verdict.NEUTRAL):
                verdict = Verdict.NEUTRAL if request.counted else Verdict.OK
        else:
            self.model.out -= request.probe and not request.gave_up
        self.model.result(verdict, self.now)

    @rule(target=sent, request=consumes(sent))
    def head_of_a_stream(self, request: Sent) -> object:
        self.breaker.provisional(request.ticket, Verdict.OK, self.now)
        if self.holds_the_place(request):
            self.model.out -= 1
            request.began = self.now
            self.model.streams.append(request)
        return request

    @rule(target=sent, request=consumes(sent))
    def slow_upload(self, request: Sent) -> object:
        self.breaker.provisional(request.ticket, Verdict.NEUTRAL, self.now)
        if self.holds_the_place(request):
            self.model.out -= 1
            request.gave_up = True
        return request

    def holds_the_place(self, request: Sent) -> bool:
        current = request.probe and request.period == self.model.period
        return current and not request.gave_up and request not in self.model.streams

    @rule(seconds=st.sampled_from([0.0, 1.0, 9.9, 10.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "breaker"):
            return
        assert self.breaker.state is self.model.state
        assert self.model.out <= 1
        if self.model.state is State.OPEN:
            assert abs(self.breaker.until - self.model.until) < 1e-9
            assert self.breaker.admit(self.model.until - 0.001) == 0


TestBreaker = Machine.TestCase
TestBreaker.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
