"""What a profile may ask of a request, as data."""

from dataclasses import FrozenInstanceError, fields

import pytest

from appliance.routing.match import Match, TextRule
from appliance.routing.table import RouteTable


def test_an_empty_match_asks_for_nothing() -> None:
    """A route without a match block takes every request."""
    assert all(not getattr(Match(), field.name) for field in fields(Match))
    assert RouteTable([(Match(), "all")]).find(b"", b"*", b"OPTIONS", [], b"") == "all"


def test_equal_matches_are_one_key() -> None:
    """Matches compare and hash by what they ask, so a reload can tell that a route is unchanged."""
    one = Match(hosts=("a.example",), headers=(("x-tier", TextRule("exact", "gold")),))
    two = Match(hosts=("a.example",), headers=(("x-tier", TextRule("exact", "gold")),))
    assert {one: 1}[two] == 1
    assert one != Match(hosts=("a.example",), headers=(("x-tier", TextRule("prefix", "gold")),))


def test_a_match_cannot_be_changed() -> None:
    """A plan is frozen all the way down."""
    match = Match()
    with pytest.raises(FrozenInstanceError):
        match.path = "/x"  # type: ignore[misc]
    rule = TextRule("present")
    with pytest.raises(FrozenInstanceError):
        rule.kind = "absent"  # type: ignore[misc]


def test_a_rule_without_a_value_has_an_empty_one() -> None:
    """``present`` and ``absent`` are complete by themselves."""
    assert TextRule("present").value == "" == TextRule("absent").value
