"""HTTP/1 heads and bodies out of entropy, well-formed and spoilt, and two readers to compare on them.

One definition serves hypothesis (which shrinks the bytes of ``Entropy``) and seeded loops (which count). The
readings of h11 and of ours have the same shape, so that a disagreement is an inequality.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import thread_time
from typing import TypeVar

import h11

from appliance.http.framing import UNTIL_CLOSE, clean_trailers, frame_request, frame_response
from appliance.http.h1_body import Inbox, Rules, body_of
from appliance.http.h1_head import find_end, parse_request, parse_response
from appliance.http.h1_request import to_request
from appliance.model.fault import BAD_CHUNK, BAD_TRAILER, BODY_TIMEOUT, CUT_SHORT, Fault
from appliance.model.headers import Headers
from appliance.net.park import Lot
from tests.kit.wires import pair

T = TypeVar("T")
MAX_HEAD = 64 * 1024
MAX_HEADERS = 100


class Entropy:
    """Choices read from bytes; when they are used up every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def below(self, bound: int) -> int:
        """Give a number from 0 to ``bound - 1``."""
        number = next(self._data, 0)
        if bound > 256:
            number = number << 8 | next(self._data, 0)
        return number % bound

    def choice(self, options: Sequence[T]) -> T:
        """Give one of the options."""
        return options[self.below(len(options))]

    def one_in(self, bound: int) -> bool:
        """Say yes once in ``bound`` times, and no when the bytes are used up."""
        return self.below(bound) == bound - 1


# The first is the plainest: it is what remains when hypothesis has shrunk the rest away.
_METHODS = (b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"M-SEARCH", b"x!#$%&'*+-.^_`|~9")
_TARGETS = (b"/", b"/a/b?c=d", b"*", b"http://a.example/x", b"/%41?;/~'()!$", b"//a//", b"a.example:80")
_HOSTS = (b"a.example", b"a.example:8080", b"[::1]:80", b"127.0.0.1", b"A.Example")
_NAMES = (b"Accept", b"X-A", b"x_b", b"Cookie", b"Expect", b"Via", b"!#$%&'*+-.^_`|~0", b"Upgrade", b"TE")
_VALUES = (b"b", b"", b"a, b", b'"q:;,"', b"\x80\xff\xa0", b"100-continue", b"trailers", b"a  b\tc", b":")
_CONNECTION = (b"close", b"keep-alive", b"X-A, close", b"host", b"content-length", b"TE,,upgrade", b"")
_SPACE = (b" ", b"", b"\t ", b"  ")
_LENGTHS = (b"5", b"0", b"12", b"00005", b"1000", b"9223372036854775807")
_BAD_LENGTHS = (
    b"5, 5",
    b"+5",
    b"-1",
    b"0x5",
    b"5_0",
    b"",
    b"5 5",
    b"\xb2",
    b"9223372036854775808",
    b"9" * 20,
)
_CODINGS = (b"chunked", b"Chunked", b"chunKED")
_BAD_CODINGS = (
    b"gzip, chunked",
    b"chunked, chunked",
    b"xchunked",
    b"chunked,",
    b",chunked",
    b"",
    b"identity",
)
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"http/1.1", b"HTTP/1.10", b"HTTP/0.9", b"")
_REASONS = (b" OK", b" ", b" Not  Found\t", b" \xe9\xff", b" 200 HTTP/1.1")
_JUNK = (
    b"\r",
    b"\n",
    b"\0",
    b"\t",
    b" ",
    b":",
    b"\x0b",
    b"\x0c",
    b"\x1c",
    b"\x7f",
    b"\x80",
    b"\x85",
    b"\xa0",
    b",",
)
_LINES = (
    b"Content-Length: 5",
    b"Content-Length: 6",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: \x0bchunked",
    b" folded",
    b"Host: b.example",
    b"Content-Length : 5",
    b": nameless",
    b"colonless",
)


def _fields(e: Entropy, first: list[bytes]) -> list[bytes]:
    lines = first
    for _ in range(e.below(4)):
        lines.append(e.choice(_NAMES) + b":" + e.choice(_SPACE) + e.choice(_VALUES) + e.choice(_SPACE))
    if e.one_in(3):
        lines.insert(e.below(len(lines) + 1), b"Connection:" + e.choice(_SPACE) + e.choice(_CONNECTION))
    framing = e.below(6)
    if framing in (1, 2):
        line = e.choice((b"Content-Length", b"content-length")) + b":" + e.choice(_SPACE) + e.choice(_LENGTHS)
        lines.insert(e.below(len(lines) + 1), line + e.choice(_SPACE))
        if e.one_in(4):
            lines.append(line)
    elif framing in (3, 4):
        line = e.choice((b"Transfer-Encoding", b"transfer-ENCODING")) + b":" + e.choice(_SPACE)
        lines.insert(e.below(len(lines) + 1), line + e.choice(_CODINGS) + e.choice(_SPACE))
    return lines


def request_head(e: Entropy) -> bytes:
    """Give a well-formed request head that a strict reader must accept."""
    start = e.choice(_METHODS) + b" " + e.choice(_TARGETS) + b" HTTP/1.1"
    host = e.choice((b"Host", b"host", b"HOST")) + b":" + e.choice(_SPACE) + e.choice(_HOSTS)
    return b"\r\n".join([start, *_fields(e, [host]), b"", b""])


def response_head(e: Entropy) -> bytes:
    """Give a well-formed response head that a strict reader must accept."""
    status = b"%d" % e.choice((200, 404, 204, 304, 100, 103, 500, 101, 299, 999))
    return b"\r\n".join([b"HTTP/1.1 " + status + e.choice(_REASONS), *_fields(e, []), b"", b""])


def spoil(e: Entropy, head: bytes) -> bytes:
    """Change a head a little, or not at all, in the ways in which readers have been fooled."""
    for _ in range(e.below(4)):
        head = _SPOILERS[e.below(len(_SPOILERS))](e, head)
    return head


def _flip(e: Entropy, head: bytes) -> bytes:
    at = e.below(len(head) + 1)
    return head[:at] + bytes((e.below(256),)) + head[at + 1 :]


def _insert(e: Entropy, head: bytes) -> bytes:
    at = e.below(len(head) + 1)
    return head[:at] + e.choice(_JUNK) + head[at:]


def _replace(e: Entropy, head: bytes) -> bytes:
    at = e.below(len(head) + 1)
    return head[:at] + e.choice(_JUNK) + head[at + 1 :]


def _delete(e: Entropy, head: bytes) -> bytes:
    at = e.below(len(head) + 1)
    return head[:at] + head[at + 1 + e.below(3) :]


def _double(e: Entropy, head: bytes) -> bytes:
    at = e.below(len(head) + 1)
    return head[: at + 1 + e.below(3)] + head[at:]


def _by_lines(change: Callable[[Entropy, list[bytes]], None]) -> Callable[[Entropy, bytes], bytes]:
    def spoiler(e: Entropy, head: bytes) -> bytes:
        lines = head.split(b"\r\n")
        change(e, lines)
        return b"\r\n".join(lines)

    return spoiler


@_by_lines
def _double_line(e: Entropy, lines: list[bytes]) -> None:
    lines.insert(e.below(len(lines)), e.choice(lines))


@_by_lines
def _add_line(e: Entropy, lines: list[bytes]) -> None:
    lines.insert(min(1 + e.below(4), len(lines)), e.choice(_LINES))


@_by_lines
def _add_framing(e: Entropy, lines: list[bytes]) -> None:
    if e.one_in(2):
        line = b"Content-Length:" + e.choice(_SPACE) + e.choice(_BAD_LENGTHS + _LENGTHS)
    else:
        line = b"Transfer-Encoding:" + e.choice(_SPACE) + e.choice(_BAD_CODINGS + _CODINGS)
    lines.insert(min(1, len(lines)), line)


@_by_lines
def _change_version(e: Entropy, lines: list[bytes]) -> None:
    for old in (b"HTTP/1.1", b"HTTP/1.0"):
        lines[0] = lines[0].replace(old, e.choice(_VERSIONS))


def _fold(e: Entropy, head: bytes) -> bytes:
    at = head.find(b"\r\n", e.below(len(head) + 1))
    return head[: at + 2] + e.choice((b" ", b"\t", b"\r", b"\n")) + head[at + 2 :]


_SPOILERS = (
    _flip,
    _insert,
    _replace,
    _delete,
    _double,
    _double_line,
    _add_line,
    _add_framing,
    _change_version,
    _fold,
)


def hostile_fields(size: int) -> dict[str, bytes]:
    """Give header sections of ``size`` bytes, each the worst case of some careless way of reading them.

    The last line of most of them is malformed, and seen to be so only at its last byte.
    """

    def line(start: bytes, unit: bytes, end: bytes = b"\0") -> bytes:
        return start + unit * ((size - len(start) - len(end) - 4) // len(unit)) + end + b"\r\n\r\n"

    def lines(unit: bytes, end: bytes = b"") -> bytes:
        return unit * ((size - len(end) - 2) // len(unit)) + end + b"\r\n"

    return {
        "spaces, then NUL": line(b"a:", b" "),
        "tabs": line(b"a:", b"\t", b""),
        "words, then NUL": line(b"a:", b"a "),
        "wide words, then NUL": line(b"a:", b"a" + b" \t" * 50),
        "colons": line(b"a", b":"),
        "colons first": line(b"", b":", b""),
        "CRs": line(b"a:", b"\r", b""),
        "CRs and spaces": line(b"a:", b"\r ", b""),
        "LFs": line(b"a:", b"\n", b""),
        "near endings": line(b"a:", b"\r\n\r", b""),
        "no colon": line(b"", b"a", b""),
        "long name, space, colon": line(b"", b"a", b" :"),
        "long name": line(b"", b"a", b":"),
        "commas": line(b"a:", b",", b""),
        "quotes": line(b"a:", b'"\\'),
        "high bytes": line(b"a:", b"\xff", b"\x7f"),
        "short lines": lines(b"a:\r\n"),
        "short lines, one bad": lines(b"a:\r\n", b"a b:\r\n"),
        "short lines, all bad": lines(b"a\r\n"),
        "folded lines": lines(b"a:\r\n "),
        "many Hosts": lines(b"host:a\r\n"),
        "many lengths": lines(b"content-length:5\r\n"),
        "many codings": lines(b"transfer-encoding:chunked\r\n"),
        "coding of commas": line(b"transfer-encoding:", b",", b""),
        "options of commas": line(b"connection:", b",", b""),
        "many options": line(b"connection:", b"a,", b""),
        "TE of commas": line(b"te:", b",", b""),
        "long length": line(b"content-length:", b"0", b"5"),
        "long Host": line(b"host:", b"a", b"@"),
        "long Host of escapes": line(b"host:", b"%41", b"%"),
        "long literal Host": line(b"host:[", b":", b""),
    }


_EXTENSIONS = (b"", b";", b";a", b';a="b;c"', b"; a = b", b" ", b";\xff\t")
_TRAILERS = (b"X-T: 1", b"grpc-status:0", b"x-t:", b"Digest:\ta, b ")


def chunked(e: Entropy, data: bytes) -> bytes:
    """Give ``data`` as a well-formed chunked body, with extensions and trailers."""
    out = []
    while data:
        size = min(len(data), 1 + e.below(e.choice((4, 40, 5000))))
        number = e.choice((b"%x", b"%X", b"00%x")) % size
        out.append(number + e.choice(_EXTENSIONS) + b"\r\n" + data[:size] + b"\r\n")
        data = data[size:]
    out.append(e.choice((b"0", b"0000")) + e.choice(_EXTENSIONS) + b"\r\n")
    out += [e.choice(_TRAILERS) + b"\r\n" for _ in range(e.below(4))]
    return b"".join(out) + b"\r\n"


def cuts(e: Entropy, size: int) -> list[int]:
    """Give sizes of pieces that ``size`` bytes may arrive in."""
    style = e.choice((size + 1, 1, 3, 60, 5000))
    pieces: list[int] = []
    while sum(pieces) < size and len(pieces) < 2000:
        pieces.append(1 + e.below(style))
    return pieces


@dataclass
class Reading:
    """What a reader made of one message, and what it left: ``rest`` is the next message's."""

    start: tuple[object, ...]
    headers: Headers
    body: bytes = b""
    trailers: Headers = field(default_factory=list)
    complete: bool = False
    rest: bytes = b""


def ours_of_request(wire: bytes) -> Reading:
    """Read a request as the proxy does; raises Fault for what it refuses or what has no end."""
    raw = wire[: _end(wire)]
    head = parse_request(raw, MAX_HEADERS)
    framing = frame_request(head.minor, head.headers)
    reading = Reading((head.method, head.target, b"1.%d" % head.minor), head.headers)
    _read_body(reading, framing.length, wire[len(raw) :])
    return reading


def ours_of_response(wire: bytes, method: bytes) -> Reading:
    """Read a response to ``method`` as the proxy does, followed by the end of its connection."""
    raw = wire[: _end(wire)]
    head = parse_response(raw)
    if head is None:
        raise Fault(CUT_SHORT, "not strict")
    framing = frame_response(head.status, method, head.minor, head.headers)
    reading = Reading((head.status, head.reason, b"1.%d" % head.minor), head.headers)
    _read_body(reading, framing.length, wire[len(raw) :])
    return reading


def _end(wire: bytes) -> int:
    end = find_end(wire, MAX_HEAD)
    if not end:
        raise Fault(CUT_SHORT, "no end of the head")
    return end


def rules() -> Rules:
    """Give the rules that a request's body is read by."""
    return Rules(10.0, BODY_TIMEOUT, CUT_SHORT, BAD_CHUNK, BAD_TRAILER)


def inbox(data: bytes) -> Inbox:
    """Give the incoming side of a connection on which ``data`` has arrived, and nothing else will."""
    box = Inbox(pair(Lot(lambda: 0.0))[1])
    box.data = data
    return box


def _read_body(reading: Reading, length: int, data: bytes) -> None:
    box = inbox(data)
    body = body_of(length, box, rules())
    pieces = []
    while not body.ended and (piece := body.read_nowait()):
        pieces.append(piece)
    reading.body = b"".join(pieces)
    reading.trailers = body.trailers
    reading.complete = body.ended or length == UNTIL_CLOSE
    reading.rest = box.data


def h11_of_request(wire: bytes) -> Reading:
    """Read a request with a fresh h11 server connection; raises h11.RemoteProtocolError."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(wire)
    event = connection.next_event()
    if not isinstance(event, h11.Request):
        raise h11.RemoteProtocolError(f"no request but {event}")
    reading = Reading((event.method, event.target, event.http_version), list(event.headers))
    _read_events(reading, connection)
    return reading


def h11_of_response(wire: bytes, method: bytes) -> Reading:
    """Read a response, followed by the end of its connection, with a fresh h11 client connection."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    # With an upgrade proposed, h11 takes a 101 too.
    headers = [(b"host", b"a"), (b"connection", b"upgrade"), (b"upgrade", b"x")]
    connection.send(h11.Request(method=method, target=b"/", headers=headers))
    connection.send(h11.EndOfMessage())
    connection.receive_data(wire)
    event = connection.next_event()
    if not isinstance(event, h11.Response | h11.InformationalResponse):
        raise h11.RemoteProtocolError(f"no response but {event}")
    reading = Reading((event.status_code, event.reason, event.http_version), list(event.headers))
    if isinstance(event, h11.InformationalResponse):
        reading.complete = True
        reading.rest = connection.trailing_data[0]
    else:
        _read_events(reading, connection, until_close=True)
    return reading


def _read_events(reading: Reading, connection: h11.Connection, until_close: bool = False) -> None:
    event = _read_data(reading, connection)
    if event is h11.NEED_DATA and until_close:
        connection.receive_data(b"")
        with suppress(h11.RemoteProtocolError):  # of a known length, and short of it
            event = _read_data(reading, connection)
    if isinstance(event, h11.EndOfMessage):
        reading.trailers = clean_trailers(list(event.headers))
        reading.complete = True
    reading.rest = connection.trailing_data[0]


def _read_data(reading: Reading, connection: h11.Connection) -> object:
    while isinstance(event := connection.next_event(), h11.Data):
        reading.body += event.data
    return event


def as_h11_gives(headers: Headers) -> Headers:
    """Give headers as h11 shows them: one Content-Length of several alike, codings in lower case."""
    out: Headers = []
    for name, value in headers:
        if name == b"content-length" and any(seen == name for seen, _ in out):
            continue
        out.append((name, value.lower() if name == b"transfer-encoding" else value))
    return out


def refusal(wire: bytes) -> tuple[str, int] | None:
    """Give id and status with which the head of a request is refused, None when it is served."""
    try:
        head = parse_request(wire[: _end(wire)], MAX_HEADERS)
        to_request(head, frame_request(head.minor, head.headers), b"http")
    except Fault as fault:
        return fault.reason.id, fault.reason.status
    return None


_USUAL = 0.0002  # seconds of CPU that ``_work`` takes where the limits are meant as they stand


def _work() -> float:
    """Do the same every time; give the seconds of CPU that it took."""
    before = thread_time()
    for _ in range(12):
        bytes(range(256)).translate(None, b"/").split(b"%")
        sum(range(2000))
    return thread_time() - before


def fastest(limit: float, call: Callable[..., object], *arguments: object) -> float:
    """Give the least seconds of CPU that a call takes, whether or not it raises Fault.

    Tries up to 20 times, until once it is under ``limit``: what a busy machine adds is no property of the
    call. Nor is how slow the machine is just then, which some fixed work before each try tells.
    """
    best = limit
    for _ in range(20):
        pace = max(1.0, _work() / _USUAL)
        before = thread_time()
        with suppress(Fault):
            call(*arguments)
        best = min(best, (thread_time() - before) / pace)
        if best < limit:
            break
    return best
