"""What becomes of a target, and that a Location cannot be bent by what a client sends."""

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.routing.match import Match
from appliance.routing.rewrite import Redirect, Rewrite

PAY = Match(path_prefix="/pay/")


@pytest.mark.parametrize(
    ("matched", "becomes", "path", "sent"),
    [
        ("/pay/", "/", b"/pay/17", b"/17"),
        ("/pay/", "/", b"/pay/", b"/"),
        ("/pay/", "/", b"/pay", b"/"),
        ("/pay", "", b"/pay/17", b"/17"),
        ("/pay/", "/", b"/pay//17//x", b"/17//x"),
        ("/pay/", "/", b"/pay//", b"/"),
        ("/old", "/new", b"/old", b"/new"),
        ("/old", "/new", b"/old/", b"/new/"),
        ("/old/", "/new", b"/old/a", b"/new/a"),
        ("/old", "/new/", b"/old/a", b"/new/a"),
        ("/old/", "/new/", b"/old", b"/new"),
        ("/old", "new", b"/old/a", b"/new/a"),
        ("/", "/v2", b"/a", b"/v2/a"),
        ("/", "/v2", b"/", b"/v2/"),
        ("/%7eme", "/me", b"/~me/x", b"/me/x"),
        (None, "/v2", b"/a/b", b"/v2/a/b"),
        ("/a", "/café", b"/a/b", b"/caf%C3%A9/b"),
    ],
)
def test_a_prefix_is_replaced_with_one_slash_at_the_joint(
    matched: str | None, becomes: str, path: bytes, sent: bytes
) -> None:
    """However the two prefixes end; a route without a prefix is one under `/`."""
    match = Match(path_prefix=matched)
    assert Rewrite(path_prefix=becomes).apply(path, b"", match) == sent
    assert Rewrite(path_prefix=becomes).apply(path, b"q=/x//", match) == sent + b"?q=/x//"
    assert (
        Redirect(path_prefix=becomes).location(b"http", b"a.example", path, b"", match)
        == b"http://a.example" + sent
    )


def test_a_path_replaces_all_but_the_query() -> None:
    """Whatever the route matched."""
    assert Rewrite(path="/fixed").apply(b"/pay/17", b"a=1", PAY) == b"/fixed?a=1"
    assert Rewrite(path="fixed it").apply(b"/pay/17", b"", PAY) == b"/fixed%20it"


def test_a_rewrite_that_says_nothing_changes_nothing() -> None:
    """Not even an asterisk, which no rewrite touches."""
    assert Rewrite(host="other.example").apply(b"/a//b%20", b"c=%20", Match()) == b"/a//b%20?c=%20"
    for rewrite in (Rewrite(), Rewrite(path="/a"), Rewrite(path_prefix="/a")):
        assert rewrite.apply(b"*", b"", Match()) == b"*"


HERE = (b"http", b"shop.example:8080", b"/pay/17", b"a=1")


@pytest.mark.parametrize(
    ("redirect", "request_parts", "location"),
    [
        (Redirect(), HERE, b"http://shop.example:8080/pay/17?a=1"),
        (Redirect(host="b.example"), HERE, b"http://b.example:8080/pay/17?a=1"),
        (Redirect(port=9000), HERE, b"http://shop.example:9000/pay/17?a=1"),
        (Redirect(port=80), HERE, b"http://shop.example/pay/17?a=1"),
        (Redirect(path="/x"), HERE, b"http://shop.example:8080/x?a=1"),
        (Redirect(path_prefix="/x"), HERE, b"http://shop.example:8080/x/17?a=1"),
        (Redirect(scheme="https"), HERE, b"https://shop.example/pay/17?a=1"),
        (Redirect(scheme="https", port=443), HERE, b"https://shop.example/pay/17?a=1"),
        (Redirect(scheme="https", port=8443), HERE, b"https://shop.example:8443/pay/17?a=1"),
        (Redirect(scheme="https", port=80), HERE, b"https://shop.example:80/pay/17?a=1"),
        (Redirect(scheme="http"), HERE, b"http://shop.example:8080/pay/17?a=1"),
        (Redirect(host="::1"), HERE, b"http://[::1]:8080/pay/17?a=1"),
        (Redirect(), (b"https", b"a.example:443", b"/", b""), b"https://a.example/"),
        (Redirect(), (b"http", b"a.example:", b"/", b""), b"http://a.example/"),
        (Redirect(), (b"https", b"[::1]:8443", b"/", b""), b"https://[::1]:8443/"),
        (Redirect(), (b"https", b"[::1]", b"/", b""), b"https://[::1]/"),
        (Redirect(scheme="https"), (b"http", b"[::1]:80", b"/", b""), b"https://[::1]/"),
    ],
)
def test_a_location_keeps_what_the_redirect_leaves_open(
    redirect: Redirect, request_parts: tuple[bytes, bytes, bytes, bytes], location: bytes
) -> None:
    """Default ports are dropped, and the port of a scheme goes with its scheme."""
    assert redirect.location(*request_parts, PAY) == location


@pytest.mark.parametrize(
    "path", [b"//evil.example", b"///evil.example/x", b"//evil.example//", b"/\\evil.example"]
)
@pytest.mark.parametrize("redirect", [Redirect(), Redirect(scheme="https"), Redirect(path_prefix="/")])
@pytest.mark.parametrize("authority", [b"shop.example", b""])
def test_a_path_with_two_slashes_is_no_open_redirect(
    redirect: Redirect, path: bytes, authority: bytes
) -> None:
    """The browser stays with our host; without a Host to name, the one it has asked."""
    location = redirect.location(b"http", authority, path, b"", Match(path_prefix="/"))
    assert urlsplit(location).netloc == authority
    assert b"\\" not in location
    if not authority:
        assert re.match(rb"/[^/]", location)


def test_a_target_that_is_no_path_cannot_lengthen_our_host() -> None:
    """`.evil.example` after `shop.example` would be another host."""
    for path in (b"*", b".evil.example", b":80@evil.example"):
        assert (
            urlsplit(Redirect().location(b"http", b"shop.example", path, b"", Match())).netloc
            == b"shop.example"
        )


redirects = st.builds(
    Redirect,
    scheme=st.sampled_from([None, "http", "https"]),
    host=st.sampled_from([None, "new.example"]),
    port=st.sampled_from([None, 80, 8443]),
    path=st.sampled_from([None, "/fixed"]),
    path_prefix=st.sampled_from([None, "/", "/new/"]),
)
hostile = st.text(alphabet="a/\\@:#?[]%\r\n\t \x00é.", max_size=12).map(str.encode)


@settings(max_examples=500, deadline=None)
@given(redirects, hostile, hostile, hostile)
@example(Redirect(), b"a.example\r\nSet-Cookie: a=b", b"/\r\nX: y", b"\r\n\r\n<script>")
@example(Redirect(), b"good.example@evil.example", b"/", b"")
@example(Redirect(), b"a.example/x", b"//b", b"#c")
def test_no_request_bends_a_location(redirect: Redirect, authority: bytes, path: bytes, query: bytes) -> None:
    """Even unchecked parts end no header line, start no fragment and name no user."""
    location = redirect.location(b"http", authority, b"/" + path, query, Match(path_prefix="/"))
    assert re.fullmatch(rb"[!-~]+", location)
    assert not set(b'#\\<>"') & set(location)
    begin = re.match(rb"(https?)://([^/?@]+)/|/(?!/)", location)
    assert begin is not None
    if begin[1] and redirect.host:
        assert begin[2].partition(b":")[0] == b"new.example"


def test_a_redirect_is_permanent_and_keeps_the_method_unless_it_says_otherwise() -> None:
    """308 is the default status (RFC 9110 section 15.4.9)."""
    assert Redirect().status == 308
