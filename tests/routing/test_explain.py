"""Explanations say what the route table does, and say it in words that an operator would use."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.routing.explain import Question, explain
from appliance.routing.match import Match, TextRule
from appliance.routing.table import RouteTable
from tests.routing.test_table import Request, matches, requests


def question(request: Request) -> Question:
    return Question(request.host, request.path, request.method, tuple(request.headers), request.query)


@settings(max_examples=600, deadline=None)
@given(st.lists(matches(), max_size=8), st.lists(requests(), min_size=1, max_size=6))
def test_explaining_row_by_row_finds_what_the_table_finds(wanted: list[Match], asked: list[Request]) -> None:
    """The verdicts are the table's."""
    table = RouteTable(list(zip(wanted, range(len(wanted)), strict=True)))
    for request in asked:
        verdicts = [explain(match, question(request)) for match in wanted]
        first = next((n for n, verdict in enumerate(verdicts) if verdict.matches), None)
        assert first == table.find(*request)
        assert all(verdict.reasons for verdict in verdicts)


PAY = Match(hosts=("shop.example.com",), path_prefix="/pay/", methods=("POST",))


def test_a_match_names_every_part_that_held() -> None:
    """In the order of the keys in a profile."""
    verdict = explain(PAY, Question(b"shop.example.com", b"/pay/17", b"POST"))
    assert verdict.matches
    assert verdict.reasons == ("host shop.example.com", "path /pay/17 under /pay/", "method POST")
    assert verdict.near == 2


def test_a_miss_names_every_part_that_did_not() -> None:
    """And none of those that did."""
    verdict = explain(PAY, Question(b"shop.example.com", b"/payments", b"GET"))
    assert not verdict.matches
    assert verdict.reasons == ("path /payments is not under /pay/", "method GET is not POST")
    assert verdict.near == 1


@pytest.mark.parametrize(
    ("match", "words"),
    [
        (Match(), "it takes every request"),
        (Match(hosts=("*.e.com",)), "host a.e.com under *.e.com"),
        (Match(hosts=("x", "y")), "host a.e.com is not x or y"),
        (Match(hosts=("p", "q", "r", "s", "t")), "host a.e.com is not p, q, r or 2 more"),
        (Match(path="/a"), "path /a"),
        (Match(path="/%62"), "path /a is not /%62"),
        (Match(path_regex="/[ab]"), "path /a matches /[ab]"),
        (Match(path_regex="/[bc]"), "path /a does not match /[bc]"),
        (Match(path_prefix="/"), "path /a under /"),
        (Match(methods=("PUT", "POST")), "method GET is not PUT or POST"),
        (Match(headers=(("x-tier", TextRule("exact", "gold")),)), "header x-tier is gold"),
        (Match(headers=(("x-no", TextRule("exact", "gold")),)), "header x-no is absent, must be gold"),
        (Match(headers=(("x-tier", TextRule("exact", "")),)), "header x-tier is gold, must be empty"),
        (Match(headers=(("x-tier", TextRule("prefix", "go")),)), "header x-tier begins with go"),
        (Match(headers=(("x-tier", TextRule("absent")),)), "header x-tier is gold, must be absent"),
        (Match(headers=(("x-no", TextRule("absent")),)), "header x-no is absent"),
        (Match(headers=(("x-no", TextRule("present")),)), "header x-no is absent, must be present"),
        (Match(query=(("version", TextRule("exact", "2")),)), "query version is 1, must be 2"),
        (Match(query=(("version", TextRule("regex", "[2-9]")),)), "query version is 1, must match [2-9]"),
        (Match(query=(("version", TextRule("contains", "1")),)), "query version contains 1"),
    ],
)
def test_each_kind_of_part_has_its_words(match: Match, words: str) -> None:
    """Short, and with both sides of what differs."""
    asked = Question(b"a.e.com", b"/a", b"GET", ((b"x-tier", b"gold"),), b"version=1")
    assert explain(match, asked).reasons == (words,)


def test_a_request_without_a_host_is_told_so() -> None:
    """HTTP/1.0 may come without one."""
    assert explain(PAY, Question(b"", b"/pay/")).reasons[0] == (
        "the request names no host, must be shop.example.com"
    )


def test_long_values_are_cut() -> None:
    """A reason is one line."""
    match = Match(headers=(("x", TextRule("exact", "a")),))
    (reason,) = explain(match, Question(b"", b"/", headers=((b"x", b"b" * 500),))).reasons
    assert len(reason) < 100


@pytest.mark.parametrize("kind", ["exact", "prefix", "contains", "regex", "present", "absent"])
@pytest.mark.parametrize("value", [b"hunter2", b"other", None])
def test_secret_values_are_not_repeated(kind: str, value: bytes | None) -> None:
    """Neither what came nor what is asked for."""
    rule = TextRule(kind, "" if kind in ("present", "absent") else "hunter2")  # type: ignore[arg-type]
    match = Match(headers=(("authorization", rule),))
    headers = () if value is None else ((b"authorization", value),)
    verdict = explain(match, Question(b"", b"/", headers=headers), lambda name: name == "authorization")
    assert verdict.matches == explain(match, Question(b"", b"/", headers=headers)).matches
    assert "hunter2" not in verdict.reasons[0]
    assert "other" not in verdict.reasons[0]
