"""How urgent an answer is to its client (RFC 9218 section 4): ``u`` from 0 (first) to 7, ``i`` for in turns.

Clients that say nothing get turns, so that one long answer does not hold up all others; a client that speaks
of priorities and leaves ``i`` out wants one answer after the other.
"""

from __future__ import annotations

import re

Priority = tuple[int, bool]
"""Urgency, and whether it goes in turns with others."""

_DEFAULT: Priority = (3, True)
_URGENCY = re.compile(rb"(?:^|[,;\s])u=([0-7])(?=$|[,;\s])")
_INCREMENTAL = re.compile(rb"(?:^|[,;\s])i(?:=\?([01]))?(?=$|[,;\s])")


def read_priority(field: bytes | None) -> Priority:
    """Give the priority that a field asks for; what is malformed in it is passed over."""
    if not field:
        return _DEFAULT
    urgency = _URGENCY.search(field)
    turns = _INCREMENTAL.search(field)
    return (int(urgency[1]) if urgency else 3, turns is not None and turns[1] != b"0")
