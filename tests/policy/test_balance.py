"""Smooth weighted round robin: exact over a cycle, even within it, and never an unusable item."""

from collections import Counter
from collections.abc import Collection
from itertools import groupby
from math import gcd

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.policy.balance import RoundRobin
from appliance.policy.choice import Policy

weights_of_some = st.lists(st.integers(0, 12), min_size=1, max_size=8)


def cycle(weights: list[int]) -> int:
    """Give the number of picks after which all begins again."""
    return sum(weights) // (gcd(*weights) or 1)


class Teller:
    """A predicate that knows which items are usable and keeps which it was asked about."""

    def __init__(self, usable: Collection[int]) -> None:
        self.usable = usable
        self.asked: list[int] = []

    def __call__(self, item: int) -> bool:
        self.asked.append(item)
        return item in self.usable


def picks(policy: Policy, count: int) -> list[int | None]:
    """Pick with everything usable."""
    return [policy.pick() for _ in range(count)]


@pytest.mark.parametrize(
    ("weights", "order"),
    [
        ([5, 1, 1], [0, 0, 1, 0, 2, 0, 0]),
        ([50, 10, 10], [0, 0, 1, 0, 2, 0, 0]),
        ([1, 1, 1], [0, 1, 2]),
        ([100, 100], [0, 1]),
        ([2, 1], [0, 1, 0]),
        ([0, 3, 0, 3], [1, 3]),
        ([7], [0]),
    ],
)
def test_the_order_is_the_one_that_nginx_gives(weights: list[int], order: list[int]) -> None:
    """Weights count in proportion, and the cycle repeats."""
    assert picks(RoundRobin(weights), 2 * len(order)) == order * 2


@settings(deadline=None)
@given(weights_of_some, st.integers(1, 3))
def test_over_a_cycle_each_item_is_chosen_exactly_its_weight_times(weights: list[int], rounds: int) -> None:
    """And so over any number of whole cycles."""
    divisor = gcd(*weights) or 1
    chosen = Counter(picks(RoundRobin(weights), rounds * cycle(weights)))
    assert chosen == +Counter({item: rounds * weight // divisor for item, weight in enumerate(weights)})


@settings(deadline=None)
@given(weights_of_some.filter(any))
@example([2, 1, 1, 1])
@example([6, 4, 4, 4, 1])
def test_an_item_comes_in_a_run_only_if_its_weight_demands_it(weights: list[int]) -> None:
    """One with at most half of the weight never comes three times running; of equal ones none comes twice."""
    runs = [(item, len(list(run))) for item, run in groupby(picks(RoundRobin(weights), 3 * cycle(weights)))]
    for item, length in runs:
        assert item is not None
        if 2 * weights[item] <= sum(weights):
            assert length <= 2
            assert length == 1 or len({weight for weight in weights if weight}) > 1


@settings(deadline=None)
@given(weights_of_some.filter(any))
def test_at_every_moment_each_item_is_close_to_its_share(weights: list[int]) -> None:
    """Never two picks away from it, at any point of a cycle."""
    chosen: Counter[int | None] = Counter()
    for count, item in enumerate(picks(RoundRobin(weights), 2 * cycle(weights)), start=1):
        chosen[item] += 1
        for index, weight in enumerate(weights):
            assert abs(chosen[index] - count * weight / sum(weights)) < 2


@settings(deadline=None)
@given(weights_of_some, st.lists(st.sets(st.integers(0, 7)), max_size=30))
def test_an_unusable_item_is_never_chosen_and_a_usable_one_always(
    weights: list[int], moments: list[set[int]]
) -> None:
    """None is the answer exactly when none of positive weight is usable; each is asked about once at most."""
    policy = RoundRobin(weights)
    for usable in moments:
        tell = Teller(usable)
        chosen = policy.pick(tell)
        assert len(tell.asked) == len(set(tell.asked))
        if chosen is None:
            assert not any(weights[item] for item in usable if item < len(weights))
        else:
            assert chosen in usable
            assert weights[chosen] > 0


@settings(deadline=None)
@given(weights_of_some)
def test_saying_that_all_are_usable_is_the_same_as_saying_nothing(weights: list[int]) -> None:
    """The predicate changes the answer only by what it excludes."""
    quiet, told = RoundRobin(weights), RoundRobin(weights)
    for _ in range(2 * cycle(weights)):
        assert quiet.pick() == told.pick(lambda item: True)


@settings(deadline=None)
@given(weights_of_some.filter(lambda weights: sum(map(bool, weights)) > 1), st.integers(1, 60), st.data())
def test_an_item_that_was_out_comes_back_to_its_share(
    weights: list[int], missed: int, data: st.DataObject
) -> None:
    """Not to a burst for what it missed: over the next cycle it is at most two picks away from its weight."""
    out = data.draw(st.sampled_from([item for item, weight in enumerate(weights) if weight]))
    policy = RoundRobin(weights)
    for _ in range(missed):
        assert policy.pick(lambda item: item != out) != out
    after = Counter(picks(policy, cycle(weights)))
    assert abs(after[out] - weights[out] // gcd(*weights)) <= 2


@settings(deadline=None)
@given(st.integers(2, 8), st.integers(1, 100), st.data())
def test_with_equal_weights_the_usable_ones_take_turns(n: int, weight: int, data: st.DataObject) -> None:
    """An item that is out is passed over, and the others share alike."""
    usable = data.draw(st.sets(st.integers(0, n - 1), min_size=1))
    policy = RoundRobin([weight] * n)
    order = [policy.pick(usable.__contains__) for _ in range(2 * len(usable))]
    assert order == sorted(usable) * 2


def test_an_equal_choice_looks_at_one_item() -> None:
    """With equal weights and everything usable the cost does not grow with the items."""
    tell = Teller(range(1000))
    policy = RoundRobin([100] * 1000)
    for _ in range(5):
        policy.pick(tell)
    assert tell.asked == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("weights", [[], [0], [0, 0]])
def test_nothing_to_choose_from_is_none(weights: list[int]) -> None:
    """Weight 0 means no new requests."""
    assert RoundRobin(weights).pick() is None
    assert RoundRobin(weights).pick(lambda item: True) is None


def test_a_negative_weight_is_refused() -> None:
    """It has no meaning."""
    with pytest.raises(ValueError, match="0 or more"):
        RoundRobin([1, -1])
