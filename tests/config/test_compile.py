"""Values become the frozen plan."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from appliance.config.compile import default_name
from appliance.config.load import load
from appliance.config.plan import (
    AccessLogPlan,
    Destination,
    Forward,
    Plan,
    ProcessPlan,
    Respond,
    RouteTimeouts,
    UpstreamTimeouts,
)
from appliance.model.address import Address
from appliance.routing.match import TextRule
from appliance.routing.rewrite import Redirect, Rewrite

PROFILE = r"""meshctl: 1
name: edge
process: {drain_timeout: 5s, max_connections: 7}
defaults:
  upstream: {timeouts: {connect: 1s, per_try: 3s}}
  route: {timeouts: {response: 12s}, headers: {response: {remove: [Server]}}}
listeners:
  web:
    bind: "[::1]:8080"
    http2: false
    limits: {max_per_ip: 3, max_body_size: 1KiB}
    timeouts: {header: 2s}
    trust_forwarded: [10.0.0.0/8, 192.0.2.1]
  plain: {bind: ":80", redirect: https}
routes:
  - name: one
    match:
      hosts: [A.example, "*.b.example", a.example]
      path_prefix: /one/
      methods: [GET]
      headers: {X-A: "1", x-b: {present: true}, x-c: {regex: "a|b"}}
      query: {q: {prefix: z}}
    to: [{upstream: app, weight: 3}, other]
    rewrite: {path_prefix: /, host: "inside:80"}
    headers: {request: {set: {X-Edge: é}, add: {x-n: 1}, remove: [X-Debug]}}
    timeouts: {response: 1s, idle: 2m}
  - {name: two, match: {path: /two}, respond: {status: 404, body: "no\n", headers: {X-Y: z}}}
  - {name: three, match: {path: /three}, redirect: {status: 302, scheme: https, host: c.example, port: 444}}
  - {name: four, to: app}
upstreams:
  app:
    endpoints: [127.0.0.1:1, {address: "unix:/x", weight: 0}]
    timeouts: {per_try: 500ms}
  other: {endpoints: [a.example:2], balance: ewma, protocol: http2}
access_log: {to: false, format: text, sample: 5%, redact: [X-Key]}
"""


def plan() -> Plan:
    made, found = load("edge.yaml", text=PROFILE.encode(), env={})
    assert made is not None, found.render()
    return made


def test_the_whole_and_the_process() -> None:
    """Names, bounds and log."""
    made = plan()
    assert (made.name, made.file, len(made.digest)) == ("edge", "edge.yaml", 12)
    assert made.process == ProcessPlan(workers=1, drain_timeout=5.0, max_connections=7)
    assert made.access_log == AccessLogPlan(to=None, format="text", sample=0.05, redact=("x-key",))


@pytest.mark.parametrize(
    ("to", "opened"),
    [("log/a", "etc/log/a"), ("/log/a", "/log/a"), ("stdout", "stdout"), ("stderr", "stderr")],
)
def test_a_log_file_is_relative_to_the_profile(to: str, opened: str) -> None:
    """As every path in a profile is; the words for the standard streams are no paths."""
    made, _ = load("etc/edge.yaml", text=PROFILE.replace("to: false", f"to: {to}").encode(), env={})
    assert made is not None
    assert made.access_log.to == opened


def test_listeners() -> None:
    """What is written replaces the default, the rest stays."""
    web, plain = plan().listeners
    assert (web.name, web.bind, web.http2, web.redirect_https) == (
        "web",
        Address("tcp", "::1", 8080),
        False,
        False,
    )
    assert (web.limits.max_per_ip, web.limits.max_body_size, web.limits.max_headers) == (3, 1024, 100)
    assert (web.timeouts.header, web.timeouts.write) == (2.0, 30.0)
    assert web.trust_forwarded == (ip_network("10.0.0.0/8"), ip_network("192.0.2.1/32"))
    assert (plain.redirect_https, plain.http2, str(plain.where)) == (True, True, "edge.yaml:14:3")


def test_routes() -> None:
    """Matches, actions, edits and times."""
    one, two, three, four = plan().routes
    assert one.match.hosts == ("a.example", "*.b.example")
    assert (one.match.path_prefix, one.match.methods) == ("/one/", ("GET",))
    assert one.match.headers == (
        ("x-a", TextRule("exact", "1")),
        ("x-b", TextRule("present")),
        ("x-c", TextRule("regex", "a|b")),
    )
    assert one.match.query == (("q", TextRule("prefix", "z")),)
    assert one.action == Forward((Destination("app", 3), Destination("other", 100)))
    assert one.rewrite == Rewrite(path_prefix="/", host="inside:80")
    assert one.request_headers.set == ((b"x-edge", "é".encode()),)
    assert (one.request_headers.add, one.request_headers.remove) == (((b"x-n", b"1"),), (b"x-debug",))
    assert one.timeouts == RouteTimeouts(response=1.0, idle=120.0)
    assert two.action == Respond(404, b"no\n", ((b"x-y", b"z"),))
    assert three.action == Redirect(302, "https", "c.example", 444)
    assert four.action == Forward((Destination("app", 100),))


def test_defaults_are_copied_under() -> None:
    """Key by key; what a route or upstream says itself wins."""
    one, two, *_ = plan().routes
    assert two.timeouts == RouteTimeouts(response=12.0)
    assert one.response_headers.remove == (b"server",)
    app, other = plan().upstreams
    assert app.timeouts == UpstreamTimeouts(connect=1.0, per_try=0.5)
    assert other.timeouts == UpstreamTimeouts(connect=1.0, per_try=3.0)


def test_upstreams() -> None:
    """Endpoints in written order, each with its weight and place."""
    app, other = plan().upstreams
    assert [(str(e.address), e.weight) for e in app.endpoints] == [("127.0.0.1:1", 100), ("unix:/x", 0)]
    assert str(app.endpoints[0].where) == "edge.yaml:32:17"
    assert (other.balance, other.protocol) == ("ewma", "http2")


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("edge-01.example.com", "edge-01"),
        ("Web_1", "web-1"),
        ("", "meshctl"),
        ("__", "meshctl"),
        ("x" * 80, "x" * 63),
    ],
)
def test_the_host_gives_the_name_that_is_not_written(hostname: str, name: str) -> None:
    """Its first label, made a name."""
    assert default_name(hostname) == name
