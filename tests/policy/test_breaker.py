"""The table of a breaker: every state with everything that can happen in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.config.plan_policy import BreakerPlan
from appliance.policy.breaker import UNHEARD, Breaker, Forced, Shift, State, Verdict

RULES = BreakerPlan(failure_threshold=3, error_rate=0.0, open_for=30.0, success_threshold=2)
OK, FAIL, OVERLOAD, NEUTRAL = Verdict.OK, Verdict.FAIL, Verdict.OVERLOAD, Verdict.NEUTRAL


class Case:
    """A breaker with a clock to turn and what it has told."""

    def __init__(self, rules: BreakerPlan = RULES, state: State = State.CLOSED) -> None:
        self.now = 1000.0
        self.told: list[Shift] = []
        self.breaker = Breaker(rules, self.now, self.told.append)
        if state is not State.CLOSED:
            self.results(*[FAIL] * rules.failure_threshold)
        if state is State.HALF_OPEN:
            self.now += rules.open_for
            self.breaker.settle(self.breaker.admit(self.now), NEUTRAL, self.now)
        assert self.breaker.state is state
        self.told.clear()

    def results(self, *verdicts: Verdict) -> None:
        """Admit and settle one request after the other."""
        for verdict in verdicts:
            ticket = self.breaker.admit(self.now)
            assert ticket
            self.breaker.settle(ticket, verdict, self.now, evidence=verdict.value)


@pytest.mark.parametrize(
    ("state", "verdict", "after"),
    [
        (State.CLOSED, OK, State.CLOSED),
        (State.CLOSED, FAIL, State.CLOSED),
        (State.CLOSED, OVERLOAD, State.CLOSED),
        (State.CLOSED, NEUTRAL, State.CLOSED),
        (State.HALF_OPEN, OK, State.HALF_OPEN),
        (State.HALF_OPEN, FAIL, State.OPEN),
        (State.HALF_OPEN, OVERLOAD, State.OPEN),
        (State.HALF_OPEN, NEUTRAL, State.HALF_OPEN),
    ],
)
def test_one_result_in_each_state(state: State, verdict: Verdict, after: State) -> None:
    """Of a breaker that opens after three failures and closes after two successes."""
    case = Case(state=state)
    case.results(verdict)
    assert case.breaker.state is after


@pytest.mark.parametrize("verdict", list(Verdict))
def test_nothing_is_admitted_while_open_and_no_result_counts(verdict: Verdict) -> None:
    """Until the pause is over; a result that comes now was admitted before."""
    case = Case()
    early = case.breaker.admit(case.now)
    case.results(FAIL, FAIL, FAIL)
    for later in (0.0, 29.9):
        assert not case.breaker.ready(case.now + later)
        assert case.breaker.admit(case.now + later) == 0
    case.breaker.settle(early, verdict, case.now + 1)
    assert (case.breaker.state, case.breaker.until) == (State.OPEN, case.now + 30)


def test_failures_in_a_row_open_it() -> None:
    """A success begins the row anew; overload and neutral ends neither lengthen nor end it."""
    case = Case()
    case.results(FAIL, FAIL, OK, FAIL, OVERLOAD, NEUTRAL, FAIL)
    assert (case.breaker.state, case.breaker.run) == (State.CLOSED, 2)
    case.results(FAIL)
    (shift,) = case.told
    assert (shift.old, shift.new, shift.rule, shift.run) == (State.CLOSED, State.OPEN, "failure_threshold", 3)
    assert shift.until == case.now + 30
    assert shift.evidence == ("fail", "fail", "fail", "overload", "fail", "fail")


def test_a_share_of_failures_opens_it() -> None:
    """Among enough requests, and only those of the window; overload is part of the share."""
    rules = replace(RULES, failure_threshold=0, error_rate=0.5, min_requests=6, window=10.0)
    case = Case(rules)
    case.results(FAIL, FAIL, FAIL, OVERLOAD)
    case.now += 11
    case.results(OK, OK, OK, FAIL, OVERLOAD)
    assert case.breaker.state is State.CLOSED
    case.results(FAIL)
    (shift,) = case.told
    assert (shift.rule, shift.failed, shift.total) == ("error_rate", 3, 6)


def test_a_success_can_be_what_opens_by_share_only_with_a_failure() -> None:
    """The share is looked at when something fails."""
    case = Case(replace(RULES, failure_threshold=0, error_rate=0.5, min_requests=2))
    case.results(FAIL, OK)
    assert case.breaker.state is State.CLOSED
    case.results(FAIL)
    assert case.breaker.state is State.OPEN


def test_whoever_asks_after_the_pause_makes_it_half_open() -> None:
    """Looking does not."""
    case = Case(state=State.OPEN)
    case.now += 30
    assert case.breaker.ready(case.now)
    assert case.breaker.state is State.OPEN
    assert case.breaker.admit(case.now)
    assert case.breaker.state is State.HALF_OPEN
    assert [shift.rule for shift in case.told] == ["open_for"]


def test_half_open_lets_one_at_a_time_through() -> None:
    """Whatever becomes of it, its place comes back."""
    case = Case(state=State.HALF_OPEN)
    for verdict in (NEUTRAL, OK):
        ticket = case.breaker.admit(case.now)
        assert ticket
        assert not case.breaker.ready(case.now)
        assert case.breaker.admit(case.now) == 0
        case.breaker.settle(ticket, verdict, case.now)
        assert case.breaker.ready(case.now)


def test_enough_successes_close_it_and_all_is_forgotten() -> None:
    """The next failure is the first."""
    case = Case(state=State.HALF_OPEN)
    case.results(OK, NEUTRAL, OK)
    assert [shift.rule for shift in case.told] == ["success_threshold"]
    case.results(FAIL, FAIL)
    assert (case.breaker.state, case.breaker.run) == (State.CLOSED, 2)


def test_pauses_grow_after_failed_probes_and_start_anew() -> None:
    """Doubled each time up to the longest; a breaker that has closed begins with the first."""
    case = Case(replace(RULES, open_for=10.0, max_open_for=35.0), State.OPEN)
    pauses = [case.breaker.until - case.now]
    for _ in range(3):
        case.now = case.breaker.until
        case.results(FAIL)
        pauses.append(case.breaker.until - case.now)
    assert pauses == [10.0, 20.0, 35.0, 35.0]
    case.now = case.breaker.until
    case.results(OK, OK, FAIL, FAIL, FAIL)
    assert case.breaker.until - case.now == 10.0


def test_a_long_stream_returns_its_place_and_is_still_heard() -> None:
    """Its success counts at its end, also when the client ends it; its failure opens the breaker again."""
    for end in (OK, NEUTRAL):
        case = Case(state=State.HALF_OPEN)
        stream = case.breaker.admit(case.now)
        case.breaker.provisional(stream, OK, case.now)
        assert (case.breaker.successes, case.breaker.ready(case.now)) == (0, True)
        other = case.breaker.admit(case.now)
        case.breaker.settle(stream, end, case.now)
        assert case.breaker.successes == 1
        assert not case.breaker.ready(case.now)
        case.breaker.settle(other, FAIL, case.now)
        assert case.breaker.state is State.OPEN
    case = Case(state=State.HALF_OPEN)
    stream = case.breaker.admit(case.now)
    case.breaker.provisional(stream, OK, case.now)
    case.breaker.settle(stream, FAIL, case.now)
    assert case.breaker.state is State.OPEN


def test_a_stream_that_goes_on_is_a_success_once() -> None:
    """When it has lasted as long as the first pause, and somebody asks."""
    case = Case(replace(RULES, open_for=10.0, success_threshold=2), State.HALF_OPEN)
    stream = case.breaker.admit(case.now)
    case.breaker.provisional(stream, OK, case.now)
    case.now += 9.9
    case.breaker.settle(case.breaker.admit(case.now), NEUTRAL, case.now)
    assert case.breaker.successes == 0
    case.now += 0.1
    case.breaker.settle(case.breaker.admit(case.now), NEUTRAL, case.now)
    assert (case.breaker.state, case.breaker.successes) == (State.HALF_OPEN, 1)
    case.breaker.settle(stream, OK, case.now)
    assert (case.breaker.state, case.breaker.successes) == (State.HALF_OPEN, 1)
    other = case.breaker.admit(case.now)
    case.breaker.provisional(other, OK, case.now)
    case.now += 10
    assert case.breaker.admit(case.now)
    assert case.breaker.state is State.CLOSED


def test_a_place_is_only_returned_by_who_holds_it() -> None:
    """A provisional word about another request frees nothing."""
    case = Case()
    closed = case.breaker.admit(case.now)
    case.breaker.provisional(closed, FAIL, case.now)
    assert case.breaker.run == 0
    case = Case(state=State.HALF_OPEN)
    case.breaker.admit(case.now)
    case.breaker.provisional(closed, OK, case.now)
    case.breaker.provisional(0, OK, case.now)
    assert not case.breaker.ready(case.now)


def test_forced_open_refuses_until_its_time_is_over() -> None:
    """And what it would say by itself goes on."""
    case = Case()
    ticket = case.breaker.admit(case.now)
    case.breaker.force(Forced(True, case.now + 60, "deploy", "root"))
    assert not case.breaker.ready(case.now + 59)
    assert case.breaker.admit(case.now + 59) == 0
    assert case.breaker.ready_at(case.now) == case.now + 60
    case.breaker.settle(ticket, FAIL, case.now)
    assert (case.breaker.state, case.breaker.run) == (State.CLOSED, 1)
    assert case.breaker.ready(case.now + 60)
    assert case.breaker.forced is not None
    assert case.breaker.admit(case.now + 60)
    assert case.breaker.forced is None


def test_forced_closed_admits_all_and_hears_those_it_would_have_admitted() -> None:
    """So that it may find out by itself that all is well."""
    case = Case(state=State.OPEN)
    case.breaker.force(Forced(False, case.now + 60, "I know", "root"))
    assert case.breaker.ready(case.now)
    assert case.breaker.admit(case.now) == UNHEARD
    case.breaker.settle(UNHEARD, FAIL, case.now)
    assert case.breaker.state is State.OPEN
    case.now += 30
    probe = case.breaker.admit(case.now)
    assert probe not in (0, UNHEARD)
    assert case.breaker.admit(case.now) == UNHEARD
    case.breaker.settle(probe, OK, case.now)
    case.breaker.settle(case.breaker.admit(case.now), OK, case.now)
    assert case.breaker.state is State.CLOSED


def test_an_operator_can_end_what_was_forced_and_begin_anew() -> None:
    """Both at once: what is under way no longer counts."""
    case = Case()
    before = case.breaker.admit(case.now)
    case.results(FAIL, FAIL)
    case.breaker.force(Forced(True, case.now + 60, "x", "root"))
    case.breaker.release()
    case.breaker.reset(case.now)
    case.breaker.settle(before, FAIL, case.now)
    assert (case.breaker.state, case.breaker.run, case.told) == (State.CLOSED, 0, [])
    assert case.breaker.ready_at(case.now) == case.now


def test_what_an_opening_shows_is_bounded() -> None:
    """The latest, however many failed."""
    case = Case(replace(RULES, failure_threshold=50))
    for number in range(50):
        case.breaker.settle(case.breaker.admit(case.now), FAIL, case.now, number)
    assert case.told[0].evidence == tuple(range(30, 50))
