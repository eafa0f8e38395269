"""Field blocks: hpack reads what we write, we read what hpack writes, and nothing else breaks the reader."""

from __future__ import annotations

import re

import h11
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from hpack import Decoder, Encoder, NeverIndexedHeaderTuple
from hypothesis import given
from hypothesis import strategies as st

from appliance.http.h2_fields import Reader, block, list_size, valid
from appliance.http.h2_frames import Code, H2ConnectionError

Pairs = list[tuple[bytes, bytes]]

KNOWN = [
    b"accept",
    b"cookie",
    b"authorization",
    b"set-cookie",
    b":path",
    b":method",
    b"content-length",
    b"via",
]
names = st.one_of(st.sampled_from(KNOWN), st.binary(min_size=1, max_size=30))
values = st.one_of(st.sampled_from([b"", b"GET", b"/", b"200", b"gzip, deflate"]), st.binary(max_size=300))
lists = st.lists(st.tuples(names, values), max_size=20)


def read(reader: Reader, data: bytes) -> Pairs:
    return [(bytes(name), bytes(value)) for name, value in reader.read(data)]


@given(lists)
def test_what_we_write_hpack_reads(fields: Pairs) -> None:
    """Any fields, valid or not, arrive as they are."""
    assert [(bytes(n), bytes(v)) for n, v in Decoder().decode(block(fields), raw=True)] == fields


@given(st.lists(lists, max_size=5), st.booleans())
def test_what_hpack_writes_we_read(blocks: list[Pairs], huffman: bool) -> None:
    """The dynamic table and Huffman coding of a peer are followed from block to block."""
    encoder, reader = Encoder(), Reader(1 << 16)
    for fields in blocks:
        assert read(reader, encoder.encode(fields, huffman=huffman)) == fields


@given(lists)
def test_our_blocks_use_no_dynamic_table(fields: Pairs) -> None:
    """A block means the same at any time of any connection: nothing of it is indexed."""
    decoder = Decoder()
    decoder.decode(block(fields), raw=True)
    assert not decoder.header_table.dynamic_entries


@pytest.mark.parametrize("name", [b"cookie", b"authorization", b"set-cookie", b"proxy-authorization"])
def test_secrets_are_never_indexed(name: bytes) -> None:
    """Secrets are marked for whoever passes them on, and other fields are not (RFC 7541 section 7.1.3)."""
    secret, other = Decoder().decode(block([(name, b"x"), (b"accept", b"y")]), raw=True)
    assert isinstance(secret, NeverIndexedHeaderTuple)
    assert not isinstance(other, NeverIndexedHeaderTuple)


def test_what_the_static_table_has_takes_one_byte() -> None:
    """A field that stands whole in the static table is its index."""
    assert block([(b":method", b"GET"), (b":status", b"200"), (b":path", b"/")]) == b"\x82\x88\x84"


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 254, 255, 16_383, 70_000])
def test_lengths_of_all_sizes(size: int) -> None:
    """A length is right at every step of its coding."""
    fields = [(b"x" * max(1, size // 8), b"v" * size)]
    decoder = Decoder(max_header_list_size=1 << 20)
    assert [(bytes(n), bytes(v)) for n, v in decoder.decode(block(fields), raw=True)] == fields


def test_the_size_of_a_list_is_counted_as_the_rfc_says() -> None:
    """Names and values in bytes, and 32 for each field (section 6.5.2)."""
    assert list_size([]) == 0
    assert list_size([(b"ab", b"cde"), (b"x", b"")]) == 5 + 32 + 1 + 32


# What a field may look like.

tchar = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]")


@given(st.binary(min_size=1, max_size=4))
def test_a_name_is_a_token_in_lower_case(name: bytes) -> None:
    """Each byte of a name is a token's, none in upper case; one colon may stand before it."""
    bare = name[1:] if name[:1] == b":" else name
    wanted = bool(bare) and all(tchar.fullmatch(bytes((octet,))) for octet in bare)
    assert valid((name, b"")) == wanted


@pytest.mark.parametrize("octet", range(256))
def test_every_octet_in_a_name(octet: int) -> None:
    """Exactly what h11 takes for a name, but for upper case."""
    name = b"x%cy" % octet
    try:
        h11.Request(method="GET", target="/", headers=[(b"host", b"a"), (name, b"v")])
        fine = not 65 <= octet <= 90
    except h11.LocalProtocolError:
        fine = False
    assert valid((name, b"v")) == fine


@pytest.mark.parametrize("octet", range(256))
@pytest.mark.parametrize("form", [b"%c", b"a%cb", b"%cb", b"a%c"])
def test_every_octet_in_a_value(form: bytes, octet: int) -> None:
    """Tab, space and what can be seen, with no space at either end: nothing that h11 would refuse."""
    value = form % octet
    fine = octet == 9 or (octet >= 32 and octet != 127)
    if octet in (9, 32) and form != b"a%cb":
        fine = False
    assert valid((b"x", value)) == fine
    if fine:
        h11.Request(method="GET", target="/", headers=[(b"host", b"a"), (b"x", value)])


@pytest.mark.parametrize(
    "field",
    [(b"", b"v"), (b":", b"v"), (b"::path", b"v"), (b"a:", b"v"), (b"X-A", b"v"), (b"x", b"a\r\nb: c")]
    + [(b"x", b"a\0"), (b"x\n", b""), (b"x", b"a\n"), (b"x", b" a"), (b"x", b"a\t"), (b"x y", b"v")],
)
def test_what_smuggles_is_not_valid(field: tuple[bytes, bytes]) -> None:
    """Nothing that would end a line, or be trimmed on the way, is a field."""
    assert not valid(field)


@given(st.binary(min_size=1, max_size=6), st.binary(max_size=6))
def test_nothing_passes_that_h2_refuses(name: bytes, value: bytes) -> None:
    """A field that is valid here is one that the h2 library lets through as a server."""
    if not valid((name, value)) or name[:1] == b":" or name in (b"te", b"host"):
        return
    client = H2Connection(H2Configuration(validate_outbound_headers=False))
    server = H2Connection(H2Configuration(client_side=False, header_encoding=None))
    client.initiate_connection()
    head = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
    client.send_headers(1, [*head, (name, value)], end_stream=True)
    heard = server.receive_data(client.data_to_send())
    assert any(isinstance(event, RequestReceived) for event in heard)


# A peer that means no good.


def refused(reader: Reader, data: bytes) -> H2ConnectionError:
    with pytest.raises(H2ConnectionError) as caught:
        reader.read(data)
    return caught.value


def test_a_list_somewhat_too_long_is_still_read() -> None:
    """Up to four times the limit a list is read, so that its stream can be answered; not beyond."""
    encoder = Encoder()
    fields = [(b"x-%d" % n, b"v" * 100) for n in range(20)]
    limit = list_size(fields) // 4 + 1
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
        assert list_size(found) <= 4000
        assert all(isinstance(name, bytes) and isinstance(value, bytes) for name, value in found)
