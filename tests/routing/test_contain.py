"""Containment is never claimed falsely, and is found where it matters."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from appliance.routing.contain import covers, host_covers, implies, matches, reach_of, rules_cover
from appliance.routing.match import Match, TextRule
from appliance.routing.table import RouteTable
from tests.routing.test_table import Request, requests
from tests.routing.test_table import matches as any_match


def takes(match: Match, request: Request) -> bool:
    return RouteTable([(match, True)]).find(*request) is True


EXPRESSIONS = st.sampled_from(
    [
        "/a.*",
        "/[ab]/?",
        "/a|/b",
        "/",
        "/a$",
        "^/a",
        ".*b",
        "(/a)+",
        "/a/.*$",
        "/a/[ab]",
        "/.*",
        "(?i)/A",
        "/a/b",
    ]
)
LETTERS = st.text("ab/", max_size=3)
RULES = st.one_of(
    st.sampled_from([TextRule("present"), TextRule("absent")]),
    st.builds(TextRule, st.sampled_from(["exact", "prefix", "contains"]), st.text("xy", max_size=2)),
    st.builds(TextRule, st.just("regex"), st.sampled_from(["x.*", "x|y", "xy?", "", "x", "(?s).*", "[xy]x"])),
)
NAMED = st.lists(st.tuples(st.sampled_from(["k", "l"]), RULES), max_size=2).map(tuple)
HOSTS = st.sampled_from(["x", "a.x", "b.x", "a.b.x", "*.x", "*.b.x", "*.a.b.x", "y", "*.y"])


@st.composite
def close_matches(draw: st.DrawFn) -> Match:
    """A random Match from so few words that one often contains another."""
    kind = draw(st.sampled_from(["", "path", "path_prefix", "path_regex"]))
    path = draw(EXPRESSIONS) if kind == "path_regex" else "/" + draw(LETTERS)
    return Match(
        hosts=tuple(draw(st.lists(HOSTS, max_size=2))),
        methods=tuple(draw(st.lists(st.sampled_from(["GET", "POST"]), max_size=2))),
        headers=draw(NAMED),
        query=draw(st.just(()) | NAMED),
        **({kind: path} if kind else {}),
    )


def close_requests() -> list[Request]:
    """Many requests over the same words; the same ones every time."""
    dice = Random(7)

    def word(letters: str) -> str:
        return "".join(dice.choices(letters, k=dice.randrange(4)))

    def fields() -> list[tuple[str, str]]:
        return [(dice.choice("kl"), word("xy")) for _ in range(dice.randrange(3))]

    return [
        Request(
            host=dice.choice([b"x", b"a.x", b"b.x", b"a.b.x", b"c.a.b.x", b"y", b"a.y", b"", b".x"]),
            path=b"/" + word("ab/").encode(),
            method=dice.choice([b"GET", b"POST", b"PUT"]),
            headers=[(name.encode(), value.encode()) for name, value in fields()],
            query="&".join(f"{name}={value}" for name, value in fields()).encode(),
        )
        for _ in range(2000)
    ]


REQUESTS = close_requests()


@settings(max_examples=600, deadline=None)
@given(close_matches(), close_matches())
def test_what_is_covered_is_taken(wide: Match, narrow: Match) -> None:
    """If one match covers another, it takes every request that the other takes."""
    covered = covers(wide, narrow)
    event(f"covered: {covered}")
    if covered:
        first, second = RouteTable([(wide, True)]), RouteTable([(narrow, True)])
        for request in REQUESTS:
            assert first.find(*request) or not second.find(*request), request


@settings(max_examples=200, deadline=None)
@given(any_match(), any_match(), st.lists(requests(), max_size=8))
def test_the_words_of_the_table_tests_hold_too(wide: Match, narrow: Match, asked: list[Request]) -> None:
    """The same over the matches and requests that the route table is tested with."""
    if covers(wide, narrow):
        assert all(takes(wide, request) for request in asked if takes(narrow, request))


@given(close_matches())
def test_everything_covers_itself(match: Match) -> None:
    """And is covered by the match that asks for nothing."""
    assert covers(match, match)
    assert covers(Match(), match)


@settings(max_examples=300, deadline=None)
@given(RULES, RULES)
def test_a_rule_that_follows_holds_for_every_value(first: TextRule, second: TextRule) -> None:
    """Over values with line ends, too, as a query may hold them."""
    if implies(first, second):
        for value in [
            None,
            *("".join(letters) for size in range(4) for letters in product("xy\n", repeat=size)),
        ]:
            headers = [] if value is None else [(b"k", value.encode())]
            request = Request(headers=headers)
            one, other = Match(headers=(("k", first),)), Match(headers=(("k", second),))
            assert takes(other, request) or not takes(one, request)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({}, {"path_regex": "/x"}),
        ({"path_prefix": "/"}, {"path_regex": ".*"}),
        ({"path_prefix": "/a"}, {"path": "/a"}),
        ({"path_prefix": "/a"}, {"path": "/a/"}),
        ({"path_prefix": "/a/"}, {"path_prefix": "/a/b"}),
        ({"path_prefix": "/a"}, {"path_regex": "/a/[0-9]+"}),
        ({"path_prefix": "/a"}, {"path_regex": "/a/.*"}),
        ({"path_prefix": "/a"}, {"path_regex": "/a"}),
        ({"path": "/%61"}, {"path": "/a"}),
        ({"path": "/a"}, {"path_regex": "^/a$"}),
        ({"path_regex": "/[a-z]+"}, {"path": "/abc"}),
        ({"path_regex": "/[a-z]+"}, {"path": "/%61bc"}),
        ({"path_regex": "/[a-z]+"}, {"path_regex": "/[a-z]+"}),
        ({"path_regex": "/a.*"}, {"path_prefix": "/ab"}),
        ({"path_regex": "/a.*"}, {"path_regex": "/ab[0-9]"}),
        ({"path_regex": "/.*"}, {"path_prefix": "/x"}),
    ],
)
def test_paths_that_lie_in_others(wide: dict[str, str], narrow: dict[str, str]) -> None:
    """By whole segments, by what an expression matches, or by what it begins with."""
    assert covers(Match(**wide), Match(**narrow))


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({"path": "/a"}, {}),
        ({"path": "/a"}, {"path_prefix": "/a"}),
        ({"path_prefix": "/a"}, {"path_prefix": "/ab"}),
        ({"path_prefix": "/a"}, {"path_regex": "/a.*"}),
        ({"path_prefix": "/a"}, {"path_regex": "/a/x|/b"}),
        ({"path_prefix": "/a"}, {"path_regex": "(?i)/a/x"}),
        ({"path_prefix": "/ab"}, {"path_regex": "/ab*/x"}),
        ({"path_regex": "/[a-z]+"}, {"path": "/abc/d"}),
        ({"path_regex": "/a.*"}, {"path_prefix": "/"}),
        ({"path_regex": "/.*"}, {}),
        ({"path_regex": "/a.+"}, {"path_prefix": "/a"}),
    ],
)
def test_paths_that_leave_something(wide: dict[str, str], narrow: dict[str, str]) -> None:
    """There is a request for the second that the first does not take."""
    assert not covers(Match(**wide), Match(**narrow))


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("*.b", "*.a.b", True),
        ("*.b", "x.a.b", True),
        ("*.b", "b", False),
        ("*.b", "xb", False),
        ("*.a.b", "*.b", False),
        ("a.b", "*.b", False),
        ("*.b", ".b", False),
    ],
)
def test_hosts_below_a_wildcard(wide: str, narrow: str, covered: bool) -> None:
    """One label more at least."""
    assert host_covers(wide, narrow) is covered


def rule(text: str) -> TextRule:
    kind, _, value = text.partition(" ")
    return TextRule(kind, value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_rule", "follows", "does_not"),
    [
        (
            "exact gold",
            ["present", "prefix go", "contains ol", "regex g.*d"],
            ["absent", "exact g", "regex g"],
        ),
        (
            "prefix gold",
            ["present", "prefix go", "contains ol"],
            ["exact gold", "prefix golden", "regex g.*"],
        ),
        ("contains gold", ["present", "contains ol"], ["prefix g", "exact gold", "contains golden"]),
        ("regex gold[0-9]", ["present", "prefix go", "contains old"], ["exact gold1", "regex gold.*"]),
        ("present", ["present"], ["absent", "contains x"]),
        ("absent", ["absent"], ["present", "exact "]),
    ],
)
def test_what_follows_from_a_rule(given_rule: str, follows: list[str], does_not: list[str]) -> None:
    """A narrower rule implies the wider ones of its header."""
    assert all(implies(rule(given_rule), rule(other)) for other in follows)
    assert not any(implies(rule(given_rule), rule(other)) for other in does_not)


def test_rules_are_told_apart_by_name() -> None:
    """Every wide rule needs a narrow one of its own name."""
    gold = TextRule("exact", "gold")
    assert rules_cover((("a", TextRule("present")),), (("b", gold), ("a", gold)))
    assert not rules_cover((("a", TextRule("present")),), (("b", gold),))


@pytest.mark.parametrize(
    ("expression", "kind", "text"),
    [
        ("/a", "exact", b"/a"),
        ("^/a\\.b$", "exact", b"/a.b"),
        ("/a.*", "begins", b"/a"),
        ("/a.*?", "begins", b"/a"),
        ("/a/[0-9]+", "regex", b"/a/"),
        ("/ab+", "regex", b"/a"),
        ("(?i)/a", "regex", b""),
        ("/a\\b.*", "regex", b"/a"),
    ],
)
def test_expressions_are_read_for_what_they_begin_with(expression: str, kind: str, text: bytes) -> None:
    """What is no expression at all is an exact path."""
    reach = reach_of(Match(path_regex=expression))
    assert (reach.kind, reach.text) == (kind, text)


def test_the_whole_text_must_match() -> None:
    """A line end is no end."""
    assert matches(b"/a|/ab", b"/ab")
    assert not matches(b"/a$", b"/a\n")
