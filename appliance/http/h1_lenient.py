"""Read an upstream's head that our own expression refuses: h11 reads it, from its first byte.

Leniency is owed to servers one has chosen oneself, but never about borders: control characters, bare CR
or LF and folded lines are refused before h11 sees the bytes, and ``framing`` decides the length as for
any other head.
"""

from __future__ import annotations

import re

import h11

from appliance.model.fault import UPSTREAM_BAD, Fault

from .h1_head import MAX_RESPONSE_HEADERS, ResponseHead

# A bare CR or LF, another control character, or a line that begins with white space (obs-fold).
_SUSPECT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n|\n[ \t]")


def parse_leniently(head: bytes, method: bytes) -> ResponseHead:
    """Parse one whole response head with h11; raises Fault(UPSTREAM_BAD)."""
    if _SUSPECT.search(head):
        raise Fault(UPSTREAM_BAD, "control characters or folding in the response head")
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=len(head) + 1)
    try:
        connection.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"upstream")]))
        connection.receive_data(head)
        event = connection.next_event()
    except h11.ProtocolError as error:
        raise Fault(UPSTREAM_BAD, f"the response head is malformed: {error}") from None
    if not isinstance(event, h11.Response | h11.InformationalResponse):
        raise Fault(UPSTREAM_BAD, "the response head is malformed")
    headers = list(event.headers)
    if len(headers) > MAX_RESPONSE_HEADERS:
        raise Fault(UPSTREAM_BAD, f"{len(headers)} header lines, {MAX_RESPONSE_HEADERS} allowed")
    return ResponseHead(event.status_code, event.reason, int(event.http_version == b"1.1"), headers)
