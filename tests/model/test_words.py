"""Words in header edits: what they stand for, and that an empty one leaves no trace of what a client sent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.exchange import Exchange
from appliance.model.headers import HeaderEdits, Headers
from appliance.model.identity import Identity
from appliance.model.words import WORDS, edit

ANN = Identity("CN=ann,O=shop", ("a.example", "b,c", "d e", ""), ("spiffe://x/ann",), "ab" * 32)


def exchange(identity: Identity | None = ANN) -> Exchange:
    """Give the part of an exchange that words look at."""
    return cast(Exchange, SimpleNamespace(identity=identity, client="10.0.0.9", id="7"))


def made(edits: dict[str, Any], headers: Headers, identity: Identity | None = ANN) -> Headers:
    apply = edit(HeaderEdits(**edits))
    assert apply is not None
    return apply(exchange(identity), headers)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"%CLIENT_SUBJECT%", b"CN=ann,O=shop"),
        (b"%CLIENT_NAMES%", b"a.example"),
        (b"%CLIENT_URIS%", b"spiffe://x/ann"),
        (b"%CLIENT_FINGERPRINT%", b"ab" * 32),
        (b"%CLIENT_ADDRESS%/%REQUEST_ID%", b"10.0.0.9/7"),
        (b"100 % sure %", b"100 % sure %"),
    ],
)
def test_what_words_stand_for(value: bytes, said: bytes) -> None:
    """Names that are no names, or could be taken for two, are left out."""
    assert made({"set": ((b"x-a", value),)}, []) == [(b"x-a", said)]


@pytest.mark.parametrize(
    "word", sorted(word for word in WORDS if word not in ("CLIENT_ADDRESS", "REQUEST_ID"))
)
def test_without_a_certificate_nothing_of_that_name_passes(word: str) -> None:
    """Least of all what the client wrote there itself."""
    value = f"cert=%{word}%".encode()
    sent = [(b"x-a", b"CN=root"), (b"x-b", b"1"), (b"x-a", b"CN=admin")]
    assert made({"set": ((b"x-a", value),)}, sent, None) == [(b"x-b", b"1")]
    assert made({"add": ((b"x-c", value),)}, sent, None) == sent


def test_what_a_word_says_is_not_read_again() -> None:
    """A subject that looks like a word stays what it is."""
    tricky = Identity("CN=%REQUEST_ID%", (), (), "ab" * 32)
    assert made({"set": ((b"x-a", b"%CLIENT_SUBJECT%"),)}, [], tricky) == [(b"x-a", b"CN=%REQUEST_ID%")]


def test_edits_without_words_are_plain_edits() -> None:
    """And no edits are nothing at all."""
    assert edit(HeaderEdits()) is None
    assert made({"remove": (b"x-b",), "set": ((b"x-a", b"1"),)}, [(b"x-b", b"2")]) == [(b"x-a", b"1")]


@given(st.lists(st.text(max_size=12), max_size=4))
def test_lists_of_names_hold_only_plain_ones(names: list[str]) -> None:
    """Nothing in a certificate can end a header line, or be taken for another name."""
    identity = Identity("", tuple(names), (), "ab" * 32)
    found = made({"set": ((b"x-a", b"%CLIENT_NAMES%"),)}, [], identity)
    plain = [name for name in names if name and all("!" <= c <= "~" and c != "," for c in name)]
    assert found == ([(b"x-a", ", ".join(plain).encode())] if plain else [])
