"""Reading field blocks: HPACK (RFC 7541), with the table that both sides keep.

A client that asks again and again sends the same bytes again and again. A block that changes no table means
the same for as long as the table stays, so what it meant is remembered. Huffman coding is the hpack
library's, and what it gives for short strings is remembered, too. Its decoder is the oracle of the tests.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from hpack import HPACKError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from appliance.model.headers import Headers

from .h2_frames import Code, H2ConnectionError

STATIC: Final = tuple((bytes(name), bytes(value)) for name, value in HeaderTable.STATIC_TABLE)

_SLACK: Final = 4  # a list up to this many times too long is still read, so that it can be answered
_MAX_TABLE: Final = 4096  # bytes that a peer may use unless we said otherwise (RFC 9113 section 6.5.2)
_OVERHEAD: Final = 32  # bytes that an entry counts beside name and value (RFC 7541 section 4.1)
_FIRST_DYNAMIC: Final = len(STATIC) + 1
_REMEMBERED: Final = 16  # blocks
_LONGEST: Final = 1024  # bytes of one that is remembered
_SHORT: Final = 48  # bytes of a coded string that is remembered
_MAX_DIGITS: Final = 4  # bytes of an integer beyond its prefix: more than any block is long
_MAX_SIZES: Final = 8  # changes of the table's size before the first field; two would do (section 4.2)


class Section:
    """A field section: its fields, and its size as RFC 9113 section 6.5.2 counts it.

    The same object comes again for a block that is remembered, so nobody may change ``fields``; ``parsed`` is
    for whoever has understood them to keep what came of it.
    """

    __slots__ = ("fields", "parsed", "size")

    def __init__(self, fields: Headers, size: int) -> None:
        self.fields = fields
        self.size = size
        self.parsed: object = None


class Reader:
    """The decoder of one connection. ``limit`` is bytes of a field list as RFC 9113 counts them."""

    __slots__ = ("_entries", "_known", "_most", "_used", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: list[tuple[bytes, bytes]] = []  # the newest is the last
        self._used = 0
        self._most = _MAX_TABLE
        self._known: dict[bytes, Section] = {}

    def read(self, block: bytes) -> Section:
        """Give what a block means, valid or not; raises H2ConnectionError: the tables are out of step."""
        known = self._known.get(block)
        if known is not None:
            return known
        try:
            return self._read(block)
        except IndexError:
            raise _broken("the block ends in the middle of a field, or names one that is not there") from None
        except HPACKError as error:
            raise _broken(str(error)) from None

    def _read(self, block: bytes) -> Section:
        fields: Headers = []
        at = size = sizes = 0
        end, most = len(block), self.limit * _SLACK
        changed = False
        while at < end:
            first = block[at]
            if first >= 0x80:  # an entry of a table
                if first < 0xFF:
                    index, at = first & 0x7F, at + 1
                else:
                    index, at = _integer(block, at, 0x7F)
                field = self._entry(index)
            elif first >= 0x40:  # a field that becomes an entry
                field, at = self._literal(block, at, 0x3F)
                if self._most:  # else it finds no room, and nothing else is there to make room
                    self._add(field)
                    changed = True
            elif first >= 0x20:
                sizes += 1
                if fields or sizes > _MAX_SIZES:
                    raise _broken("the table's size changed over and over, or behind a field")
                at = self._resize(block, at)
                changed = True
                continue
            else:  # a field that does not
                field, at = self._literal(block, at, 0x0F)
            size += len(field[0]) + len(field[1]) + _OVERHEAD
            if size > most:
                why = f"a field list of more than {most} bytes"
                raise H2ConnectionError(Code.ENHANCE_YOUR_CALM, why, "header list")
            fields.append(field)
        section = Section(fields, size)
        if changed:
            self._known.clear()
        elif end <= _LONGEST:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[block] = section
        return section

    def _entry(self, index: int) -> tuple[bytes, bytes]:
        if index < _FIRST_DYNAMIC:
            if not index:
                raise _broken("entry 0 does not exist")
            return STATIC[index - 1]
        if index - _FIRST_DYNAMIC >= len(self._entries):
            raise _broken(f"entry {index} does not exist")
        return self._entries[_FIRST_DYNAMIC - 1 - index]

    def _literal(self, block: bytes, at: int, prefix: int) -> tuple[tuple[bytes, bytes], int]:
        """Give a field that is spelt out, its name perhaps by an entry, and where it ends."""
        index = block[at] & prefix
        if index:
            if index == prefix:
                index, at = _integer(block, at, prefix)
            else:
                at += 1
            name = self._entry(index)[0]
        else:
            name, at = _string(block, at + 1)
        value, at = _string(block, at)
        return (name, value), at

    def _add(self, field: tuple[bytes, bytes]) -> None:
        self._entries.append(field)
        self._used += len(field[0]) + len(field[1]) + _OVERHEAD
        self._evict()

    def _resize(self, block: bytes, at: int) -> int:
        most, at = _integer(block, at, 0x1F)
        if most > _MAX_TABLE:
            raise _broken(f"a table of {most} bytes, where {_MAX_TABLE} are allowed")
        self._most = most
        self._evict()
        return at

    def _evict(self) -> None:
        gone, entries = 0, self._entries
        while self._used > self._most:
            name, value = entries[gone]
            self._used -= len(name) + len(value) + _OVERHEAD
            gone += 1
        if gone:
            del entries[:gone]


def _integer(block: bytes, at: int, prefix: int) -> tuple[int, int]:
    """Give an integer (section 5.1) and where it ends."""
    value = block[at] & prefix
    at += 1
    if value < prefix:
        return value, at
    for digit in range(_MAX_DIGITS):
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << 7 * digit
        if byte < 0x80:
            return value, at
    raise _broken("an integer without end")


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    """Give a string (section 5.2) and where it ends."""
    first = block[at]
    length = first & 0x7F
    if length == 0x7F:
        length, at = _integer(block, at, 0x7F)
    else:
        at += 1
    end = at + length
    if end > len(block):
        raise _broken("a string that is longer than its block")
    raw = block[at:end]
    if first < 0x80:
        return raw, end
    return (_unpacked(raw) if length <= _SHORT else decode_huffman(raw)), end


@lru_cache(maxsize=4096)
def _unpacked(raw: bytes) -> bytes:
    return decode_huffman(raw)


def _broken(why: str) -> H2ConnectionError:
    return H2ConnectionError(Code.COMPRESSION_ERROR, f"HPACK: {why}")
