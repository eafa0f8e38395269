"""Exact proportion over every run of a cycle, and no burst after an absence."""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.policy.weighted import Deadlines

weights_of_some = st.lists(st.integers(0, 12), min_size=1, max_size=8).filter(any)


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
    return sum(weights) // gcd(*weights)


def parts(weights: list[int]) -> Counter[int | None]:
    """Give how often each item comes in a cycle."""
    return +Counter({index: weight // gcd(*weights) for index, weight in enumerate(weights)})


@settings(deadline=None)
@given(weights_of_some, st.integers(0, 40))
@example([1000, 999, 3], 7)
@example([100, 99, 98, 97], 50)
def test_any_run_of_a_cycle_has_each_item_its_weight_times(weights: list[int], start: int) -> None:
    """Wherever it begins."""
    policy = Deadlines(things(weights))
    for _ in range(start):
        policy.pick()
    assert Counter(policy.pick() for _ in range(cycle(weights))) == parts(weights)
    assert Counter(policy.pick() for _ in range(2 * cycle(weights))) == parts(weights) + parts(weights)


@pytest.mark.parametrize("out", [None, 0, 1, 2])
@pytest.mark.parametrize("weights", [[57, 111, 1], [17, 1, 19, 51]])
def test_weights_that_divide_nothing_do_not_drift(weights: list[int], out: int | None) -> None:
    """Their spaces are rounded, yet every cycle has the order of the first, after an absence too."""
    length = cycle(weights)
    policy, quiet = Deadlines(things(weights)), Deadlines(things(weights))
    order = [quiet.pick() for _ in range(length)]
    for _ in range(3001):
        policy.pick(lambda index: index != out)
    later = [policy.pick() for _ in range(30 * length)]
    assert later == later[:length] * 30
    assert any(order[turn:] + order[:turn] == later[:length] for turn in range(length))


def test_great_weights_are_exact_too() -> None:
    """Over a whole cycle of 200,003 picks, however fine the spaces are."""
    weights = [100_000, 99_999, 4]
    policy = Deadlines(things(weights))
    assert Counter(policy.pick() for _ in range(200_003)) == parts(weights)


def test_turns_are_spread_over_the_cycle() -> None:
    """The deadlines of 5, 1 and 1 are at 1/10, 3/10, 5/10 (all three), 7/10 and 9/10."""
    policy = Deadlines(things([5, 1, 1]))
    assert [policy.pick() for _ in range(7)] == [0, 0, 0, 1, 2, 0, 0]
    policy = Deadlines(things([1, 1, 1]))
    assert [policy.pick() for _ in range(6)] == [0, 1, 2, 0, 1, 2]


class Slow:
    """The rule spelt out: all deadlines in order, those of unusable items passed over one by one."""

    def __init__(self, weights: list[int]) -> None:
        self.weights = weights
        self.due = [Fraction(1, 2 * weight) if weight else None for weight in weights]

    def pick(self, usable: set[int]) -> int | None:
        if not any(self.weights[index] for index in usable if index < len(self.weights)):
            return None
        while True:
            due, index = min((due, index) for index, due in enumerate(self.due) if due is not None)
            self.due[index] = due + Fraction(1, self.weights[index])
            if index in usable:
                return index


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=6).filter(any),
    st.lists(st.sets(st.integers(0, 5)), max_size=60),
)
def test_an_unusable_item_loses_its_turns_and_nothing_else(
    weights: list[int], moments: list[set[int]]
) -> None:
    """The order is that of the deadlines, with those of unusable items left out."""
    policy, slow = Deadlines(things(weights)), Slow(weights)
    for usable in moments:
        asked: list[int] = []

        def tell(index: int, usable: set[int] = usable, asked: list[int] = asked) -> bool:
            asked.append(index)
            return index in usable

        assert policy.pick(tell) == slow.pick(usable)
        assert len(asked) == len(set(asked))


@settings(deadline=None)
@given(weights_of_some.filter(lambda weights: sum(map(bool, weights)) > 1), st.integers(1, 200), st.data())
def test_after_an_absence_every_cycle_is_exact_again(
    weights: list[int], missed: int, data: st.DataObject
) -> None:
    """No burst for what was missed, from the first pick after the return."""
    out = data.draw(st.sampled_from([index for index, weight in enumerate(weights) if weight]))
    policy = Deadlines(things(weights))
    for _ in range(missed):
        assert policy.pick(lambda index: index != out) != out
    for _ in range(3):
        assert Counter(policy.pick() for _ in range(cycle(weights))) == parts(weights)


@settings(deadline=None)
@given(weights_of_some.filter(lambda weights: sum(map(bool, weights)) > 1), st.data())
def test_the_others_keep_their_proportion_meanwhile(weights: list[int], data: st.DataObject) -> None:
    """While one is out, runs of the others' cycle are exact in their weights."""
    out = data.draw(st.sampled_from([index for index, weight in enumerate(weights) if weight]))
    policy = Deadlines(things(weights))
    for _ in range(data.draw(st.integers(0, 30))):
        policy.pick()
    left = [0 if index == out else weight for index, weight in enumerate(weights)]
    # A cycle of all the weights, undivided, is whole for whichever items are left.
    times = gcd(*left) // gcd(*weights)
    found = Counter(policy.pick(lambda index: index != out) for _ in range(times * cycle(left)))
    assert found == Counter({index: times * count for index, count in parts(left).items()})


@settings(deadline=None)
@given(weights_of_some, weights_of_some, st.integers(0, 40))
def test_new_weights_hold_from_the_first_pick(before: list[int], after: list[int], start: int) -> None:
    """Whatever went before, each run of a cycle of the new weights is exact."""
    items = things((before + [0] * 8)[:8])
    policy = Deadlines(items)
    for _ in range(start):
        policy.pick()
    for item, weight in zip(items, (after + [0] * 8)[:8], strict=True):
        item.weight = weight
    policy.reweigh()
    for _ in range(2):
        assert Counter(policy.pick() for _ in range(cycle(after))) == parts(after)


def test_a_weight_that_grows_in_many_steps_starves_nobody() -> None:
    """With new weights before every pick, each item still gets its part of the whole, within 2 %."""
    items = things([1000, 1000, 1000])
    policy = Deadlines(items)
    found: Counter[int | None] = Counter()
    expected = 0.0
    for step in range(3000):
        items[2].weight = 100 + step % 900
        policy.reweigh()
        found[policy.pick()] += 1
        expected += items[2].weight / (2000 + items[2].weight)
    assert abs(found[2] - expected) < 0.02 * expected
    assert abs(found[0] - found[1]) < 0.02 * found[0]


def test_and_nobody_while_one_is_out() -> None:
    """The same with an item that is never usable: time goes on for the others."""
    items = things([10_000, 1000, 1000])
    policy = Deadlines(items)
    found: Counter[int | None] = Counter()
    expected = 0.0
    for step in range(3000):
        items[2].weight = 100 + step % 900
        policy.reweigh()
        found[policy.pick({1, 2}.__contains__)] += 1
        expected += items[2].weight / (1000 + items[2].weight)
    assert abs(found[2] - expected) < 0.02 * expected


def test_weights_that_did_not_change_change_nothing() -> None:
    """To be told so in the middle of a cycle is not a new beginning."""
    quiet, told = Deadlines(things([3, 2, 7])), Deadlines(things([3, 2, 7]))
    for _ in range(30):
        told.reweigh()
        assert quiet.pick() == told.pick()


@settings(deadline=None)
@given(st.integers(2, 8), st.integers(1, 20))
def test_a_new_list_goes_on_where_the_old_one_was(n: int, start: int) -> None:
    """Among those that stay nobody has two turns before another has one."""
    items = things([1] * n)
    old = Deadlines(items)
    order = [items[old.pick() or 0].name for _ in range(start)]
    kept = items[1:]
    new = Deadlines(kept, old)
    order += [kept[new.pick() or 0].name for _ in range(3 * len(kept))]
    order = [name for name in order if name != "a"]
    for begin in range(len(order) - n + 2):
        window = order[begin : begin + n - 1]
        assert len(set(window)) == len(window)


@pytest.mark.parametrize("weights", [[], [0], [0, 0]])
def test_nothing_to_choose_from_is_none(weights: list[int]) -> None:
    """Weight 0 means no new requests, and None costs nobody a turn."""
    assert Deadlines(things(weights)).pick() is None
    policy = Deadlines(things([2, 1]))
    for _ in range(5):
        assert policy.pick(lambda index: False) is None
    assert [policy.pick() for _ in range(3)] == [0, 1, 0]


def test_the_cost_does_not_grow_with_an_absence() -> None:
    """An item of great weight that is out is skipped in one step, not a turn at a time."""
    policy = Deadlines(things([1_000_000, 1]))
    for _ in range(200):
        assert policy.pick({1}.__contains__) == 1
    found = Counter(policy.pick() for _ in range(2000))
    assert found[0] >= 1999
