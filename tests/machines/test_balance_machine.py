"""All policies through the same life: whatever happens in whatever order, a pick keeps to the rules.

The model is a table of what each item is now. It says who may be chosen; which of them, each policy's own
tests say. What can be said of that in any state is said here too: the least busy is chosen where all are
looked at, a key stays with its item, and turns are shared by weight as long as nothing changes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import gcd
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from appliance.config.schema_parts import BALANCE
from appliance.policy.balance import make
from appliance.policy.choice import Policy
from appliance.policy.least import FULL_SCAN


@dataclass
class Thing:
    """An item; whether it is usable only the machine knows."""

    name: str
    weight: int
    in_flight: int = 0
    usable: bool = True


weights = st.one_of(st.integers(0, 4), st.sampled_from([100, 1000, 10_000]))
keys = st.sampled_from([b"", b"a", b"b", b"user-7"])
NAMES = [f"host-{number}" for number in range(12)]


class Machine(RuleBasedStateMachine):
    """Six policies over the same items."""

    @initialize(given=st.lists(weights, max_size=12), seed=st.integers(0, 2**16))
    def begin(self, given: list[int], seed: int) -> None:
        self.now = 10.0
        self.chance = Random(seed)
        self.items = [Thing(NAMES[index], weight) for index, weight in enumerate(given)]
        self.policies: dict[str, Policy] = {kind: make(kind, self.items, self.chance) for kind in BALANCE}
        self.homes: dict[bytes, list[str]] = {}

    def able(self) -> list[int]:
        return [index for index, item in enumerate(self.items) if item.usable and item.weight]

    def choose(self, kind: str, key: bytes) -> int | None:
        """Pick, and hold the pick to what is true of every policy."""
        asked: list[int] = []

        def usable(index: int) -> bool:
            asked.append(index)
            return self.items[index].usable

        if all(item.usable for item in self.items) and self.chance.random() < 0.5:
            chosen = self.policies[kind].pick(None, key, self.now)
        else:
            chosen = self.policies[kind].pick(usable, key, self.now)
            assert len(asked) == len(set(asked))
            assert all(self.items[index].weight for index in asked)
            assert chosen is None or chosen in asked
        able = self.able()
        assert chosen in able if able else chosen is None
        return chosen

    @rule(kind=st.sampled_from(BALANCE), key=keys, times=st.integers(1, 12))
    def send(self, kind: str, key: bytes, times: int) -> None:
        for _ in range(times):
            chosen = self.choose(kind, key)
            if chosen is not None:
                self.items[chosen].in_flight += 1

    @rule(place=st.integers(0, 11), seconds=st.floats(0, 70), failed=st.booleans())
    def end(self, place: int, seconds: float, failed: bool) -> None:
        if place < len(self.items):
            item = self.items[place]
            item.in_flight = max(0, item.in_flight - 1)
            for policy in self.policies.values():
                policy.heard(place, seconds, failed, self.now)

    @rule(seconds=st.sampled_from([0.0, 0.001, 1.0, 30.0, 1e5]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(places=st.sets(st.integers(0, 11)))
    def only_some_are_usable(self, places: set[int]) -> None:
        for index, item in enumerate(self.items):
            item.usable = index in places

    @rule()
    def all_are_usable(self) -> None:
        for item in self.items:
            item.usable = True

    @rule(place=st.integers(0, 11), weight=weights)
    def new_weight(self, place: int, weight: int) -> None:
        if place < len(self.items):
            self.items[place].weight = weight
            self.homes.clear()
            for policy in self.policies.values():
                policy.reweigh()

    @rule(place=st.integers(0, 11))
    def one_goes(self, place: int) -> None:
        if place < len(self.items):
            gone = self.items[place].name
            self.another_list([item for item in self.items if item.name != gone])
            self.homes = {key: [name for name in names if name != gone] for key, names in self.homes.items()}

    @rule(name=st.sampled_from(NAMES), weight=weights, place=st.integers(0, 12))
    def one_comes(self, name: str, weight: int, place: int) -> None:
        if all(item.name != name for item in self.items):
            items = list(self.items)
            items.insert(place, Thing(name, weight))
            self.another_list(items)
            self.homes.clear()

    @rule(order=st.randoms(use_true_random=False))
    def another_order(self, order: Random) -> None:
        items = list(self.items)
        order.shuffle(items)
        self.another_list(items)

    def another_list(self, items: list[Thing]) -> None:
        self.items = items
        self.policies = {kind: make(kind, items, self.chance, old) for kind, old in self.policies.items()}

    @rule(key=keys)
    def a_key_keeps_its_own_order(self, key: bytes) -> None:
        """The item of a key is the first usable one of an order that only new items and weights change."""
        policy = self.policies["consistent_hash"]
        if key not in self.homes:
            order: list[str] = []
            while True:
                index = policy.pick(lambda index: self.items[index].name not in order, key)
                if index is None:
                    break
                order.append(self.items[index].name)
            assert len(order) == sum(item.weight > 0 for item in self.items)
            self.homes[key] = order
        chosen = self.choose("consistent_hash", key)
        usable = {self.items[index].name for index in self.able()}
        expected = next((name for name in self.homes[key] if name in usable), None)
        assert (None if chosen is None else self.items[chosen].name) == expected

    @rule()
    def the_least_busy_is_chosen(self) -> None:
        if sum(item.weight > 0 for item in self.items) > FULL_SCAN:
            return
        chosen = self.choose("least_conn", b"")
        if chosen is not None:
            best = self.items[chosen]
            for index in self.able():
                item = self.items[index]
                assert best.in_flight * item.weight <= item.in_flight * best.weight

    @rule(times=st.integers(1, 2))
    def a_whole_cycle_is_shared_by_weight(self, times: int) -> None:
        able = self.able()
        total = sum(self.items[index].weight for index in able)
        divisor = gcd(*(self.items[index].weight for index in able)) or 1
        if not 0 < total // divisor <= 200:
            return
        for kind in ("weighted", "round_robin"):
            found = Counter(self.choose(kind, b"") for _ in range(times * total // divisor))
            for index in able:
                off = abs(found[index] - times * self.items[index].weight // divisor)
                # Exact when all take part; turns may begin with credits left from what was before.
                exact = kind == "weighted" and len(able) == sum(item.weight > 0 for item in self.items)
                assert off <= (0 if exact else 3)

    @invariant()
    def every_policy_answers(self) -> None:
        if hasattr(self, "policies"):
            for kind in BALANCE:
                self.choose(kind, b"k")


TestBalance = Machine.TestCase
TestBalance.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
