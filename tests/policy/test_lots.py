"""Lots fall by weight, and among the usable ones by their weights alone."""

from collections import Counter
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.policy.lots import ByLot, Lots

WEIGHTS = [1, 0, 5, 2, 40, 2, 0, 50]


@dataclass
class Thing:
    """An item."""

    name: str
    weight: int = 1
    in_flight: int = 0


class Highest:
    """The greatest number that chance may give."""

    def random(self) -> float:
        return 1 - 2.0**-53


def close(found: Counter[int], weights: dict[int, float], draws: int) -> bool:
    """Whether counts are within five standard deviations of what the weights say."""
    total = sum(weights.values())
    for index, weight in weights.items():
        part = weight / total
        if abs(found[index] - draws * part) > 5 * (draws * part * (1 - part)) ** 0.5 + 1:
            return False
    return sum(found.values()) == sum(found[index] for index in weights)


@pytest.mark.parametrize("usable", [None, {0, 2, 4, 7}, {0, 2, 3}, {0, 5}, {2}, {0, 1, 6, 7}])
def test_each_usable_item_is_drawn_by_its_weight(usable: set[int] | None) -> None:
    """Also where most of the weight is not usable, and so most draws are in vain."""
    lots = Lots(WEIGHTS, Random(1))
    draws = 20_000
    found: Counter[int] = Counter()
    for _ in range(draws):
        drawn = lots.one(None if usable is None else usable.__contains__)
        assert drawn is not None
        found[drawn] += 1
    allowed = range(8) if usable is None else usable
    assert close(found, {index: WEIGHTS[index] for index in allowed if WEIGHTS[index]}, draws)


@pytest.mark.parametrize("usable", [None, {0, 2, 3, 4}, {2, 3, 5}])
def test_of_two_the_second_is_drawn_among_all_but_the_first(usable: set[int] | None) -> None:
    """Both by weight, and both distinct."""
    lots = Lots(WEIGHTS, Random(2))
    draws = 20_000
    found: Counter[tuple[int, int] | None] = Counter()
    for _ in range(draws):
        found[lots.two(None if usable is None else usable.__contains__)] += 1
    allowed = [index for index in (range(8) if usable is None else usable) if WEIGHTS[index]]
    total = sum(WEIGHTS[index] for index in allowed)
    for first in allowed:
        for second in allowed:
            part = WEIGHTS[first] / total * WEIGHTS[second] / (total - WEIGHTS[first])
            expected = 0.0 if first == second else draws * part
            assert abs(found[first, second] - expected) <= 5 * expected**0.5 + (first != second)


def test_the_only_one_is_drawn_twice_and_nothing_is_none() -> None:
    """Whoever wants two of one gets that one."""
    lots = Lots([0, 4, 2], Random(3))
    assert lots.two({1}.__contains__) == (1, 1)
    assert lots.two({0}.__contains__) is None
    assert lots.one({0}.__contains__) is None
    assert Lots([0, 0], Random(3)).two(None) is None
    assert Lots([], Random(3)).one(None) is None
    assert lots.among([]) is None


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=8), st.sets(st.integers(0, 7)), st.integers(0, 99))
def test_each_item_is_asked_about_once_at_most(weights: list[int], usable: set[int], seed: int) -> None:
    """However many draws it takes; those without weight are not asked about."""
    lots = Lots(weights, Random(seed))
    asked: list[int] = []

    def tell(index: int) -> bool:
        asked.append(index)
        return index in usable

    eligible = {index for index in usable if index < len(weights) and weights[index]}
    for drawn in (lots.one(tell), *(lots.two(tell) or (None,) if not asked.clear() else ())):
        assert len(asked) == len(set(asked))
        assert all(weights[index] for index in asked)
        assert drawn in eligible if eligible else drawn is None


def test_the_greatest_chance_draws_the_last_item() -> None:
    """Rounding does not lead beyond the end of the list, nor to an item without weight."""
    assert Lots([10**8, 3, 0], Highest()).one(None) == 1
    assert Lots([1] * 7 + [0], Highest()).one(None) == 6
    assert Lots([10**8, 3, 0], Highest()).among([0, 1]) == 1


def test_random_takes_new_weights_when_told() -> None:
    """An item whose weight has become 0 is drawn no more, one that has gained some is."""
    items = [Thing("a", 1), Thing("b", 0)]
    policy = ByLot(items, Random(4))
    assert {policy.pick() for _ in range(20)} == {0}
    items[0].weight, items[1].weight = 0, 1
    policy.reweigh()
    assert {policy.pick() for _ in range(20)} == {1}
