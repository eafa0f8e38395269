"""Policy blocks of a profile become rules of the plan."""

from __future__ import annotations

from ipaddress import ip_network

from appliance.config.load import load
from appliance.config.plan import Forward, Plan
from appliance.config.plan_policy import (
    Backoff,
    BreakerPlan,
    CertificatePair,
    HealthPlan,
    InjectPlan,
    ListenerTls,
    MemoryPlan,
    MirrorPlan,
    Outcomes,
    RateLimitPlan,
    RecorderPlan,
    RetryBudget,
    RetryPlan,
    RouteTest,
    StatsPlan,
    TapPlan,
    TracingPlan,
    UpstreamLimits,
    UpstreamTls,
)
from appliance.model.address import Address, Where

PROFILE = """meshctl: 1
process: {workers: auto, memory: {soft: 70%}}
listeners:
  public:
    bind: ":8443"
    protocol: https
    proxy_protocol: {from: [10.0.0.0/8]}
    tls:
      certificates: [{cert: a.crt, key: /keys/a.key}]
      min_version: "1.3"
      client_auth: require
      client_ca: ca.pem
routes:
  - name: one
    to: [app, {upstream: off, weight: 1}]
    rate_limit: {rate: 90/m, key: "header:X-User", mode: shadow}
    breaker: {failure_threshold: 3}
    retry: {max_retries: 0, budget: {floor: 9/s}}
    mirror: {to: off, share: 1%}
    inject: {delay: {share: 1%, for: 500ms}}
    grpc_web: true
    match: {path: /one}
  - {name: two, to: app, breaker: false, inject: {abort: {share: 2%, status: 500}}, match: {path: /two}}
  - {name: three, to: [app, off]}
rate_limit: {rate: 1000/s, burst: 2000}
upstreams:
  app:
    endpoints: [127.0.0.1:1]
    protocol: http2
    balance: consistent_hash
    hash_on: cookie:sid
    tls: {ca: ca.pem, verify: true}
    breaker: {failures: [502-503, reset], open_for: 10s, error_rate: 0%}
    retry: {backoff: {base: 10ms}, when: [connect, 503]}
    limits: {max_pending: 3}
    health: {interval: 4s, expect: [204]}
    slow_start: 5s
  off: {endpoints: [127.0.0.1:2], protocol: http2, breaker: false}
tracing: {propagate: [b3], export: {zipkin: "http://z.example/"}}
stats:
  socket: run/s.sock
  listen: 127.0.0.1:9901
  token_file: token
  tls: {cert: s.crt, key: s.key}
  tap: {headers: [Host]}
  recorder: {keep: 1m}
tests:
  - {request: {method: POST, url: "http://a/one", headers: {X-A: b}}, expect: {route: one, upstream: app}}
"""


def plan(text: str = PROFILE) -> Plan:
    made, found = load("etc/edge.yaml", text=text.encode(), env={})
    assert made is not None, found.render()
    return made


def test_a_routes_breaker_is_its_upstreams_with_its_own_keys_over_it() -> None:
    """Key by key, for each destination; `false` on either side turns it off, a block on again."""
    one, two, three = (route.action for route in plan().routes)
    assert isinstance(one, Forward)
    assert isinstance(two, Forward)
    assert isinstance(three, Forward)
    app, off = one.to
    assert app.breaker is not None
    assert (app.breaker.failure_threshold, app.breaker.open_for, app.breaker.max_open_for) == (3, 10.0, 10.0)
    assert app.breaker.failures == Outcomes(frozenset({502, 503}), frozenset({"reset"}))
    assert dict(app.breaker.places)["failure_threshold"] == Where("etc/edge.yaml", 17, 15)
    assert dict(app.breaker.places)["open_for"].line == 33
    assert app.own_breaker
    assert off.breaker is not None
    assert (off.breaker.failure_threshold, off.breaker.open_for) == (3, 30.0)
    assert [(each.breaker, each.own_breaker) for each in two.to] == [(None, True)]
    assert [(each.breaker is None, each.own_breaker) for each in three.to] == [(False, False), (True, False)]


def test_an_open_time_grows_only_where_its_bound_is_written() -> None:
    """Otherwise the longest pause is the first one, whatever that is."""
    grown = plan(PROFILE.replace("open_for: 10s", "open_for: 10s, max_open_for: 1m")).upstreams[0].breaker
    assert grown is not None
    assert (grown.open_for, grown.max_open_for) == (10.0, 60.0)
    assert BreakerPlan().open_for == BreakerPlan().max_open_for


def test_retries_are_the_upstreams_with_the_routes_keys_over_them() -> None:
    """What neither writes is the default."""
    one = plan().routes[0].action
    assert isinstance(one, Forward)
    assert one.to[0].retry == RetryPlan(
        max_retries=0,
        when=Outcomes(frozenset({503}), frozenset({"connect"})),
        backoff=Backoff(base=0.01),
        budget=RetryBudget(floor=9.0),
    )


def test_the_policies_of_a_route() -> None:
    """Rate limits, copies, drills."""
    made = plan()
    one, two, _ = made.routes
    assert one.rate_limit == RateLimitPlan(1.5, 2, key="header:x-user", mode="shadow")
    assert made.rate_limit == RateLimitPlan(1000.0, 2000)
    assert one.mirror == MirrorPlan("off", 0.01)
    assert one.inject == InjectPlan(delay_share=0.01, delay=0.5)
    assert two.inject == InjectPlan(abort_share=0.02, abort_status=500)
    assert (one.grpc_web, two.grpc_web) == (True, False)


def test_the_policies_of_an_upstream() -> None:
    """Hashing, TLS, bounds, checks."""
    app, off = plan().upstreams
    assert (app.hash_on, app.slow_start) == ("cookie:sid", 5.0)
    assert app.tls == UpstreamTls(ca="etc/ca.pem")
    assert app.limits == UpstreamLimits(max_pending=3)
    assert app.health == HealthPlan(interval=4.0, expect=Outcomes(frozenset({204})))
    assert (off.health, off.tls, off.breaker, off.retry) == (None, None, None, RetryPlan())


def test_the_front_and_the_whole() -> None:
    """Files are found from where they are written."""
    made = plan()
    (listener,) = made.listeners
    pair = CertificatePair("etc/a.crt", "/keys/a.key")
    expected = ListenerTls((pair,), min_version="1.3", client_auth="require", client_ca="etc/ca.pem")
    assert listener.tls == expected
    assert listener.proxy_protocol == (ip_network("10.0.0.0/8"),)
    assert made.process.memory == MemoryPlan(soft=0.7)
    assert made.process.workers == 0
    assert made.tracing == TracingPlan(propagate=("b3",), zipkin="http://z.example/")
    assert made.stats == StatsPlan(
        socket="etc/run/s.sock",
        listen=Address("tcp", host="127.0.0.1", port=9901),
        token_file="etc/token",
        tls=CertificatePair("etc/s.crt", "etc/s.key"),
        tap=TapPlan(headers=("host",)),
        recorder=RecorderPlan(keep=60.0),
    )


def test_the_profiles_own_tests() -> None:
    """As written, with their place."""
    (test,) = plan().tests
    assert test == RouteTest(
        where=test.where,
        url="http://a/one",
        method="POST",
        headers=((b"x-a", b"b"),),
        route="one",
        upstream="app",
    )
    assert test.where.line == 48
