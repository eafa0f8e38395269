"""Heads: what each refusal is called, and that whatever passes can be written in either version."""

from __future__ import annotations

import h11
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.http.h1_head import write_fields
from appliance.http.h2_head import request_fields, response_fields, to_request, to_response, to_trailers
from appliance.model.fault import (
    BAD_HOST,
    BAD_LENGTH,
    BAD_PATH,
    BAD_REQUEST,
    BAD_TARGET,
    BAD_TRAILER,
    HOST_MISMATCH,
    NO_CONNECT,
    UPSTREAM_BAD,
    Fault,
    Reason,
)
from appliance.model.message import Request
from tests.kit.h2_client import request

Pairs = list[tuple[bytes, bytes]]

M, S, A, P = (b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a.example"), (b":path", b"/")
HEAD = [M, S, A, P]


def without(name: bytes) -> Pairs:
    return [pair for pair in HEAD if pair[0] != name]


def with_(name: bytes, value: bytes) -> Pairs:
    return [(name, value) if pair[0] == name else pair for pair in HEAD]


def reason(fields: Pairs, *, whole: bool = True) -> Reason:
    with pytest.raises(Fault) as caught:
        to_request(fields, whole=whole)
    return caught.value.reason


REFUSALS = [
    ("no-method", without(b":method"), BAD_REQUEST),
    ("no-scheme", without(b":scheme"), BAD_TARGET),
    ("no-path", without(b":path"), BAD_TARGET),
    ("no-authority", without(b":authority"), BAD_HOST),
    ("empty-method", with_(b":method", b""), BAD_REQUEST),
    ("method-with-space", with_(b":method", b"GET /x"), BAD_REQUEST),
    ("empty-path", with_(b":path", b""), BAD_TARGET),
    ("path-with-space", with_(b":path", b"/a b"), BAD_TARGET),
    ("path-with-fragment", with_(b":path", b"/a#b"), BAD_TARGET),
    ("path-without-slash", with_(b":path", b"a"), BAD_TARGET),
    ("absolute-path", with_(b":path", b"http://b.example/"), BAD_TARGET),
    ("asterisk-get", with_(b":path", b"*"), BAD_TARGET),
    ("encoded-nul", with_(b":path", b"/%00"), BAD_PATH),
    ("bad-encoding", with_(b":path", b"/%zz"), BAD_PATH),
    ("foreign-scheme", with_(b":scheme", b"ftp"), BAD_TARGET),
    ("scheme-in-capitals", with_(b":scheme", b"HTTP"), BAD_TARGET),
    ("empty-authority", with_(b":authority", b""), BAD_HOST),
    ("userinfo", with_(b":authority", b"u@a.example"), BAD_HOST),
    ("authority-with-path", with_(b":authority", b"a.example/x"), BAD_HOST),
    ("host-differs", [*HEAD, (b"host", b"b.example")], HOST_MISMATCH),
    ("host-differs-in-port", [*HEAD, (b"host", b"a.example:80")], HOST_MISMATCH),
    ("two-hosts", [*HEAD, (b"host", b"a.example"), (b"host", b"a.example")], BAD_HOST),
    ("bad-host", [*without(b":authority"), (b"host", b"a b")], BAD_HOST),
    ("connect", [(b":method", b"CONNECT"), (b":authority", b"a.example:80")], NO_CONNECT),
    ("protocol-without-connect", [*HEAD, (b":protocol", b"websocket")], BAD_REQUEST),
    ("unknown-pseudo", [*HEAD, (b":x", b"y")], BAD_REQUEST),
    ("status-in-request", [*HEAD, (b":status", b"200")], BAD_REQUEST),
    ("pseudo-twice", [*HEAD, P], BAD_REQUEST),
    ("pseudo-twice-empty", [(b":method", b""), *HEAD], BAD_REQUEST),
    ("pseudo-late", [M, S, A, (b"x-a", b"b"), P], BAD_REQUEST),
    ("pseudo-behind-cookie", [M, S, A, (b"cookie", b"b=c"), P], BAD_REQUEST),
    ("pseudo-behind-trailer", [M, S, A, (b"trailer", b"x"), P], BAD_REQUEST),
    ("name-in-capitals", [*HEAD, (b"X-A", b"b")], BAD_REQUEST),
    ("empty-name", [*HEAD, (b"", b"b")], BAD_REQUEST),
    ("line-end-in-value", [*HEAD, (b"x-a", b"b\r\nc: d")], BAD_REQUEST),
    ("nul-in-value", [*HEAD, (b"x-a", b"\0")], BAD_REQUEST),
    ("space-before-value", [*HEAD, (b"x-a", b" b")], BAD_REQUEST),
    ("connection", [*HEAD, (b"connection", b"close")], BAD_REQUEST),
    ("keep-alive", [*HEAD, (b"keep-alive", b"5")], BAD_REQUEST),
    ("proxy-connection", [*HEAD, (b"proxy-connection", b"close")], BAD_REQUEST),
    ("transfer-encoding", [*HEAD, (b"transfer-encoding", b"chunked")], BAD_REQUEST),
    ("upgrade", [*HEAD, (b"upgrade", b"websocket")], BAD_REQUEST),
    ("te-gzip", [*HEAD, (b"te", b"gzip")], BAD_REQUEST),
    ("te-more", [*HEAD, (b"te", b"trailers, gzip")], BAD_REQUEST),
    ("te-twice", [*HEAD, (b"te", b"trailers"), (b"te", b"trailers")], BAD_REQUEST),
    ("length-of-no-body", [*HEAD, (b"content-length", b"5")], BAD_LENGTH),
]
LENGTHS = [b"", b"+5", b"-5", b"5a", b"0x5", b"5, 5", b"5.0", b"9" * 20, b"9223372036854775808"]


@pytest.mark.parametrize(("fields", "wanted"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_each_refusal_names_its_reason(fields: Pairs, wanted: Reason) -> None:
    """Whatever could be read in two ways further on is refused, and by its own name."""
    assert reason(fields) is wanted


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_is_one_plain_number(length: bytes) -> None:
    """Anything but digits, and anything over 2^63-1, is BAD_LENGTH."""
    assert reason([*HEAD, (b"content-length", length)], whole=False) is BAD_LENGTH


def test_lengths_that_are_repeated_must_agree() -> None:
    """The same number twice is that number; two numbers are none."""
    twice = [(b"content-length", b"5"), (b"content-length", b"5")]
    request_, length = to_request([*HEAD, *twice], whole=False)
    assert length == 5
    assert not request_.headers
    assert reason([*HEAD, twice[0], (b"content-length", b"6")], whole=False) is BAD_LENGTH
    assert reason([*HEAD, twice[0], (b"content-length", b"05")], whole=False) is BAD_LENGTH


def test_a_length_of_nothing_is_no_contradiction() -> None:
    """A request without a body may say so."""
    assert to_request([*HEAD, (b"content-length", b"0")], whole=True)[1] == 0
    assert to_request(HEAD, whole=True)[1] is None


def test_a_request_is_read() -> None:
    """Pseudo-header fields become the request, the rest its headers, in their order."""
    rest = [(b"x-b", b"1"), (b"accept", b""), (b"x-b", b"2")]
    fields = [(b":path", b"/a/./b?c=d?e"), (b":method", b"PUT"), (b":authority", b"A.Example:8080")]
    found, _ = to_request([*fields, (b":scheme", b"https"), *rest], whole=False)
    assert (found.method, found.scheme, found.authority) == (b"PUT", b"https", b"a.example:8080")
    assert (found.path, found.query, found.target) == (b"/a/b", b"c=d?e", b"/a/b?c=d?e")
    assert (found.headers, found.version, found.upgrade) == (rest, "HTTP/2", b"")


def test_host_may_stand_for_the_authority() -> None:
    """Either names the host; both may when they agree, and Host never goes on as a header."""
    for fields in ([*without(b":authority"), (b"host", b"A.example")], [*HEAD, (b"host", b"A.EXAMPLE")]):
        found, _ = to_request(fields, whole=True)
        assert (found.authority, found.headers) == (b"a.example", [])


def test_crumbs_of_a_cookie_become_one() -> None:
    """Cookies that were parted for compression are joined again (section 8.2.3)."""
    found, _ = to_request([*HEAD, (b"cookie", b"a=b"), (b"x", b"y"), (b"cookie", b"c=d")], whole=True)
    assert sorted(found.headers) == [(b"cookie", b"a=b; c=d"), (b"x", b"y")]


def test_options_may_ask_for_the_whole_server() -> None:
    """``*`` is a path for OPTIONS alone."""
    fields = [(b":method", b"OPTIONS"), S, A, (b":path", b"*")]
    assert to_request(fields, whole=True)[0].target == b"*"


def test_te_of_trailers_goes_on_and_what_is_for_us_does_not() -> None:
    """TE of trailers is the one field of a connection that HTTP/2 has (section 8.2.2)."""
    own = [(b"trailer", b"x"), (b"proxy-authorization", b"y"), (b"te", b"trailers")]
    assert to_request([*HEAD, *own], whole=True)[0].headers == [(b"te", b"trailers")]


def test_an_extended_connect_asks_for_an_upgrade() -> None:
    """CONNECT with :protocol is an upgrade as a GET has it in HTTP/1.1 (RFC 8441 section 4)."""
    fields = [(b":method", b"CONNECT"), (b":protocol", b"WebSocket"), S, A, (b":path", b"/chat")]
    found, _ = to_request(fields, whole=False)
    assert (found.method, found.upgrade, found.path) == (b"GET", b"websocket", b"/chat")
    assert reason(fields) is BAD_REQUEST
    assert reason([fields[0], (b":protocol", b"a b"), *fields[2:]], whole=False) is BAD_REQUEST
    assert reason(fields[:2] + [A], whole=False) is BAD_TARGET


# What passes, in either version.

texts = st.binary(max_size=12)
likely = st.sampled_from(
    [
        b"GET",
        b"POST",
        b"a.example",
        b"[::1]:8",
        b"/",
        b"/a%2fb",
        b"/a?b=c d",
        b"http",
        b"trailers",
        b"5",
        b"a=b",
    ]
)
some_names = st.sampled_from(
    [b"host", b"cookie", b"te", b"content-length", b"x-a", b"trailer", b"connection", b":path", b":method"]
)
extras = st.lists(st.tuples(st.one_of(some_names, texts), st.one_of(likely, texts)), max_size=4)
paths = st.one_of(likely, st.binary(max_size=20).map(lambda tail: b"/" + tail))


@given(
    st.one_of(st.sampled_from([b"GET", b"POST", b"OPTIONS", b"CONNECT"]), texts),
    st.one_of(st.just(b"a.example"), likely, texts),
    paths,
    extras,
    st.booleans(),
)
@example(b"GET", b"a.example", b"/?\x80", [], False)
def test_what_passes_can_be_written(
    method: bytes, authority: bytes, path: bytes, extra: Pairs, whole: bool
) -> None:
    """h11 and h2 accept, as the same message, every head that is accepted here."""
    fields = [(b":method", method), S, (b":authority", authority), (b":path", path), *extra]
    try:
        found, length = to_request(fields, whole=whole)
    except Fault as fault:
        assert 400 <= fault.reason.status < 500
        return
    assert length is None or (length >= 0 and not (whole and length))
    server = h11.Connection(h11.SERVER)
    line = b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (found.method, found.target, found.authority)
    server.receive_data(line + write_fields(found.headers) + b"\r\n")
    event = server.next_event()
    assert isinstance(event, h11.Request)
    assert (event.method, event.target) == (found.method, found.target)
    assert list(event.headers) == [(b"host", found.authority), *found.headers]
    assert isinstance(server.next_event(), h11.EndOfMessage)
    as_h2(request_fields(found, found.scheme, b"z", []), found)


def as_h2(fields: Pairs, found: Request) -> None:
    client, other = H2Connection(H2Configuration()), H2Connection(H2Configuration(client_side=False))
    client.config.validate_outbound_headers = False
    other.config.header_encoding = None  # type: ignore[assignment]
    client.initiate_connection()
    client.send_headers(1, fields)
    events = other.receive_data(client.data_to_send())
    heard = [(bytes(n), bytes(v)) for n, v in next(e.headers for e in events if hasattr(e, "headers"))]
    assert heard == fields
    again, _ = to_request(fields, whole=False)
    for part in ("method", "scheme", "authority", "target"):
        assert getattr(again, part) == getattr(found, part)
    assert sorted(again.headers) == sorted(found.headers)


def test_a_request_without_a_host_is_given_one() -> None:
    """An HTTP/1.0 client may name none; the endpoint's name stands in, with the scheme of that side."""
    bare = Request(b"GET", b"http", b"", b"/", b"q", [(b"connection", b"x"), (b"x-a", b"b")])
    fields = request_fields(bare, b"https", b"app:80", [(b"x-c", b"d")])
    expected = [(b":scheme", b"https"), (b":authority", b"app:80"), (b":path", b"/?q")]
    assert fields == [M, *expected, (b"x-a", b"b"), (b"x-c", b"d")]


# Answers and trailers.


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b":status", b"20")],
        [(b":status", b"2000")],
        [(b":status", b"099")],
        [(b":status", b"+20")],
        [(b":status", b"101")],
        [(b":status", b"200"), (b":status", b"200")],
        [(b":status", b"200"), (b":path", b"/")],
        [(b"x", b"y"), (b":status", b"200")],
        [(b":status", b"200"), (b"connection", b"close")],
        [(b":status", b"200"), (b"X", b"y")],
        [(b":status", b"200"), (b"content-length", b"5x")],
        [(b":status", b"200"), (b"content-length", b"5")],
    ],
)
def test_a_bad_answer_is_the_upstreams_fault(fields: Pairs) -> None:
    """Whatever is wrong with an answer has one name."""
    with pytest.raises(Fault) as caught:
        to_response(fields, b"GET", whole=True)
    assert caught.value.reason is UPSTREAM_BAD


@pytest.mark.parametrize(
    ("status", "method", "declared", "whole", "length", "kept"),
    [
        (b"200", b"GET", None, False, None, False),
        (b"200", b"GET", b"5", False, 5, False),
        (b"200", b"GET", None, True, 0, False),
        (b"200", b"GET", b"0", True, 0, False),
        (b"200", b"HEAD", b"5", True, 0, True),
        (b"304", b"GET", b"5", True, 0, True),
        (b"204", b"GET", b"5", True, 0, False),
        (b"103", b"GET", None, False, 0, False),
    ],
)
def test_the_length_of_an_answer(
    status: bytes, method: bytes, declared: bytes | None, whole: bool, length: int | None, kept: bool
) -> None:
    """What has no body has length 0; its Content-Length speaks of another answer, and is kept as a field."""
    own = [] if declared is None else [(b"content-length", declared)]
    found = to_response([(b":status", status), (b"x", b"y"), *own], method, whole=whole)
    assert found == (int(status), [(b"x", b"y"), *(own if kept else [])], length)


def test_an_answer_is_written_without_what_http2_has_not() -> None:
    """Fields of a connection that a route's edits put back are left out."""
    headers = [(b"x", b"y"), (b"connection", b"close"), (b"transfer-encoding", b"chunked")]
    fields = response_fields(418, headers, [(b"date", b"now")])
    assert fields == [(b":status", b"418"), (b"x", b"y"), (b"date", b"now")]


def test_trailers_go_on_without_framing() -> None:
    """What may not come so late is dropped (RFC 9110 section 6.5.1)."""
    fields = [(b"grpc-status", b"0"), (b"content-length", b"3"), (b"cookie", b"a"), (b"host", b"a")]
    assert to_trailers(fields, BAD_TRAILER) == [(b"grpc-status", b"0")]


@pytest.mark.parametrize("field", [(b":status", b"200"), (b"X", b"y"), (b"x", b"\n"), (b"connection", b"x")])
def test_malformed_trailers_are_refused(field: tuple[bytes, bytes]) -> None:
    """Trailers hold no pseudo-header field, and are fields like others (section 8.1)."""
    with pytest.raises(Fault) as caught:
        to_trailers([(b"ok", b"1"), field], BAD_TRAILER)
    assert caught.value.reason is BAD_TRAILER


def test_the_kits_request_is_one() -> None:
    """What tests send by default is accepted."""
    assert to_request(request(b"GET", b"/x"), whole=True)[0].path == b"/x"
