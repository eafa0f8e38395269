"""Which keys of a profile ask for something that this version does not do.

Reading a key and then not acting on it is the worst answer a proxy can give, so everything of the
kind is listed for `run` and `validate` to tell. One entry stands for the top-most key written:
`upstreams.app.breaker`, not each of its lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import schema_types as t
from .plan import Unbuilt
from .read import Value
from .read_scalar import Unreadable, read_scalar


def unbuilt(root: Value) -> tuple[Unbuilt, ...]:
    """Give the entries in the order of the profile."""
    return tuple(_walk(root))


def _walk(value: Value) -> Iterator[Unbuilt]:
    if isinstance(value.type, t.Object):
        for name, child in value.items():
            key = value.type.keys[name]
            if key.built:
                yield from _walk(child)
            elif not any(same(child, plain) for plain in key.harmless):
                yield Unbuilt(child.path, child.head.where)
    elif isinstance(value.type, t.MapOf):
        for _, child in value.items():
            yield from _walk(child)
    elif isinstance(value.type, t.ListOf):
        for child in value.values():
            yield from _walk(child)


def same(value: Value, plain: Any) -> bool:
    """Whether a value says the same as plain data, such as a default of the schema."""
    if isinstance(plain, dict):
        return (
            isinstance(value.data, dict)
            and value.data.keys() == plain.keys()
            and all(same(child, plain[name]) for name, child in value.items())
        )
    if isinstance(plain, list):
        return (
            isinstance(value.data, list)
            and len(value.data) == len(plain)
            and all(same(child, other) for child, other in zip(value.data, plain, strict=True))
        )
    if isinstance(value.type, (t.Object, t.MapOf, t.ListOf, t.ByShape)):
        return False
    try:
        return bool(read_scalar(value.type, plain) == value.data)
    except Unreadable:
        return False
