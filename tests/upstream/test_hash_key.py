"""The key of consistent hashing: each selector, and what is absent, repeated or oddly spaced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.exchange import Exchange
from appliance.model.headers import Headers
from appliance.model.message import Request
from appliance.upstream.hash_key import key_of

TOKEN = st.text("abcXYZ019_-.!~", min_size=1, max_size=8)


class Stream:
    """As much of a client as an exchange asks for."""

    def __init__(self, request: Request) -> None:
        self.request = request


def exchange(
    headers: Headers | None = None, query: bytes = b"", path: bytes = b"/p", client: str = "192.0.2.1"
) -> Exchange:
    """Give an exchange; readers make header names lower-case."""
    request = Request(b"GET", b"http", b"a", path, query, headers or [])
    return Exchange("1", Stream(request), "web", client, 0.0)


@pytest.mark.parametrize("selector", ["header:x-user", "header:X-User", "header:X-USER"])
def test_a_header_by_its_name_in_any_case(selector: str) -> None:
    """The case in the profile does not matter; the value is taken as it is."""
    assert key_of(selector)(exchange([(b"other", b"no"), (b"x-user", b"Ann, B")])) == b"Ann, B"


def test_of_several_headers_the_first_counts() -> None:
    """A second line changes nothing, nor does one whose name is only similar."""
    key = key_of("header:x-user")
    assert key(exchange([(b"x-user-id", b"no"), (b"x-user", b"1"), (b"x-user", b"2")])) == b"1"
    assert key(exchange([(b"x-user", b""), (b"x-user", b"2")])) == b""


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"sid=1", b"1"),
        (b"a=2; sid=1", b"1"),
        (b"a=2;sid=1;b=3", b"1"),
        (b" \t sid=1 \t ;b=3", b"1"),
        (b";; ;sid=1;", b"1"),
        (b"sid=1; sid=2", b"1"),
        (b"sid=", b""),
        (b"sid", b""),
        (b"sid=a=b==", b"a=b=="),
        (b'sid="a b"', b'"a b"'),
        (b"sid=\xc3\xa4", b"\xc3\xa4"),
        (b"SID=1", b""),
        (b"xsid=1; sidx=2; a=sid=3", b""),
        (b"", b""),
    ],
)
def test_a_cookie(line: bytes, value: bytes) -> None:
    """Names are exact, spaces around a pair are not part of it, the first of a name counts."""
    assert key_of("cookie:sid")(exchange([(b"cookie", line)])) == value


def test_cookies_on_several_lines() -> None:
    """HTTP/2 may split them (RFC 9113 section 8.2.3): all lines are one list."""
    lines = [
        (b"cookie", b"a=1"),
        (b"set-cookie", b"sid=no"),
        (b"cookie", b"sid=2; b=3"),
        (b"cookie", b"sid=4"),
    ]
    assert key_of("cookie:sid")(exchange(lines)) == b"2"


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (b"id=7", b"7"),
        (b"a=1&id=7&id=8", b"7"),
        (b"&&id=7&", b"7"),
        (b"id=", b""),
        (b"id", b""),
        (b"id=a=b", b"a=b"),
        (b"id=%20+x", b"  x"),
        (b"ID=7&xid=8&idx=9&a=id", b""),
        (b"", b""),
    ],
)
def test_a_parameter(query: bytes, value: bytes) -> None:
    """The first of the name, raw: nothing is gained by decoding what is only hashed."""
    assert key_of("query:id")(exchange(query=query)) == value


@pytest.mark.parametrize("client", ["192.0.2.1", "2001:db8::1", "unix"])
def test_the_client_address(client: str) -> None:
    """It is who asked, which a trusted proxy may have told, not who connected."""
    asked = exchange(client=client)
    asked.peer = "203.0.113.9"
    assert key_of("client_ip")(asked) == client.encode()


def test_the_path_is_the_one_that_was_asked_for() -> None:
    """Without the query, and before any rewrite."""
    asked = exchange(path=b"/a%20b", query=b"c=d")
    asked.request.path = b"/rewritten"
    assert key_of("path")(asked) == b"/a%20b"


@pytest.mark.parametrize("selector", ["header:x-user", "cookie:sid", "query:id"])
def test_what_is_absent_is_empty(selector: str) -> None:
    """All requests without it have one key, and so one endpoint."""
    assert key_of(selector)(exchange()) == b""
    assert key_of(selector)(exchange([(b"x-other", b"1"), (b"cookie", b"a=1")], b"b=2")) == b""


@pytest.mark.parametrize("selector", ["header:x:y", "cookie:x:y", "query:x:y"])
def test_a_name_may_hold_a_colon(selector: str) -> None:
    """Only the first colon parts the selector."""
    assert key_of(selector)(exchange([(b"x:y", b"1"), (b"cookie", b"x:y=1")], b"x:y=1")) == b"1"


def test_a_selector_is_read_once_and_asked_often() -> None:
    """One function serves all exchanges and remembers none."""
    key = key_of("query:id")
    assert [key(exchange(query=b"id=%d" % n)) for n in (1, 2, 1)] == [b"1", b"2", b"1"]


@given(st.lists(st.tuples(TOKEN, TOKEN), max_size=6), TOKEN, st.sampled_from([";", "; ", " ; ", ";\t", ";;"]))
def test_cookies_and_parameters_are_first_come(pairs: list[tuple[str, str]], name: str, gap: str) -> None:
    """Whatever the names and the spacing: the value is that of the first pair with the name."""
    expected = next((value for key, value in pairs if key == name), "").encode()
    written = [f"{key}={value}" for key, value in pairs]
    asked = exchange([(b"cookie", gap.join(written).encode())], "&".join(written).encode())
    assert key_of(f"cookie:{name}")(asked) == expected
    assert key_of(f"query:{name}")(asked) == expected
