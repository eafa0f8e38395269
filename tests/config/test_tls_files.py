"""What the TLS library refuses, in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.tls_files import Unusable, check_authorities, check_chain, check_pair

PARTS = Path(__file__).parent / "corpus" / "bad" / "parts"


def pair(cert: str, key: str) -> Unusable | None:
    paths = PARTS / cert, PARTS / key
    return check_pair(str(paths[0]), str(paths[1]), paths[0].read_bytes(), paths[1].read_bytes())


def authorities(name: str) -> Unusable | None:
    return check_authorities(str(PARTS / name), (PARTS / name).read_bytes())


@pytest.mark.parametrize(
    ("cert", "key"),
    [
        ("site.crt", "site.key"),
        ("chain.crt", "site.key"),
        ("both.pem", "both.pem"),
        ("ed25519.crt", "ed25519.key"),
        ("client.crt", "site.key"),
        ("bare.crt", "site.key"),
        ("expired.crt", "site.key"),
        ("future.crt", "site.key"),
    ],
)
def test_pairs_that_can_be_used(cert: str, key: str) -> None:
    """Whatever the kind of key, with the chain behind, and whatever the date."""
    assert pair(cert, key) is None


@pytest.mark.parametrize(
    ("cert", "key", "at", "words"),
    [
        ("site.crt", "other.key", "key", "does not belong"),
        ("site.crt", "short.key", "key", "does not belong"),
        ("site.crt", "ed25519.key", "key", "does not belong"),
        ("ed25519.crt", "site.key", "key", "does not belong"),
        ("reversed.crt", "site.key", "key", "does not belong"),
        ("site.crt", "encrypted.key", "key", "password"),
        ("site.crt", "encrypted-old.key", "key", "password"),
        ("site.crt", "site.crt", "key", "holds a certificate where"),
        ("site.crt", "site.pub", "key", "holds a public key where"),
        ("site.crt", "site.der", "key", "holds nothing in PEM form"),
        ("site.key", "site.key", "cert", "holds a private key where"),
        ("request.csr", "site.key", "cert", "holds a request for a certificate where"),
        ("site.der", "site.key", "cert", "DER"),
        ("README.md", "site.key", "cert", "holds nothing in PEM form"),
        ("empty.token", "site.key", "cert", "holds nothing where"),
        ("short.crt", "short.key", "cert", "too short"),
        ("sha1.crt", "site.key", "cert", "too weak"),
    ],
)
def test_pairs_that_cannot(cert: str, key: str, at: str, words: str) -> None:
    """The file at fault is named, and the reason is told from the others."""
    found = pair(cert, key)
    assert found is not None
    assert found.at == at
    assert words in found.problem
    assert "ssl" not in found.problem.lower().replace("openssl", "")


def test_only_a_file_of_several_is_advised_about_their_order() -> None:
    """With one certificate there is no order."""
    one, several = pair("site.crt", "other.key"), pair("reversed.crt", "site.key")
    assert one is not None
    assert several is not None
    assert "first" not in one.help
    assert "first" in several.help
    assert one.with_cert


def damaged(name: str) -> bytes:
    """Give a PEM file whose frame is right and whose content is not."""
    lines = (PARTS / name).read_bytes().splitlines(keepends=True)
    return b"".join([lines[0], b"QUJDREVG\n", *lines[-1:]])


def test_damage_is_found_where_it_is(tmp_path: Path) -> None:
    """The library says the same of both files; which one it is, is found out."""
    cert, key = tmp_path / "a.crt", tmp_path / "a.key"
    cert.write_bytes(damaged("site.crt"))
    key.write_bytes((PARTS / "site.key").read_bytes())
    found = check_pair(str(cert), str(key), cert.read_bytes(), key.read_bytes())
    assert found == Unusable("cert", "the certificate in `{cert}` is damaged: it cannot be decoded")
    cert.write_bytes((PARTS / "site.crt").read_bytes() + damaged("site.crt"))
    found = check_pair(str(cert), str(key), cert.read_bytes(), key.read_bytes())
    assert found == Unusable("cert", "certificate 2 in `{cert}` is damaged: it cannot be decoded")
    found = check_authorities(str(cert), cert.read_bytes())
    assert found == Unusable("cert", "certificate 2 in `{cert}` is damaged: it cannot be decoded")
    cert.write_bytes((PARTS / "site.crt").read_bytes())
    key.write_bytes(damaged("site.key"))
    found = check_pair(str(cert), str(key), cert.read_bytes(), key.read_bytes())
    assert found is not None
    assert found.at == "key"
    assert "damaged" in found.problem


def test_the_library_is_never_given_a_password() -> None:
    """Should it ask where the file did not look encrypted, the answer is the same; nobody is prompted."""
    plain, locked = PARTS / "site.key", PARTS / "encrypted.key"
    chain = (PARTS / "site.crt").read_bytes()
    found = check_pair(str(PARTS / "site.crt"), str(locked), chain, plain.read_bytes())
    assert found == pair("site.crt", "encrypted.key")


def test_a_password_is_seen_where_the_library_does_not_get_as_far(tmp_path: Path) -> None:
    """It would only say that it does not know this cipher."""
    lines = (PARTS / "encrypted-old.key").read_bytes().splitlines(keepends=True)
    key = tmp_path / "a.key"
    key.write_bytes(b"".join([*lines[:2], b"DEK-Info: NO-SUCH-CIPHER,00\n", *lines[3:]]))
    chain = (PARTS / "site.crt").read_bytes()
    found = check_pair(str(PARTS / "site.crt"), str(key), chain, key.read_bytes())
    assert found == pair("site.crt", "encrypted.key")


def test_files_may_go_while_they_are_checked(tmp_path: Path) -> None:
    """What was read is no longer there when the library opens it."""
    chain, key = (PARTS / "site.crt").read_bytes(), (PARTS / "site.key").read_bytes()
    found = check_pair(str(tmp_path / "a"), str(tmp_path / "b"), chain, key)
    assert found is not None
    assert "changed" in found.help
    assert check_authorities(str(tmp_path / "a"), chain) is not None


def test_a_chain_is_judged_without_its_key() -> None:
    """Whether there is a certificate at all."""
    assert check_chain((PARTS / "site.crt").read_bytes()) is None
    assert check_chain((PARTS / "site.key").read_bytes()) is not None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ca.crt", True),
        ("chain.crt", True),
        ("site.crt", True),
        ("sha1.crt", True),
        ("site.key", False),
        ("site.der", False),
    ],
)
def test_authorities(name: str, expected: bool) -> None:
    """Any certificates will do, since one may trust a server's own."""
    assert (authorities(name) is None) is expected


_LINES = [
    *(PARTS / "site.crt").read_bytes().splitlines(),
    *(PARTS / "site.key").read_bytes().splitlines(),
    *(PARTS / "encrypted-old.key").read_bytes().splitlines()[:3],
    b"QUJD",
    b"\0\xff",
]
_CONTENT = st.binary(max_size=100) | st.lists(st.sampled_from(_LINES), max_size=20).map(b"\n".join)


@settings(max_examples=200, deadline=None)
@given(_CONTENT, _CONTENT)
def test_any_content_is_fine_or_told(
    tmp_path_factory: pytest.TempPathFactory, chain: bytes, secret: bytes
) -> None:
    """Nothing is raised, whatever the files hold."""
    folder = tmp_path_factory.getbasetemp()
    cert, key = folder / "fuzz.crt", folder / "fuzz.key"
    cert.write_bytes(chain)
    key.write_bytes(secret)
    check_pair(str(cert), str(key), chain, secret)
    check_authorities(str(cert), chain)


@settings(max_examples=200, deadline=None)
@given(st.integers(28, 500), st.sampled_from(b"A=+z\n-: "), st.booleans())
def test_a_changed_letter_is_fine_or_told(
    tmp_path_factory: pytest.TempPathFactory, place: int, letter: int, in_key: bool
) -> None:
    """In the certificate or the key, anywhere behind the first line."""
    folder = tmp_path_factory.getbasetemp()
    contents = [(PARTS / "site.crt").read_bytes(), (PARTS / "site.key").read_bytes()]
    changed = bytearray(contents[in_key])
    changed[place % len(changed)] = letter
    contents[in_key] = bytes(changed)
    paths = [folder / "changed.crt", folder / "changed.key"]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    check_pair(str(paths[0]), str(paths[1]), *contents)
