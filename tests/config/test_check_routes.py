"""Routes have names, lead somewhere, and leave time."""

from __future__ import annotations

import pytest

from appliance.config.load import load


def codes(routes: str, upstreams: str = "app: {endpoints: [10.0.0.1:80]}") -> list[str]:
    text = f'meshctl: 1\nlisteners: {{web: {{bind: ":1"}}}}\nroutes:\n{routes}\nupstreams: {{{upstreams}}}\n'
    return [d.code for d in load("a.yaml", text=text.encode(), env={})[1]]


def test_routes_that_are_never_reached_are_told_of() -> None:
    """How they are found is for ``check_reach`` to know."""
    assert codes("  - {name: a, to: app}\n  - {name: b, match: {path: /b}, to: app}") == ["MC403"]


def test_late_tries_of_defaults_are_told_once() -> None:
    """However many routes they hold for; the advice is the time that fits."""
    text = """meshctl: 1
listeners: {web: {bind: ":1"}}
defaults: {upstream: {retry: {max_retries: 3}, timeouts: {per_try: 5s}}}
routes:
  - {name: a, match: {path: /a}, to: app}
  - {name: b, match: {path: /b}, to: app}
  - {name: c, match: {path: /c}, to: other}
upstreams: {app: {endpoints: [10.0.0.1:80]}, other: {endpoints: [10.0.0.2:80]}}
"""
    found = list(load("a.yaml", text=text.encode(), env={})[1])
    assert [each.code for each in found] == ["MC511", "MC511"]
    assert "at most 3750ms" in found[0].help


def test_a_match_that_could_not_be_read_hides_nothing() -> None:
    """One mistake is told as one."""
    routes = "  - {name: a, match: {hosts: ['a b']}, to: app}\n  - {name: b, match: {path: /a}, to: app}"
    assert codes(routes) == ["MC314"]


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("to: ap", ["MC402"]),
        ("to: [{upstream: app}, {upstream: ap}], mirror: {to: pap}", ["MC402", "MC402"]),
        ("to: [{upstream: app, weight: 0}]", ["MC506"]),
        ("to: [{upstream: app, weight: 0}, app]", ["MC518"]),
        ("respond: {status: 200}", ["MC410"]),
        ("to: other, mirror: {to: app}", ["MC402"]),
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
