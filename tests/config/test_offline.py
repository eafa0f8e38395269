"""A request is read as the proxy reads it, and becomes offline what it would become in the proxy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.offline import Asked, Outcome, Router, Unaskable, ask, bucket, header, network_of
from appliance.config.plan import Destination, Forward, Plan, Respond
from appliance.config.plan_policy import RateLimitPlan
from appliance.http.framing import frame_request
from appliance.http.h1_head import parse_request
from appliance.http.h1_request import to_request
from appliance.routing.match import Match, TextRule
from appliance.routing.rewrite import Redirect, Rewrite
from tests.kit.plans import listener, plan, route, upstream


def outcome(made: Plan, asked: Asked) -> Outcome:
    return Router(made).outcome(asked)


@pytest.mark.parametrize(
    ("url", "authority", "host", "port", "path", "query"),
    [
        ("http://shop", "shop", b"shop", 80, b"/", b""),
        (
            "HTTPS://Shop.Example.COM:8443/A?b=C#d",
            "shop.example.com:8443",
            b"shop.example.com",
            8443,
            b"/A",
            b"b=C",
        ),
        ("https://shop:443/", "shop", b"shop", 443, b"/", b""),
        ("http://shop:443/", "shop:443", b"shop", 443, b"/", b""),
        ("http://shop.:80/a/../b", "shop", b"shop", 80, b"/b", b""),
        ("http://[::1]:8080/%7Eme", "[::1]:8080", b"[::1]", 8080, b"/~me", b""),
        ("http://127.0.0.1?x=1", "127.0.0.1", b"127.0.0.1", 80, b"/", b"x=1"),
        (
            "http://bücher.example/straße?ö",
            "xn--bcher-kva.example",
            b"xn--bcher-kva.example",
            80,
            b"/stra%C3%9Fe",
            b"%C3%B6",
        ),
        ("http://x/a b", "x", b"x", 80, b"/a%20b", b""),
    ],
)
def test_a_url_becomes_what_a_client_would_send(
    url: str, authority: str, host: bytes, port: int, path: bytes, query: bytes
) -> None:
    """Host in lower case, the default port left out, one spelling of the path, no fragment."""
    asked = ask("GET", url)
    question = asked.question
    assert (asked.authority, question.host, asked.port) == (authority, host, port)
    assert (question.path, question.query, question.method) == (path, query, b"GET")


@pytest.mark.parametrize(
    ("method", "url", "says"),
    [
        ("GET", "shop.example.com/pay", "write https://shop.example.com/pay"),
        ("GET", "/pay", "write https://HOST/pay"),
        ("GET", "ftp://x/", "`ftp` is not a scheme of this proxy: write http or https"),
        ("GET", "http:///pay", "the URL names no host"),
        ("GET", "http://a_b c/", "neither a host name nor an IP address"),
        ("GET", "http://x:0/", "ports are 1 to 65535"),
        ("GET", "http://x:99999999/", "ports are 1 to 65535"),
        ("GET", "http://x/a%2fb", "answers 400 to this path, unrouted: The path contains an escaped slash"),
        ("GET", "http://x/a\\b", "escaped backslash"),
        ("GET", "http://x/%zz", "not followed by two hexadecimal digits"),
        ("get", "http://x/", "`get` is not a method: methods are upper-case tokens; write GET"),
        ("CONNECT", "http://x/", "no tunnels by CONNECT"),
    ],
)
def test_what_cannot_be_asked_is_told_with_what_to_write(method: str, url: str, says: str) -> None:
    """In one sentence."""
    with pytest.raises(Unaskable) as problem:
        ask(method, url)
    assert says in str(problem.value)


@pytest.mark.parametrize(
    "url", ["http://me:hunter2@x/", "me:hunter2@x/", "x/?token=hunter2", "/?token=hunter2"]
)
def test_a_password_is_not_repeated(url: str) -> None:
    """The message lands in logs."""
    with pytest.raises(Unaskable) as problem:
        ask("GET", url)
    assert "hunter2" not in str(problem.value)


def test_a_host_header_replaces_the_host_but_not_the_place_to_connect() -> None:
    """As with curl."""
    asked = ask("GET", "http://127.0.0.1:8080/", [header("Host: Shop.example.com")])
    assert (asked.authority, asked.host, asked.port) == ("shop.example.com", "shop.example.com", 8080)
    assert asked.question.headers == ()


def test_fields_of_the_connection_are_not_there_to_be_matched() -> None:
    """Their reader takes them out before routing."""
    lines = ["Connection: close", "TE: gzip", "Content-Length: 3", "X-Tier:  gold "]
    assert ask("GET", "http://x/", [header(line) for line in lines]).question.headers == (
        (b"x-tier", b"gold"),
    )


FIELDS = [
    "te: trailers",
    "te: gzip, Trailers",
    "connection: close",
    "connection: X-A, te",
    "x-a: 1",
    "X-B: 2",
]
FIELDS += ["X-B: 2", "upgrade: h2c", "keep-alive: 5", "proxy-authorization: x", "trailer: x-a", "x-a: 3"]


@given(st.lists(st.sampled_from(FIELDS), max_size=6))
def test_a_route_sees_what_the_proxy_lets_it_see(lines: list[str]) -> None:
    """The same fields as its reader of requests keeps."""
    fields = [header(line) for line in lines]
    kept = frame_request(1, [(b"host", b"x"), *fields]).headers
    assert list(ask("GET", "http://x/", fields).question.headers) == kept


@pytest.mark.parametrize("line", ["authorization hunter2", "a b: hunter2", "x: hunter2\r\ny: z"])
def test_a_header_that_is_none_is_told_without_its_value(line: str) -> None:
    """It may be a secret."""
    with pytest.raises(Unaskable) as problem:
        header(line)
    assert "hunter2" not in str(problem.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
    ],
)
def test_clients_are_told_apart_by_address_or_network(text: str, key: str) -> None:
    """One subscriber has a whole /64."""
    client = ask("GET", "http://x/", client=text).client
    assert client is not None
    assert network_of(client) == key


def test_a_client_is_an_address() -> None:
    """Not a name."""
    with pytest.raises(Unaskable, match="not an IP address"):
        ask("GET", "http://x/", client="localhost")


def test_the_first_route_that_matches_is_found_with_all_that_follows() -> None:
    """Its upstreams with their parts, and what they are asked for."""
    made = plan(
        route(Respond(200), Match(path="/healthz"), name="health"),
        route(
            Forward((Destination("a", 95), Destination("b", 5), Destination("c", 0))),
            Match(path_prefix="/pay/"),
            name="pay",
            rewrite=Rewrite(path_prefix="/v1/", host="pay.internal"),
        ),
        route(name="all"),
        upstreams=(upstream("a"), upstream("b"), upstream("c"), upstream("app")),
    )
    found = outcome(made, ask("GET", "http://shop/pay/17?x=1&token=abc"))
    assert found.route is made.routes[1]
    assert (found.target, found.host, found.status) == ("/v1/17?x=1&token=***", "pay.internal", None)
    assert [(share.upstream, share.part) for share in found.shares] == [("a", 0.95), ("b", 0.05), ("c", 0.0)]
    assert outcome(made, ask("GET", "http://shop/healthz")).status == 200
    other = outcome(made, ask("GET", "http://shop:8080/x"))
    assert (other.route, other.target, other.host) == (made.routes[2], "/x", "shop:8080")


def test_no_route_is_404() -> None:
    """That is what the proxy answers."""
    found = outcome(plan(route(match=Match(path="/a"))), ask("GET", "http://x/b"))
    assert (found.route, found.status) == (None, 404)


def test_rules_of_headers_and_query_are_asked() -> None:
    """With the values that came, secret ones too."""
    made = plan(
        route(
            match=Match(
                headers=(("authorization", TextRule("prefix", "Basic")),),
                query=(("token", TextRule("exact", "a b")),),
            )
        )
    )
    right = [header("Authorization: Basic abc")]
    assert outcome(made, ask("GET", "http://x/?token=a+b", right)).route
    assert not outcome(made, ask("GET", "http://x/?token=a", right)).route
    assert not outcome(made, ask("GET", "http://x/?token=a+b")).route


def test_a_redirect_says_where_it_leads() -> None:
    """With the scheme that the listener speaks."""
    made = plan(route(Redirect(status=301, path_prefix="/new/"), Match(path_prefix="/old/")))
    found = outcome(made, ask("GET", "http://shop:81/old/x?password=p&a=1"))
    assert (found.status, found.location) == (301, "http://shop:81/new/x?password=***&a=1")


SECURE = replace(listener("secure", bind=":8443"), protocol="https")
PLAIN = listener("plain", bind=":8080", redirect_https=True)
OPEN = listener("open", bind=":8081")


@pytest.mark.parametrize(
    ("listeners", "url", "takes", "redirected"),
    [
        ((SECURE, PLAIN), "https://x/a", ["secure"], False),
        ((SECURE, PLAIN), "http://x:8080/a", ["plain"], True),
        ((SECURE, PLAIN), "http://x/a", ["plain"], True),
        ((SECURE, PLAIN, OPEN), "http://x:8080/a", ["plain"], True),
        ((SECURE, PLAIN, OPEN), "http://x:8081/a", ["open"], False),
        ((SECURE, PLAIN, OPEN), "http://x/a", ["plain", "open"], False),
        ((SECURE, PLAIN), "https://x:8080/a", ["secure"], False),
        ((OPEN,), "https://x/a", ["open"], False),
    ],
)
def test_a_listener_that_redirects_answers_before_routing(
    listeners: tuple[object, ...], url: str, takes: list[str], redirected: bool
) -> None:
    """Where it is the one that takes the request, by its port or because no other speaks http."""
    found = outcome(plan(listeners=listeners), ask("GET", url))  # type: ignore[arg-type]
    assert [each.name for each in found.listeners] == takes
    assert (found.redirected is not None) == redirected
    assert (found.route is None) == redirected
    if redirected:
        assert (found.status, found.location) == (308, "https://x/a")


def test_where_tls_ends_in_front_the_proxy_sees_http() -> None:
    """A redirect that it makes says so, and whoever reads it here learns of it."""
    made = plan(route(Redirect(path="/b")))
    assert outcome(made, ask("GET", "https://x/a")).location == "http://x/b"


@pytest.mark.parametrize("target", ["/", "/a/../b?x=1&y", "/%7Eme/./x?%zz", "/a//b", "/A?b?c"])
@pytest.mark.parametrize("authority", ["shop", "Shop.example.com:8080", "[::1]:8080", "[::1]", "10.0.0.1"])
def test_the_reader_of_real_requests_reads_the_same(authority: str, target: str) -> None:
    """Off the wire and off the command line."""
    lines = f"GET {target} HTTP/1.1\r\nhost: {authority}\r\nx-a: b\r\nkeep-alive: 5\r\n\r\n"
    head = parse_request(lines.encode(), 10)
    real = to_request(head, frame_request(1, head.headers), b"http")
    asked = ask("GET", f"http://{authority}{target}", [header("x-a: b"), header("keep-alive: 5")])
    question = asked.question
    assert (asked.authority.encode(), question.path) == (real.authority, real.path)
    assert (question.query, list(question.headers)) == (real.query, real.headers)


def test_rows_tell_of_every_route() -> None:
    """Those behind the match, too: whether they would have taken it."""
    made = plan(
        route(name="a", match=Match(path="/a")),
        route(name="b", match=Match(path="/b")),
        route(name="c", match=Match(hosts=("x",), path="/c")),
        route(name="d"),
    )
    router = Router(made)
    rows = router.rows(router.outcome(ask("GET", "http://x/b")))
    assert [(row.route.name, row.verdict, row.near) for row in rows] == [
        ("a", "no", 0),
        ("b", "match", 1),
        ("c", "no", 1),
        ("d", "later", 0),
    ]


def test_no_row_matches_what_is_answered_before_routing() -> None:
    """Then the routes are not asked."""
    router = Router(plan(listeners=(SECURE, PLAIN)))
    assert [row.verdict for row in router.rows(router.outcome(ask("GET", "http://x/")))] == ["unasked"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("client_ip", "2001:db8::/64"),
        ("route", "all"),
        ("host", "shop"),
        ("header:x-user", "ann, bob"),
        ("header:authorization", "***"),
        ("header:x-none", None),
    ],
)
def test_buckets_are_named_by_their_key(key: str, expected: str | None) -> None:
    """Except for secrets."""
    lines = ["X-User: ann", "X-User: bob", "Authorization: hunter2"]
    asked = ask("GET", "http://shop:8080/", [header(line) for line in lines], "2001:db8::7")
    assert bucket(RateLimitPlan(1.0, 1, key), outcome(plan(), asked)) == expected


def test_a_bucket_by_client_needs_a_client() -> None:
    """None was named."""
    assert bucket(RateLimitPlan(1.0, 1), outcome(plan(), ask("GET", "http://shop/"))) is None
