"""The route table, held against the obvious linear scan, and to a cost that does not grow with the rows."""

import re
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.model.headers import Headers
from appliance.routing.match import Match, TextRule
from appliance.routing.path import BadPath
from appliance.routing.table import RouteTable, query_pairs

NO_HEADERS: Headers = []


class Request(NamedTuple):
    """What ``find`` is asked with."""

    host: bytes = b"shop.example"
    path: bytes = b"/"
    method: bytes = b"GET"
    headers: Headers = NO_HEADERS
    query: bytes = b""


# The reference: each sentence of the rules as one slow function.


def scan(rows: list[tuple[Match, int]], request: Request) -> int | None:
    """Give the target of the first row that holds, trying one after the other."""
    return next((target for match, target in rows if holds(match, request)), None)


def holds(match: Match, request: Request) -> bool:
    """Say whether every given part of ``match`` holds."""
    found = {}
    for name, value in reversed(parse_qsl(request.query.decode("latin-1"), True, encoding="latin-1")):
        found[name] = value.encode("latin-1")
    lines: dict[str, list[bytes]] = {}
    for key, line in request.headers:
        lines.setdefault(key.decode(), []).append(line)
    path = request.path.decode()
    return all(
        [
            not match.hosts or any(host_fits(pattern, request.host.decode()) for pattern in match.hosts),
            match.path is None or path == match.path,
            match.path_prefix is None or is_under(match.path_prefix, path),
            match.path_regex is None or re.match(f"(?:{match.path_regex})\\Z", path) is not None,
            not match.methods or request.method.decode() in match.methods,
            *(
                text_fits(rule, b", ".join(lines[name]) if name in lines else None)
                for name, rule in match.headers
            ),
            *(text_fits(rule, found.get(name)) for name, rule in match.query),
        ]
    )


def host_fits(pattern: str, host: str) -> bool:
    """Compare label by label from the right; a wildcard needs at least one label more."""
    if not pattern.startswith("*."):
        return pattern == host
    labels, suffix = host.split("."), pattern.split(".")[1:]
    return len(labels) > len(suffix) and labels[-len(suffix) :] == suffix and host != "." + ".".join(suffix)


def is_under(prefix: str, path: str) -> bool:
    """Compare segment by segment."""
    segments = prefix.removesuffix("/").split("/")
    return prefix == "/" or path.split("/")[: len(segments)] == segments


def text_fits(rule: TextRule, value: bytes | None) -> bool:
    """Apply one rule to a value, None where there is none."""
    if rule.kind in ("present", "absent"):
        return (value is not None) == (rule.kind == "present")
    if value is None:
        return False
    text = value.decode("latin-1")
    return {
        "exact": text == rule.value,
        "prefix": text[: len(rule.value)] == rule.value,
        "contains": rule.value in text,
        "regex": re.match(f"(?:{rule.value})\\Z", text) is not None if rule.kind == "regex" else False,
    }[rule.kind]


hosts = st.sampled_from(["x", "a.x", "b.x", "a.b.x", "c.a.b.x", "y", ".x", "ax", ""])
patterns = st.sampled_from(["x", "a.x", "b.x", "a.b.x", "*.x", "*.b.x", "*.a.b.x", "y", "*.y"])
paths = st.lists(st.sampled_from(["a", "b", "aa", ""]), min_size=1, max_size=4).map(
    lambda s: "/" + "/".join(s)
)
expressions = st.sampled_from(["/a.*", "/[ab]/?", "/a|/b", "/", "/a$", ".*b", "(/a)+"])
methods = st.sampled_from(["GET", "POST", "HEAD"])
values = st.sampled_from(["", "x", "y", "xy", "x, y", "x y", "é"])
rules = st.one_of(
    st.sampled_from(
        [TextRule("present"), TextRule("absent"), TextRule("regex", "x.*"), TextRule("regex", "x|y")]
    ),
    st.builds(
        TextRule, st.sampled_from(["exact", "prefix", "contains"]), st.sampled_from(["", "x", "y", "x y"])
    ),
)
named_rules = st.lists(st.tuples(st.sampled_from(["k", "l"]), rules), max_size=2).map(tuple)
path_parts: st.SearchStrategy[dict[str, str]] = st.one_of(
    st.just({}),
    paths.map(lambda path: {"path": path}),
    paths.map(lambda path: {"path_prefix": path}),
    expressions.map(lambda text: {"path_regex": text}),
)


@st.composite
def matches(draw: st.DrawFn) -> Match:
    """A random Match; most ask only for a few things, so that many rows hold."""
    return Match(
        hosts=tuple(draw(st.lists(patterns, max_size=2))),
        methods=tuple(draw(st.just([]) | st.lists(methods, max_size=2))),
        headers=draw(st.just(()) | named_rules),
        query=draw(st.just(()) | named_rules),
        **draw(path_parts),
    )


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A random request over the same few names."""
    header_lines = draw(st.lists(st.tuples(st.sampled_from(["k", "l", "m"]), values), max_size=3))
    pieces = st.sampled_from(
        ["k=x", "k=y", "l=x+y", "k", "l=", "", "%6B=x%20y", "k=%zz", "l=x=y", "=x", "k=%C3%A9"]
    )
    return Request(
        host=draw(hosts).encode(),
        path=draw(paths).encode(),
        method=draw(methods).encode(),
        headers=[(name.encode(), value.encode("latin-1")) for name, value in header_lines],
        query="&".join(draw(st.lists(pieces, max_size=4))).encode(),
    )


@settings(max_examples=600, deadline=None)
@given(st.lists(matches(), max_size=10), st.lists(requests(), min_size=1, max_size=6))
def test_the_table_answers_as_a_linear_scan(wanted: list[Match], asked: list[Request]) -> None:
    """Filing changes the cost, never the answer."""
    rows = list(zip(wanted, range(len(wanted)), strict=True))
    table = RouteTable(rows)
    for request in asked:
        assert table.find(*request) == scan(rows, request)


def first(match: Match, request: Request) -> bool:
    """Say whether a table of this one row takes the request."""
    return RouteTable([(match, "row")]).find(*request) == "row"


def test_the_first_row_in_written_order_wins() -> None:
    """A general row that is written first hides a special one, whatever places they are filed in."""
    special = Match(hosts=("shop.example",), path="/a", methods=("GET",))
    for general in (Match(), Match(hosts=("*.example",)), Match(path_prefix="/"), Match(path_regex="/.*")):
        assert RouteTable([(general, "g"), (special, "s")]).find(*Request(path=b"/a")) == "g"
        assert RouteTable([(special, "s"), (general, "g")]).find(*Request(path=b"/a")) == "s"


def test_an_empty_table_finds_nothing() -> None:
    """No rows, no route."""
    assert RouteTable[str]([]).find(*Request()) is None


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        (b"a.example.com", True),
        (b"b.a.example.com", True),
        (b"example.com", False),
        (b".example.com", False),
        (b"badexample.com", False),
        (b"a.example.com.evil.test", False),
        (b"", False),
    ],
)
def test_a_wildcard_host_stands_for_one_or_more_labels(host: bytes, fits: bool) -> None:
    """`*.example.com` does not cover `example.com` itself, nor names that merely end alike."""
    assert first(Match(hosts=("*.example.com",)), Request(host=host)) is fits


@pytest.mark.parametrize("prefix", ["/pay", "/pay/"])
@pytest.mark.parametrize(
    ("path", "fits"),
    [
        (b"/pay", True),
        (b"/pay/", True),
        (b"/pay/1", True),
        (b"/pay//", True),
        (b"/payments", False),
        (b"/pa", False),
    ],
)
def test_a_prefix_covers_whole_segments(prefix: str, path: bytes, fits: bool) -> None:
    """`/pay` and `/pay/` mean the same."""
    assert first(Match(path_prefix=prefix), Request(path=path)) is fits


@pytest.mark.parametrize("path", [b"/", b"/a", b"//", b"*"])
def test_the_prefix_slash_covers_everything(path: bytes) -> None:
    """Also the asterisk of OPTIONS."""
    assert first(Match(path_prefix="/"), Request(path=path))


def test_a_path_of_a_profile_is_put_into_the_one_spelling() -> None:
    """An operator may write `/café` or `/%7euser` and means what clients send."""
    assert first(Match(path="/café"), Request(path=b"/caf%C3%A9"))
    assert first(Match(path_prefix="/%7euser"), Request(path=b"/~user/x"))


def test_a_regular_expression_must_match_the_whole_path() -> None:
    """Alternatives are anchored too, and a line end is no end."""
    match = Match(path_regex="/a|/b")
    assert first(match, Request(path=b"/b"))
    assert not first(match, Request(path=b"/bc"))
    assert not first(match, Request(path=b"/ab"))
    assert not first(Match(path_regex="/a$"), Request(path=b"/a\n"))


def test_get_does_not_imply_head() -> None:
    """Methods are compared as they are written."""
    assert not first(Match(methods=("GET",)), Request(method=b"HEAD"))
    assert not first(Match(methods=("GET",)), Request(method=b"get"))


def test_lines_of_one_field_are_one_value() -> None:
    """Several lines are joined by a comma and a space, in order."""
    headers = [(b"via", b"a"), (b"x", b"1"), (b"via", b"b")]
    assert first(Match(headers=(("via", TextRule("exact", "a, b")),)), Request(headers=headers))
    assert not first(Match(headers=(("via", TextRule("exact", "a")),)), Request(headers=headers))


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        (b"", {}),
        (b"a=1&a=2", {b"a": b"1"}),
        (b"a", {b"a": b""}),
        (b"a=", {b"a": b""}),
        (b"a&a=2", {b"a": b""}),
        (b"&&a=b=c&", {b"a": b"b=c"}),
        (b"%61+b=c%2Bd+e", {b"a b": b"c+d e"}),
        (b"a=%zz%4", {b"a": b"%zz%4"}),
        (b"a;b=1", {b"a;b": b"1"}),
        (b"=1", {b"": b"1"}),
    ],
)
def test_a_query_is_read_as_a_form(query: bytes, pairs: dict[bytes, bytes]) -> None:
    """Names and values are decoded, the first of a name counts, what is no escape stays."""
    assert query_pairs(query) == pairs


def test_a_row_with_two_kinds_of_path_is_refused() -> None:
    """A Match has at most one of the three path fields."""
    with pytest.raises(ValueError, match="row 1 has more than one"):
        RouteTable([(Match(), 0), (Match(path="/a", path_prefix="/a"), 1)])


def test_a_path_that_no_request_can_have_is_refused() -> None:
    """Such a row could match nothing, which is a mistake worth hearing about."""
    with pytest.raises(BadPath):
        RouteTable([(Match(path="/a%2fb"), 0)])


# Cost, counted in lines of Python that run, which is the same on every machine.


def lines_run(call: Callable[[], object]) -> int:
    """Count the lines of Python that a call runs."""
    count = 0

    def tracer(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        count += event == "line"
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def big(size: int, row: Callable[[int], Match]) -> RouteTable[int]:
    """Build a table of ``size`` rows and a last one that takes everything."""
    return RouteTable([*((row(i), i) for i in range(size)), (Match(), size)])


@pytest.mark.parametrize("path", [b"/p/0", b"/p/9", b"/other"])
@pytest.mark.parametrize("host", [b"h0.example", b"h9.example", b"other.example", b"a.h9.example"])
@pytest.mark.parametrize(
    "row",
    [
        lambda i: Match(hosts=(f"h{i % 1000}.example",)),
        lambda i: Match(hosts=(f"*.h{i % 10}.example",), path=f"/p/{i}"),
        lambda i: Match(path=f"/p/{i}"),
        lambda i: Match(path_prefix=f"/p/{i % 10}", hosts=(f"h{i}.example",)),
    ],
)
def test_a_thousand_routes_cost_what_ten_do(row: Callable[[int], Match], host: bytes, path: bytes) -> None:
    """With distinct hosts or paths the cost follows the lengths in the profile, not its rows."""
    few, many = big(10, row), big(1000, row)
    request = Request(host=host, path=path)
    assert lines_run(lambda: many.find(*request)) <= lines_run(lambda: few.find(*request)) + 8


def test_an_endless_host_or_path_costs_what_a_short_one_does() -> None:
    """A client cannot buy work with dots and slashes."""
    rows = [(Match(hosts=("*.b.x", "*.x")), 0), (Match(path_prefix="/a/b"), 1), (Match(path_prefix="/a"), 2)]
    table = RouteTable(rows)
    short = lines_run(lambda: table.find(b"no.where", b"/no/where", b"GET", [], b""))
    long = lines_run(lambda: table.find(b"a." * 10_000 + b"where", b"/no" * 10_000, b"GET", [], b""))
    assert long <= short + 2


def test_invented_hosts_leave_nothing_behind() -> None:
    """Nothing is remembered about a request, so a client cannot fill memory with names."""
    table = big(10, lambda i: Match(hosts=(f"*.h{i}.example", f"h{i}.example")))
    table.find(b"x.h1.example", b"/", b"GET", [], b"a=1")
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for i in range(2000):
            table.find(b"x%d.h1.example" % i, b"/%d" % i, b"GET", [], b"a=%d" % i)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 16 * 1024
