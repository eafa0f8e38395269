"""What a certificate says about itself: when it is valid, and for which hosts.

The TLS library judges whether a pair can be used, but hides the dates of a certificate until a
handshake has succeeded with it, which for an expired one it never does. The few fields wanted here
are read from the encoding itself, by a reader that knows no more of it than they need:

    PEM (RFC 7468)    -----BEGIN CERTIFICATE-----, base64, -----END CERTIFICATE-----
    DER (X.690, 8.1   tag, length, content; the tag takes one octet, and the length is definite and
         and 10.1)    as short as it can be
    RFC 5280, 4.1     Certificate = {tbs, algorithm, signature}
                      tbs = {[0] version?, serial, algorithm, issuer, {from, to}, subject, key,
                             [1] id?, [2] id?, [3] {{oid, critical?, octets}...}?}

Whatever departs from that raises Malformed. It is no verdict on the certificate: the library may be
more patient, and then nothing is known about the dates and names.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

CERTIFICATES = frozenset({"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"})

_SEQUENCE, _OCTETS, _OID = 0x30, 0x04, 0x06
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87  # of GeneralName, RFC 5280 section 4.2.1.6
_ALTERNATIVE_NAMES = bytes((0x55, 0x1D, 0x11))  # 2.5.29.17
_DIGITS = re.compile(rb"\d{12}Z|\d{14}Z")
_EDGE = re.compile(rb"-----(BEGIN|END) ([A-Z0-9 ]{1,40})-----")


class Malformed(ValueError):
    """Bytes that are no certificate, or one too unusual to be read here."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The fields that checks need; times in seconds since 1970, both ends included.

    ``names`` and ``addresses`` are what it is valid for, in lower case and as 4 or 16 octets. The
    common name is not among them: no client of today looks at it (RFC 9525, section 2).
    """

    begins: float
    ends: float
    names: tuple[str, ...]
    addresses: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a PEM file; ``data`` is None if it is not base64."""

    label: str
    data: bytes | None
    encrypted: bool

    @property
    def is_certificate(self) -> bool:
        """Whether the TLS library takes it for a certificate."""
        return self.label in CERTIFICATES

    @property
    def is_key(self) -> bool:
        """Whether the TLS library takes it for a private key."""
        return self.label.endswith("PRIVATE KEY")


def pem_blocks(text: bytes) -> list[Block]:
    """Give the blocks of a PEM file; what stands between them is a comment, what is not closed is dropped."""
    blocks = []
    label, body, encrypted = b"", bytearray(), False
    for line in text.splitlines():
        edge = _EDGE.fullmatch(line.strip())
        if edge is None:
            if label and b":" not in line:
                body += line
            encrypted = encrypted or (line.startswith(b"Proc-Type:") and b"ENCRYPTED" in line)
            continue
        if edge[1] == b"END" and edge[2] == label:
            locked = encrypted or label == b"ENCRYPTED PRIVATE KEY"
            blocks.append(Block(label.decode(), _base64(bytes(body)), locked))
        label, body, encrypted = (edge[2] if edge[1] == b"BEGIN" else b""), bytearray(), False
    return blocks


def _base64(text: bytes) -> bytes | None:
    try:
        return binascii.a2b_base64(text)
    except binascii.Error:
        return None


def read_certificate(der: bytes) -> Certificate:
    """Read one certificate; raises Malformed."""
    parts = _inside(_only(der), _SEQUENCE)
    if len(parts) != 3:
        raise Malformed
    fields = _inside(parts[0], _SEQUENCE)
    if fields and fields[0][0] == _VERSION:
        del fields[0]
    if len(fields) < 6:
        raise Malformed
    validity = _inside(fields[3], _SEQUENCE)
    if len(validity) != 2:
        raise Malformed
    names, addresses = [], []
    for tag, content in _alternative_names(fields[6:]):
        if tag == _DNS_NAME and content.isascii():
            names.append(content.decode().lower().removesuffix("."))
        elif tag == _IP_ADDRESS and len(content) in (4, 16):
            addresses.append(content)
    return Certificate(_time(validity[0]), _time(validity[1]), tuple(names), tuple(addresses))


_Element = tuple[int, bytes]


def _elements(data: bytes) -> Iterator[_Element]:
    """Part octets into elements, each a tag and its content."""
    at, end = 0, len(data)
    while at < end:
        if at + 2 > end or data[at] & 0x1F == 0x1F:
            raise Malformed
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= 0x80:
            count = length - 0x80
            octets = data[at : at + count]
            length = int.from_bytes(octets, "big")
            if not 1 <= count <= 4 or len(octets) < count or not octets[0] or length < 0x80:
                raise Malformed
            at += count
        if at + length > end:
            raise Malformed
        yield tag, data[at : at + length]
        at += length


def _only(data: bytes) -> _Element:
    found = list(_elements(data))
    if len(found) != 1:
        raise Malformed
    return found[0]


def _inside(element: _Element, tag: int) -> list[_Element]:
    """Give the elements within one that must have this tag."""
    if element[0] != tag:
        raise Malformed
    return list(_elements(element[1]))


def _time(element: _Element) -> float:
    """Read a time as RFC 5280, section 4.1.2.5 writes it: to the second, in UTC."""
    tag, text = element
    if tag not in (_UTC_TIME, _GENERALIZED_TIME) or not _DIGITS.fullmatch(text):
        raise Malformed
    if len(text) != (13 if tag == _UTC_TIME else 15):
        raise Malformed
    if tag == _UTC_TIME:
        text = (b"19" if text[:2] >= b"50" else b"20") + text
    year, rest = int(text[:4]), text[4:14]
    month, day, hour, minute, second = (int(rest[at : at + 2]) for at in range(0, 10, 2))
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        raise Malformed from None


def _alternative_names(rest: list[_Element]) -> list[_Element]:
    """Find the subject alternative names among what follows the key in a certificate."""
    for tag, content in rest:
        if tag != _EXTENSIONS:
            continue
        for extension in _inside(_only(content), _SEQUENCE):
            parts = _inside(extension, _SEQUENCE)
            if len(parts) < 2 or parts[0][0] != _OID or parts[-1][0] != _OCTETS:
                raise Malformed
            if parts[0][1] == _ALTERNATIVE_NAMES:
                return _inside(_only(parts[-1][1]), _SEQUENCE)
    return []


def covers(certificate: Certificate, host: str) -> bool:
    """Say whether a certificate is valid for a host, by RFC 9525 section 6.3: `*` is one whole label.

    ``host`` is lower-case. If it is `*.example.com`, hosts below `example.com` in general, it is
    enough that one of them is covered: nobody can have a certificate for all.
    """
    if host.startswith("*."):
        return any(name.endswith(host[1:]) for name in certificate.names)
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).packed in certificate.addresses
    except ValueError:
        wild = f"*.{host.partition('.')[2]}"
        return host in certificate.names or ("." in host and wild in certificate.names)
