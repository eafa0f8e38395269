"""Heads: what is read is what h11 reads, the rest is refused, and no head takes long."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.http import h1_head
from appliance.http.framing import frame_request
from appliance.http.h1_head import (
    MAX_RESPONSE_HEADERS,
    MAX_TRAILER_FIELDS,
    MEMORABLE,
    MEMORY,
    find_end,
    parse_fields,
    parse_request,
    parse_response,
    write_fields,
)
from appliance.model.fault import Fault
from tests.kit.h1gen import (
    MAX_HEADERS,
    Entropy,
    as_h11_gives,
    fastest,
    h11_of_request,
    h11_of_response,
    hostile_fields,
    ours_of_request,
    ours_of_response,
    refusal,
    request_head,
    response_head,
    spoil,
)

entropy = st.binary(max_size=120).map(Entropy)
methods = st.sampled_from([b"GET", b"HEAD", b"POST"])
# A body for every framing, and the beginning of the next message behind the chunked one.
REST = b"5;x\r\nhello\r\n0\r\nX-T: 1\r\n\r\nGET /next HTTP/1.1\r\n\r\n"
KIB32 = 32 * 1024
LIMIT = 0.002


def agree_on_request(wire: bytes) -> str:
    """Compare the two readings if ours accepts; returns what came of it."""
    try:
        ours = ours_of_request(wire)
    except Fault as fault:
        return fault.reason.id
    ours.headers = as_h11_gives(ours.headers)
    assert ours == h11_of_request(wire)
    return kind(ours.complete, ours.body, ours.rest)


def agree_on_response(wire: bytes, method: bytes) -> str:
    try:
        ours = ours_of_response(wire, method)
    except Fault as fault:
        return fault.reason.id
    ours.headers = as_h11_gives(ours.headers)
    assert ours == h11_of_response(wire, method)
    return kind(ours.complete, ours.body, ours.rest)


def kind(complete: bool, body: bytes, rest: bytes) -> str:
    if not complete:
        return "more to come"
    if not body:
        return "none"
    return "chunked" if body == b"hello" else "sized" if rest else "all"


@settings(max_examples=300)
@given(entropy)
def test_well_formed_requests_are_accepted(e: Entropy) -> None:
    """Strictness refuses nothing that RFC 9112 allows a sender."""
    wire = request_head(e) + REST
    assert agree_on_request(wire) in ("none", "sized", "chunked", "more to come", "all")


@settings(max_examples=300)
@given(entropy, methods)
def test_well_formed_responses_are_accepted(e: Entropy, method: bytes) -> None:
    """Strictness refuses nothing that RFC 9112 allows a server."""
    wire = response_head(e) + REST
    assert agree_on_response(wire, method) in ("none", "sized", "chunked", "more to come", "all")


@settings(max_examples=3000)
@given(entropy)
def test_what_is_accepted_of_a_request_is_what_h11_reads(e: Entropy) -> None:
    """Method, target, version, headers, body, trailers, and where the next message begins."""
    agree_on_request(spoil(e, request_head(e)) + REST)


@settings(max_examples=3000)
@given(entropy, methods)
def test_what_is_accepted_of_a_response_is_what_h11_reads(e: Entropy, method: bytes) -> None:
    """Status, reason, version, headers, body, trailers, and where the next message begins."""
    agree_on_response(spoil(e, response_head(e)) + REST, method)


def test_a_fair_share_of_spoilt_heads_is_accepted() -> None:
    """So that agreement with h11 says something: of 20,000 spoilt heads over a twelfth pass, of each kind."""
    random = Random(2)
    requests: Counter[str] = Counter()
    responses: Counter[str] = Counter()
    while requests.total() < 20_000:
        e = Entropy(random.randbytes(120))
        plain = request_head(e)
        spoilt = spoil(e, plain)
        if spoilt != plain:
            requests[agree_on_request(spoilt + REST)] += 1
    while responses.total() < 20_000:
        e = Entropy(random.randbytes(120))
        plain = response_head(e)
        spoilt = spoil(e, plain)
        if spoilt != plain:
            responses[agree_on_response(spoilt + REST, random.choice((b"GET", b"HEAD")))] += 1
    good = ("none", "sized", "chunked", "more to come", "all")
    for counted in (requests, responses):
        assert sum(counted[name] for name in good) > 20_000 / 12
        assert min(counted[name] for name in good[:4]) > 50
    refused = ("bad-version", "bad-host", "bad-framing", "bad-coding", "bad-length", "bad-request")
    assert min(requests[name] for name in refused) > 100
    assert responses["all"] > 100
    assert responses["upstream-bad"] > 100


def test_parts_of_a_request() -> None:
    """Names become lower-case, white space around values goes, order and all else stays."""
    head = parse_request(b"PUT /A?b HTTP/1.0\r\nHost:\t a \r\nX-b:\xff B  c\r\nx-B:\r\n\r\n", 3)
    assert (head.method, head.target, head.minor) == (b"PUT", b"/A?b", 0)
    assert head.headers == [(b"host", b"a"), (b"x-b", b"\xff B  c"), (b"x-b", b"")]
    assert parse_request(b"G / HTTP/1.1\r\n\r\n", 0).headers == []


def test_parts_of_a_response() -> None:
    """A reason phrase may be empty, its space may not be missing; it is kept as it is (RFC 9112, 4)."""
    head = parse_response(b"HTTP/1.0 404 Not \xff found\t\r\nA: b\r\n\r\n")
    assert head is not None
    assert (head.status, head.reason, head.minor) == (404, b"Not \xff found\t", 0)
    assert head.headers == [(b"a", b"b")]
    head = parse_response(b"HTTP/1.1 200 \r\n\r\n")
    assert head is not None
    assert (head.status, head.reason, head.minor) == (200, b"", 1)
    assert parse_response(b"HTTP/1.1 200\r\n\r\n") is None


REFUSED = {
    # RFC 9112 section 3: the request line
    "two spaces": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", 400),
    "a tab for a space": (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", 400),
    "a space at the end": (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "bad-request", 400),
    "a space at the start": (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", 400),
    "no target": (b"GET HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", 400),
    "a method that is no token": (b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", 400),
    "a control character in the target": (b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", 400),
    "DEL in the target": (b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", 400),
    "a byte beyond ASCII in the target": (b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", 400),
    "a fragment": (b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", "bad-target", 400),
    # RFC 9112 section 2.3 and RFC 9110 section 2.5: the version
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "bad-version", 505),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", "bad-version", 505),
    "HTTP/0.9": (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", "bad-version", 505),
    "HTTP/1.10": (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", "bad-request", 400),
    "http/1.1": (b"GET / http/1.1\r\nHost: a\r\n\r\n", "bad-request", 400),
    "no version": (b"GET /\r\nHost: a\r\n\r\n", "bad-request", 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "bad-version", 505),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "bad-request", 400),
    # RFC 9112 section 2.2: line ends
    "bare LF after the request line": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", "bad-request", 400),
    "bare LF after a field": (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "bad-request", 400),
    "bare CR in a value": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", "bad-request", 400),
    "bare CR before CRLF": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n", "bad-request", 400),
    "bare CR at a line's start": (b"GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n", "bad-request", 400),
    # RFC 9112 section 5: field lines
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", "bad-request", 400),
    "a tab before the colon": (b"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", "bad-request", 400),
    "no colon": (b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", "bad-request", 400),
    "no name": (b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "bad-request", 400),
    "a name that is no token": (b"GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n", "bad-request", 400),
    "a name beyond ASCII": (b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: b\r\n\r\n", "bad-request", 400),
    "NUL in a name": (b"GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n", "bad-request", 400),
    "a first line of white space": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "bad-request", 400),
    # RFC 9112 section 5.2: line folding
    "folding by a space": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", "bad-request", 400),
    "folding by a tab": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", "bad-request", 400),
    "folding to nothing": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n \r\n\r\n", "bad-request", 400),
    # RFC 9110 section 5.5: what a value must not hold
    "NUL in a value": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\0\r\n\r\n", "bad-request", 400),
    "a vertical tab in a coding": (
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
        "bad-request",
        400,
    ),
    "a form feed in a length": (
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\x0c\r\n\r\n",
        "bad-request",
        400,
    ),
    "a space before the colon of a coding": (
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
        "bad-request",
        400,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_malformed_heads_are_refused(case: str) -> None:
    """Each with its own id and status, and none repaired."""
    wire, reason, status = REFUSED[case]
    assert refusal(wire) == (reason, status)


@pytest.mark.parametrize("octet", [n for n in range(256) if n < 32 or n == 127])
def test_no_control_character_but_tab_stands_in_a_head(octet: int) -> None:
    """Wherever it stands; a tab only in or around a value (RFC 9110 section 5.5)."""
    bad = bytes((octet,))
    within = b"GET / HTTP/1.1\r\nHost: a\r\nX: b%bc\r\n\r\n" % bad
    assert refusal(within) == (None if bad == b"\t" else ("bad-request", 400))
    for wire in (
        b"G%bT / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1%b\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHo%bst: a\r\n\r\n",
    ):
        assert refusal(wire % bad) == ("bad-request", 400)
    assert parse_response(b"HTTP/1.1 200 O%bK\r\n\r\n" % bad) is None or bad == b"\t"
    assert parse_response(b"HTTP/1.1 200 OK\r\nX: %b\r\n\r\n" % bad) is None or bad == b"\t"


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/2.0 200 OK",
        b"HTTP/1.2 200 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 099 Early",
        b"HTTP/1.1 000 Nought",
        b"HTTP/1.1 \xb2\xb2\xb2 OK",
        b"HTTP/1.1 +20 OK",
        b"HTTP/1.1",
        b"200 OK",
        b"",
    ],
)
def test_malformed_status_lines_are_not_read(line: bytes) -> None:
    """A version but 1.0 and 1.1, a status that is not three digits from 100 (RFC 9112 section 4)."""
    assert parse_response(line + b"\r\n\r\n") is None


def test_the_end_of_a_head_is_its_empty_line() -> None:
    """Nothing is decided while it has not come, and bare LFs do not make one (RFC 9112 section 2.2)."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for cut in range(len(head)):
        assert find_end(head[:cut], 100) == 0
    assert find_end(head, 100) == find_end(head + b"\r\n\r\n", 100) == len(head)
    assert find_end(b"GET / HTTP/1.1\n\n", 100) == 0
    assert find_end(b"GET / HTTP/1.1\n\r\n", 100) == 0


def test_a_head_is_too_large_as_soon_as_that_is_certain() -> None:
    """A head of just the limit is taken; with as many bytes and no end it is 431 (RFC 6585 section 5)."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert find_end(head + b"more", len(head)) == len(head)
    assert find_end(head[:-1], len(head)) == 0
    for data, limit in ((head, len(head) - 1), (head[:-1], len(head) - 1), (b"x" * 50, 50)):
        with pytest.raises(Fault) as caught:
            find_end(data, limit)
        assert (caught.value.reason.id, caught.value.reason.status) == ("head-too-large", 431)


def test_header_lines_are_counted() -> None:
    """One more than allowed is 431; of an upstream it is a bad answer."""
    lines = b"a: b\r\n" * 10
    assert len(parse_request(b"GET / HTTP/1.1\r\n" + lines + b"\r\n", 10).headers) == 10
    with pytest.raises(Fault) as caught:
        parse_request(b"GET / HTTP/1.1\r\n" + lines + b"\r\n", 9)
    assert (caught.value.reason.id, caught.value.reason.status) == ("too-many-headers", 431)
    lines = b"a: b\r\n" * MAX_RESPONSE_HEADERS
    assert parse_response(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n")
    with pytest.raises(Fault) as caught:
        parse_response(b"HTTP/1.1 200 OK\r\na: b\r\n" + lines + b"\r\n")
    assert (caught.value.reason.id, caught.value.reason.status) == ("upstream-bad", 502)


@pytest.mark.parametrize(
    ("head", "where"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nsecret\r\nC: d\r\n\r\n", "header line 3"),
        (b"GET / HTTP/1.1\r\nsecret: \0\r\n\r\n", "header line 1"),
        (b"GET /secret HTTP/11\r\nA b\r\n\r\n", "the request line"),
        (b"secret\r\n\r\n", "the request line"),
        (b"\r\n\r\n", "the request line"),
    ],
)
def test_a_refusal_says_where_and_quotes_nothing(head: bytes, where: str) -> None:
    """The detail goes to the log, and what a client sends may be a secret."""
    with pytest.raises(Fault) as caught:
        parse_request(head, 100)
    assert where in caught.value.detail
    assert "secret" not in str(caught.value)


def test_trailers_are_all_right_or_none() -> None:
    """A malformed line spoils the section, and so do too many lines (RFC 9112 section 7.1.2)."""
    assert parse_fields(b"\r\n") == []
    assert parse_fields(b"A: b \r\nc:\r\n\r\n") == [(b"a", b"b"), (b"c", b"")]
    for block in (b"", b"A: b\r\n", b"A : b\r\n\r\n", b"A: b\r\n c\r\n\r\n", b"A: b\n\r\n", b"A: \0\r\n\r\n"):
        assert parse_fields(block) is None
    lines = b"a:\r\n" * MAX_TRAILER_FIELDS
    assert parse_fields(lines + b"\r\n") is not None
    assert parse_fields(lines + b"a:\r\n\r\n") is None


tokens = st.text("abcXYZ-_.!", min_size=1, max_size=8).map(str.encode)
values = st.text("az09 \t,:;\xe9", max_size=8).map(lambda text: text.strip().encode("latin-1"))


@given(st.lists(st.tuples(tokens.map(bytes.lower), values), max_size=8))
def test_what_is_written_is_read_back(headers: list[tuple[bytes, bytes]]) -> None:
    """One line a field, in order."""
    written = write_fields(headers)
    assert written.count(b"\r\n") == len(headers)
    assert parse_fields(written + b"\r\n") == headers
    assert parse_request(b"GET / HTTP/1.1\r\n" + written + b"\r\n", 10).headers == headers


@pytest.mark.parametrize("case", hostile_fields(100))
def test_no_head_takes_long(case: str) -> None:
    """No head of 32 KiB costs 2 ms: not to find its end, to read it, to say what is wrong, to frame it."""
    for start in (b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: a\r\n", b"HTTP/1.1 200 OK\r\n"):
        head = start + hostile_fields(KIB32 - len(start))[case]
        assert KIB32 - 200 < len(head) <= KIB32
        assert fastest(LIMIT, find_end, head, KIB32) < LIMIT
        assert fastest(LIMIT, find_end, head[:-3], KIB32) < LIMIT
        assert fastest(LIMIT, parse_response, head) < LIMIT
        assert fastest(LIMIT, parse_fields, head) < LIMIT
        assert fastest(LIMIT, read_and_frame, head) < LIMIT
        assert fastest(LIMIT, ours_of_response, head, b"GET") < LIMIT


def read_and_frame(head: bytes) -> None:
    read = parse_request(head, MAX_HEADERS)
    frame_request(read.minor, read.headers)


@pytest.mark.parametrize(
    "line",
    [
        b"G" * KIB32,
        b"G" * KIB32 + b" /",
        b"GET " + b"/" * KIB32,
        b"GET / HTTP/1." + b"1" * KIB32,
        b" " * KIB32,
    ],
)
def test_no_request_line_takes_long(line: bytes) -> None:
    """However the matching of one could go back and forth."""
    for wire in (line + b"\r\n\r\n", line + b"\0\r\nHost: a\r\n\r\n", line + b" HTTP/1.1\r\nHost: a\r\n\r\n"):
        assert fastest(LIMIT, refusal, wire) < LIMIT
        assert fastest(LIMIT, parse_response, wire) < LIMIT


def test_a_remembered_line_is_read_as_the_first_time() -> None:
    """Whether a line was seen before changes nothing but the time it takes; the memory is bounded."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Remembered:\t7 \r\n\r\n"
    first = parse_request(head, 10).headers
    assert parse_request(head, 10).headers == first == [(b"host", b"a"), (b"x-remembered", b"7")]
    for number in range(MEMORY + 100):
        parse_request(b"GET / HTTP/1.1\r\nX: %d\r\n\r\n" % number, 10)
    assert len(h1_head._known) <= MEMORY
    assert parse_request(head, 10).headers == first


def test_secrets_and_long_lines_are_not_remembered() -> None:
    """What one connection sent in confidence does not stay in memory when it has gone."""
    for line in (b"Authorization: Bearer x", b"COOKIE: a=b", b"X-Long: " + b"y" * MEMORABLE):
        parse_request(b"GET / HTTP/1.1\r\n" + line + b"\r\n\r\n", 10)
        assert line not in h1_head._known
