"""Settings that only work side by side; the corpus has what is printed."""

from __future__ import annotations

import pytest

from appliance.config.load import load

FRAME = """meshctl: 1
listeners: {{web: {{bind: ":8080"{listener}}}}}
routes: [{{name: all, to: app{route}}}]
upstreams: {{app: {{endpoints: [127.0.0.1:9001]{upstream}}}}}
"""
PAIR = "certificates: [{cert: a, key: b}]"


def codes(listener: str = "", route: str = "", upstream: str = "", more: str = "") -> list[str]:
    text = FRAME.format(listener=listener, route=route, upstream=upstream) + more
    return [found.code for found in load("edge.yaml", text=text.encode(), env={})[1]]


@pytest.mark.parametrize(
    ("listener", "expected"),
    [
        (", protocol: https", ["MC510"]),
        (f", protocol: https, tls: {{{PAIR}}}", []),
        (f", tls: {{{PAIR}}}", ["MC510"]),
        (f", protocol: https, tls: {{{PAIR}, client_auth: optional}}", ["MC510"]),
        (f", protocol: https, tls: {{{PAIR}, client_auth: optional, client_ca: c}}", []),
        (f", protocol: https, tls: {{{PAIR}, client_ca: c}}", ["MC510"]),
        (", redirect: https", ["MC512"]),
        (", protocol: https, tls: 5", ["MC201"]),
        (f", protocol: htps, tls: {{{PAIR}}}", ["MC310"]),
    ],
)
def test_tls_of_a_listener(listener: str, expected: list[str]) -> None:
    """What could not be read is there all the same, and gets no second complaint."""
    assert codes(listener) == expected


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        (", tls: {cert: c}", ["MC510"]),
        (", tls: {key: k}", ["MC510"]),
        (", tls: {cert: c, key: k}", []),
        (", health: {protocol: grpc}", ["MC516"]),
        (", health: {protocol: grpc}, protocol: http2", []),
        (", health: {protocol: grpc}, protocol: auto", []),
        (", timeouts: {connect: 49ms}", ["MC513"]),
        (", timeouts: {connect: 50ms, per_try: 0}", []),
    ],
)
def test_upstreams(upstream: str, expected: list[str]) -> None:
    """Certificates with keys, gRPC with HTTP/2, clocks no finer than they are looked at."""
    assert codes(upstream=upstream) == expected


def test_routes_and_the_whole() -> None:
    """gRPC-Web needs an upstream that speaks HTTP/2; before routing there is no route."""
    assert codes(route=", grpc_web: true") == ["MC516"]
    assert codes(route=", grpc_web: true", upstream=", protocol: http2") == []
    assert codes(route=", grpc_web: false") == []
    assert codes(more="rate_limit: {rate: 1/s, key: route}\n") == ["MC515"]
    assert codes(more="rate_limit: {rate: 1/s, key: host}\n") == []


def test_a_routes_breaker_is_judged_over_its_upstreams() -> None:
    """Half of the rules may stand on either side."""
    assert codes(route=", breaker: {failure_threshold: 0}") == []
    off = ", breaker: {error_rate: 0%}"
    assert codes(route=", breaker: {failure_threshold: 0}", upstream=off) == ["MC503"]
    assert codes(route=", breaker: {max_open_for: 40s}", upstream=", breaker: {open_for: 1m}") == ["MC507"]
