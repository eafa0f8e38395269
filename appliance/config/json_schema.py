"""The profile format as a JSON Schema (draft 2020-12), for editors: made from the one declaration.

An editor should mark the very line that is wrong, so alternatives are never left to a validator to
choose from. Two shapes at one place are parted by `if` and `then`; so are texts in which something is
substituted, and keys that exclude each other, of which the later one is marked. What a scalar may
look like is in ``json_scalar``.

Every block that has a name in the declaration becomes a definition of that name, and every type of
scalar one of its own: `#/$defs/upstream` is the schema of one upstream.

A schema cannot know what a name refers to, whether an expression compiles, what a file includes or
what two keys mean together: `meshctl validate` does.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, Final

from . import schema, schema_listener, schema_parts
from . import schema_types as t
from .describe import rule
from .explain import NOT_ACTED_ON
from .json_scalar import SUBSTITUTES, SUBSTITUTION, Schema, examples, key_schema, native, scalar_schema
from .read_scalar import words

ID: Final = "urn:meshctl:profile:1"

_BLOCKS: Final = {
    id(value): name.lower()
    for module in (schema_listener, schema_parts, schema)
    for name, value in vars(module).items()
    if isinstance(value, (t.Object, t.ByShape)) and not name.startswith("_") and value is not schema.PROFILE
}


def json_schema() -> Schema:
    """Give the schema of a whole profile, the same document every time."""
    return _Writer().whole()


class _Writer:
    """One schema in the making; definitions gather as they are first referred to."""

    def __init__(self) -> None:
        self._definitions: dict[str, Schema] = {"substitutes": SUBSTITUTES, "substitution": SUBSTITUTION}

    def whole(self) -> Schema:
        root = self._object(schema.PROFILE)
        required = root.pop("required")
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": ID,
            "title": "meshctl profile",
            "description": "One file is one proxy. `meshctl explain KEY` tells more of each key.",
            **root,
            "if": {"required": ["include"]},
            "else": {"required": required},
            "$defs": dict(sorted(self._definitions.items())),
        }

    def _type(self, kind: t.Type) -> Schema:
        name = _BLOCKS.get(id(kind))
        if name is not None:
            return self._defined(name, kind)
        if isinstance(kind, t.Leaf):
            return self._defined(_label(kind), kind)
        return self._written(kind)

    def _defined(self, name: str, kind: t.Type) -> Schema:
        if name not in self._definitions:
            self._definitions[name] = {}
            self._definitions[name] = self._written(kind)
        return {"$ref": f"#/$defs/{name}"}

    def _written(self, kind: t.Type) -> Schema:
        if isinstance(kind, t.Object):
            return self._object(kind)
        if isinstance(kind, t.ListOf):
            listing: Schema = {"type": "array", "items": self._type(kind.item)}
            return {**listing, "minItems": kind.low} if kind.low else listing
        if isinstance(kind, t.MapOf):
            return self._map(kind)
        if isinstance(kind, t.ByShape):
            return self._by_shape(kind)
        offered = examples(kind)
        return {**_unless_substituted(scalar_schema(kind)), **({"examples": offered} if offered else {})}

    def _map(self, kind: t.MapOf) -> Schema:
        mapping: Schema = {"type": "object"}
        if isinstance(kind.key, t.Leaf):
            mapping["propertyNames"] = key_schema(kind.key)
        mapping["additionalProperties"] = self._type(kind.value)
        return {**mapping, "minProperties": kind.low} if kind.low else mapping

    def _by_shape(self, kind: t.ByShape) -> Schema:
        """Part the shapes; what is neither a list nor a map gets the last word, and the whole advice."""
        result: Schema = {"type": ["array", "object"], "errorMessage": rule(kind)}
        if isinstance(kind.scalar, t.Leaf):
            result = _unless_substituted(scalar_schema(kind.scalar, rule(kind)))
        for shape, inner in (("array", kind.listing), ("object", kind.mapping)):
            if inner is not None:
                result = {"if": {"type": shape}, "then": self._type(inner), "else": result}
        return result

    def _object(self, kind: t.Object) -> Schema:
        result: Schema = {
            "type": "object",
            "properties": {name: self._key(key) for name, key in kind.keys.items()},
            "additionalProperties": False,
        }
        required = [name for name, key in kind.keys.items() if key.required]
        if required:
            result["required"] = required
        groups = [
            _not_beside(name, group[index + 1 :], group)
            for group in (*kind.exclusive, *kind.one_of)
            for index, name in enumerate(group[:-1])
        ]
        groups += [{"anyOf": [{"required": [name]} for name in group]} for group in kind.one_of]
        return {**result, "allOf": groups} if groups else result

    def _key(self, key: t.Key) -> Schema:
        notes = () if key.built else (NOT_ACTED_ON,)
        result = {**self._type(key.type), "description": " ".join((key.doc, *notes))}
        if key.default is not None:
            result["default"] = _default(key.type, key.default)
        return result


def _not_beside(name: str, others: tuple[str, ...], group: tuple[str, ...]) -> Schema:
    """Mark each of the ``others`` that stands beside ``name``."""
    nothing = {"not": {}, "errorMessage": f"Keep one of {words(group)}."}
    return {"if": {"required": [name]}, "then": {"properties": dict.fromkeys(others, nothing)}}


def _unless_substituted(scalar: Schema) -> Schema:
    """Let what is substituted be spelled right, and only what is not be what the type wants."""
    return {
        "if": {"$ref": "#/$defs/substitutes"},
        "then": {"$ref": "#/$defs/substitution"},
        "else": scalar,
    }


def _default(kind: t.Type, written: Any) -> Any:
    """Give a default as YAML reads it."""
    if isinstance(kind, t.ListOf):
        return [_default(kind.item, item) for item in written]
    return native(kind.scalar if isinstance(kind, t.ByShape) and kind.scalar else kind, written)


def _label(kind: t.Leaf) -> str:
    """Name the definition of a scalar by its type and whatever is not as usual about it."""
    words = [re.sub(r"(?<!^)(?=[A-Z])", "_", type(kind).__name__).lower()]
    usual = {field.name: field.default for field in fields(kind)}
    for name, default in usual.items():
        value = getattr(kind, name)
        if value == default:
            continue
        if isinstance(value, bool):
            words += [name] if value else ["no", name]
        elif isinstance(value, tuple):
            words += value
        elif isinstance(value, int):
            words += [name, str(value)]
        else:
            words.append(value)
    return re.sub(r"[^A-Za-z0-9.]+", "_", "_".join(words))
