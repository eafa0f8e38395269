"""The Date field of answers that have none.

An origin server with a clock has to say when an answer was made (RFC 9110 section 6.6.1), and whoever
forwards one without a date adds the time at which it came. The line is made once a second.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache


def date_line() -> bytes:
    """Give the header line with the present time, line end included."""
    return _line(int(time.time()))


def date_value() -> bytes:
    """Give the present time as the field's value."""
    return _value(int(time.time()))


@lru_cache(maxsize=1)
def _line(second: int) -> bytes:
    return b"date: %b\r\n" % _value(second)


@lru_cache(maxsize=1)
def _value(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


def dated(fields: bytes) -> bool:
    """Say whether header lines with names in lower case hold a date."""
    return b"\r\ndate: " in fields or fields.startswith(b"date: ")
