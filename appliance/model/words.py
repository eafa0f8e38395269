"""Words in header values that stand for what is known of a request when it is there: ``%CLIENT_SUBJECT%``.

A field with a word that has nothing to say is not written: a request without a client certificate arrives
without the field that would name it, whatever the client itself put there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from .exchange import Exchange
from .headers import HeaderEdits, Headers

WORD: Final = re.compile(r"%([A-Z][A-Z0-9_]*(?:\([^)%]*\))?)%")
_PLAIN: Final = re.compile(r"[!-+\--~]+")  # visible and no comma, which would make two of one


def _address(exchange: Exchange) -> str:
    return exchange.client


def _request_id(exchange: Exchange) -> str:
    return exchange.id


def _subject(exchange: Exchange) -> str:
    return "" if exchange.identity is None else exchange.identity.subject


def _names(exchange: Exchange) -> str:
    return "" if exchange.identity is None else _listed(exchange.identity.names)


def _uris(exchange: Exchange) -> str:
    return "" if exchange.identity is None else _listed(exchange.identity.uris)


def _fingerprint(exchange: Exchange) -> str:
    return "" if exchange.identity is None else exchange.identity.fingerprint


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name for name in names if _PLAIN.fullmatch(name))


WORDS: Final[dict[str, Callable[[Exchange], str]]] = {
    "CLIENT_ADDRESS": _address,
    "CLIENT_FINGERPRINT": _fingerprint,
    "CLIENT_NAMES": _names,
    "CLIENT_SUBJECT": _subject,
    "CLIENT_URIS": _uris,
    "REQUEST_ID": _request_id,
}

Edit = Callable[[Exchange, Headers], Headers]
_Pairs = tuple[tuple[bytes, bytes], ...]


def edit(edits: HeaderEdits) -> Edit | None:
    """Give what makes the edits for one exchange, None if there are none."""
    if not edits:
        return None
    if any(WORD.search(value.decode()) for _, value in (*edits.set, *edits.add)):
        return partial(_filled, edits)
    return lambda _, headers: edits.apply(headers)


def _filled(edits: HeaderEdits, exchange: Exchange, headers: Headers) -> Headers:
    replaced = tuple(name for name, _ in edits.set)
    filled = HeaderEdits((*edits.remove, *replaced), _fill(edits.set, exchange), _fill(edits.add, exchange))
    return filled.apply(headers)


def _fill(pairs: _Pairs, exchange: Exchange) -> _Pairs:
    found = []
    for name, value in pairs:
        text = value.decode()
        said = {word: WORDS[word](exchange) for word in WORD.findall(text)}
        if all(said.values()):
            found.append((name, WORD.sub(lambda match: said[match[1]], text).encode()))  # noqa: B023
    return tuple(found)
