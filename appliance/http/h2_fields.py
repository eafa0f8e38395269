"""Field blocks of HTTP/2: HPACK (RFC 7541), and what a field may look like (RFC 9113 section 8.2).

Reading uses the hpack library. Writing needs no table that both sides keep: every field is a literal, or
stands in the static table, so that its bytes never change and are remembered. What is secret is marked
never to be indexed by anyone further on.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, cast

from hpack import Decoder, HPACKError
from hpack.exceptions import OversizedHeaderListError
from hpack.table import HeaderTable

from appliance.model.headers import Headers

from .h2_frames import Code, H2ConnectionError

_SLACK: Final = 4  # a list up to this many times too long is still read, so that it can be answered
_TABLE: Final = 4096
_STATIC: Final = {name: index for index, (name, _) in reversed(list(enumerate(HeaderTable.STATIC_TABLE, 1)))}
_WHOLE: Final = {pair: index for index, pair in enumerate(HeaderTable.STATIC_TABLE, 1) if pair[1]}
_SECRET: Final = frozenset((b"authorization", b"cookie", b"set-cookie", b"proxy-authorization"))
_MANY_SIZES = re.compile(rb"(?:[\x20-\x3e]|\x3f[\x80-\xff]{0,4}[\x00-\x7f]){9}")
_NAME = re.compile(rb":?[!#$%&'*+\-.^_`|~0-9a-z]++")
_VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")


class Reader:
    """The decoder of one connection. ``limit`` is bytes of a field list as RFC 9113 counts them."""

    __slots__ = ("_decoder", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._decoder = Decoder(max_header_list_size=limit * _SLACK)
        self._decoder.max_allowed_table_size = _TABLE

    def read(self, block: bytes) -> Headers:
        """Give the fields of a block, valid or not; raises H2ConnectionError: the tables are out of step."""
        if _MANY_SIZES.match(block):  # two are all that RFC 7541 section 4.2 asks for, and none is work
            raise H2ConnectionError(Code.COMPRESSION_ERROR, "HPACK: the table's size changed over and over")
        try:
            return cast(Headers, self._decoder.decode(block, raw=True))
        except OversizedHeaderListError:
            why = f"a field list of more than {self.limit * _SLACK} bytes"
            raise H2ConnectionError(Code.ENHANCE_YOUR_CALM, why, "header list") from None
        except (HPACKError, IndexError, ValueError) as error:
            raise H2ConnectionError(
                Code.COMPRESSION_ERROR, f"HPACK: {error or type(error).__name__}"
            ) from None


def list_size(fields: Headers) -> int:
    """Give the size of a field list as RFC 9113 section 6.5.2 counts it."""
    return sum(len(name) + len(value) for name, value in fields) + 32 * len(fields)


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
