"""What a breaker makes of an attempt: the judgement, the evidence, whose breaker it is, a probe's place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.config.plan_policy import BreakerPlan, Outcomes
from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import (
    BODY_TIMEOUT,
    CLIENT_GONE,
    CLIENT_SLOW,
    CONNECT_FAILED,
    CUT_SHORT,
    RATE_LIMITED,
    REQUEST_TIMEOUT,
    RESPONSE_TIMEOUT,
    TRY_TIMEOUT,
    UPSTREAM_BAD,
    UPSTREAM_CUT,
    UPSTREAM_FULL,
    UPSTREAM_IDLE,
    UPSTREAM_RESET,
    Fault,
    Reason,
)
from appliance.model.headers import Headers
from appliance.model.message import FixedBody, Request, Response
from appliance.policy.breaker import Shift, State
from appliance.upstream.breakers import LONG, Evidence, Fuse, Fuses, grpc_status

RULES = BreakerPlan(failure_threshold=3, success_threshold=1, min_requests=100)


class Nobody:
    """A crowd in which nobody waits."""

    in_flight = 0
    turns = ()


class Endpoint:
    """As much of an endpoint as an attempt asks for."""

    name = "10.0.0.1:80"
    in_flight = 0
    crowd = Nobody()

    def count(self, *_: object) -> None:
        """Count nothing."""


class Stream:
    """As much of a stream as an exchange asks for."""

    def __init__(self, method: bytes, headers: Headers) -> None:
        self.request = Request(method, b"http", b"a", b"/p", b"secret=1", headers)


class Body(FixedBody):
    """An answer that has been read, with its trailers."""

    def __init__(self, data: bytes, trailers: Headers, length: int | None = None) -> None:
        super().__init__(data)
        self.read_nowait()
        self.trailers = trailers
        self.length = length


def exchange(kind: bytes = b"", method: bytes = b"POST") -> Exchange:
    headers = [(b"content-type", kind)] if kind else []
    return Exchange("id-1", Stream(method, headers), "web", "::1", 0.0)


def fuse(rules: BreakerPlan = RULES) -> tuple[Fuse, list[Shift]]:
    shifts: list[Shift] = []
    return Fuse("app/x", rules, 0.0, lambda _, shift: shifts.append(shift)), shifts


def run(guard: Fuse, response: Response | None, fault: Fault | None, x: Exchange, now: float) -> None:
    """Let one attempt begin and end so."""
    attempt = Attempt(Endpoint(), now - 0.5, guard, guard.breaker.admit(now))
    attempt.response = response
    attempt.end(x, fault, now)


def effect(response: Response | None, fault: Fault | None = None, x: Exchange | None = None) -> str:
    """Say what an end does to a run of failures and to the window."""
    guard, _ = fuse()
    failing = Response(503, [])
    run(guard, failing, None, exchange(), 1.0)
    run(guard, response, fault, x or exchange(), 1.1)
    breaker = guard.breaker
    failed, total = breaker._window.failed, breaker._window.total
    return {(2, 2, 2): "fail", (0, 1, 2): "ok", (1, 1, 1): "neutral", (1, 2, 2): "overload"}[
        breaker.run, failed, total
    ]


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "ok"), (304, "ok"), (101, "ok"), (400, "neutral"), (404, "neutral"), (429, "overload")]
    + [(500, "fail"), (503, "fail"), (599, "fail")],
)
def test_a_whole_answer_is_judged_by_its_status(status: int, verdict: str) -> None:
    """2xx and 3xx are well, 4xx is the request's fault, 429 is an overload, 5xx a failure."""
    assert effect(Response(status, [])) == verdict


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [(CONNECT_FAILED, "fail"), (UPSTREAM_RESET, "fail"), (UPSTREAM_CUT, "fail"), (UPSTREAM_BAD, "fail")]
    + [(TRY_TIMEOUT, "fail"), (RESPONSE_TIMEOUT, "fail"), (UPSTREAM_IDLE, "fail")]
    + [(each, "neutral") for each in (CLIENT_GONE, CLIENT_SLOW, BODY_TIMEOUT, CUT_SHORT)]
    + [(each, "neutral") for each in (REQUEST_TIMEOUT, RATE_LIMITED, UPSTREAM_FULL)],
)
def test_only_the_upstreams_own_faults_count(reason: Reason, verdict: str) -> None:
    """Whatever the head said: a body that breaks off is a failure, a client that leaves is nothing."""
    assert effect(Response(200, []), Fault(reason)) == verdict
    assert effect(None, Fault(reason)) == verdict


def test_what_counts_as_a_failure_can_be_set() -> None:
    """With ``failures: [connect, 500]`` a 503 is neither, and a reset neither."""
    rules = BreakerPlan(failure_threshold=1, failures=Outcomes(frozenset({500}), frozenset({"connect"})))
    guard, shifts = fuse(rules)
    run(guard, Response(503, []), None, exchange(), 1.0)
    run(guard, None, Fault(UPSTREAM_RESET), exchange(), 1.0)
    assert not shifts
    run(guard, None, Fault(CONNECT_FAILED), exchange(), 1.0)
    assert [shift.new for shift in shifts] == [State.OPEN]


@pytest.mark.parametrize("code", range(17))
def test_a_grpc_call_is_judged_by_its_trailers(code: int) -> None:
    """Fifteen errors: five are failures, one an overload, the others the caller's business."""
    expected = "neutral"
    if code == 0:
        expected = "ok"
    elif code == 8:
        expected = "overload"
    elif code in (2, 4, 13, 14, 15):
        expected = "fail"
    x = exchange(b"application/grpc")
    trailers = [(b"grpc-status", b"%d" % code)]
    assert effect(Response(200, [], Body(b"data", trailers)), None, x) == expected
    assert effect(Response(200, trailers, Body(b"", [], 0)), None, x) == expected


@pytest.mark.parametrize("raw", [b"", b"x", b"-1", b"99999", b"14 "])
def test_a_grpc_stream_without_a_status_has_failed(raw: bytes) -> None:
    """Or with one that is none."""
    trailers = [(b"grpc-status", raw)] if raw else []
    answer = Response(200, [], Body(b"data", trailers))
    assert effect(answer, None, exchange(b"application/grpc")) == "fail"
    assert grpc_status(answer) == (2 if raw else None)


def test_an_answer_to_grpc_that_is_plain_http_is_judged_as_such() -> None:
    """A balancer in between answers 503 or 404 without any trailers."""
    assert effect(Response(503, []), None, exchange(b"application/grpc")) == "fail"
    assert effect(Response(404, []), None, exchange(b"application/grpc")) == "neutral"


def test_a_trip_names_its_requests() -> None:
    """Id, method, path without the query, endpoint, how, when and for how long."""
    guard, shifts = fuse()
    for fault in (None, Fault(UPSTREAM_RESET), None):
        run(guard, None if fault else Response(502, []), fault, exchange(), 7.0)
    (shift,) = shifts
    first = Evidence("id-1", "POST", "/p", "10.0.0.1:80", "502", 7.0, 0.5)
    assert shift.evidence[0] == first
    assert [each.how for each in shift.evidence] == ["502", "upstream-reset", "502"]


def test_a_grpc_call_is_named_by_its_status() -> None:
    """A head of 200 says nothing of it."""
    guard, shifts = fuse(replace(RULES, failure_threshold=0, error_rate=0.5, min_requests=3))
    for raw in (b"14", b"8", None):
        body = Body(b"data", [(b"grpc-status", raw)] if raw else [])
        run(guard, Response(200, [], body), None, exchange(b"application/grpc"), 1.0)
    (shift,) = shifts
    found = [(each.how, each.overload) for each in shift.evidence]
    assert found == [("grpc-status 14", False), ("grpc-status 8", True), ("no grpc-status", False)]


@pytest.mark.parametrize(
    ("length", "early"), [(None, True), (LONG + 1, True), (LONG, False), (10, False), (0, False)]
)
def test_a_long_answer_gives_a_probes_place_back(length: int | None, early: bool) -> None:
    """At its head; a short one keeps the place until its end."""
    guard, _ = fuse(BreakerPlan(failure_threshold=1, success_threshold=2, open_for=1.0, max_open_for=1.0))
    run(guard, Response(503, []), None, exchange(), 0.0)
    attempt = Attempt(Endpoint(), 1.0, guard, guard.breaker.admit(1.0))
    assert not guard.breaker.ready(1.0)
    body = FixedBody(b"x" * 10)
    body.length = length
    body.ended = length == 0
    attempt.response = Response(200, [], body)
    guard.head(attempt, exchange(), 1.0)
    assert guard.breaker.ready(1.0) is early
    attempt.end(exchange(), None, 2.0)
    assert guard.breaker.successes == 1
    assert guard.breaker.ready(2.0)


def test_endpoints_have_breakers_of_their_own() -> None:
    """Made when first asked for, under the name of upstream and address, and forgotten when told."""
    moved: list[object] = []
    fuses = Fuses("app", RULES, lambda: 0.0, lambda *what: moved.append(what))
    one, two = fuses.of("a:1"), fuses.of("b:1")
    assert one is not None
    assert two is not None
    assert (one.name, two.name) == ("app/a:1", "app/b:1")
    assert fuses.of("a:1") is one
    assert fuses.all() == [one, two]
    fuses.forget("a:1")
    assert fuses.of("a:1") is not one


def test_a_shared_breaker_is_one() -> None:
    """``scope: upstream``: whoever is asked for, the same breaker; also after one has left."""
    rules = BreakerPlan(scope="upstream")
    fuses = Fuses("app", rules, lambda: 0.0, lambda *_: None)
    one = fuses.of("a:1")
    assert one is not None
    assert one.name == "app"
    assert fuses.of("b:1") is one
    assert fuses.all() == [one]
    fuses.forget("a:1")
    fuses.forget("b:1")
    assert fuses.of("c:1") is one


def test_without_rules_there_is_no_breaker() -> None:
    """``breaker: false``."""
    assert Fuses("app", None, lambda: 0.0, lambda *_: None).of("a:1") is None
