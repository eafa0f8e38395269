"""Routes that are never reached are found, whoever takes their requests, and no others are blamed."""

from __future__ import annotations

import json
from itertools import product
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.check_reach import check_reach
from appliance.config.diagnostic import Diagnostic, Diagnostics
from appliance.config.read import Reader, Value
from appliance.config.schema import ROUTE
from appliance.config.schema_types import ListOf
from appliance.config.source import parse
from appliance.routing.contain import covers
from appliance.routing.match import Match
from appliance.routing.table import RouteTable


def read(text: str) -> list[Value]:
    """Give the routes of one list as a profile holds them."""
    diagnostics = Diagnostics()
    node = parse(text.encode(), "a.yaml", diagnostics)
    assert node is not None
    value = Reader(diagnostics).read(ListOf(ROUTE, named=True), node, "routes")
    assert value is not None
    assert len(value.data) == text.count("name: ")
    return list(value.data)


def found(*matches: str, **more: int) -> list[Diagnostic]:
    """Give what is said of routes called a, b, c and so on."""
    lines = [
        f"- {{name: {name}, match: {{{match}}}, to: app}}\n"
        for name, match in zip("abcdefghij", matches, strict=False)
    ]
    diagnostics = Diagnostics()
    check_reach(read("".join(lines)), diagnostics, **more)
    return list(diagnostics)


def said(*matches: str) -> list[tuple[str, str]]:
    return [(each.code, each.message) for each in found(*matches)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", "path: /a"),
        ("path: /a", "path: /%61"),
        ("path_prefix: /", "path_regex: /x"),
        ("path_prefix: /a/", "path_prefix: /a"),
        ("path_prefix: /a", "path_prefix: /a/b/"),
        ("path_prefix: /a", "path_regex: '/a/[0-9]+'"),
        ("path_regex: /x+", "path_regex: /x+"),
        ("path_regex: '/[a-z]+'", "path: /abc"),
        ("path_regex: '/a.*'", "path_prefix: /ab"),
        ("hosts: ['*.e.com']", "hosts: [a.e.com, '*.b.e.com']"),
        ("hosts: [a, b]", "hosts: [b]"),
        ("methods: [GET, HEAD]", "methods: [GET], path: /a"),
        ("headers: {x: 1}", "headers: {y: 2, X: 1}"),
        ("headers: {x: {present: true}}", "headers: {x: gold}"),
        ("headers: {x: {regex: 'g.*'}}", "headers: {x: gold}"),
        ("headers: {x: {prefix: g}, y: 2}", "headers: {y: 2, x: {prefix: go}}"),
        ("query: {v: {contains: a}}", "query: {v: {contains: bab}}, hosts: [a]"),
    ],
)
def test_a_route_below_one_that_asks_for_less_is_never_reached(first: str, second: str) -> None:
    """Whatever of it is absent above, equal, or contained."""
    assert said(first, second) == [
        ("MC403", "route `b` can never be reached: route `a` above takes all its requests")
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("path: /a", ""),
        ("path_prefix: /a", "path_prefix: /ab"),
        ("path_prefix: /a/b", "path_prefix: /a"),
        ("path_regex: '/[a-z]+'", "path: /a/b"),
        ("hosts: ['*.e.com']", "hosts: [e.com]"),
        ("hosts: [a.e.com]", "hosts: ['*.e.com']"),
        ("hosts: [a]", "path: /a"),
        ("hosts: [a], path: /x", "hosts: [a, b]"),
        ("methods: [GET], path: /x", "methods: [GET, POST]"),
        ("methods: [GET]", "path: /a"),
        ("headers: {x: 1}", "headers: {x: 2}"),
        ("headers: {x: 1}", "query: {x: 1}"),
        ("headers: {x: {absent: true}}", "headers: {x: 1}"),
    ],
)
def test_a_route_that_everything_is_left_for_is_fine(first: str, second: str) -> None:
    """Also where some of its requests are taken, as long as it is no whole host or method."""
    assert said(first, second) == []


def test_several_routes_together_hide_one() -> None:
    """Each takes a method; the routes are named, and each is pointed at with its part."""
    (only,) = found(
        "path: /x, methods: [GET]", "path_prefix: /x, methods: [POST]", "path: /x, methods: [POST, GET]"
    )
    assert (only.code, only.severity) == ("MC403", "error")
    assert only.message == "route `c` can never be reached: routes `a` and `b` above take all its requests"
    assert [each.message for each in only.related] == ["takes method GET", "takes method POST"]
    assert [each.span.line for each in only.related] == [1, 2]


def test_hosts_and_methods_may_be_taken_crosswise() -> None:
    """Every pair is judged by itself."""
    rows = ["hosts: [h], methods: [GET]", "hosts: [i]", "methods: [POST]"]
    assert [code for code, _ in said(*rows, "hosts: [h, i], methods: [GET, POST]")] == ["MC403"]
    assert [code for code, _ in said(*rows, "hosts: [h, i], methods: [GET, POST, PUT]")] == ["MC409"]


@pytest.mark.parametrize(
    ("above", "below", "part"),
    [
        ("hosts: [h]", "hosts: [h, i]", "host `h` is taken by route `a` above"),
        ("hosts: ['*.e']", "hosts: [e, x.e, y.e]", "hosts `x.e` and `y.e` are taken by route `a` above"),
        ("methods: [PUT]", "methods: [GET, PUT]", "method `PUT` is taken by route `a` above"),
        (
            "methods: [GET], hosts: [h]",
            "methods: [GET, PUT], hosts: [h, i]",
            "method `GET` of host `h` is taken by route `a` above",
        ),
        (
            "methods: [GET], hosts: [h, i]",
            "methods: [GET, PUT], hosts: [h, i, j]",
            "method `GET` of hosts `h` and `i` is taken by route `a` above",
        ),
        ("hosts: [h]", "methods: [GET, PUT], hosts: [h, i]", "host `h` is taken by route `a` above"),
    ],
)
def test_parts_that_are_taken_are_named(above: str, below: str, part: str) -> None:
    """As hosts, as methods, or as methods of hosts."""
    assert said(above, below) == [("MC409", f"part of route `b` is never reached: {part}")]


def test_a_warning_points_at_the_part_and_at_the_route_above() -> None:
    """At the host as it is written."""
    (only,) = found("hosts: [h]", "hosts: [i, h]")
    assert (only.severity, only.span.line, only.span.column, only.path) == (
        "warning",
        2,
        32,
        "routes.b.match.hosts[1]",
    )
    assert [(each.message, each.span.line) for each in only.related] == [("takes host h", 1)]


def test_many_takers_are_counted() -> None:
    """The message stays one sentence, and no excerpt is repeated for ever."""
    rows = [f"hosts: [h{n}]" for n in range(6)]
    hosts = ", ".join(f"h{n}" for n in range(7))
    ((_, message),) = said(*rows, f"hosts: [{hosts}]")
    assert message.endswith("; host `h2` is taken by route `c` above; and 3 more routes take parts of it")
    (only,) = found(*rows, f"hosts: [{hosts[:-4]}]")
    assert "routes `a`, `b`, `c` and 3 more above take all its requests" in only.message
    assert len(only.related) == 3


def test_a_lost_route_is_not_blamed_for_others() -> None:
    """The route that takes the requests is named, not one that never gets any."""
    assert [message.split(": ")[1].split(" above")[0] for _, message in said("", "path: /x", "path: /x")] == [
        "route `a`",
        "route `a`",
    ]


@pytest.mark.parametrize(
    "above", [["path_regex: '/[ab]'", "path_prefix: /a"], ["path_prefix: /a", "path_regex: '/[ab]'"]]
)
def test_the_first_of_several_is_named(above: list[str]) -> None:
    """It is the one that gets the requests, wherever it is filed."""
    ((_, message),) = said(*above, "path: /a")
    assert "route `a` above" in message


def test_what_could_not_be_read_is_not_judged() -> None:
    """It looks wider than it is."""
    diagnostics = Diagnostics()
    text = "- {name: a, match: {hosts: ['a b']}, to: app}\n- {name: b, match: {path: /a}, to: app}\n"
    check_reach(read(text), diagnostics)
    check_reach(read(text.replace("hosts: ['a b']", "path: x")), diagnostics)
    check_reach(read(text.replace("match: {hosts: ['a b']}", "match: 5")), diagnostics)
    assert list(diagnostics) == []


HOSTS = st.sampled_from(["e", "a.e", "b.a.e", "*.e", "*.a.e"])
PATHS = ("/", "/a", "/a/", "/a/b", "/ab")
MATCHES = st.builds(
    lambda hosts, path, methods, header: {
        **({"hosts": hosts} if hosts else {}),
        **({path[0]: path[1]} if path[0] else {}),
        **({"methods": sorted(methods)} if methods else {}),
        **({"headers": {"k": header}} if header else {}),
    },
    st.lists(HOSTS, max_size=2, unique=True),
    st.just(("", ""))
    | st.tuples(st.sampled_from(["path", "path_prefix"]), st.sampled_from(PATHS))
    | st.tuples(st.just("path_regex"), st.sampled_from(["/a.*", "/[ab]", "/.*", "/a/[ab]", "/a|/ab"])),
    st.sets(st.sampled_from(["GET", "POST"])),
    st.sampled_from([None, None, "x", "xy", {"prefix": "x"}, {"present": True}, {"absent": True}]),
)
REQUESTS = [
    (host, path.encode(), method, headers, b"")
    for host, path, method in product(
        (b"e", b"a.e", b"b.a.e", b"c.b.a.e", b"z"), (*PATHS, "/b", "/b/b"), (b"GET", b"POST", b"PUT")
    )
    for headers in ([], [(b"k", b"x")], [(b"k", b"xy")], [(b"k", b"z")])
]


@settings(max_examples=250, deadline=None)
@given(st.lists(MATCHES, min_size=2, max_size=6))
def test_no_request_takes_what_is_called_unreachable(written: list[dict[str, Any]]) -> None:
    """Routes by the table, and hosts and methods of routes by their cells."""
    routes = read(
        "".join(
            f"- {json.dumps({'name': f'r{n}', 'match': m, 'to': 'app'})}\n" for n, m in enumerate(written)
        ).replace('"name"', "name")
    )
    diagnostics = Diagnostics()
    check_reach(routes, diagnostics)
    from appliance.config.compile import match_of

    matches = [match_of(route.find("match")) for route in routes]
    table = RouteTable([(match, n) for n, match in enumerate(matches)])
    reached = {table.find(*request) for request in REQUESTS}
    lost = {int(each.path.removeprefix("routes.r")) for each in diagnostics if each.code == "MC403"}
    assert not reached & lost
    for n, match in enumerate(matches):
        cells = [
            Match(
                (host,) if host else (),
                match.path,
                match.path_prefix,
                match.path_regex,
                (method,) if method else (),
                match.headers,
            )
            for host, method in product(match.hosts or (None,), match.methods or (None,))
        ]
        taken = [any(covers(earlier, cell) for earlier in matches[:n]) for cell in cells]
        assert (n in lost) == all(taken)
        partly = any(each.code == "MC409" and f"`r{n}` is" in each.message for each in diagnostics)
        assert partly == (any(taken) and not all(taken))


MANY = 5000
SHAPES = {
    "prefixes": "path_prefix: /r{n}/",
    "expressions": "path_regex: '/r{n}/[0-9]+'",
    "expressions of one beginning": "path_regex: '/[a-z]+/{n}'",
    "hosts": "path_prefix: /, hosts: [h{n}.example.com]",
    "headers": "path_prefix: /, headers: {{x-tenant: t{n}}}",
    "headers that must be compared": "path_prefix: /, headers: {{x-tenant: {{prefix: t{n}x}}}}",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_five_thousand_routes_are_checked_in_no_time(shape: str) -> None:
    """Candidates are looked up, and what cannot be looked up is bounded; measured: 0.05 to 0.5 s."""
    routes = [
        route
        for start in range(0, MANY, 1000)
        for route in read(
            "".join(
                f"- {{name: r{n}, match: {{{shape.format(n=n)}}}, to: app}}\n"
                for n in range(start, start + 1000)
            )
        )
    ]
    diagnostics = Diagnostics()
    began = perf_counter()
    check_reach(routes, diagnostics)
    assert perf_counter() - began < 5
    assert not diagnostics


def test_expressions_above_thousands_of_paths_are_bounded() -> None:
    """Every route gets its part of the comparisons, the last one too."""
    expressions = [f"path_regex: '/[a-z]+/{n}'" for n in range(500)]
    paths = [f"path: /x/{n}" for n in range(1000, 2000)]
    rows = [*expressions, *paths, "path: /x/3", "path: /x/499"]
    routes = read("".join(f"- {{name: r{n}, match: {{{row}}}, to: app}}\n" for n, row in enumerate(rows)))
    for budget, lost in (
        (len(rows) * 10, ["routes.r1500"]),
        (len(rows) * 500, ["routes.r1500", "routes.r1501"]),
    ):
        diagnostics = Diagnostics()
        check_reach(routes, diagnostics, budget)
        assert [each.path for each in diagnostics] == lost


def test_beyond_the_budget_nothing_is_claimed() -> None:
    """A route that meets too many others is left alone."""
    rows = [f"headers: {{x: {{prefix: {letter}}}}}" for letter in "pqrst"]
    assert [each.code for each in found(*rows, "headers: {x: test}")] == ["MC403"]
    assert found(*rows, "headers: {x: test}", budget=6) == []
