"""The policies of a route, in words: what is in effect is said, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from appliance.config.plan import Destination, Forward, Plan, Respond, UpstreamPlan
from appliance.config.plan_policy import (
    BreakerPlan,
    HealthPlan,
    InjectPlan,
    MirrorPlan,
    Outcomes,
    RateLimitPlan,
    RetryPlan,
    UpstreamLimits,
    UpstreamTls,
)
from appliance.config.policy_text import IDLE, IDLE_STREAMING, policy_lines, rate_limit_text
from appliance.proxy.layers import route as layer
from appliance.routing.rewrite import Redirect
from tests.kit.plans import edits, plan, route, upstream


def said(made: Plan, method: str = "GET") -> list[str]:
    return [f"{line.label}: {line.text}" for line in policy_lines(made, made.routes[0], method)]


def one(label: str, made: Plan, method: str = "GET") -> str:
    (text,) = [line.text for line in policy_lines(made, made.routes[0], method) if line.label == label]
    return text


def sending(**changes: object) -> Plan:
    """A plan whose one route sends to one upstream, by these rules."""
    return plan(route(Forward((Destination("app", **changes),))))  # type: ignore[arg-type]


def served(**changes: object) -> Plan:
    """A plan whose one upstream is like this."""
    return plan(upstreams=(replace(upstream(), **changes),))  # type: ignore[arg-type]


def test_the_defaults_are_five_lines() -> None:
    """What nobody wrote holds, too."""
    assert said(plan(route(Forward((Destination("app"),))))) == [
        "upstream: app, round_robin over 1 endpoint",
        "tries: up to 3, after connect, grpc-unavailable, reset, timeout, 502-504; waits 25ms to 250ms",
        "retry budget: 20% of requests, and always 3/s; bodies up to 64KiB are kept",
        "timeouts: response 15s · idle 60s (streams 5m) · connect 2s · per try 5s",
        "breaker: the upstream's, on each endpoint: 5 failures in a row, or 50% of >= 20 in 10s; "
        "open 30s, then 2 probes",
    ]


def test_the_idle_times_are_those_of_the_proxy() -> None:
    """They stand in two places."""
    assert (IDLE, IDLE_STREAMING) == (layer.IDLE, layer.IDLE_STREAMING)


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (RateLimitPlan(100, 200), "100/s burst 200 by client_ip"),
        (RateLimitPlan(0.5, 1, "header:x-user"), "30/m burst 1 by header:x-user"),
        (RateLimitPlan(5, 5, "host", 503), "5/s burst 5 by host, answers 503"),
        (
            RateLimitPlan(5, 5, "route", mode="shadow"),
            "5/s burst 5 by route; counts only, refuses nothing (shadow)",
        ),
    ],
)
def test_rate_limits(limit: RateLimitPlan, text: str) -> None:
    """In the units of a profile, and with what is unusual about them."""
    assert rate_limit_text(limit) == text


def test_both_rate_limits_are_said_in_the_order_in_which_they_are_met() -> None:
    """The one before routing first."""
    made = replace(plan(route(rate_limit=RateLimitPlan(1, 2))), rate_limit=RateLimitPlan(3, 4))
    assert said(made)[:2] == [
        "rate limit: 3/s burst 4 by client_ip, before routing",
        "rate limit: 1/s burst 2 by client_ip",
    ]


@pytest.mark.parametrize(
    ("retry", "method", "text"),
    [
        (RetryPlan(max_retries=0), "GET", "1 (retry.max_retries: 0)"),
        (RetryPlan(), "POST", "1, as POST is not repeated; up to 3 if nothing was sent yet"),
        (
            RetryPlan(max_retries=1, when=Outcomes(frozenset(range(500, 600))), methods=("POST",)),
            "POST",
            "up to 2, after 5xx; waits 25ms to 250ms",
        ),
    ],
)
def test_tries_depend_on_the_method(retry: RetryPlan, method: str, text: str) -> None:
    """What must not happen twice is not repeated."""
    assert one("tries", sending(retry=retry), method) == text


def test_without_retries_there_is_no_budget() -> None:
    """Only what matters is said."""
    assert not any(line.startswith("retry budget") for line in said(sending(retry=RetryPlan(max_retries=0))))


@pytest.mark.parametrize(
    ("times", "text"),
    [
        ({"request": 90.0, "idle": 5.0}, "request 90s · response 15s · idle 5s · connect 2s · per try 5s"),
        ({"response": inf, "idle": 0.25}, "response none · idle 250ms · connect 2s · per try 5s"),
        (
            {"request": 3600.0, "response": 150.0, "idle": inf},
            "request 1h · response 2m30s · idle none · connect 2s · per try 5s",
        ),
    ],
)
def test_timeouts(times: dict[str, float], text: str) -> None:
    """What is switched off is said to be, except the one that is off unless written."""
    assert one("timeouts", plan(route(**times))) == text


@pytest.mark.parametrize(
    ("breaker", "own", "text"),
    [
        (None, False, "off"),
        (
            BreakerPlan(failure_threshold=3),
            True,
            "its own, on each endpoint: 3 failures in a row, or 50% of >= 20 in 10s; open 30s, then 2 probes",
        ),
        (
            BreakerPlan(
                scope="upstream", error_rate=0, success_threshold=1, max_open_for=300, when_all_open="pass"
            ),
            False,
            "the upstream's, one for the whole upstream: 5 failures in a row; open 30s up to 5m, "
            "then 1 probe; with all open, tries anyway",
        ),
        (
            BreakerPlan(failure_threshold=0, failures=Outcomes(frozenset({503}), frozenset({"connect"}))),
            False,
            "the upstream's, on each endpoint: 50% of >= 20 in 10s; open 30s, then 2 probes; "
            "failures are connect, 503",
        ),
    ],
)
def test_breakers(breaker: BreakerPlan | None, own: bool, text: str) -> None:
    """Whose it is, what opens it, how it closes."""
    assert one("breaker", sending(breaker=breaker, own_breaker=own)) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"balance": "consistent_hash", "hash_on": "header:x-user"},
            "app, consistent_hash on header:x-user over 1 endpoint",
        ),
        ({"protocol": "http2", "tls": UpstreamTls()}, "app, round_robin over 1 endpoint, HTTP/2, TLS"),
        (
            {"tls": UpstreamTls(verify=False), "slow_start": 30.0},
            "app, round_robin over 1 endpoint, TLS that verifies nothing, slow start 30s",
        ),
        (
            {"endpoints": upstream("app", "10.0.0.1:1", "10.0.0.2:1").endpoints},
            "app, round_robin over 2 endpoints",
        ),
    ],
)
def test_upstreams(changes: dict[str, object], text: str) -> None:
    """How an endpoint is chosen and spoken to."""
    assert one("upstream", served(**changes)) == text


def test_limits_and_checks_are_said_where_they_are_set() -> None:
    """The usual limits are not worth a line."""
    made = served(limits=UpstreamLimits(max_requests=10), health=HealthPlan())
    assert said(made)[-2:] == [
        "limits: 1024 connections, 10 requests; 128 wait up to 1s",
        "health: GET /healthz every 10s, within 3s; down after 3, up after 2",
    ]
    assert one("health", served(health=HealthPlan(protocol="tcp"))).startswith("tcp every 10s")


def two(**changes: object) -> Plan:
    """A plan whose route shares requests between two upstreams; the changes are the second's."""
    upstreams: tuple[UpstreamPlan, ...] = (upstream("a"), upstream("b"))
    return plan(route(Forward((Destination("a", 95), Destination("b", 5, **changes)))), upstreams=upstreams)  # type: ignore[arg-type]


def test_what_upstreams_have_in_common_is_said_once() -> None:
    """What they have not is said of each."""
    assert said(two())[:2] == [
        "upstream: a gets 95%, round_robin over 1 endpoint",
        "upstream: b gets 5%, round_robin over 1 endpoint",
    ]
    assert len([line for line in said(two()) if line.startswith("breaker")]) == 1
    apart = [line for line in said(two(breaker=None)) if line.startswith("breaker")]
    assert apart[0].startswith("breaker: a: the upstream's, ")
    assert apart[1] == "breaker: b: off"


def test_mirrors_drills_translation_and_edits() -> None:
    """Header values stay unsaid: they may be secret."""
    made = plan(
        route(
            mirror=MirrorPlan("next", 0.01),
            inject=InjectPlan(0.01, 0.5, 0.001, 503),
            grpc_web=True,
            request_headers=edits(set=((b"authorization", b"hunter2"),), remove=(b"x-debug",)),
            response_headers=edits(add=((b"x-a", b"1"), (b"x-a", b"2"))),
        )
    )
    assert said(made)[-5:] == [
        "grpc-web: translated to gRPC",
        "mirror: 1% of requests copied to next",
        "drill: 1% wait 500ms · 0.1% get 503",
        "headers: request: remove x-debug · set authorization",
        "headers: response: add x-a",
    ]
    assert "drill" not in str(said(plan(route(inject=InjectPlan()))))


def test_answers_of_the_proxy_itself() -> None:
    """They meet the edits of the response and nothing that has to do with upstreams."""
    changed = edits(remove=(b"server",))
    answer = route(Respond(200, b"ok\n"), response_headers=changed, request_headers=changed)
    assert said(plan(answer)) == [
        "answer: 200 with a body of 3B, from the proxy itself",
        "headers: response: remove server",
    ]
    assert said(plan(route(Respond(204)))) == ["answer: 204 with no body, from the proxy itself"]
    assert said(plan(route(Redirect()))) == ["answer: 308, a redirect from the proxy itself"]
