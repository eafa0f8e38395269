"""When two values of a profile mean the same, and how one of them is shown.

Meaning is what is left when spelling is taken away: `60s` is `1m`, `5xx` is `500-599`, a list of
hosts has no order, `x: gold` is `x: {exact: gold}`. A list of maps keeps its order, since where the
format has one it counts (the first certificate is the default).

A file is the same if it lies at the same place as seen from the profile, so that a candidate can be
compared with what it will replace from any other directory.

What is shown are the words of the file. A value that came from the environment or another file is
shown as the `${...}` that asked for it, and one under a name such as `authorization` not at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Hashable
from dataclasses import dataclass

from appliance.model.address import Address, Where

from . import schema_types as t
from .compile_policy import file_of, names_file
from .diagnostic import Span
from .nodes import Listing, Scalar
from .read import Value
from .read_scalar import read_scalar
from .secrets import HIDDEN, without_credentials


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a change: the words, where they stand, and whether they are only the default.

    ``hidden``: the words do not tell the value.
    """

    text: str
    where: Where | None = None
    default: bool = False
    hidden: bool = False


def meaning(value: Value, root: str) -> Hashable:
    """Give what values have in common if and only if they mean the same; ``root`` is the profile's file."""
    data = value.data
    if isinstance(data, dict):
        if data.keys() == {"exact"}:
            return meaning(data["exact"], root)
        return frozenset((name, meaning(child, root)) for name, child in data.items())
    if isinstance(data, list):
        return _meaning_of_list(data, root)
    if isinstance(data, Address):
        return str(data)
    if isinstance(data, float):
        return round(data, 9)
    if names_file(value):
        return value.data if os.path.isabs(value.data) else _from_profile(file_of(value), root)
    return "false" if data is None else data


def _meaning_of_list(items: list[Value], root: str) -> Hashable:
    if any(isinstance(item.data, dict) for item in items):
        return tuple(meaning(item, root) for item in items)
    found: set[Hashable] = set()
    for item in items:
        if isinstance(item.data, frozenset):
            found |= item.data
        else:
            found.add(meaning(item, root))
    return frozenset(found)


def _from_profile(path: str, root: str) -> str:
    """Give a path as seen from the directory of the profile, where it lies below that."""
    folder = os.path.normpath(os.path.dirname(root) or ".")
    path = os.path.normpath(path)
    return path.removeprefix(f"{folder}/") if folder != "." else path


def is_nothing(value: Value) -> bool:
    """Whether a value says no more than its absence, as an empty list does where that is the default."""
    return value.data in ([], {}, "")


def side(value: Value, *, default: bool = False) -> Side:
    """Give a value as one side of a change."""
    text = text_of(value)
    return Side(text, None if default else value.head.where, default, HIDDEN in text or "${" in text)


def maybe(value: Value | None) -> Side | None:
    """Give the side of a value that may not be there."""
    return None if value is None else side(value)


def text_of(value: Value) -> str:
    """Give a value as the profile writes it, on one line, without what must not be shown."""
    if isinstance(value.data, dict):
        return f"{{{', '.join(f'{name}: {text_of(child)}' for name, child in value.items())}}}"
    if isinstance(value.data, list):
        return f"[{', '.join(map(text_of, value.values()))}]"
    node = value.node
    if not isinstance(node, Scalar):
        return ""
    if node.secret:
        return HIDDEN
    text = without_credentials(node.written if node.foreign else node.value)
    plain = text and text == text.strip() and not any(mark in text for mark in '\n"')
    return text if plain else json.dumps(text, ensure_ascii=False)


def default_of(key: t.Key) -> Value | None:
    """Give the default of a key as if it had been written; None where there is none, or it is worked out."""
    if isinstance(key.default, str):
        return invented(key.type, key.default)
    if isinstance(key.default, list) and isinstance(key.type, t.ListOf):
        items = [invented(key.type.item, text) for text in key.default]
        return Value(items, key.type, Listing(Span(""), []), "")
    return None


def invented(kind: t.Type, text: str) -> Value:
    """Give the value that ``text`` would be if it stood in a profile."""
    if isinstance(kind, t.Object | t.MapOf | t.ListOf | t.ByShape):
        raise TypeError(kind)
    return Value(read_scalar(kind, text), kind, Scalar(Span(""), text, text), "")
