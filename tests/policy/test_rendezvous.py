"""A key stays where it is unless its item leaves, and shares follow the weights."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.policy.rendezvous import PLACES, Rendezvous, place_of

KEYS = [f"user-{number}".encode() for number in range(20_000)]


@dataclass
class Thing:
    """An item."""

    name: str
    weight: int = 1
    in_flight: int = 0


def things(weights: list[int]) -> list[Thing]:
    return [Thing(f"10.0.0.{index}:8080", weight) for index, weight in enumerate(weights)]


def homes(items: list[Thing], out: frozenset[int] = frozenset()) -> dict[bytes, str]:
    """Give the name of the item of each key while those of ``out`` are not usable."""
    policy = Rendezvous(items)
    found = {}
    for key in KEYS:
        index = policy.pick((lambda index: index not in out) if out else None, key)
        assert index is not None
        found[key] = items[index].name
    return found


def near(count: int, expected: float, tolerance: float) -> bool:
    return abs(count - expected) <= tolerance * expected


@pytest.mark.parametrize(
    ("weights", "tolerance"),
    [([1, 1, 1], 0.05), ([100, 50, 0, 25], 0.08), ([1] * 20, 0.15), ([3, 1] * 10, 0.2), ([1] * 100, 0.3)],
)
def test_shares_of_keys_follow_the_weights(weights: list[int], tolerance: float) -> None:
    """Within what so many keys and places allow."""
    found = Counter(homes(things(weights)).values())
    for index, weight in enumerate(weights):
        assert near(found[f"10.0.0.{index}:8080"], len(KEYS) * weight / sum(weights), tolerance)


@pytest.mark.parametrize(("n", "tolerance"), [(3, 0.02), (20, 0.06)])
def test_places_are_shared_evenly(n: int, tolerance: float) -> None:
    """Four standard deviations of what chance gives, and no more."""
    policy = Rendezvous(things([7] * n))
    found = Counter(policy.order(place)[0] for place in range(PLACES))
    assert all(near(found[index], PLACES / n, tolerance) for index in range(n))


def test_the_same_everywhere() -> None:
    """Fixed for good: a key's items in another process, or after an update, are the same."""
    policy = Rendezvous(things([1, 1, 2, 5]))
    assert [policy.pick(None, f"user-{number}".encode()) for number in range(12)] == [
        0,
        2,
        2,
        3,
        3,
        2,
        3,
        3,
        2,
        0,
        3,
        1,
    ]
    assert place_of(b"") == 0
    assert place_of(b"user-1") == 46561
    assert policy.order(0) == [2, 0, 3, 1]


@pytest.mark.parametrize("weights", [[1] * 5, [4, 1, 2, 2, 3]])
@pytest.mark.parametrize("leaver", [0, 3])
def test_when_one_leaves_only_its_keys_move(weights: list[int], leaver: int) -> None:
    """Taken from the list, not usable, or without weight: all the same, and the others get their shares."""
    items = things(weights)
    before = homes(items)
    gone = items[leaver].name
    left = [item for item in items if item.name != gone]
    after = homes(left)
    assert homes(items, frozenset({leaver})) == after
    moved = [key for key in KEYS if before[key] != after[key]]
    assert moved == [key for key in KEYS if before[key] == gone]
    assert near(len(moved), len(KEYS) * weights[leaver] / sum(weights), 0.1)
    got = Counter(after[key] for key in moved)
    for item in left:
        assert near(got[item.name], len(moved) * item.weight / sum(each.weight for each in left), 0.15)
    items[leaver].weight = 0
    assert homes(items) == after


def test_the_order_of_the_list_does_not_matter() -> None:
    """A resolver may give the same addresses in another order."""
    items = things([1, 2, 3, 4])
    assert homes(items) == homes(items[::-1])


def test_a_changed_weight_moves_keys_only_to_or_from_its_item() -> None:
    """A slow start takes keys from all alike, and gives none to others."""
    items = things([100] * 4)
    policy = Rendezvous(items)
    rows = []
    for weight in (10, 40, 100):
        items[1].weight = weight
        policy.reweigh()
        rows.append([policy.pick(None, key) for key in KEYS])
    for before, after in pairwise(rows):
        assert {new for old, new in zip(before, after, strict=True) if old != new} == {1}
    assert near(rows[0].count(1), len(KEYS) * 10 / 310, 0.1)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=6), st.binary(max_size=9), st.lists(st.sets(st.integers(0, 5))))
def test_the_first_usable_one_in_the_keys_own_order_is_chosen(
    weights: list[int], key: bytes, moments: list[set[int]]
) -> None:
    """Asked about in that order, each once at most, and none without weight."""
    policy = Rendezvous(things(weights))
    order = policy.order(place_of(key))
    assert sorted(order) == [index for index, weight in enumerate(weights) if weight]
    for usable in moments:
        asked: list[int] = []

        def tell(index: int, usable: set[int] = usable, asked: list[int] = asked) -> bool:
            asked.append(index)
            return index in usable

        chosen = policy.pick(tell, key)
        assert chosen == next((index for index in order if index in usable), None)
        assert asked == order[: len(asked)]
    assert policy.pick(None, key) == (order[0] if order else None)


@pytest.mark.parametrize(
    "keys",
    [
        [f"{number}".encode() for number in range(20_000)],
        [f"{number:08d}".encode() for number in range(0, 2_000_000, 100)],
        [number.to_bytes(4, "big") for number in range(20_000)],
        [number.to_bytes(4, "little") for number in range(20_000)],
        [f"/shop/item/{number}/view".encode() for number in range(20_000)],
    ],
    ids=["numbers", "hundreds", "big", "little", "paths"],
)
def test_keys_that_are_alike_spread_as_well(keys: list[bytes]) -> None:
    """Numbers in a row fill nearly as many places as chance would, and items get even shares."""
    places = Counter(map(place_of, keys))
    assert len(places) > 0.9 * PLACES * (1 - (1 - 1 / PLACES) ** len(keys))
    policy = Rendezvous(things([1] * 10))
    found = Counter(policy.pick(None, key) for key in keys)
    assert all(near(found[index], len(keys) / 10, 0.12) for index in range(10))
