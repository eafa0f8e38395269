"""Fields: hpack reads the blocks that we write, and nothing that could smuggle is valid."""

from __future__ import annotations

import re

import h11
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from hpack import Decoder, NeverIndexedHeaderTuple
from hypothesis import given
from hypothesis import strategies as st

from appliance.http.h2_fields import block, valid

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


@given(lists)
def test_what_we_write_hpack_reads(fields: Pairs) -> None:
    """Any fields, valid or not, arrive as they are."""
    assert [(bytes(n), bytes(v)) for n, v in Decoder().decode(block(fields), raw=True)] == fields


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
