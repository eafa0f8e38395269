"""Retries only where they do no harm, never together, and never more than the budget."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.plan_policy import IDEMPOTENT
from appliance.policy.retry import BUDGET_WINDOW, Budget, Progress, objection, pause

CAUSES = {"connect", "reset", "timeout", "503"}


@pytest.mark.parametrize(
    ("progress", "cause", "method", "says"),
    [
        (Progress.UNSENT, "connect", "GET", ""),
        (Progress.UNSENT, "connect", "POST", ""),
        (Progress.SENT, "reset", "GET", ""),
        (Progress.SENT, "503", "PUT", ""),
        (Progress.SENT, "reset", "POST", "POST may not be repeated"),
        (Progress.SENT, "500", "GET", "500 is not retried"),
        (Progress.UNSENT, "dns", "GET", "dns is not retried"),
        (Progress.BEGUN, "reset", "GET", "the answer had begun"),
        (Progress.BEGUN, "503", "GET", "the answer had begun"),
    ],
)
def test_the_three_grades_of_safety(progress: Progress, cause: str, method: str, says: str) -> None:
    """And the reason why not."""
    assert objection(progress, cause, method, CAUSES, IDEMPOTENT) == says


@given(retry=st.integers(0, 5000), base=st.floats(0, 10), more=st.floats(0, 100), seed=st.integers())
def test_waits_stay_below_their_bound(retry: int, base: float, more: float, seed: int) -> None:
    """Whatever was drawn."""
    waits = pause(retry, base, base + more, Random(seed))
    assert 0 <= waits <= min(base + more, base * 2.0 ** min(retry, 60))


def test_waits_are_spread_over_all_of_it() -> None:
    """From zero on: half of them in the lower half."""
    chance = Random(7)
    waits = [pause(1, 0.025, 0.25, chance) for _ in range(4000)]
    assert max(waits) <= 0.05
    assert 0.45 < sum(wait < 0.025 for wait in waits) / len(waits) < 0.55


@given(
    ratio=st.sampled_from([0.0, 0.2, 1.0]),
    floor=st.sampled_from([0.0, 0.5, 3.0]),
    steps=st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.5, 4.0]), st.booleans()), max_size=200),
)
def test_retries_never_exceed_the_budget(ratio: float, floor: float, steps: list[tuple[float, bool]]) -> None:
    """In the last ten seconds, at every retry that was granted; and one within it is granted."""
    budget, now = Budget(ratio, floor), 1000.0
    requests: list[float] = []
    retries: list[float] = []
    for seconds, again in steps:
        now += seconds
        if not again:
            budget.deposit(now)
            requests.append(now)
            continue
        young = [at for at in retries if at > now - BUDGET_WINDOW * 0.9]
        most = max(floor * BUDGET_WINDOW, ratio * sum(at > now - BUDGET_WINDOW for at in requests))
        least = max(floor * BUDGET_WINDOW, ratio * sum(at > now - BUDGET_WINDOW * 0.9 for at in requests))
        old = sum(at > now - BUDGET_WINDOW for at in retries)
        if budget.withdraw(now):
            retries.append(now)
            assert len(young) + 1 <= most + 1e-9
        else:
            assert old + 1 > least - 1e-9


def test_without_requests_only_the_floor_is_left() -> None:
    """Thirty in ten seconds with three a second."""
    budget = Budget(0.2, 3.0)
    assert sum(budget.withdraw(5.0) for _ in range(100)) == 30
    assert not budget.withdraw(14.9)
    assert budget.withdraw(15.1)
