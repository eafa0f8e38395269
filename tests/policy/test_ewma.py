"""The faster one is preferred; one that turns slow is left, tried again, and never loved for failing fast."""

from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.policy.ewma import PENALTY, PENALTY_RATIO, TAU, PeakEwma


@dataclass
class Thing:
    """An item, and how it would answer: seconds, and whether it fails."""

    name: str
    weight: int = 1
    in_flight: int = 0
    takes: float = 0.010
    fails: bool = False


def things(weights: list[int]) -> list[Thing]:
    return [Thing(chr(97 + index), weight) for index, weight in enumerate(weights)]


@dataclass
class Traffic:
    """Requests at a steady rate, and their answers in the order in which they come."""

    items: list[Thing]
    policy: PeakEwma
    now: float = 100.0
    jitter: float = 0.0
    chance: Random = field(default_factory=lambda: Random(99))
    running: list[tuple[float, int, float]] = field(default_factory=list)

    def run(self, seconds: float, rate: float) -> Counter[str]:
        """Give how many requests each item got in so many seconds."""
        found: Counter[str] = Counter()
        for _ in range(round(seconds * rate)):
            self.now += 1 / rate
            while self.running and self.running[0][0] <= self.now:
                end, index, took = heappop(self.running)
                self.items[index].in_flight -= 1
                self.policy.heard(index, took, self.items[index].fails, end)
            chosen = self.policy.pick(None, b"", self.now)
            assert chosen is not None
            item = self.items[chosen]
            item.in_flight += 1
            found[item.name] += 1
            takes = item.takes * (1 + self.jitter * self.chance.random())
            heappush(self.running, (self.now + takes, chosen, takes))
        return found


def traffic(weights: list[int], jitter: float = 0.0, seed: int = 1) -> Traffic:
    items = things(weights)
    return Traffic(items, PeakEwma(items, Random(seed)), jitter=jitter)


@pytest.mark.parametrize("rate", [10, 1000, 20_000])
@pytest.mark.parametrize("weights", [[1, 1, 1], [300, 100], [5, 1, 0, 2], [1] * 15 + [3] * 5])
def test_with_equal_latencies_the_weights_hold(weights: list[int], rate: int) -> None:
    """Within 10 %, and half a request under way (of 10 or 200 at the greater rates)."""
    world = traffic(weights)
    world.run(2000 / rate, rate)
    found = world.run(20_000 / rate, rate)
    for item in world.items:
        expected = 20_000 * item.weight / sum(weights)
        half = 0.5 * 20_000 / (rate * 0.010) if rate > 100 and item.weight else 0
        assert abs(found[item.name] - expected) <= 0.1 * expected + half


def test_the_faster_one_is_preferred() -> None:
    """Of two of which one needs five times as long, nearly all goes to the other until it is busy."""
    world = traffic([1, 1])
    world.items[0].takes = 0.050
    world.run(1, 50)
    found = world.run(20, 50)
    assert found["b"] > 0.95 * sum(found.values())


def test_one_that_turns_slow_is_left_at_once_and_found_again() -> None:
    """A single slow answer is enough to leave; after it is well again it has its share within a minute."""
    world = traffic([1, 1, 1])
    world.run(10, 200)
    world.items[1].takes = 2.0
    first = world.run(2, 200)
    assert first["b"] < 0.05 * sum(first.values())
    slow = world.run(60, 200)
    assert 1 <= slow["b"] < 0.01 * sum(slow.values())
    world.items[1].takes = 0.010
    world.run(60, 200)
    well = world.run(30, 200)
    assert well["b"] > 0.25 * sum(well.values())


def test_fast_failures_do_not_attract() -> None:
    """One that refuses all in a tenth of a millisecond gets a request now and then."""
    world = traffic([1, 1, 1])
    world.run(10, 500)
    world.items[2].takes, world.items[2].fails = 0.0001, True
    world.run(1, 500)
    found = world.run(120, 500)
    assert 1 <= found["c"] < 0.002 * sum(found.values())
    world.items[2].takes, world.items[2].fails = 0.010, False
    world.run(90, 500)
    well = world.run(30, 500)
    assert well["c"] > 0.25 * sum(well.values())


def test_failures_of_slow_services_do_not_attract_either() -> None:
    """Where good answers take three seconds and 30 are under way, one of a second would look good."""
    world = traffic([1, 1, 1])
    for item in world.items:
        item.takes = 3.0
    world.run(30, 20)
    world.items[0].takes, world.items[0].fails = 0.001, True
    world.run(10, 20)
    found = world.run(60, 20)
    assert found["a"] < 0.01 * sum(found.values())


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), st.booleans(), st.floats(0, 60)), min_size=1, max_size=30))
def test_what_a_sample_does_to_the_estimate(samples: list[tuple[float, bool, float]]) -> None:
    """A slower one becomes it, a faster one lowers it, a failure never does."""
    policy = PeakEwma(things([1]), Random(0))
    now = 5.0
    estimate = PENALTY
    for count, (seconds, failed, pause) in enumerate(samples):
        now += pause
        policy.heard(0, seconds, failed, now)
        new = policy.reading(0, now)
        if failed:
            assert new >= max(estimate, PENALTY, seconds)
        elif count == 0 or seconds >= estimate:
            assert new == seconds
        else:
            assert seconds <= new <= estimate * (1 + 1e-12)
        estimate = new


def test_a_faster_past_fades_with_the_time_constant() -> None:
    """After TAU seconds 37 % of the difference is left."""
    policy = PeakEwma(things([1]), Random(0))
    policy.heard(0, 2.0, False, 0.0)
    policy.heard(0, 1.0, False, TAU)
    assert policy.reading(0, TAU) == pytest.approx(1.3679, abs=1e-4)


def test_a_failure_counts_ten_times_the_cost_of_a_good_answer_if_that_is_more() -> None:
    """The penalty follows what answers take, times what is under way."""
    items = things([1, 1])
    items[0].in_flight = 6
    policy = PeakEwma(items, Random(0))
    policy.heard(0, 4.0, False, 1.0)
    policy.heard(1, 0.001, True, 1.0)
    assert policy.reading(1, 1.0) == PENALTY_RATIO * 4.0 * 7


def test_the_typical_answer_is_an_average_and_goes_to_the_next_list() -> None:
    """One slow answer does not make a typical one, and a new list does not begin without any."""
    items = things([1, 1])
    policy = PeakEwma(items, Random(0))
    policy.heard(0, 0.2, False, 1.0)
    policy.heard(0, 4.0, False, 1.0)
    new = PeakEwma(items, Random(0), policy)
    new.heard(0, 9.0, False, 1.0)
    for each in (new, policy):
        each.heard(1, 0.001, True, 1.0)
        assert each.reading(1, 1.0) == pytest.approx(PENALTY_RATIO * 0.2)


def test_a_new_one_is_tried_soon_and_not_flooded() -> None:
    """Among ten it is found within 50 requests, and gets one until it has answered."""
    world = traffic([1] * 10)
    world.run(5, 500)
    world.items.append(Thing("new", takes=1.5))
    world.policy = PeakEwma(world.items, Random(3), world.policy)
    assert world.run(0.1, 500)["new"] == 1
    assert world.run(1.2, 500)["new"] == 0


def test_after_a_silence_a_slow_one_is_asked_once_and_not_by_all() -> None:
    """When many requests come at once after an idle hour, the slow one gets few before it has answered."""
    world = traffic([1, 1, 1])
    world.items[0].takes = 5.0
    world.run(30, 100)
    world.now += 3600
    found = world.run(3, 200)
    assert found["a"] <= 3


def test_being_idle_does_not_make_one_of_two_equals_better() -> None:
    """An item that was not chosen for a minute reads as before, at the typical latency."""
    policy = PeakEwma(things([1, 1]), Random(0))
    for index in (0, 1):
        policy.heard(index, 0.2, False, 1.0)
    policy.heard(0, 0.2, False, 61.0)
    assert policy.reading(1, 61.0) == pytest.approx(policy.reading(0, 61.0))


def test_what_was_heard_is_kept_with_new_weights_and_a_new_list() -> None:
    """By name, wherever the item stands then."""
    items = things([1, 2, 3])
    policy = PeakEwma(items, Random(0))
    for index, seconds in enumerate((0.1, 0.2, 0.3)):
        policy.heard(index, seconds, False, 1.0)
    items[0].weight = 5
    policy.reweigh()
    assert [policy.reading(index, 1.0) for index in range(3)] == [0.1, 0.2, 0.3]
    new = PeakEwma([items[2], Thing("z"), items[0]], Random(0), policy)
    assert [new.reading(index, 1.0) for index in range(3)] == [0.3, 0.0, 0.1]


def test_nothing_to_choose_from_is_none() -> None:
    """And a single one is chosen whatever it costs."""
    policy = PeakEwma(things([0, 2, 1]), Random(0))
    assert policy.pick(lambda index: False) is None
    assert PeakEwma([], Random(0)).pick() is None
    policy.heard(1, 50.0, True, 1.0)
    assert policy.pick({0, 1}.__contains__, b"", 1.0) == 1
    assert policy.pick({0, 1, 2}.__contains__, b"", 1.0) == 2
