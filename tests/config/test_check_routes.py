"""Routes lead somewhere, can be reached, and have time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.check_routes import covers
from appliance.config.load import load
from appliance.routing.match import Match
from appliance.routing.table import RouteTable


def codes(routes: str, upstreams: str = "app: {endpoints: [10.0.0.1:80]}") -> list[str]:
    text = f'meshctl: 1\nlisteners: {{web: {{bind: ":1"}}}}\nroutes:\n{routes}\nupstreams: {{{upstreams}}}\n'
    return [d.code for d in load("a.yaml", text=text.encode(), env={})[1]]


def pair(first: str, second: str) -> list[str]:
    return codes(
        f"  - {{name: a, match: {{{first}}}, to: app}}\n  - {{name: b, match: {{{second}}}, to: app}}"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", "path: /a"),
        ("path: /a", "path: /a"),
        ("path: /a", "path: /%61"),
        ("path_prefix: /", "path_regex: /x"),
        ("path_prefix: /a", "path: /a"),
        ("path_prefix: /a/", "path_prefix: /a"),
        ("path_prefix: /a", "path_prefix: /a/b/"),
        ("path_regex: /x+", "path_regex: /x+"),
        ("hosts: ['*.e.com']", "hosts: [a.e.com, '*.b.e.com']"),
        ("hosts: [a, b]", "hosts: [b]"),
        ("methods: [GET, HEAD]", "methods: [GET], path: /a"),
        ("headers: {x: 1}", "headers: {y: 2, X: 1}"),
        ("query: {v: 1}", "query: {v: 1}, hosts: [a]"),
    ],
)
def test_a_route_below_one_that_asks_for_less_is_never_reached(first: str, second: str) -> None:
    """Whatever of it is absent above, equal, or contained."""
    assert pair(first, second) == ["MC403"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("path: /a", ""),
        ("path_prefix: /a", "path_prefix: /ab"),
        ("path_prefix: /a/b", "path_prefix: /a"),
        ("path_regex: /.*", "path: /a"),
        ("hosts: ['*.e.com']", "hosts: [e.com]"),
        ("hosts: [a]", "hosts: [a, b]"),
        ("hosts: [a]", "path: /a"),
        ("methods: [GET]", "methods: [GET, POST]"),
        ("headers: {x: 1}", "headers: {x: 2}"),
        ("headers: {x: 1}", "query: {x: 1}"),
    ],
)
def test_a_route_that_something_is_left_for_is_fine(first: str, second: str) -> None:
    """An error is always right."""
    assert pair(first, second) == []


def test_a_match_that_could_not_be_read_hides_nothing() -> None:
    """One mistake is told as one."""
    assert pair("hosts: ['a b']", "path: /a") == ["MC314"]


HOST = st.sampled_from(["a.com", "b.a.com", "*.a.com", "*.b.a.com"])
PATHS = ("/", "/a", "/a/", "/a/b", "/ab")
MATCH = st.builds(
    lambda hosts, kind, path, methods: Match(
        hosts=tuple(hosts), methods=tuple(sorted(methods)), **({kind: path} if kind else {})
    ),
    st.lists(HOST, max_size=2, unique=True),
    st.sampled_from(["", "path", "path_prefix"]),
    st.sampled_from(PATHS),
    st.sets(st.sampled_from(["GET", "POST"])),
)


@given(MATCH, MATCH)
def test_nothing_is_hidden_that_the_table_would_find(first: Match, second: Match) -> None:
    """If the second is called unreachable, no request takes it."""
    from appliance.config.check_routes import _own_place, _places

    if _own_place(first) not in _places(second) or not covers(first, second):
        return
    table = RouteTable([(first, 1), (second, 2)])
    for host in (b"a.com", b"b.a.com", b"c.b.a.com", b"x.org"):
        for path in PATHS:
            for method in (b"GET", b"POST", b"PUT"):
                assert table.find(host, path.encode(), method, [], b"") != 2


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("to: ap", ["MC402"]),
        ("to: [{upstream: app}, {upstream: ap}], mirror: {to: pap}", ["MC402", "MC402"]),
        ("to: [{upstream: app, weight: 0}]", ["MC506"]),
        ("to: [{upstream: app, weight: 0}, app]", []),
        ("respond: {status: 200}", []),
    ],
)
def test_targets_exist_and_get_something(route: str, expected: list[str]) -> None:
    """A route sends somewhere."""
    assert codes(f"  - {{name: a, {route}}}") == expected


def test_names_are_unique() -> None:
    """They are rows in the dashboard."""
    assert codes("  - {name: a, match: {path: /x}, to: app}\n  - {name: a, to: app}") == ["MC401"]


@pytest.mark.parametrize(
    ("response", "upstream", "expected"),
    [
        ("15s", "", []),
        ("5s", "", ["MC501"]),
        ("0", "timeouts: {per_try: 1h}", []),
        ("10s", "timeouts: {per_try: 10s}", ["MC501"]),
        ("10s", "timeouts: {per_try: 0}", []),
        ("10s", "", []),
        ("10s", "retry: {max_retries: 3}", ["MC511"]),
        ("20s", "retry: {max_retries: 3}", []),
    ],
)
def test_tries_fit_into_the_time_of_the_route(response: str, upstream: str, expected: list[str]) -> None:
    """One try ends before the route does, and so do all that were asked for."""
    more = f", {upstream}" if upstream else ""
    route = f"  - {{name: a, to: app, timeouts: {{response: {response}}}}}"
    assert codes(route, f"app: {{endpoints: [10.0.0.1:80]{more}}}") == expected


def test_tests_name_what_exists() -> None:
    """A test of a route that is gone would pass for ever."""
    route = (
        "  - {name: a, to: app}\ntests: [{request: {url: 'http://x/'}, expect: {route: b, upstream: app}}]"
    )
    assert codes(route) == ["MC408"]


def test_a_thousand_routes_are_checked_in_no_time() -> None:
    """Candidates are looked up, not tried in pairs."""
    from time import perf_counter

    from appliance.config.check_routes import check_routes
    from appliance.config.diagnostic import Diagnostics
    from appliance.config.read import Reader
    from appliance.config.schema import PROFILE
    from appliance.config.source import parse

    text = "routes:\n" + "".join(
        f"- {{name: r{n}, match: {{path_prefix: /r{n}/}}, to: app}}\n" for n in range(1000)
    )
    found = Diagnostics()
    node = parse(text.encode(), "a.yaml", Diagnostics())
    assert node is not None
    value = Reader(Diagnostics()).read(PROFILE, node)
    assert value is not None
    began = perf_counter()
    check_routes(value, found)
    assert perf_counter() - began < 1
