"""Differences between states: applied, merged or skipped in any order, they end at the same state."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from appliance.wire.delta import Delta, State, apply, diff, merge, select

VALUES = st.one_of(
    st.none(), st.integers(-3, 3), st.sampled_from(["a", "b"]), st.lists(st.integers(), max_size=2)
)
FIELDS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
STATES = st.dictionaries(
    st.sampled_from(["up", "br"]), st.dictionaries(st.sampled_from("xyz"), FIELDS, max_size=3), max_size=2
)


def plain(state: State) -> State:
    """A field without a value is no field, a set without things no set."""
    return {
        name: {
            key: {word: value for word, value in thing.items() if value is not None}
            for key, thing in things.items()
        }
        for name, things in state.items()
        if things
    }


@given(STATES, STATES)
def test_a_difference_leads_from_one_to_the_other(old: State, new: State) -> None:
    """And there is none between equal states."""
    assert plain(apply(old, diff(old, new))) == plain(new)
    assert not diff(new, new)


@given(st.lists(STATES, min_size=2, max_size=7), st.data())
def test_any_merging_ends_at_the_same_state(states: list[State], data: st.DataObject) -> None:
    """Of a row of differences some are merged with their neighbours, in any grouping."""
    deltas = [diff(before, after) for before, after in pairwise(states)]
    while len(deltas) > 1 and data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(deltas) - 2))
        deltas[place : place + 2] = [merge(deltas[place], deltas[place + 1])]
    state = states[0]
    for delta in deltas:
        state = apply(state, delta)
    assert plain(state) == plain(states[-1])


@given(st.lists(STATES, min_size=1, max_size=7), st.sets(st.integers(0, 6)))
def test_a_client_that_misses_ticks_ends_at_the_same_state(states: list[State], missed: set[int]) -> None:
    """What is sent is the difference to what it has."""
    has: State = {}
    shown: State = {}
    for index, state in enumerate(states):
        if index not in missed or index == len(states) - 1:
            shown = apply(shown, diff(has, state))
            has = state
    assert plain(shown) == plain(states[-1])


@given(STATES, STATES)
def test_what_was_given_stays_as_it_was(old: State, new: State) -> None:
    """Neither applying nor merging changes its arguments."""
    delta = diff(old, new)
    copies = repr(old), repr(delta)
    apply(old, delta)
    merge(delta, diff(new, old))
    assert (repr(old), repr(delta)) == copies


def test_a_thing_that_came_back_has_only_what_it_has_now() -> None:
    """What it was before it left does not shine through."""
    states: list[State] = [{"up": {"x": {"a": 1, "b": 2}}}, {"up": {}}, {"up": {"x": {"a": 3}}}]
    both = merge(diff(states[0], states[1]), diff(states[1], states[2]))
    assert apply(states[0], both) == states[2]


def test_equal_objects_are_not_looked_at() -> None:
    """The same object is the same thing."""
    thing = {"a": float("nan")}  # which is not equal to itself
    assert diff({"up": {"x": thing}}, {"up": {"x": thing}}) == Delta()


def test_a_client_gets_what_it_wants() -> None:
    """Whole sets, or the things of some upstreams; what is unknown is left out."""
    state: State = {
        "up": {"a": {"n": 1}, "b": {"n": 2}},
        "ep": {"a/1": {"up": "a"}, "b/1": {"up": "b"}},
        "proxy": {"": {"rps": 1}},
    }
    assert select(state, {"up": True, "br": True}) == {"up": state["up"]}
    assert select(state, {"ep": {"up": ["b"]}, "up": {"up": ["a"]}}) == {
        "ep": {"b/1": {"up": "b"}},
        "up": {"a": {"n": 1}},
    }
    assert select(state, {"proxy": False, "up": 0}) == {}
