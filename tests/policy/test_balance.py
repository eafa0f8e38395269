"""Smooth weighted round robin is exact over a cycle and even within it; policies are made by name."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby
from math import gcd
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.config.schema_parts import BALANCE
from appliance.policy.balance import RoundRobin, Turns, make, shares
from appliance.policy.choice import Policy

weights_of_some = st.lists(st.integers(0, 12), min_size=1, max_size=8)


@dataclass
class Thing:
    """An item."""

    name: str
    weight: int = 1
    in_flight: int = 0


def things(weights: list[int]) -> list[Thing]:
    return [Thing(chr(97 + index), weight) for index, weight in enumerate(weights)]


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
@given(
    st.lists(st.sampled_from([1, 2, 3, 5, 100, 1000]), min_size=2, max_size=6),
    st.lists(st.tuples(st.sets(st.integers(0, 5), min_size=1), st.integers(1, 20)), max_size=5),
    st.sets(st.integers(0, 5), min_size=1),
)
@example([100, 100, 2, 1], [({0, 1, 2, 3}, 50)], {2, 3})
def test_when_others_leave_nobody_is_owed_many_turns(
    weights: list[int], before: list[tuple[set[int], int]], left: set[int]
) -> None:
    """Those that are left share by weight at once, within three picks, whoever was there before."""
    policy = RoundRobin(weights)
    for usable, times in before:
        for _ in range(times):
            policy.pick(usable.__contains__)
    total = sum(weights[item] for item in left if item < len(weights))
    chosen: Counter[int | None] = Counter()
    for count in range(1, 41):
        chosen[policy.pick(left.__contains__)] += 1
        for item in left:
            if item < len(weights):
                assert abs(chosen[item] - count * weights[item] / total) <= 3


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


@settings(deadline=None)
@given(weights_of_some)
def test_items_take_turns_as_their_weights_alone_would(weights: list[int]) -> None:
    """And so does a split in shares."""
    expected = picks(RoundRobin(weights), 2 * cycle(weights))
    assert picks(Turns(things(weights)), 2 * cycle(weights)) == expected
    assert picks(shares(weights), 2 * cycle(weights)) == expected


@settings(deadline=None)
@given(weights_of_some, st.integers(0, 60), st.integers(2, 1000))
def test_a_change_of_scale_changes_nothing(weights: list[int], start: int, scale: int) -> None:
    """Weights that are all multiplied are the same weights, in the middle of a round as well."""
    items = things(weights)
    quiet, told = Turns(things(weights)), Turns(items)
    for _ in range(start):
        assert quiet.pick() == told.pick()
    for item in items:
        item.weight *= scale
    told.reweigh()
    assert picks(quiet, cycle(weights)) == picks(told, cycle(weights))


@settings(deadline=None)
@given(weights_of_some.filter(any), weights_of_some.filter(any), st.integers(0, 60))
def test_after_new_weights_each_item_is_close_to_its_share(
    before: list[int], after: list[int], start: int
) -> None:
    """At most three picks away from it over any time since, however great the weights were before."""
    items = things((before + [0] * 8)[:8])
    for item in items:
        item.weight *= 1000
    policy = Turns(items)
    picks(policy, start)
    weights = (after + [0] * 8)[:8]
    for item, weight in zip(items, weights, strict=True):
        item.weight = weight
    policy.reweigh()
    chosen: Counter[int | None] = Counter()
    for count, item in enumerate(picks(policy, 2 * cycle(weights)), start=1):
        chosen[item] += 1
        for index, weight in enumerate(weights):
            assert abs(chosen[index] - count * weight / sum(weights)) <= 3


@pytest.mark.parametrize("weights", [[1, 1, 1, 1], [5, 1, 1, 3]])
def test_a_slow_start_is_fair_all_the_while(weights: list[int]) -> None:
    """With new weights before every third pick each item has its part of the whole, within 2 %."""
    items = things([weight * 100 for weight in weights])
    policy = Turns(items)
    chosen: Counter[int | None] = Counter()
    expected = [0.0] * 4
    for step in range(3000):
        items[0].weight = weights[0] * (10 + step // 40)
        policy.reweigh()
        for _ in range(3):
            chosen[policy.pick()] += 1
            for index, item in enumerate(items):
                expected[index] += item.weight / sum(each.weight for each in items)
    for index in range(4):
        assert abs(chosen[index] - expected[index]) < 0.02 * expected[index]


@settings(deadline=None)
@given(st.integers(2, 8), st.integers(0, 20))
def test_a_new_list_goes_on_where_the_old_one_was(n: int, start: int) -> None:
    """Among those that stay nobody has two turns before another has one."""
    items = things([1] * n)
    old = Turns(items)
    order = [items[index or 0].name for index in picks(old, start)]
    kept = items[:-1] if n > 2 else items
    new = Turns(kept, old)
    order += [kept[index or 0].name for index in picks(new, 3 * len(kept))]
    order = [name for name in order if name in {item.name for item in kept}]
    for begin in range(len(order) - len(kept) + 1):
        assert len(set(order[begin : begin + len(kept)])) == len(kept)


def test_every_policy_of_a_profile_can_be_made() -> None:
    """And nothing else; with no items there is nothing to pick."""
    for kind in BALANCE:
        policy = make(kind, [], Random(0))
        assert policy.pick() is None
        assert make(kind, things([0, 1]), Random(0), policy).pick() == 1
    with pytest.raises(ValueError, match="no way to balance"):
        make("by_mood", [], Random(0))


@pytest.mark.parametrize("kind", ["round_robin", "weighted", "ewma"])
def test_what_a_policy_knows_goes_to_the_next_list(kind: str) -> None:
    """By name: here that the first had its turn, or was slow."""
    old = make(kind, things([1, 1]), Random(0))
    for index, seconds in enumerate((3.0, 0.1)):
        old.heard(index, seconds, False, 1.0)
    assert kind == "ewma" or old.pick() == 0
    for seed in range(5):
        assert make(kind, things([1, 1]), Random(seed), old).pick(None, b"", 1.0) == 1


def test_a_policy_of_another_kind_hands_nothing_on() -> None:
    """When an operator changes the policy, the new one begins afresh."""
    for before in BALANCE:
        for after in BALANCE:
            old = make(before, things([1, 2]), Random(0))
            old.pick()
            assert make(after, things([1, 2]), Random(0), old).pick() in {0, 1}
