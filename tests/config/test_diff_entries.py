"""Identities of list entries, and the fewest that moved."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from appliance.config.diff_entries import count_tests, destinations, endpoints, moved, telling, whole_entry
from appliance.config.load import load_profile
from appliance.config.read import Value

TEXT = b"""meshctl: 1
listeners: {web: {bind: ":8080", timeouts: {header: 1s}}}
routes:
  - {name: one, match: {path: /a}, to: app, timeouts: {response: 9s}}
  - {name: two, to: [app, {upstream: next, weight: 5}]}
upstreams:
  app: {endpoints: [127.0.0.1:1, {address: "127.0.0.1:2", weight: 7}]}
  next: {endpoints: [127.0.0.1:3]}
tests:
  - {request: {url: "http://a/a"}, expect: {route: one}}
  - {request: {url: "http://a/b"}, expect: {route: two}}
"""


def _root() -> Value:
    root = load_profile("edge.yaml", text=TEXT, env={}).merged
    assert root is not None
    return root


def test_entries_are_known_by_what_they_are() -> None:
    """An endpoint by its address, a destination by its upstream, however written."""
    root = _root()
    assert list(endpoints(root.find("upstreams", "app", "endpoints"))) == ["127.0.0.1:1", "127.0.0.1:2"]
    one, two = root.data["routes"].data
    assert [name for name, _ in destinations(one.find("to"))] == ["app"]
    assert [name for name, _ in destinations(two.find("to"))] == ["app", "next"]
    assert destinations(None) == []
    weight = whole_entry(two.find("to").data[1])
    assert weight is not None
    assert (weight.text, weight.default, weight.where is not None) == ("weight 5", False, True)
    assert whole_entry(None) is None


def test_a_whole_section_is_told_by_its_main_keys() -> None:
    """Not by its timeouts."""
    root = _root()
    web = root.find("listeners", "web")
    assert web is not None
    assert telling(web, "listeners").text == "bind: :8080"
    assert telling(root.data["routes"].data[0], "routes").text == "match: {path: /a}, to: app"


def test_tests_are_counted() -> None:
    """Their order does not matter, and neither does it which one changed."""
    some = _root().find("tests")
    assert some is not None
    assert count_tests(some, some) is None
    assert count_tests(None, None) is None
    sides = count_tests(None, some)
    assert sides is not None
    assert [side.text for side in sides] == ["0 tests", "2 tests (2 new)"]


def test_one_that_moved_is_told_with_what_it_passed() -> None:
    """Where it was and where it is, beside a route that stayed."""
    assert moved(["a", "b", "c", "d"], ["d", "a", "b", "c"]) == {"d": ("behind `c`", "ahead of `a`")}
    assert moved(["a", "b", "c", "d"], ["b", "c", "a", "d"]) == {"a": ("ahead of `b`", "behind `c`")}
    assert moved(["a", "b"], ["a", "b"]) == {}


@given(st.permutations(list("abcdef")))
def test_no_smaller_set_explains_the_order(new: list[str]) -> None:
    """Without the moved ones the order is the same, and no fewer would do."""
    old = sorted(new)
    found = moved(old, new)

    def explains(gone: set[str]) -> bool:
        return [x for x in old if x not in gone] == [x for x in new if x not in gone]

    assert explains(set(found))
    assert not any(explains(set(few)) for n in range(len(found)) for few in combinations(old, n))


@given(st.permutations(list("abcdef")))
def test_what_is_said_of_a_move_is_true(new: list[str]) -> None:
    """On both sides."""
    old = sorted(new)
    for name, sides in moved(old, new).items():
        for order, words in zip((old, new), sides, strict=True):
            other = words[-2]
            assert (order.index(name) < order.index(other)) == words.startswith("ahead"), (words, order)
