"""The least busy item for its weight is chosen, and what is level is shared by weight."""

from collections import Counter, deque
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.policy.least import FULL_SCAN, LeastBusy


@dataclass
class Thing:
    """An item."""

    name: str
    weight: int = 1
    in_flight: int = 0


def things(weights: list[int]) -> list[Thing]:
    return [Thing(str(index), weight) for index, weight in enumerate(weights)]


some = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), max_size=FULL_SCAN)


@settings(deadline=None)
@given(some, st.sets(st.integers(0, 7)), st.integers(0, 99))
def test_of_a_few_the_least_busy_is_chosen(loads: list[tuple[int, int]], usable: set[int], seed: int) -> None:
    """No usable item has fewer requests under way for its weight."""
    items = [Thing(str(index), *load) for index, load in enumerate(loads)]
    chosen = LeastBusy(items, Random(seed)).pick(usable.__contains__)
    able = [index for index in usable if index < len(items) and items[index].weight]
    if chosen is None:
        assert not able
    else:
        assert chosen in able
        for index in able:
            rate = items[index].in_flight * items[chosen].weight
            assert items[chosen].in_flight * items[index].weight <= rate


@pytest.mark.parametrize("weights", [[1, 1, 1], [5, 1, 0, 2], [1] * 20, [10] * 10 + [30] * 10])
def test_idle_items_share_by_weight(weights: list[int]) -> None:
    """With nothing under way there is no favourite, neither the first nor the heaviest."""
    policy = LeastBusy(things(weights), Random(5))
    picks = 20_000
    found = Counter(policy.pick() for _ in range(picks))
    for index, weight in enumerate(weights):
        expected = picks * weight / sum(weights)
        assert abs(found[index] - expected) <= 5 * expected**0.5


@pytest.mark.parametrize("weights", [[1, 1, 1], [5, 1, 0, 2], [100, 50, 25], [10] * 10 + [30] * 10])
def test_under_load_the_weights_hold(weights: list[int]) -> None:
    """With all requests alike and ten times the weights under way, shares are within 5 % of the weights."""
    items = things(weights)
    policy = LeastBusy(items, Random(6))
    running: deque[int] = deque()
    found: Counter[int] = Counter()
    for _ in range(40_000):
        chosen = policy.pick()
        assert chosen is not None
        items[chosen].in_flight += 1
        found[chosen] += 1
        running.append(chosen)
        if len(running) > 10 * sum(weights) // min(filter(None, weights)):
            items[running.popleft()].in_flight -= 1
    for index, weight in enumerate(weights):
        expected = 40_000 * weight / sum(weights)
        assert abs(found[index] - expected) <= 0.05 * expected


def test_of_many_the_busy_are_avoided() -> None:
    """An item far busier than the others is never the better of two."""
    items = things([1] * 20)
    items[7].in_flight = 50
    policy = LeastBusy(items, Random(7))
    assert 7 not in {policy.pick() for _ in range(2000)}
    assert policy.pick({7}.__contains__) == 7
    assert policy.pick({7, 8}.__contains__) == 8
    assert policy.pick(lambda index: False) is None


def test_of_many_at_most_two_are_looked_at_when_all_are_usable() -> None:
    """The cost does not grow with the items."""
    asked: list[int] = []

    def tell(index: int) -> bool:
        asked.append(index)
        return True

    LeastBusy(things([1] * 1000), Random(8)).pick(tell)
    assert len(asked) == 2


def test_new_weights_count_when_told() -> None:
    """Also where they change who is looked at."""
    items = things([1] * 9)
    policy = LeastBusy(items, Random(9))
    for item in items[1:]:
        item.weight = 0
    policy.reweigh()
    assert {policy.pick() for _ in range(20)} == {0}
