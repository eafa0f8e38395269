"""Upstreams whose settings contradict each other or the listeners."""

from __future__ import annotations

import json

import pytest

from appliance.config.load import load

BASE = """meshctl: 1
listeners: {web: {bind: "%s"}}
routes: [{name: all, to: app}]
upstreams: {app: {endpoints: [%s]%s}}
"""


def codes(bind: str = ":8080", endpoints: str = "10.0.0.1:80", more: str = "") -> list[str]:
    text = BASE % (bind, endpoints, f", {more}" if more else "")
    return [d.code for d in load("a.yaml", text=text.encode(), env={})[1]]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("breaker: {failure_threshold: 0}", []),
        ("breaker: {failure_threshold: 0, error_rate: 0%}", ["MC503"]),
        ("breaker: {open_for: 10s, max_open_for: 10s}", []),
        ("breaker: {max_open_for: 29s}", ["MC507"]),
        ("breaker: {open_for: 1m, max_open_for: 30s}", ["MC507"]),
        ("breaker: false", []),
        ("balance: consistent_hash", ["MC505"]),
        ("balance: consistent_hash, hash_on: path", []),
        ("hash_on: path", ["MC508"]),
        ("retry: {methods: [GET, PATCH, POST]}", ["MC502", "MC502"]),
        ("retry: {backoff: {max: 1ms}}", ["MC509"]),
        ("health: {interval: 3s}", ["MC504"]),
        ("health: {timeout: 10s}", ["MC504"]),
        ("health: {}", []),
        ("tls: {verify: false}", ["MC701"]),
    ],
)
def test_rules_of_one_upstream(more: str, expected: list[str]) -> None:
    """What is not written counts with its default."""
    assert codes(more=more) == expected


@pytest.mark.parametrize(
    ("bind", "endpoint", "loop"),
    [
        (":8080", "127.0.0.1:8080", True),
        (":8080", "localhost:8080", True),
        ("0.0.0.0:8080", "'[::1]:8080'", False),
        ("127.0.0.1:8080", "127.0.0.1:8080", True),
        ("10.1.1.1:8080", "10.1.1.1:8080", True),
        ("unix:/x", "unix:/x", True),
        (":8080", "127.0.0.1:8081", False),
        (":8080", "10.0.0.1:8080", False),
        ("10.1.1.1:8080", "127.0.0.1:8080", False),
        (":0", "127.0.0.1:80", False),
        ("fd:web", "127.0.0.1:80", False),
        ("0.0.0.0:80", "[::1]:80", False),
        ("[::]:80", "127.0.0.1:80", False),
        ("[::]:80", "localhost:80", True),
    ],
)
def test_an_endpoint_that_is_our_own_listener_is_a_circle(bind: str, endpoint: str, loop: bool) -> None:
    """Only where it surely is one."""
    assert ("MC405" in codes(bind, endpoint)) == loop


def test_weights_and_repetitions() -> None:
    """Somebody must get the requests, and each server is written once."""
    assert codes(endpoints="{address: 'a:1', weight: 0}, {address: 'b:1', weight: 0}") == ["MC506"]
    assert codes(endpoints="{address: 'a:1', weight: 0}, 'b:1'") == []
    assert codes(endpoints="'a:1', 'A:1'") == ["MC406"]


def test_two_listeners_cannot_have_one_address() -> None:
    """But each may ask for any free port."""
    text = 'meshctl: 1\nlisteners: {a: {bind: "%s"}, b: {bind: "%s"}}\n'
    text += "routes: [{name: x, respond: {status: 204}}]"
    for bind, expected in ((":80", ["MC407"]), (":0", [])):
        assert [d.code for d in load("a", text=(text % (bind, bind)).encode(), env={})[1]] == expected


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (":80", "127.0.0.1:80", True),
        (":80", "[::1]:80", True),
        (":80", "shop.example:80", True),
        ("0.0.0.0:80", "10.0.0.1:80", True),
        ("0.0.0.0:80", "localhost:80", True),
        ("0.0.0.0:80", "[::1]:80", False),
        ("0.0.0.0:80", "[::]:80", False),
        ("0.0.0.0:80", "shop.example:80", False),
        ("[::]:80", "[fd00::1]:80", True),
        ("[::]:80", "10.0.0.1:80", False),
        ("localhost:80", "[::1]:80", True),
        ("localhost:80", "10.0.0.1:80", False),
        ("10.0.0.1:80", "10.0.0.2:80", False),
        (":80", ":81", False),
        ("unix:/a", "unix:/b", False),
        ("fd:a", "fd:a", True),
    ],
)
def test_listeners_that_are_in_each_others_way(one: str, other: str, clash: bool) -> None:
    """A wildcard holds every address of its family, and no host those of both."""
    text = 'meshctl: 1\nlisteners: {a: {bind: "%s"}, b: {bind: "%s"}}\n'
    text += "routes: [{name: x, respond: {status: 204}}]"
    for pair in ((one, other), (other, one)):
        codes = [d.code for d in load("a", text=(text % pair).encode(), env={})[1]]
        assert codes == (["MC407"] if clash else [])


def test_the_stats_listener_counts_too() -> None:
    """It binds like the others."""
    text = BASE % (":80", "10.0.0.1:80", "") + "stats: {listen: '127.0.0.1:80', token_file: t}\n"
    assert [d.code for d in load("a", text=text.encode(), env={})[1]] == ["MC407"]


def test_routes_with_rules_of_their_own_are_checked_too() -> None:
    """A breaker is a breaker, wherever it stands."""
    text = BASE.replace("to: app}", "to: app, breaker: {max_open_for: 1s}}") % (":1", "10.0.0.1:80", "")
    assert [d.code for d in load("a", text=text.encode(), env={})[1]] == ["MC507"]


def test_defaults_are_checked_where_they_are_written_and_once() -> None:
    """However many upstreams they are copied under."""
    text = BASE % (":1", "10.0.0.1:80", "") + "defaults: {upstream: {breaker: {max_open_for: 1s}}}"
    found = load("a", text=text.encode(), env={})[1]
    assert [(d.code, d.path) for d in found] == [("MC507", "defaults.upstream.breaker.max_open_for")]


@pytest.mark.parametrize(
    ("format", "said"),
    [
        ("{client} {method} {path} {status}", None),
        ("{{{id}}}", None),
        ("jsno", "names no field"),
        ("{stauts}", "`stauts`"),
        ("{}", "``"),
        ("{status:>5}", "`status`"),
        ("{client.__class__}", "client.__class__"),
        ("{client", "malformed"),
    ],
)
def test_a_log_format_names_known_fields(format: str, said: str | None) -> None:
    """A format that could not be written for each record is an error before it is a lost log."""
    profile = {"listeners": {"web": {"bind": "127.0.0.1:8080"}}, "routes": [{"name": "all", "to": "app"}]}
    profile |= {
        "meshctl": 1,
        "upstreams": {"app": {"endpoints": ["127.0.0.1:1"]}},
        "access_log": {"format": format},
    }
    _, found = load("p.yaml", text=json.dumps(profile).encode(), env={})
    if said is None:
        assert not found.errors
    else:
        assert said in found.render()
