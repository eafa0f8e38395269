"""Read an upstream's head that our own expression refuses: h11 reads it, from its first byte.

Leniency is owed to servers one has chosen oneself, but never about borders: control characters, bare CR
or LF and folded lines are refused before h11 sees the bytes, and ``framing`` decides the length as for
any other head. What is left to forgive is a status line that ends after its code.
"""

from __future__ import annotations

import re

import h11

from appliance.model.fault import UPSTREAM_BAD, Fault

from .h1_head import MAX_RESPONSE_HEADERS, ResponseHead

# A bare CR or LF, another control character, or a line that begins with white space (obs-fold).
_SUSPECT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n|\n[ \t]")
_LENGTHS = re.compile(rb"\ncontent-length:[^\r\n]*,", re.IGNORECASE)  # h11 makes one 5 of `5, 5`
_VERSIONS = (b"HTTP/1.0 ", b"HTTP/1.1 ")
MAX_LENIENT_HEAD = 8 * 1024  # h11 takes some 100 ns for a byte and 3 microseconds for a line


def parse_leniently(head: bytes, method: bytes) -> ResponseHead:
    """Parse one whole response head with h11; raises Fault(UPSTREAM_BAD)."""
    if _SUSPECT.search(head):
        raise Fault(UPSTREAM_BAD, "control characters or folding in the response head")
    if not head.startswith(_VERSIONS):
        raise Fault(UPSTREAM_BAD, "a version other than HTTP/1.0 and HTTP/1.1")
    if _LENGTHS.search(head):
        raise Fault(UPSTREAM_BAD, "Content-Length is not one plain number")
    if len(head) > MAX_LENIENT_HEAD:
        raise Fault(UPSTREAM_BAD, f"a malformed response head of more than {MAX_LENIENT_HEAD} bytes")
    lines = head.count(b"\n") - 2
    if lines > MAX_RESPONSE_HEADERS:
        raise Fault(UPSTREAM_BAD, f"{lines} header lines, {MAX_RESPONSE_HEADERS} allowed")
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=len(head) + 1)
    try:
        connection.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"upstream")]))
        connection.receive_data(head)
        event = connection.next_event()
    except h11.ProtocolError:  # its text quotes the line, which may hold a secret
        raise Fault(UPSTREAM_BAD, "the response head is malformed") from None
    if not isinstance(event, h11.Response | h11.InformationalResponse):
        raise Fault(UPSTREAM_BAD, "the response head is malformed")
    minor = int(event.http_version == b"1.1")
    return ResponseHead(event.status_code, event.reason, minor, list(event.headers))
