"""Whether the TLS library can use a certificate with its key, and if not, why not, in words.

The library says little: most mistakes with files come out as one and the same error. So the files
are looked at first, where the common mistakes are plain to see (the two exchanged, a request
instead of a certificate, a key with a password), and its error is read only for what cannot be seen
from outside: that key and certificate do not belong together, or are too weak for it.

``ssl`` is imported where it is used, since most profiles that are checked name no certificate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .certificate import Block, Malformed, pem_blocks, read_certificate


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why files cannot be used, and which of them is at fault.

    ``{cert}`` and ``{key}`` in the texts stand for the names of the files as the profile has them;
    in ``help``, ``{cert_file}`` and ``{key_file}`` for the same as arguments of a command. With
    ``with_cert`` the place of the certificate is shown beside that of the key.
    """

    at: Literal["cert", "key"]
    problem: str
    help: str = ""
    with_cert: bool = False


class _Asked(Exception):
    """The library wanted a password."""


_REQUESTS = frozenset({"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"})
_STRONGER = "issue another, with a key on P-256 or an RSA key of 2048 bits or more"
_LOCKED = Unusable(
    "key",
    "key `{key}` is protected by a password, and nobody is there to type it when the proxy starts",
    "store it without one: openssl pkey -in {key_file} -out NEW",
)


def check_chain(chain: bytes) -> Unusable | None:
    """Give what keeps the content of a certificate file from use, as far as can be seen without its key."""
    blocks = pem_blocks(chain)
    return None if any(block.is_certificate for block in blocks) else _no_certificate(blocks, chain)


def check_pair(cert: str, key: str, chain: bytes, secret: bytes) -> Unusable | None:
    """Give what keeps a certificate and key at these paths, with these contents, from being used."""
    problem = check_chain(chain)
    if problem is not None:
        return problem
    certificates, keys = pem_blocks(chain), pem_blocks(secret)
    private = next((block for block in keys if block.is_key), None)
    if private is None:
        return Unusable("key", f"`{{key}}` holds {_kind(keys, secret)} where a private key is expected")
    if private.encrypted:
        return _LOCKED
    return _loaded(cert, key, [block for block in certificates if block.is_certificate])


def check_authorities(path: str, content: bytes) -> Unusable | None:
    """Give what keeps a file of authorities from being used; it counts as ``cert``."""
    import ssl  # noqa: PLC0415

    blocks = pem_blocks(content)
    certificates = [block for block in blocks if block.is_certificate]
    if not certificates:
        return _no_certificate(blocks, content)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (OSError, ValueError):
        return _damaged(certificates) or Unusable(
            "cert", "`{cert}` holds a certificate that cannot be decoded"
        )
    return None


def _loaded(cert: str, key: str, certificates: list[Block]) -> Unusable | None:
    import ssl  # noqa: PLC0415

    def password() -> str:
        raise _Asked

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password)
    except _Asked:
        return _LOCKED
    except ssl.SSLError as problem:
        return _refused(problem.reason or "", certificates)
    except (OSError, ValueError):
        return Unusable(
            "cert", "`{cert}` and its key cannot be loaded", "the files changed while they were checked"
        )
    return None


def _refused(reason: str, certificates: list[Block]) -> Unusable:
    """Read the library's reason; what it calls it depends on its version and on the kind of key."""
    if reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
        advice = "name the key that the certificate was issued for"
        if len(certificates) > 1:
            advice += "; in `{cert}` the certificate of that key comes first, then those that signed it"
        return Unusable("key", "key `{key}` does not belong to certificate `{cert}`", advice, with_cert=True)
    if reason.endswith("KEY_TOO_SMALL"):
        return Unusable("cert", "`{cert}` has a key too short for the TLS library of this machine", _STRONGER)
    if reason.endswith("MD_TOO_WEAK"):
        problem = "`{cert}` is signed by a method too weak for the TLS library of this machine"
        return Unusable("cert", problem, "have it issued again, signed with SHA-256 or better")
    return _damaged(certificates) or Unusable(
        "key", "key `{key}` is damaged, or of a kind that the TLS library of this machine does not know"
    )


def _damaged(certificates: list[Block]) -> Unusable | None:
    """Find a certificate that the library cannot decode."""
    import ssl  # noqa: PLC0415

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for number, block in enumerate(certificates, 1):
        try:
            context.load_verify_locations(cadata=block.data or b"")
        except (OSError, ValueError):
            which = "the certificate" if len(certificates) == 1 else f"certificate {number}"
            return Unusable("cert", f"{which} in `{{cert}}` is damaged: it cannot be decoded")
    return None


def _no_certificate(blocks: list[Block], content: bytes) -> Unusable:
    try:
        read_certificate(content)
    except Malformed:
        return Unusable("cert", f"`{{cert}}` holds {_kind(blocks, content)} where a certificate is expected")
    return Unusable(
        "cert",
        "`{cert}` is a certificate in binary form (DER), but PEM is expected",
        "convert it: openssl x509 -inform DER -in {cert_file} -out NEW",
    )


def _kind(blocks: list[Block], content: bytes) -> str:
    """Name what is in a file instead of what should be."""
    if not content.strip():
        return "nothing"
    if any(block.is_certificate for block in blocks):
        return "a certificate"
    if any(block.is_key for block in blocks):
        return "a private key"
    if any(block.label in _REQUESTS for block in blocks):
        return "a request for a certificate"
    if any(block.label.endswith("PUBLIC KEY") for block in blocks):
        return "a public key"
    return "other things" if blocks else "nothing in PEM form"
