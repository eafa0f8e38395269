"""Redirects that lead somewhere and keys that do something are left alone; the others are told."""

from __future__ import annotations

import pytest

from appliance.config.load import load_profile

TLS = "protocol: https, tls: {certificates: [{cert: c, key: k}]}"


def codes(route: str, listener: str = "", more: str = "", env: dict[str, str] | None = None) -> list[str]:
    """Give the codes that are told of one route."""
    text = f"""
meshctl: 1
listeners: {{web: {{bind: ":8080"{listener}}}}}
routes:
  - {{name: one, {route}}}
upstreams:
  app: {{endpoints: [127.0.0.1:9001]}}
  other: {{endpoints: [127.0.0.1:9002]}}
{more}"""
    told = [found.code for found in load_profile("a.yaml", text=text.encode(), env=env).diagnostics]
    return [code for code in told if code != "MC410"]


@pytest.mark.parametrize(
    "redirect",
    [
        "match: {path: /a}, redirect: {path: /b}",
        "match: {path: /a}, redirect: {path: /a, host: b}",
        "match: {path_prefix: /a/}, redirect: {path_prefix: /}",
        "match: {path_prefix: /a}, redirect: {path: /a}",
        "redirect: {path_prefix: /b}",
        "match: {hosts: [a, b]}, redirect: {host: a}",
        "redirect: {port: 8081}",
        "redirect: {scheme: https}",
        "redirect: {path: '${P}'}",
        "redirect: {scheme: '${S}'}",
        "match: {path: /, headers: {cookie: {absent: true}}}, redirect: {status: 302, path: /}",
        "match: {path_regex: '//+.*'}, redirect: {path_prefix: /}",
        "match: {path: /form, methods: [POST]}, redirect: {path: /form, status: 303}",
    ],
)
def test_a_redirect_that_changes_something_is_right(redirect: str) -> None:
    """Or may, where it is not known."""
    assert codes(redirect) == []


@pytest.mark.parametrize(
    "redirect",
    [
        "redirect: {status: 302}",
        "match: {path: /a}, redirect: {path: /a}",
        "match: {path_prefix: /a/}, redirect: {path_prefix: /a}",
        "redirect: {path_prefix: /}",
        "match: {hosts: [a]}, redirect: {host: a}",
        "redirect: {scheme: http}",
        "match: {path: /a}, redirect: {path: /a, scheme: http}",
    ],
)
def test_a_redirect_in_a_circle_is_refused(redirect: str) -> None:
    """It would never end."""
    assert codes(redirect) == ["MC517"]


def test_a_form_leads_back_to_a_route_above_that_takes_the_other_method() -> None:
    """303 asks by GET; a 308 keeps the method, and is a circle."""
    above = (
        "match: {path: /f, methods: [GET]}, to: app}\n  - {name: two, match: {path: /f}, redirect: {path: /f"
    )
    assert codes(f"{above}, status: 303}}") == []
    assert codes(f"{above}}}") == ["MC517"]


def test_a_scheme_is_changed_where_a_listener_speaks_another() -> None:
    """What one listener is sent to may be where another one stands."""
    assert codes("redirect: {scheme: https}", f", {TLS}") == ["MC517"]
    both = f', {TLS}}}, plain: {{bind: ":8081"'
    assert codes("redirect: {scheme: https}", both) == []
    assert codes("match: {headers: {x-forwarded-proto: http}}, redirect: {scheme: https}", f", {TLS}") == []


def test_a_listener_that_speaks_https_does_not_redirect_to_it() -> None:
    """The key is for the plain one."""
    assert codes("to: app", f", redirect: https, {TLS}") == ["MC517"]
    assert codes("to: app", f', redirect: https}}, b: {{bind: ":8443", {TLS}') == []


@pytest.mark.parametrize(
    ("route", "count"),
    [
        ("respond: {status: 200, body: ok}", 0),
        ("respond: {status: 200}, retry: {max_retries: 1}, breaker: {open_for: 1s}", 2),
        ("respond: {status: 200}, breaker: false, grpc_web: false", 0),
        ("redirect: {port: 1}, rewrite: {path: /}", 1),
        ("respond: {status: 204, body: ''}", 0),
        ("respond: {status: 304, body: no}", 1),
        ("to: [app, other]", 0),
        ("to: [app, other, app]", 1),
        ("to: app, mirror: {to: other}", 0),
        ("to: app, mirror: {to: app}", 1),
        ("to: [app, other], mirror: {to: app}", 0),
        ("to: app, retry: {max_retries: 1}, rewrite: {path: /}", 0),
    ],
)
def test_keys_that_do_nothing(route: str, count: int) -> None:
    """Each is told once."""
    assert codes(route) == ["MC518"] * count


def test_what_is_said_for_all_routes_is_not_told_of_one() -> None:
    """`defaults` holds for those that it is about."""
    assert codes("respond: {status: 200}", more="defaults: {route: {retry: {max_retries: 1}}}") == []


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("match: {path: /a}, to: app, rewrite: {path_prefix: /b}", ["MC519"]),
        ("match: {path_regex: /a}, redirect: {path_prefix: /b}", []),
        ("match: {path_prefix: /a}, to: app, rewrite: {path_prefix: /b}", []),
        ("match: {hosts: [a]}, to: app, rewrite: {path_prefix: /b}", []),
        ("to: app, rewrite: {path_prefix: /b}", []),
    ],
)
def test_a_prefix_is_replaced_only_where_one_was_matched(route: str, expected: list[str]) -> None:
    """Without a path in the match, the prefix is the root."""
    assert codes(route) == expected
