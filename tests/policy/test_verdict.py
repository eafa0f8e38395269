"""Each end of a request and what it says of the endpoint; the defaults of the profile are the rules."""

from __future__ import annotations

import pytest

from appliance.config.plan_policy import BreakerPlan, Outcomes
from appliance.model import fault
from appliance.model.fault import UPSTREAM_REFUSED, Fault, Reason, Side
from appliance.policy.breaker import Verdict
from appliance.policy.verdict import WORDS, of_fault, of_grpc, of_status

OK, FAIL, OVERLOAD, NEUTRAL = Verdict.OK, Verdict.FAIL, Verdict.OVERLOAD, Verdict.NEUTRAL
FAILURES = BreakerPlan().failures
REASONS = [value for value in vars(fault).values() if isinstance(value, Reason)]


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((200, 204, 206, 301, 304, 399, 101), OK),
        ((400, 401, 403, 404, 408, 409, 418, 499, 100, 103), NEUTRAL),
        ((429,), OVERLOAD),
        ((500, 501, 502, 503, 504, 599), FAIL),
    ],
)
def test_statuses(statuses: tuple[int, ...], verdict: Verdict) -> None:
    """What blames the request says nothing about the endpoint."""
    assert {of_status(status, FAILURES) for status in statuses} == {verdict}


def test_a_profile_may_say_what_fails() -> None:
    """Statuses that it names, whatever they are, and no others."""
    failures = Outcomes(frozenset({404, 429, 503}))
    assert [of_status(status, failures) for status in (404, 429, 503, 500)] == [FAIL, FAIL, FAIL, NEUTRAL]


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        ((0,), OK),
        ((None, 2, 4, 13, 14, 15, 17, 99), FAIL),
        ((8,), OVERLOAD),
        ((1, 3, 5, 6, 7, 9, 10, 11, 12, 16), NEUTRAL),
    ],
)
def test_grpc_statuses(codes: tuple[int | None, ...], verdict: Verdict) -> None:
    """All seventeen, none at all, and some that there are not."""
    assert {of_grpc(code) for code in codes} == {verdict}


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.id)
def test_only_faults_of_the_upstream_count(reason: Reason) -> None:
    """Every row of the table: the client's and our own say nothing."""
    verdict = of_fault(Fault(reason), FAILURES)
    if reason is UPSTREAM_REFUSED:  # it has too much to do, and has looked at nothing
        assert verdict is OVERLOAD
    else:
        assert verdict is (FAIL if reason.side is Side.UPSTREAM else NEUTRAL)
    assert (reason in WORDS) == (reason.side is Side.UPSTREAM)


@pytest.mark.parametrize("word", ["connect", "reset", "timeout"])
def test_a_profile_may_leave_faults_out(word: str) -> None:
    """By their words."""
    failures = Outcomes(words=frozenset({"connect", "reset", "timeout"} - {word}))
    for reason, told in WORDS.items():
        bad = OVERLOAD if reason is UPSTREAM_REFUSED else FAIL
        assert of_fault(Fault(reason), failures) is (NEUTRAL if told == word else bad)
