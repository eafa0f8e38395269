"""Targets: one authority and one path for each request, or a refusal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.http.framing import frame_request, valid_host
from appliance.http.h1_head import parse_request
from appliance.http.h1_request import to_request
from appliance.model.fault import Fault
from appliance.model.message import NO_BODY, Request
from tests.kit.h1gen import fastest, refusal


def asked(target: bytes, *lines: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([b"%b %b %b" % (method, target, version), *lines, b"", b""])


def read(target: bytes, *lines: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> Request:
    head = parse_request(asked(target, *lines, method=method, version=version), 100)
    return to_request(head, frame_request(head.minor, head.headers), b"http")


def test_origin_form() -> None:
    """Path and query are parted at the first `?`, the authority is the Host (RFC 9112 section 3.2.1)."""
    request = read(b"/a/%62?c=/d?e", b"Host: A.Example:80", b"X: y", method=b"PUT")
    assert (request.method, request.scheme, request.authority) == (b"PUT", b"http", b"a.example:80")
    assert (request.path, request.query, request.target) == (b"/a/b", b"c=/d?e", b"/a/b?c=/d?e")
    assert request.headers == [(b"x", b"y")]
    assert request.version == "HTTP/1.1"
    assert request.body is NO_BODY
    assert not request.streaming


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"http://a.example", b"/", b""),
        (b"HTTP://A.EXAMPLE/x/../y", b"/y", b""),
        (b"https://a.example/x?y?z", b"/x", b"y?z"),
        (b"http://a.example?y", b"/", b"y"),
        (b"http://a.example//x", b"//x", b""),
        (b"http://a.example/http://b/", b"/http://b/", b""),
    ],
)
def test_absolute_form(target: bytes, path: bytes, query: bytes) -> None:
    """A target may say what Host says (RFC 9112 section 3.2.2), and is then sent in origin form."""
    request = read(target, b"Host: a.Example")
    assert (request.authority, request.path, request.query) == (b"a.example", path, query)
    request = read(target, version=b"HTTP/1.0")
    assert (request.authority, request.path, request.query) == (b"a.example", path, query)
    assert request.version == "HTTP/1.0"


def test_asterisk_form() -> None:
    """Only OPTIONS has it; a URL without path and query means it too (RFC 9112 section 3.2.4)."""
    assert read(b"*", b"Host: a", method=b"OPTIONS").target == b"*"
    assert read(b"http://a", b"Host: a", method=b"OPTIONS").target == b"*"
    assert read(b"http://a/", b"Host: a", method=b"OPTIONS").target == b"/"
    assert read(b"http://a?", b"Host: a", method=b"OPTIONS").target == b"/"


def test_http_1_0_may_have_no_host() -> None:
    """Its authority is then empty, for the upstream's own name to be put in (RFC 9112 section 3.2)."""
    assert read(b"/", version=b"HTTP/1.0").authority == b""
    assert read(b"/", b"Host: B", version=b"HTTP/1.0").authority == b"b"


REFUSED = {
    # RFC 9112 section 3.2: no other forms
    "an asterisk with GET": (asked(b"*", b"Host: a"), "bad-target", 400),
    "an asterisk and more": (asked(b"*/", b"Host: a", method=b"OPTIONS"), "bad-target", 400),
    "no form at all": (asked(b"a", b"Host: a"), "bad-target", 400),
    "a query alone": (asked(b"?a", b"Host: a"), "bad-target", 400),
    "an authority": (asked(b"a:80", b"Host: a:80"), "bad-target", 400),
    "another scheme": (asked(b"ftp://a/", b"Host: a"), "bad-target", 400),
    "a scheme alone": (asked(b"http:", b"Host: a"), "bad-target", 400),
    "one slash": (asked(b"http:/a", b"Host: a"), "bad-target", 400),
    "a URL without a host": (asked(b"http:///a", b"Host: a"), "bad-target", 400),
    "a URL without a host, but a query": (asked(b"http://?a", b"Host: a"), "bad-target", 400),
    "a fragment": (asked(b"/a#b", b"Host: a"), "bad-target", 400),
    "a fragment of a URL": (asked(b"http://a/#b", b"Host: a"), "bad-target", 400),
    "a fragment in the query": (asked(b"/a?b#c", b"Host: a"), "bad-target", 400),
    # RFC 9110 section 4.2.4: user information in a target is an error
    "a user": (asked(b"http://u@a/", version=b"HTTP/1.0"), "bad-target", 400),
    "a user, and a Host": (asked(b"http://u@a/", b"Host: a"), "host-mismatch", 400),
    "two ports": (asked(b"http://a:1:2/", version=b"HTTP/1.0"), "bad-target", 400),
    "a backslash in the authority": (asked(b"http://a\\b/", version=b"HTTP/1.0"), "bad-target", 400),
    # RFC 9112 section 3.2.2 lets a proxy ignore Host; another reader on the way may not
    "another Host": (asked(b"http://a/", b"Host: b"), "host-mismatch", 400),
    "another port": (asked(b"http://a:81/", b"Host: a"), "host-mismatch", 400),
    "another Host in HTTP/1.0": (asked(b"http://a/", b"Host: b", version=b"HTTP/1.0"), "host-mismatch", 400),
    "a URL and no Host": (asked(b"http://a/"), "bad-host", 400),
    # RFC 9110 section 9.3.6: CONNECT, in whatever form it comes
    "CONNECT": (asked(b"a:443", b"Host: a:443", method=b"CONNECT"), "no-connect", 405),
    "CONNECT to a path": (asked(b"/", b"Host: a", method=b"CONNECT"), "no-connect", 405),
    "CONNECT to a URL": (asked(b"http://a/", b"Host: a", method=b"CONNECT"), "no-connect", 405),
    "CONNECT to an asterisk": (asked(b"*", b"Host: a", method=b"CONNECT"), "no-connect", 405),
    # Paths that servers read differently
    "an escaped NUL": (asked(b"/%00", b"Host: a"), "bad-path", 400),
    "an escaped slash": (asked(b"/a%2fb", b"Host: a"), "bad-path", 400),
    "an escaped backslash": (asked(b"/a%5Cb", b"Host: a"), "bad-path", 400),
    "a backslash": (asked(b"/a\\b", b"Host: a"), "bad-path", 400),
    "half an escape": (asked(b"/a%4", b"Host: a"), "bad-path", 400),
    "an escaped slash in a URL": (asked(b"http://a/a%2fb", b"Host: a"), "bad-path", 400),
}


@pytest.mark.parametrize("case", REFUSED)
def test_targets_that_can_be_routed_in_two_ways_are_refused(case: str) -> None:
    """Each with its own id and status."""
    wire, reason, status = REFUSED[case]
    assert refusal(wire) == (reason, status)


pieces = st.sampled_from(
    [
        b"http://",
        b"a",
        b"/",
        b"?",
        b":80",
        b"@",
        b"..",
        b"%2e",
        b"%",
        b"*",
        b"\\",
        b"//",
        b"[::1]",
        b"b.c",
        b"h:",
    ]
)
targets = st.lists(pieces, min_size=1, max_size=6).map(b"".join)


@settings(max_examples=500)
@given(targets, st.sampled_from([b"a", b"a:80", b"[::1]", None]), st.sampled_from([b"GET", b"OPTIONS"]))
def test_what_is_sent_on_is_read_back_the_same(target: bytes, host: bytes | None, method: bytes) -> None:
    """The target and the Host that we write ask for the same thing: no splice can hide in them."""
    lines = [] if host is None else [b"Host: " + host]
    try:
        request = read(target, *lines, method=method, version=b"HTTP/1.1" if lines else b"HTTP/1.0")
    except Fault as fault:
        assert fault.reason.status == 400
        return
    assert request.path.startswith(b"/") or (request.path == b"*" and method == b"OPTIONS")
    if not request.authority:
        return
    assert valid_host(request.authority)
    again = read(request.target, b"Host: " + request.authority, method=method)
    assert (again.authority, again.path, again.query) == (request.authority, request.path, request.query)


@pytest.mark.parametrize("unit", [b"%41", b"/..", b"/%2e", b"%", b"?", b"//", b".", b":", b"@", b"a"])
def test_no_target_takes_long(unit: bytes) -> None:
    """The time grows with the length and no faster: 2 ms for 32 KiB at the most."""
    for start in (b"/", b"http://", b"http://a/", b""):
        wire = asked(start + unit * (32_000 // len(unit)), b"Host: a")
        assert fastest(0.002, refusal, wire) < 0.002
