"""The second reader of response heads: h11's eyes, our borders, and a bound on its time."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.http.h1_head import MAX_RESPONSE_HEADERS, parse_response
from appliance.http.h1_lenient import MAX_LENIENT_HEAD, parse_leniently
from appliance.model.fault import Fault
from tests.kit.h1gen import Entropy, as_h11_gives, fastest, hostile_fields, response_head, spoil

OK = b"HTTP/1.1 200 OK\r\n"
entropy = st.binary(max_size=120).map(Entropy)
methods = st.sampled_from([b"GET", b"HEAD", b"POST"])


def refused(head: bytes, method: bytes = b"GET") -> Fault:
    with pytest.raises(Fault) as caught:
        parse_leniently(head, method)
    assert (caught.value.reason.id, caught.value.reason.status) == ("upstream-bad", 502)
    return caught.value


@pytest.mark.parametrize("line", [b"HTTP/1.1 200 ", b"HTTP/1.0 200 ", b"HTTP/1.1 404 Not \xff found\t"])
def test_both_readers_agree_on_what_both_read(line: bytes) -> None:
    """The same status, reason, version and fields; h11 knows 1xx too."""
    head = line + b"\r\nContent-Length:\t5 \r\nX: \xe9\r\n\r\n"
    ours, theirs = parse_response(head), parse_leniently(head, b"GET")
    assert ours is not None
    for name in ("status", "reason", "minor", "headers"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert parse_leniently(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", b"GET").status == 103


def test_a_status_line_without_its_last_space_is_read() -> None:
    """The one thing that is forgiven: many small servers leave the space out with the phrase."""
    raw = b"HTTP/1.1 204\r\nX: y\r\n\r\n"
    assert parse_response(raw) is None
    head = parse_leniently(raw, b"GET")
    assert (head.status, head.reason, head.minor, head.headers) == (204, b"", 1, [(b"x", b"y")])


@settings(max_examples=2000)
@given(entropy, methods)
def test_it_reads_what_the_strict_reader_reads_or_refuses(e: Entropy, method: bytes) -> None:
    """But for a missing space it is no way around strictness; no exception but the one fault comes out."""
    head = spoil(e, response_head(e))
    head = head[: head.find(b"\r\n\r\n") + 4]
    if not head:
        return
    try:
        theirs = parse_leniently(head, method)
    except Fault as fault:
        assert fault.reason.id == "upstream-bad"
        return
    line, _, rest = head.partition(b"\r\n")
    ours = parse_response(head if line.count(b" ") > 1 else line + b" \r\n" + rest)
    assert ours is not None
    assert (ours.status, ours.reason, ours.minor) == (theirs.status, theirs.reason, theirs.minor)
    assert as_h11_gives(ours.headers) == theirs.headers


@pytest.mark.parametrize("octet", [n for n in range(256) if (n < 32 and n != 9) or n == 127])
def test_control_characters_are_refused(octet: int) -> None:
    """In a name, a value or a reason phrase, whatever h11 thinks of it (RFC 9110 section 5.5)."""
    bad = bytes((octet,))
    for head in (
        b"HTTP/1.1 200 O%bK\r\n\r\n" % bad,
        OK + b"X: a%bb\r\n\r\n" % bad,
        OK + b"X: a%b\r\n\r\n" % bad,
        OK + b"X%b: a\r\n\r\n" % bad,
    ):
        refused(head)


@pytest.mark.parametrize(
    "head",
    [
        OK + b"A: b\r\n c\r\n\r\n",
        OK + b"A: b\r\n\tc\r\n\r\n",
        OK + b" A: b\r\n\r\n",
        OK + b"A: b\nC: d\r\n\r\n",
        OK + b"A: b\rC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
    ],
)
def test_borders_are_never_guessed(head: bytes) -> None:
    """Folding, bare CR and bare LF (RFC 9112 sections 2.2 and 5.2), most of which h11 takes."""
    refused(head)


@pytest.mark.parametrize(
    "start", [b"HTTP/2.0 200 OK", b"HTTP/1.2 200 OK", b"HTTP/0.9 200 OK", b"http/1.1 200 OK", b"ICY 200 OK"]
)
def test_other_versions_are_refused(start: bytes) -> None:
    """h11 takes any digits; an answer of HTTP/2.0 in this form is of no version that exists."""
    refused(start + b"\r\nContent-Length: 5\r\n\r\n")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 099 Early\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        OK + b"A : b\r\n\r\n",
        OK + b"A\r\n\r\n",
        OK + b": b\r\n\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        OK + b"content-LENGTH: 5, 5\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200",
        b"\r\n\r\n",
        b"",
    ],
)
def test_malformed_heads_are_a_fault_of_the_upstream(head: bytes) -> None:
    """No exception of h11 comes through, nor does half a head, nor a length that h11 has repaired."""
    refused(head)


def test_a_refusal_quotes_nothing() -> None:
    """h11's messages quote the line, and details go to the log."""
    for head in (OK + b"Set Cookie: secret\r\n\r\n", b"HTTP/1.1 2 secret\r\n\r\n"):
        assert "secret" not in str(refused(head))


def test_header_lines_are_counted() -> None:
    """As by the strict reader, and before h11 spends time on them."""
    lines = b"a: b\r\n" * MAX_RESPONSE_HEADERS
    assert len(parse_leniently(OK + lines + b"\r\n", b"GET").headers) == MAX_RESPONSE_HEADERS
    assert "257" in refused(OK + b"a: b\r\n" + lines + b"\r\n").detail


@pytest.mark.parametrize("case", hostile_fields(100))
def test_no_head_takes_long(case: str) -> None:
    """What would keep h11 busy for a second is refused before it begins: 2 ms for 32 KiB."""
    size = 32 * 1024
    lenient = hostile_fields(MAX_LENIENT_HEAD - len(OK))[case]
    assert fastest(0.002, parse_leniently, OK + lenient, b"GET") < 0.002
    for start in (OK, b"HTTP/1.1 200 ", b"HTTP/1.1 200 " + b"OK " * 5000 + b"\r\n", b""):
        head = start + hostile_fields(size - len(start))[case]
        for wire in (head, head[:-4] + b" " * 9 + b"\r\n\r\n", head[:-4] + b"\r\nb c: d\r\n\r\n"):
            assert fastest(0.002, parse_leniently, wire, b"GET") < 0.002


def test_h11_alone_takes_long() -> None:
    """The reason for the guard: if h11 is linear one day, the guard may be looked at again."""
    value = b" " * 2000 + b"\0"

    def read() -> None:
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method=b"GET", target=b"/", headers=[(b"host", b"a")]))
        connection.receive_data(OK + b"a:" + value + b"\r\n\r\n")
        with pytest.raises(h11.RemoteProtocolError):
            connection.next_event()

    assert fastest(0.002, read) == 0.002
