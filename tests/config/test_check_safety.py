"""Doors that a profile opens."""

from __future__ import annotations

import pytest

from appliance.config.load import load

BASE = 'meshctl: 1\nlisteners: {web: {bind: ":1"%s}}\nroutes: [{name: a, respond: {status: 204}%s}]\n%s\n'


def codes(
    listener: str = "", route: str = "", rest: str = "", env: dict[str, str] | None = None
) -> list[str]:
    return [d.code for d in load("a.yaml", text=(BASE % (listener, route, rest)).encode(), env=env or {})[1]]


def test_believing_everybody_is_told() -> None:
    """One network that is all of them is enough."""
    assert codes(", trust_forwarded: [10.0.0.0/8]") == []
    assert codes(", trust_forwarded: [10.0.0.0/8, '::/0']") == ["MC702"]
    assert codes(", proxy_protocol: {from: [0.0.0.0/0]}") == ["MC702"]


@pytest.mark.parametrize(
    ("stats", "expected"),
    [
        ("{}", []),
        ("{listen: 127.0.0.1:2}", ["MC703"]),
        ("{listen: 127.0.0.1:2, token_file: t}", []),
        ("{listen: localhost:2, token_file: t}", []),
        ("{listen: 10.0.0.1:2, token_file: t}", ["MC705"]),
        ("{listen: 10.0.0.1:2, token_file: t, tls: {cert: c, key: k}}", []),
        ("{listen: 10.0.0.1:2}", ["MC703", "MC705"]),
    ],
)
def test_the_stats_listener_needs_a_token_and_beyond_loopback_tls(stats: str, expected: list[str]) -> None:
    """Nobody means to leave it open."""
    assert codes(rest=f"stats: {stats}") == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("authorization: Bearer abc", ["MC704"]),
        ("X-Api-Key: abc", ["MC704"]),
        ('authorization: "Bearer ${T}"', []),
        ("x-edge: abc", []),
        ('authorization: ""', []),
    ],
)
def test_secrets_belong_elsewhere(header: str, expected: list[str]) -> None:
    """A credential spelled out is told; one that is asked for is not."""
    assert codes(route=f", headers: {{request: {{set: {{{header}}}}}}}", env={"T": "x"}) == expected
