"""Reading field blocks: the hpack library is the oracle, and no block breaks the reader."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder, HPACKError
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.http.h2_frames import Code, H2ConnectionError
from appliance.http.h2_hpack import Reader

Pairs = list[tuple[bytes, bytes]]

KNOWN = [b"accept", b"cookie", b"authorization", b":path", b":method", b"content-length", b"x-a", b"x-b"]
names = st.one_of(st.sampled_from(KNOWN), st.binary(min_size=1, max_size=30))
values = st.one_of(st.sampled_from([b"", b"GET", b"/", b"200", b"v" * 200]), st.binary(max_size=300))
lists = st.lists(st.tuples(names, values), max_size=20)


def read(reader: Reader, data: bytes) -> Pairs:
    return [(bytes(name), bytes(value)) for name, value in reader.read(data).fields]


@given(st.lists(lists, max_size=5), st.booleans())
def test_what_hpack_writes_we_read(blocks: list[Pairs], huffman: bool) -> None:
    """The dynamic table and Huffman coding of a peer are followed from block to block."""
    encoder, reader = Encoder(), Reader(1 << 16)
    for fields in blocks:
        assert read(reader, encoder.encode(fields, huffman=huffman)) == fields


@given(st.lists(st.tuples(lists, st.booleans(), st.sampled_from([None, 0, 50, 300, 4096])), max_size=8))
def test_a_table_that_shrinks_and_grows_is_followed(script: list[tuple[Pairs, bool, int | None]]) -> None:
    """Entries are evicted when the other side says so, also between two blocks that are the same."""
    encoder, reader = Encoder(), Reader(1 << 16)
    for fields, twice, size in script:
        if size is not None:
            encoder.header_table_size = size
        for _ in range(1 + twice):
            assert read(reader, encoder.encode(fields)) == fields


# Whole fields, entries of both tables, and the first bytes of everything.
atoms = st.one_of(
    st.integers(0x80, 0xFF).map(lambda byte: bytes((byte,))),
    st.sampled_from([b"\x82", b"\xbe", b"\xbf", b"\x40\x01a\x01b", b"\x7e\x01c", b"\x0f\x2f\x01d", b"\x20"]),
    st.sampled_from([b"\x3f\x61", b"\x40\x81\x1f\x81\x1f", b"\x10\x01x\x82\xff\xff", b"\x00\x00\x00"]),
    st.sampled_from([b"\x1f\xff\x7f", b"\x41\x7f\x00"]),
    st.binary(max_size=6),
)
_PADDED = "an integer without end"


@settings(max_examples=400)
@given(st.lists(st.lists(atoms, max_size=8).map(b"".join), min_size=1, max_size=6))
def test_any_bytes_mean_what_they_mean_to_hpack(blocks: list[bytes]) -> None:
    """The same fields or an error on both sides; ours is stricter only with sizes and padded integers."""
    theirs, reader = Decoder(max_header_list_size=1 << 20), Reader(1 << 18)
    theirs.max_allowed_table_size = 4096
    for data in blocks:
        try:
            wanted: Pairs | None = [(bytes(n), bytes(v)) for n, v in theirs.decode(data, raw=True)]
        except (HPACKError, IndexError, ValueError):
            wanted = None
        try:
            found = read(reader, data)
        except H2ConnectionError as error:
            assert error.code == Code.COMPRESSION_ERROR
            assert wanted is None or _PADDED in error.why or "size" in error.why
            return
        assert found == wanted


def test_a_block_is_remembered_only_while_it_means_the_same() -> None:
    """The same bytes are another field once an entry has come before it."""
    reader = Reader(1 << 16)
    assert read(reader, b"\x40\x01a\x011") == [(b"a", b"1")]
    for _ in range(2):
        assert read(reader, b"\xbe") == [(b"a", b"1")]
    assert read(reader, b"\x40\x01b\x012") == [(b"b", b"2")]
    assert read(reader, b"\xbe\xbf") == [(b"b", b"2"), (b"a", b"1")]
    assert read(reader, b"\xbe") == [(b"b", b"2")]
    assert read(reader, b"\x20") == []
    assert refused(reader, b"\xbe").code == Code.COMPRESSION_ERROR


def test_what_was_understood_of_a_block_stays_with_it() -> None:
    """As long as the block means the same."""
    reader = Reader(1 << 16)
    reader.read(b"\x82").parsed = "mine"
    assert reader.read(b"\x82").parsed == "mine"
    assert reader.read(b"\x83").parsed is None
    reader.read(b"\x40\x01a\x011")
    assert reader.read(b"\x82").parsed is None


def test_without_a_table_every_block_is_remembered() -> None:
    """An entry that finds no room changes nothing, so what comes with it is not read again."""
    reader = Reader(1 << 16)
    reader.read(b"\x40\x01a\x011")
    assert read(reader, b"\x20\x40\x01a\x011") == [(b"a", b"1")]
    first = reader.read(b"\x40\x01a\x011")
    assert reader.read(b"\x82") is reader.read(b"\x82")
    assert reader.read(b"\x40\x01a\x011") is first
    assert refused(reader, b"\xbe").code == Code.COMPRESSION_ERROR
    assert read(reader, b"\x3f\xe1\x1f\x40\x01a\x011") == [(b"a", b"1")]  # there is one again
    assert read(reader, b"\xbe") == [(b"a", b"1")]


def test_the_size_of_a_section_is_counted_as_the_rfc_says() -> None:
    """Names and values in bytes, and 32 for each field (RFC 9113 section 6.5.2)."""
    assert Reader(100).read(b"").size == 0
    assert Reader(100).read(b"\x40\x02ab\x03cde\x00\x01x\x00").size == 5 + 32 + 1 + 32


# A peer that means no good.


def refused(reader: Reader, data: bytes) -> H2ConnectionError:
    with pytest.raises(H2ConnectionError) as caught:
        reader.read(data)
    return caught.value


def test_a_list_somewhat_too_long_is_still_read() -> None:
    """Up to four times the limit a list is read, so that its stream can be answered; not beyond."""
    encoder = Encoder()
    fields = [(b"x-%d" % n, b"v" * 100) for n in range(20)]
    limit = sum(len(name) + len(value) + 32 for name, value in fields) // 4 + 1
    assert read(Reader(limit), encoder.encode(fields)) == fields
    error = refused(Reader(limit - 2), Encoder().encode(fields))
    assert (error.code, error.flood) == (Code.ENHANCE_YOUR_CALM, "header list")


def test_a_bomb_is_cut() -> None:
    """A few bytes that stand for megabytes are not unfolded (an HPACK bomb)."""
    encoder = Encoder()
    bomb = encoder.encode([(b"x", b"v" * 4000)], huffman=False) + b"\xbe" * 16_000
    assert len(bomb) < 21_000
    reader = Reader(32 * 1024)
    error = refused(reader, bomb)
    assert (error.code, error.flood) == (Code.ENHANCE_YOUR_CALM, "header list")


def test_empty_fields_count_too() -> None:
    """Fields of one byte each are 32 bytes and more apiece: thousands are too many."""
    encoder = Encoder()
    many = encoder.encode([(b"x", b"")], huffman=False) + b"\xbe" * 10_000
    assert refused(Reader(32 * 1024), many).flood == "header list"


def test_the_table_of_a_peer_stays_small() -> None:
    """A table may shrink, and grow back to 4096 bytes, no further: we never allowed more."""
    reader, encoder = Reader(1 << 16), Encoder()
    encoder.header_table_size = 0
    assert read(reader, encoder.encode([(b"x", b"1")])) == [(b"x", b"1")]
    encoder.header_table_size = 4096
    assert read(reader, encoder.encode([(b"x", b"2")])) == [(b"x", b"2")]
    encoder.header_table_size = 4097
    assert refused(reader, encoder.encode([(b"x", b"3")])).code == Code.COMPRESSION_ERROR


def test_a_table_size_stands_first() -> None:
    """A change of the table's size behind a field is an error (RFC 7541 section 4.2)."""
    assert refused(Reader(1 << 16), b"\x82\x20").code == Code.COMPRESSION_ERROR


@pytest.mark.parametrize("change", [b"\x20", b"\x3f\x00", b"\x3f\xe1\x1f"])
def test_a_table_is_not_resized_for_ever(change: bytes) -> None:
    """A block of nothing but changes of size costs its peer a byte each: eight will do."""
    assert read(Reader(1 << 16), change * 8 + b"\x82") == [(b":method", b"GET")]
    assert refused(Reader(1 << 16), change * 9 + b"\x82").code == Code.COMPRESSION_ERROR


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        b"\xbe",
        b"\xff\xff\xff\xff\xff\x0f",
        b"\x00",
        b"\x00\x05ab",
        b"\x00\x01a\x85\xff\xff\xff\xff\xff",
    ],
    ids=["index-0", "no-such-index", "huge-index", "no-name", "short-name", "bad-huffman"],
)
def test_garbage_is_a_compression_error(data: bytes) -> None:
    """What cannot be decoded puts the tables out of step, and ends the connection (section 4.3)."""
    assert refused(Reader(1 << 16), data).code == Code.COMPRESSION_ERROR


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_an_error_of_the_connection(data: bytes) -> None:
    """No other exception leaves the reader, whatever comes."""
    try:
        found = Reader(1000).read(data)
    except H2ConnectionError as error:
        assert error.code in (Code.COMPRESSION_ERROR, Code.ENHANCE_YOUR_CALM)
    else:
        counted = sum(len(name) + len(value) + 32 for name, value in found.fields)
        assert counted == found.size <= 4000
        assert all(isinstance(name, bytes) and isinstance(value, bytes) for name, value in found.fields)
