"""The reader of certificates, on those of the corpus and on bytes that are none."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.certificate import Certificate, Malformed, covers, pem_blocks, read_certificate

PARTS = Path(__file__).parent / "corpus" / "bad" / "parts"
SITE = (PARTS / "site.der").read_bytes()


def at(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]


def read(name: str, number: int = 0) -> Certificate:
    blocks = [block for block in pem_blocks((PARTS / name).read_bytes()) if block.is_certificate]
    return read_certificate(blocks[number].data or b"")


def element(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    size = len(body)
    length = bytes((size,)) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")
    return bytes((tag,)) + length + body


def made(begins: bytes = b"200101000000Z", ends: bytes = b"\x17\x0d300101000000Z", *rest: bytes) -> bytes:
    """Give a certificate that is right in its outline and empty otherwise."""
    sequence = element(0x30)
    validity = element(0x30, element(0x17, begins), ends)
    tbs = element(0x30, element(2, b"\1"), sequence, sequence, validity, sequence, sequence, *rest)
    return element(0x30, tbs, sequence, element(3, b"\0"))


def test_dates_and_names_are_read() -> None:
    """Validity to the second, and what the certificate is for."""
    found = read("site.crt")
    assert (found.begins, found.ends) == (at(2020, 1, 1), at(2120, 1, 1))
    assert found.names == ("shop.example.com", "*.shop.example.com")
    assert found.addresses == (ip_address("192.0.2.1").packed, ip_address("2001:db8::1").packed)
    assert read_certificate(SITE) == found
    assert read("soon.crt").ends == at(2031, 2, 3, 18)
    assert read("future.crt").begins == at(2031, 3, 1, 6)
    assert read("bare.crt").names == ()


@pytest.mark.parametrize("name", ["ca.crt", "old-ca.crt"])
def test_the_tls_library_reads_the_same_dates(name: str) -> None:
    """Of authorities it tells them, so the two readers can be held together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(str(PARTS / name))
    (told,) = context.get_ca_certs()
    assert isinstance(told, dict)
    found = read(name)
    assert found.begins == ssl.cert_time_to_seconds(str(told["notBefore"]))
    assert found.ends == ssl.cert_time_to_seconds(str(told["notAfter"]))


def test_other_kinds_of_key_make_no_difference() -> None:
    """The key is not looked at."""
    assert read("ed25519.crt").names == ("ed.example.com",)
    assert read("short.crt").names == ("short.example.com",)


def test_a_file_has_its_certificates_in_order() -> None:
    """The first is that of the server."""
    assert read("chain.crt", 0).names == read("reversed.crt", 1).names == read("site.crt").names
    assert read("chain.crt", 1) == read("ca.crt")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"\x17\x0d491231235959Z", at(2049, 12, 31, 23, 59, 59)),
        (b"\x17\x0d500101000000Z", at(1950, 1, 1)),
        (b"\x18\x0f20500101000000Z", at(2050, 1, 1)),
        (b"\x18\x0f99991231235959Z", at(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_years_have_two_digits_up_to_2049(text: bytes, expected: float) -> None:
    """RFC 5280, section 4.1.2.5: below 50 is this century; four digits otherwise."""
    assert read_certificate(made(ends=text)).ends == expected


@pytest.mark.parametrize(
    "text",
    [
        b"\x17\x0b3001010000Z",
        b"\x17\x11300101000000+0100",
        b"\x17\x0d301301000000Z",
        b"\x17\x0d300230000000Z",
        b"\x18\x0d300101000000Z",
        b"\x18\x0f00000101000000Z",
        b"\x16\x0d300101000000Z",
        "\x17\x0f30010100000٣Z".encode(),
    ],
)
def test_times_of_another_form_are_refused(text: bytes) -> None:
    """No seconds, an offset, a month or day that is none, a length that is not the tag's."""
    with pytest.raises(Malformed):
        read_certificate(made(ends=text))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x00",
        b"\x30\x80\x00\x00",  # without a definite length
        b"\x30\x81\x05" + bytes(5),  # a length that is longer than it need be
        b"\x30\x82\x00\x85" + bytes(133),
        b"\x30\x85\x01\x00\x00\x00\x00",
        b"\x3f\x01\x00",
        b"\x30\x7f\x00",
        SITE + b"\0",
        SITE[:-1],
        element(0x30, SITE),
        made()[:1] + b"\x84\xff\xff\xff\xff",
        b"\x30\x81" + made()[1:],
        b"\x30\x83\x00" + SITE[2:],
        SITE + SITE,
        made(b"x"),
        made(b"200101000000Z", b"\x17\x0d300101000000Z\x05\x00"),
        made(b"200101000000Z", b"\x17\x0d300101000000Z", element(0x1F)),
        made(b"200101000000Z", b""),
        made(b"200101000000Z", b"\x17\x0d300101000000Z", element(0xA3, element(0x30, element(0x30)))),
    ],
)
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    """One error class for whatever is odd."""
    with pytest.raises(Malformed):
        read_certificate(data)


def test_the_outline_of_these_tests_is_right() -> None:
    """Or whatever is built from it would be refused for the wrong reason."""
    assert read_certificate(made()).begins == at(2020, 1, 1)


def test_names_that_no_host_can_have_are_left_out() -> None:
    """They do not spoil the rest."""
    names = element(0x30, element(0x82, b"A.Example."), element(0x82, b"\xff"), element(0x87, b"123"))
    extension = element(0x30, element(6, b"\x55\x1d\x11"), element(1, b"\xff"), element(4, names))
    ends = b"\x17\x0d300101000000Z"
    found = read_certificate(made(b"200101000000Z", ends, element(0xA3, element(0x30, extension))))
    assert (found.names, found.addresses) == (("a.example",), ())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    """Nothing else is raised."""
    try:
        read_certificate(data)
    except Malformed:
        pass


@given(st.data())
def test_a_changed_certificate_is_read_or_malformed(data: st.DataObject) -> None:
    """Octets changed, cut out or doubled, up to four times."""
    changed = bytearray(SITE)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        length = data.draw(st.integers(0, 3))
        changed[place : place + length] = data.draw(st.binary(max_size=3))
    try:
        found = read_certificate(bytes(changed))
    except Malformed:
        return
    assert isinstance(found.begins, float)
    assert all(name == name.lower() for name in found.names)


def test_blocks_know_what_they_are() -> None:
    """Keys and certificates stand together in one file; comments between them are no blocks."""
    key, certificate = pem_blocks(b"for the shop\n" + (PARTS / "both.pem").read_bytes() + b"the end\n")
    assert (key.is_key, key.is_certificate, key.encrypted) == (True, False, False)
    assert (certificate.is_key, certificate.is_certificate) == (False, True)
    assert certificate.data == SITE


@pytest.mark.parametrize(
    ("name", "expected"), [("encrypted.key", True), ("encrypted-old.key", True), ("site.key", False)]
)
def test_blocks_know_whether_they_are_encrypted(name: str, expected: bool) -> None:
    """In the form of PKCS #8 and in the old one with header lines."""
    (block,) = pem_blocks((PARTS / name).read_bytes())
    assert block.is_key
    assert block.encrypted is expected


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r", b" \n"])
def test_blocks_are_found_with_any_line_ends(ends: bytes) -> None:
    """Editors differ."""
    (block,) = pem_blocks((PARTS / "site.crt").read_bytes().replace(b"\n", ends))
    assert block.data == SITE


def test_header_lines_are_not_content() -> None:
    """RFC 1421 has them, and old keys still do."""
    (block,) = pem_blocks(b"-----BEGIN A-----\nComment: QUJD\n\nQUJD\n-----END A-----\n")
    assert block.data == b"ABC"


def test_blocks_that_are_not_closed_are_dropped() -> None:
    """So is one with two names; one that is not base64 has no data."""
    assert pem_blocks(b"-----BEGIN A-----\nQUJD\n") == []
    assert pem_blocks(b"-----BEGIN A-----\nQUJD\n-----END B-----\n") == []
    assert [block.data for block in pem_blocks(b"-----BEGIN A-----\nA\n-----END A-----\n")] == [None]
    assert [
        block.label for block in pem_blocks(b"-----BEGIN A-----\n-----BEGIN B-----\n-----END B-----")
    ] == ["B"]


@given(
    st.lists(
        st.sampled_from([b"-----BEGIN A-----", b"-----END A-----", b"QUJD", b"=", b"Proc-Type: 4,ENCRYPTED"])
    )
)
def test_any_lines_are_blocks_or_nothing(lines: list[bytes]) -> None:
    """Nothing is raised, and there are no more blocks than ends."""
    assert len(pem_blocks(b"\n".join(lines))) <= lines.count(b"-----END A-----")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.example.com", True),
        ("de.shop.example.com", True),
        ("a.b.shop.example.com", False),
        ("example.com", False),
        ("xshop.example.com", False),
        ("*.shop.example.com", True),
        ("*.example.com", True),  # one of the hosts below it is covered
        ("*.de.shop.example.com", False),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("[2001:db8::1]", True),
        ("[2001:db8:0:0::1]", True),
        ("[2001:db8::2]", False),
        ("localhost", False),
    ],
)
def test_a_wildcard_is_one_whole_label(host: str, expected: bool) -> None:
    """RFC 9525, section 6.3; addresses are compared as such."""
    assert covers(read("site.crt"), host) is expected


def test_a_host_is_not_below_itself() -> None:
    """A certificate for a domain covers none of those in it."""
    assert not covers(Certificate(0.0, 1.0, ("example.com",), ()), "*.example.com")
    assert not covers(Certificate(0.0, 1.0, ("*.example.com",), ()), "example.com")


def test_a_common_name_covers_nothing() -> None:
    """Clients look at alternative names only."""
    assert not covers(read("bare.crt"), "shop.example.com")


def test_a_bare_wildcard_covers_no_host() -> None:
    """A `*` needs something behind it."""
    assert not covers(Certificate(0.0, 1.0, ("*", "*."), ()), "localhost")
