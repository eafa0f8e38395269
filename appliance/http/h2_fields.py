"""Fields of HTTP/2: what one may look like (RFC 9113 section 8.2), and writing blocks of them (RFC 7541).

Writing needs no table that both sides keep: every field is a literal, or stands in the static table, so that
its bytes never change and are remembered. What is secret is marked never to be indexed by anyone further on.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from appliance.model.headers import Headers

from .h2_hpack import STATIC

_STATIC: Final = {name: index for index, (name, _) in reversed(list(enumerate(STATIC, 1)))}
_WHOLE: Final = {pair: index for index, pair in enumerate(STATIC, 1) if pair[1]}
_SECRET: Final = frozenset((b"authorization", b"cookie", b"set-cookie", b"proxy-authorization"))
_NAME = re.compile(rb":?[!#$%&'*+\-.^_`|~0-9a-z]++")
_VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")


@lru_cache(maxsize=4096)
def valid(field: tuple[bytes, bytes]) -> bool:
    """Say whether a name is a token in lower case, and a value holds no control and begins with no space."""
    return _NAME.fullmatch(field[0]) is not None and _VALUE.fullmatch(field[1]) is not None


@lru_cache(maxsize=4096)
def _literal(field: tuple[bytes, bytes]) -> bytes:
    index = _WHOLE.get(field)
    if index is not None:
        return _integer(index, 7, 0x80)
    name, value = field
    first = 0x10 if name in _SECRET else 0x00
    index = _STATIC.get(name, 0)
    named = _integer(index, 4, first) if index else bytes((first,)) + _integer(len(name), 7, 0) + name
    return named + _integer(len(value), 7, 0) + value


def _integer(value: int, bits: int, first: int) -> bytes:
    """Give an integer with a prefix of ``bits`` bits (RFC 7541 section 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    out = bytearray((first | most,))
    value -= most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def block(fields: Headers) -> bytes:
    """Give a field block; the caller answers for names and values."""
    return b"".join(map(_literal, fields))
