"""What a profile asks for in vain is listed."""

from __future__ import annotations

import pytest

from appliance.config.load import load
from appliance.config.plan import Plan

BASE = """meshctl: 1
listeners: {web: {bind: ":8080"%s}}
routes: [{name: all, to: app%s}]
upstreams: {app: {endpoints: [127.0.0.1:9001]%s}}
%s
"""


def listed(listener: str = "", route: str = "", upstream: str = "", rest: str = "") -> list[str]:
    text = BASE % (listener, route, upstream, rest)
    plan, found = load("a.yaml", text=text.encode(), env={})
    assert isinstance(plan, Plan), found.render()
    return [key.path for key in plan.unbuilt]


def test_a_plain_profile_asks_for_nothing_that_is_missing() -> None:
    """Defaults that nobody wrote are not listed."""
    assert listed() == []


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ({"rest": "process: {workers: 2}"}, "process.workers"),
        ({"rest": "tracing: {sample: 5%}"}, "tracing"),
    ],
)
def test_the_top_most_key_is_listed_once(parts: dict[str, str], path: str) -> None:
    """Not each of the keys below it."""
    assert listed(**parts) == [path]


@pytest.mark.parametrize(
    "parts",
    [
        {"rest": "process: {workers: 1}"},
        {"rest": "stats: {rate: 1/s, listen: 127.0.0.1:1, token_file: t}"},
        {"listener": ", http2: false"},
        {"listener": ", http2: true, limits: {max_streams: 7}, timeouts: {h2_ping: 9s}"},
        {"upstream": ", protocol: http2, tls: {}"},
        {"listener": ", protocol: https, tls: {certificates: [{cert: a, key: b}]}"},
        {"listener": ", protocol: http"},
        {"listener": ", limits: {max_streams: 100, max_headers: 50}"},
        {"listener": ", timeouts: {handshake: 10000ms}"},
        {"upstream": ", balance: round_robin, protocol: http1"},
        {"upstream": ", breaker: {failure_threshold: 3}, retry: {max_retries: 1}, health: {path: /x}"},
        {"upstream": ", limits: {max_requests: 1}, balance: ewma, slow_start: 1s"},
        {"route": ", rate_limit: {rate: 1/s}"},
        {"rest": "process: {memory: {soft: 50%}}"},
        {"route": ", grpc_web: false"},
        {"route": ", headers: {request: {set: {x-a: 100%}}}"},
        {"rest": "tests: [{request: {url: 'http://a.example/'}, expect: {route: all}}]"},
    ],
)
def test_what_changes_nothing_is_not_listed(parts: dict[str, str]) -> None:
    """The default, or the absence of what is absent anyway."""
    assert listed(**parts) == []
