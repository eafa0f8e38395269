"""Where bodies end, what is refused because two readers could disagree on it, and what never crosses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.http.framing import (
    CHUNKED,
    MAX_LENGTH,
    MAX_OPTIONS,
    UNTIL_CLOSE,
    Framing,
    bodiless,
    clean_trailers,
    frame_request,
    frame_response,
    valid_host,
)
from appliance.http.h1_head import parse_request
from appliance.model.fault import Fault
from appliance.model.headers import Headers
from tests.kit.h1gen import MAX_HEADERS, fastest, h11_of_request, refusal

HOST = (b"host", b"a")


def request(*lines: bytes, host: bytes = b"Host: a", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([b"POST / " + version, *([host] if host else []), *lines, b"", b""])


def framed(*lines: bytes, host: bytes = b"Host: a", version: bytes = b"HTTP/1.1") -> Framing:
    head = parse_request(request(*lines, host=host, version=version), MAX_HEADERS)
    return frame_request(head.minor, head.headers)


def response(
    *headers: tuple[bytes, bytes], status: int = 200, method: bytes = b"GET", minor: int = 1
) -> Framing:
    return frame_response(status, method, minor, list(headers))


CL5 = b"Content-Length: 5"
TE = b"Transfer-Encoding: chunked"

# Bytes of a request, the id and the status with which it is refused.
REFUSED = {
    # RFC 9112 section 6.1: Transfer-Encoding with Content-Length, or in HTTP/1.0
    "coding and length": (request(TE, CL5), "bad-framing", 400),
    "length and coding": (request(CL5, TE), "bad-framing", 400),
    "coding and length of 0": (request(TE, b"Content-Length: 0"), "bad-framing", 400),
    "coding and a bad length": (request(TE, b"Content-Length: x"), "bad-framing", 400),
    "unknown coding and length": (request(b"Transfer-Encoding: x", CL5), "bad-framing", 400),
    "coding in HTTP/1.0": (request(TE, version=b"HTTP/1.0"), "bad-framing", 400),
    "unknown coding in HTTP/1.0": (request(b"Transfer-Encoding: x", version=b"HTTP/1.0"), "bad-framing", 400),
    # RFC 9112 section 6.1: a coding that is not understood is 501
    "gzip, chunked": (request(b"Transfer-Encoding: gzip, chunked"), "bad-coding", 501),
    "chunked, gzip": (request(b"Transfer-Encoding: chunked, gzip"), "bad-coding", 501),
    "chunked twice": (request(b"Transfer-Encoding: chunked, chunked"), "bad-coding", 501),
    "chunked in two lines": (request(TE, TE), "bad-coding", 501),
    "chunked and an empty line": (request(TE, b"Transfer-Encoding:"), "bad-coding", 501),
    "a comma after chunked": (request(b"Transfer-Encoding: chunked,"), "bad-coding", 501),
    "a comma before chunked": (request(b"Transfer-Encoding: ,chunked"), "bad-coding", 501),
    "xchunked": (request(b"Transfer-Encoding: xchunked"), "bad-coding", 501),
    "chunkedx": (request(b"Transfer-Encoding: chunkedx"), "bad-coding", 501),
    "chunked in quotes": (request(b'Transfer-Encoding: "chunked"'), "bad-coding", 501),
    "chunked with a parameter": (request(b"Transfer-Encoding: chunked;q=1"), "bad-coding", 501),
    "identity": (request(b"Transfer-Encoding: identity"), "bad-coding", 501),
    "an empty coding": (request(b"Transfer-Encoding:"), "bad-coding", 501),
    "chunked with high bytes": (request(b"Transfer-Encoding: \xa0chunked"), "bad-coding", 501),
    "chunked by way of the Kelvin sign": (
        request("Transfer-Encoding: chun\u212aed".encode()),
        "bad-coding",
        501,
    ),
    # RFC 9112 section 6.3 and RFC 9110 section 8.6: Content-Length is 1*DIGIT
    "two lengths": (request(CL5, b"Content-Length: 6"), "bad-length", 400),
    "two spellings of a length": (request(CL5, b"Content-Length: 05"), "bad-length", 400),
    "a list of lengths": (request(b"Content-Length: 5, 5"), "bad-length", 400),
    "a list of different lengths": (request(b"Content-Length: 5, 6"), "bad-length", 400),
    "a length with a comma": (request(b"Content-Length: 5,"), "bad-length", 400),
    "a length with a plus": (request(b"Content-Length: +5"), "bad-length", 400),
    "a length below zero": (request(b"Content-Length: -5"), "bad-length", 400),
    "minus zero": (request(b"Content-Length: -0"), "bad-length", 400),
    "a hexadecimal length": (request(b"Content-Length: 0x5"), "bad-length", 400),
    "a length with an underscore": (request(b"Content-Length: 5_0"), "bad-length", 400),
    "a length with a space within": (request(b"Content-Length: 5 0"), "bad-length", 400),
    "a length with a point": (request(b"Content-Length: 5.0"), "bad-length", 400),
    "an empty length": (request(b"Content-Length:"), "bad-length", 400),
    "an empty length and a good one": (request(b"Content-Length:", CL5), "bad-length", 400),
    "Arabic digits": (request("Content-Length: \u0665".encode()), "bad-length", 400),
    "fullwidth digits": (request("Content-Length: \uff15".encode()), "bad-length", 400),
    "a superscript two": (request(b"Content-Length: \xb2"), "bad-length", 400),
    "2^63": (request(b"Content-Length: 9223372036854775808"), "bad-length", 400),
    "twenty digits": (request(b"Content-Length: " + b"9" * 20), "bad-length", 400),
    "5 after twenty zeros": (request(b"Content-Length: " + b"0" * 20 + b"5"), "bad-length", 400),
    "thirty thousand digits": (request(b"Content-Length: " + b"9" * 30_000), "bad-length", 400),
    # RFC 9112 section 3.2: exactly one Host in HTTP/1.1, and a valid one
    "no Host": (request(host=b""), "bad-host", 400),
    "two Hosts": (request(b"Host: b"), "bad-host", 400),
    "two equal Hosts": (request(b"host: a"), "bad-host", 400),
    "two Hosts in HTTP/1.0": (request(b"Host: b", version=b"HTTP/1.0"), "bad-host", 400),
    "an empty Host": (request(host=b"Host:"), "bad-host", 400),
    "an empty Host in HTTP/1.0": (request(host=b"Host: ", version=b"HTTP/1.0"), "bad-host", 400),
    "a Host with a path": (request(host=b"Host: a/b"), "bad-host", 400),
    "a Host with a user": (request(host=b"Host: a@b"), "bad-host", 400),
    "a Host with a space": (request(host=b"Host: a b"), "bad-host", 400),
    "a Host that is a port": (request(host=b"Host: :80"), "bad-host", 400),
    # Lists are bounded by us; Apache bounds a field to 8 KiB, which is more than anybody sends in these.
    "a crowd of options": (request(b"Connection: " + b"," * MAX_OPTIONS), "bad-request", 400),
    "a crowd in TE": (request(b"TE: " + b"a," * MAX_OPTIONS), "bad-request", 400),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused(case: str) -> None:
    """Each with its own id and status."""
    wire, reason, status = REFUSED[case]
    assert refusal(wire) == (reason, status)


def test_lengths_that_are_taken() -> None:
    """Digits with white space around, equal lines as one (RFC 9112 section 6.3); none is no body."""
    assert framed().length == 0
    assert framed(CL5).length == 5
    assert framed(b"Content-Length: \t5 \t").length == 5
    assert framed(b"Content-Length: 0005").length == 5
    assert framed(CL5, b"X: y", b"content-LENGTH:5").length == 5
    assert framed(b"Content-Length: %d" % MAX_LENGTH).length == MAX_LENGTH
    assert framed(CL5, version=b"HTTP/1.0").length == 5


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"chunKed", b"CHUNKED \t"])
def test_the_coding_is_read_without_regard_to_case(value: bytes) -> None:
    """Coding names are case-insensitive (RFC 9112 section 7)."""
    assert framed(b"Transfer-Encoding: " + value).length == CHUNKED
    wire = request(b"Transfer-Encoding: " + value) + b"0\r\n\r\nnext"
    assert h11_of_request(wire).rest == b"next"


def test_values_are_judged_even_if_nobody_stripped_them() -> None:
    """The decision does not rest on what the reader of heads refuses or strips."""
    for headers, reason in (
        ([HOST, (b"content-length", b" 5")], "bad-length"),
        ([HOST, (b"content-length", b"5\n")], "bad-length"),
        ([HOST, (b"transfer-encoding", b"\x0bchunked")], "bad-coding"),
        ([HOST, (b"transfer-encoding", b"chunked\n")], "bad-coding"),
        ([HOST, (b"transfer-encoding", b" chunked")], "bad-coding"),
        ([(b"host", b"a\n")], "bad-host"),
    ):
        with pytest.raises(Fault) as caught:
            frame_request(1, headers)
        assert caught.value.reason.id == reason


GOOD_HOSTS = (
    b"a",
    b"a.b-c_d",
    b"A:80",
    b"a:",
    b"1.2.3.4:65535",
    b"[::1]",
    b"[2001:db8::1]:80",
    b"[::ffff:1.2.3.4]",
    b"%41",
)
BAD_HOSTS = (
    b"",
    b":80",
    b"a:b",
    b"a:123456",
    b"a:8 0",
    b"a:-1",
    b"a:80:80",
    b"[::1",
    b"::1",
    b"[]",
    b"[a.b]x",
    b"[g]",
) + (
    b"a/",
    b"a?",
    b"a#",
    b"a\\b",
    b"a@b",
    b"a b",
    b"a\t",
    b"\xe9",
    b"%4",
    b"%zz",
    b"a\0",
    b'"a"',
    b"<a>",
    b"a\n",
    b"a|b",
)


def test_a_host_is_a_host_and_perhaps_a_port() -> None:
    """``uri-host [ ":" port ]`` and not empty (RFC 9110 section 7.2, RFC 3986 section 3.2.2)."""
    assert [host for host in GOOD_HOSTS if not valid_host(host)] == []
    assert [host for host in BAD_HOSTS if valid_host(host)] == []
    assert framed(host=b"Host: A.b:80").host == b"A.b:80"
    assert framed(host=b"", version=b"HTTP/1.0").host is None


HOP = (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"trailer") + (
    b"http2-settings",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"host",
    b"content-length",
)


@pytest.mark.parametrize("name", HOP)
def test_fields_of_this_connection_never_cross(name: bytes) -> None:
    """Nor does what framing and authority say better (RFC 9110 section 7.6.1)."""
    value = {b"transfer-encoding": b"chunked", b"content-length": b"3", b"host": b"a"}.get(name, b"x")
    headers = [(b"a", b"b"), (name, value), (b"c", b"d")]
    sent = headers if name == b"host" else [HOST, *headers]
    assert frame_request(1, sent).headers == [(b"a", b"b"), (b"c", b"d")]
    if name != b"host":
        assert response(*headers).headers == [(b"a", b"b"), (b"c", b"d")]


def test_fields_named_by_connection_never_cross() -> None:
    """In whatever case and however many lines name them (RFC 9110 section 7.6.1)."""
    lines = (b"X-a: 1", b"connection: close, x-A", b"X-B: 2", b"X-A: 3", b"Connection: ,X-C\t,", b"x-c: 4")
    assert framed(*lines).headers == [(b"x-b", b"2")]
    headers = [(b"x-a", b"1"), (b"connection", b"X-A"), (b"x-b", b"2")]
    assert response(*headers).headers == [(b"x-b", b"2")]


@pytest.mark.parametrize(
    "option", [b"host", b"content-length", b"transfer-encoding", b"te", b"Host, CONTENT-LENGTH"]
)
def test_connection_cannot_name_framing_away(option: bytes) -> None:
    """What a message is, and for whom, does not depend on an option that names the field."""
    line = b"Connection: " + option
    assert (framed(line, CL5).length, framed(line, CL5).host) == (5, b"a")
    assert framed(line, TE).length == CHUNKED
    assert framed(line, b"TE: trailers").headers == [(b"te", b"trailers")]
    assert response((b"connection", option), (b"content-length", b"5")).length == 5
    head = response((b"connection", option), (b"content-length", b"5"), method=b"HEAD")
    assert head.headers == [(b"content-length", b"5")]


def test_what_crosses_although_it_looks_like_ours() -> None:
    """Of TE only `trailers`, Expect as it is; Upgrade never (RFC 9110 sections 10.1.4, 10.1.1 and 7.8)."""
    assert framed(b"TE: gzip, Trailers").headers == [(b"te", b"trailers")]
    assert framed(b"TE: gzip", b"TE: trailers").headers == [(b"te", b"trailers")]
    assert framed(b"TE: gzip;q=0.5").headers == []
    assert framed(b"TE: xtrailers").headers == []
    assert framed(b"Expect: 100-continue").headers == [(b"expect", b"100-continue")]
    assert (
        framed(b"Upgrade: h2c", b"HTTP2-Settings: AA", b"Connection: Upgrade, HTTP2-Settings").headers == []
    )


@pytest.mark.parametrize(
    ("options", "by_version"),
    [
        ((), (False, True)),
        ((b"close",), (False, False)),
        ((b"Keep-Alive",), (True, True)),
        ((b"keep-alive",), (True, True)),
        ((b"keep-alive, CLOSE",), (False, False)),
        ((b"close", b"keep-alive"), (False, False)),
        ((b"x, keep-alive",), (True, True)),
        ((b"closed",), (False, True)),
        ((b"",), (False, True)),
    ],
)
def test_whether_the_connection_goes_on(options: tuple[bytes, ...], by_version: tuple[bool, bool]) -> None:
    """HTTP/1.1 unless it says close, HTTP/1.0 only if it says keep-alive (RFC 9112 section 9.3)."""
    fields = [(b"connection", option) for option in options]
    for minor in (0, 1):
        assert frame_request(minor, [HOST, *fields]).keep is by_version[minor]
        assert response(*fields, (b"content-length", b"0"), minor=minor).keep is by_version[minor]
        assert response(*fields, minor=minor).keep is False  # its body ends with the connection


NO_BODY = [
    (b"HEAD", 200),
    (b"HEAD", 404),
    (b"GET", 204),
    (b"GET", 304),
    (b"POST", 204),
    (b"GET", 100),
    (b"GET", 103),
]
FRAMED = ((), ((b"content-length", b"5"),), ((b"transfer-encoding", b"chunked"),))


@pytest.mark.parametrize("fields", FRAMED)
@pytest.mark.parametrize(("method", "status"), NO_BODY)
def test_some_answers_have_no_body_whatever_they_say(
    method: bytes, status: int, fields: tuple[tuple[bytes, bytes], ...]
) -> None:
    """HEAD, 1xx, 204 and 304 (RFC 9112 section 6.3, rule 1); they leave the connection usable."""
    framing = response(*fields, status=status, method=method)
    assert bodiless(status, method)
    assert framing.length == 0
    assert framing.keep
    described = fields == FRAMED[1] and status not in (204, 100, 103)  # RFC 9110 section 8.6
    assert framing.headers == ([(b"content-length", b"5")] if described else [])


@pytest.mark.parametrize("status", [200, 201, 206, 400, 404, 500, 205, 305, 299, 999])
@pytest.mark.parametrize(("fields", "length"), list(zip(FRAMED, (UNTIL_CLOSE, 5, CHUNKED), strict=True)))
def test_other_answers_have_the_body_they_declare(
    status: int, fields: tuple[tuple[bytes, bytes], ...], length: int
) -> None:
    """And without a declaration, all until the close (RFC 9112 section 6.3, rules 4 to 8)."""
    for method in (b"GET", b"POST", b"OPTIONS", b"head"):
        assert not bodiless(status, method)
        assert response(*fields, status=status, method=method).length == length


@pytest.mark.parametrize(
    "fields",
    [
        ((b"transfer-encoding", b"chunked"), (b"content-length", b"5")),
        ((b"content-length", b"5"), (b"content-length", b"6")),
        ((b"content-length", b"5, 5"),),
        ((b"content-length", b"+5"),),
        ((b"content-length", b""),),
        ((b"content-length", b"9223372036854775808"),),
        ((b"transfer-encoding", b"gzip, chunked"),),
        ((b"transfer-encoding", b"gzip"),),
        ((b"transfer-encoding", b"chunked,"),),
        ((b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")),
        ((b"transfer-encoding", b""),),
        ((b"connection", b"," * MAX_OPTIONS),),
    ],
)
@pytest.mark.parametrize(("method", "status"), [(b"GET", 200), (b"HEAD", 200), (b"GET", 304)])
def test_the_same_faults_of_an_upstream_are_a_502(
    method: bytes, status: int, fields: tuple[tuple[bytes, bytes], ...]
) -> None:
    """Even where there is no body: a server that contradicts itself is not believed."""
    with pytest.raises(Fault) as caught:
        response(*fields, status=status, method=method)
    assert (caught.value.reason.id, caught.value.reason.status) == ("upstream-bad", 502)


def test_an_upstream_of_1_0_cannot_send_chunks() -> None:
    """RFC 9112 section 6.1: such a message has faulty framing."""
    with pytest.raises(Fault):
        response((b"transfer-encoding", b"chunked"), minor=0)


def test_late_fields_cannot_change_what_was_decided() -> None:
    """Framing, routing and authentication fields are dropped from trailers (RFC 9110 section 6.5.1)."""
    late = [
        *HOP,
        *(b"te", b"authorization", b"www-authenticate", b"cookie", b"set-cookie", b"forwarded", b"via"),
        *(
            b"x-forwarded-for",
            b"x-forwarded-host",
            b"x-forwarded-proto",
            b"content-type",
            b"content-encoding",
        ),
        *(b"content-range", b"cache-control", b"expect", b"max-forwards", b"range"),
    ]
    fine: Headers = [
        (b"grpc-status", b"0"),
        (b"digest", b"x"),
        (b"server-timing", b"a"),
        (b"grpc-status", b"1"),
    ]
    assert clean_trailers([fine[0], *((name, b"x") for name in late), *fine[1:]]) == fine


names = st.sampled_from([*HOP[3:], b"content-length", b"te", b"x-a", b"connection", b"host"])
words = st.sampled_from(
    [b"5", b"chunked", b"a", b"x-a", b"close", b"trailers", b"content-length", b"5, 5", b""]
)
sections = st.lists(st.tuples(names, words), max_size=6)


@settings(max_examples=300)
@given(st.integers(0, 1), sections)
def test_what_crosses_was_sent_and_may_cross(minor: int, headers: Headers) -> None:
    """Order is kept, nothing is invented but the canonical TE, and no connection field is left."""
    try:
        framing = frame_request(minor, headers)
    except Fault as fault:
        assert fault.reason.status in (400, 501)
        return
    rest = iter(headers)
    assert all(pair in rest for pair in framing.headers if pair[0] != b"te")
    assert not {name for name, _ in framing.headers} & set(HOP)
    assert framing.length == CHUNKED or framing.length >= 0


@settings(max_examples=300)
@given(st.integers(100, 599), st.sampled_from([b"GET", b"HEAD"]), st.integers(0, 1), sections)
def test_an_answer_is_framed_or_refused(status: int, method: bytes, minor: int, headers: Headers) -> None:
    """With one fault, the upstream's; and a connection is kept only if the end of the body is known."""
    try:
        framing = frame_response(status, method, minor, headers)
    except Fault as fault:
        assert fault.reason.id == "upstream-bad"
        return
    assert framing.length >= 0 or framing.length in (CHUNKED, UNTIL_CLOSE)
    assert framing.length != UNTIL_CLOSE or not framing.keep
    assert framing.length == 0 or not bodiless(status, method)
    crossed = {name for name, _ in framing.headers} & (set(HOP) - {b"host"})
    assert crossed <= ({b"content-length"} if bodiless(status, method) else set())


@pytest.mark.parametrize(
    "name", [b"connection", b"te", b"transfer-encoding", b"content-length", b"host", b"x"]
)
def test_no_header_section_takes_long_to_frame(name: bytes) -> None:
    """In one line or in as many as are allowed, 32 KiB of a field cost less than 2 ms."""
    size = 32 * 1024
    for unit in (b",", b"a,", b"0", b" ", b"%41", b"chunked,"):
        one = [HOST, (name, unit * (size // len(unit)))]
        each = unit * (size // MAX_HEADERS // len(unit))
        many = [HOST, *[(name, each)] * (MAX_HEADERS - 1)]
        for headers in (one, many, one[1:], many[1:]):
            assert fastest(0.002, frame_request, 1, headers) < 0.002
            assert fastest(0.002, frame_response, 200, b"GET", 1, headers) < 0.002
