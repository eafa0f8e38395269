"""The profile format as a JSON Schema (draft 2020-12), for editors: made from the one declaration.

Our reader takes the text of a scalar and reads it by the type expected; an editor sees what YAML
1.2 makes of it, a number or a boolean where the text looks like one. So each type here allows both
spellings. A `${...}` may stand for any scalar. Two shapes at one place are parted by `if` and
`then`, so that an editor marks the key that is wrong and not the whole block.

A schema cannot know what a reference leads to, whether an expression compiles, or what two keys
mean together: `meshctl validate` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from . import schema_types as t
from .schema import PROFILE

Schema = dict[str, Any]

_SUBSTITUTION: Final[Schema] = {"type": "string", "pattern": r"\$\{"}
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}"  # noqa: S105 (RFC 9110's word for it)
_NOT_ZERO: Final = r"(?=.*[1-9])"
_HOST: Final = r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]+\])"
_PORT: Final = r"\d{1,5}"


def json_schema() -> Schema:
    """Give the schema of a whole profile."""
    return _Writer().whole()


class _Writer:
    """One schema in the making: what stands in several places becomes a definition."""

    def __init__(self) -> None:
        self._uses: Counter[int] = Counter()
        self._count(PROFILE)
        self._names: dict[int, str] = {}
        self._definitions: dict[str, Schema] = {}

    def whole(self) -> Schema:
        body = self._object(PROFILE)
        required = [name for name in body.pop("required") if name != "meshctl"]
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "meshctl profile",
            "description": "One file is one proxy. `meshctl explain KEY` tells more of each key.",
            **body,
            "required": ["meshctl"],
            "anyOf": [{"required": required}, {"required": ["include"]}],
            "$defs": self._definitions,
        }

    def _count(self, kind: t.Type | None) -> None:
        if isinstance(kind, t.Object):
            self._uses[id(kind)] += 1
            if self._uses[id(kind)] == 1:
                for key in kind.keys.values():
                    self._count(key.type)
        elif isinstance(kind, t.ByShape):
            for inner in (kind.scalar, kind.listing, kind.mapping):
                self._count(inner)
        elif isinstance(kind, t.ListOf):
            self._count(kind.item)
        elif isinstance(kind, t.MapOf):
            self._count(kind.value)

    def _type(self, kind: t.Type, name: str) -> Schema:
        if isinstance(kind, t.Object):
            return self._object(kind) if self._uses[id(kind)] < 2 else self._shared(kind, name)
        if isinstance(kind, t.ListOf):
            listing: Schema = {"type": "array", "items": self._type(kind.item, name)}
            return {**listing, "minItems": kind.low} if kind.low else listing
        if isinstance(kind, t.MapOf):
            mapping: Schema = {
                "type": "object",
                "propertyNames": self._type(kind.key, name),
                "additionalProperties": self._type(kind.value, name),
            }
            return {**mapping, "minProperties": kind.low} if kind.low else mapping
        if isinstance(kind, t.ByShape):
            return self._by_shape(kind, name)
        return {"anyOf": [*_LEAVES[type(kind)](kind), _SUBSTITUTION]}

    def _by_shape(self, kind: t.ByShape, name: str) -> Schema:
        result: Schema = {"not": {}} if kind.scalar is None else self._type(kind.scalar, name)
        for shape, inner in (("array", kind.listing), ("object", kind.mapping)):
            if inner is not None:
                result = {"if": {"type": shape}, "then": self._type(inner, name), "else": result}
        return result

    def _shared(self, kind: t.Object, name: str) -> Schema:
        known = self._names.get(id(kind))
        if known is None:
            known = name
            while known in self._definitions:
                known += "_"
            self._names[id(kind)] = known
            self._definitions[known] = {}
            self._definitions[known] = self._object(kind)
        return {"$ref": f"#/$defs/{known}"}

    def _object(self, kind: t.Object) -> Schema:
        properties: Schema = {}
        for name, key in kind.keys.items():
            properties[name] = {**self._type(key.type, name), "description": key.doc}
            if key.default is not None:
                properties[name]["default"] = key.default
        result: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        required = [name for name, key in kind.keys.items() if key.required]
        if required:
            result["required"] = required
        groups: list[Schema] = [
            {"not": {"required": [one, other]}}
            for group in kind.exclusive
            for index, one in enumerate(group)
            for other in group[index + 1 :]
        ]
        groups += [{"oneOf": [{"required": [name]} for name in group]} for group in kind.one_of]
        if groups:
            result["allOf"] = groups
        return result


def _pattern(*patterns: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{'|'.join(patterns)})$"}


def _words(words: tuple[str, ...]) -> Schema:
    """Give the words as text, and as what YAML makes of those that look like something else."""
    native: list[Any] = []
    for word in words:
        if word in ("true", "false"):
            native.append(word == "true")
        elif word.replace(".", "", 1).isdigit():
            native.append(float(word) if "." in word else int(word))
    return {"enum": [*words, *native]}


def _duration(kind: t.Duration) -> list[Schema]:
    written = r"(?=.)(?:\d{1,9}h)?(?:\d{1,9}m(?!s))?(?:\d{1,9}s)?(?:\d{1,12}ms)?"
    return [{"const": 0}, _pattern("0", written)] if kind.zero else [_pattern(_NOT_ZERO + written)]


def _size(kind: t.Size) -> list[Schema]:
    written = _pattern(
        _NOT_ZERO + r"\d{1,16}(?:[KMG]iB|[KMG]?B)", *(() if kind.low else ("0", r"0+(?:[KMG]i?)?B"))
    )
    return [written] if kind.low else [{"const": 0}, written]


def _integer(kind: t.Integer) -> list[Schema]:
    bounds = {"type": "integer", "minimum": kind.low, "maximum": kind.high}
    return [bounds, _pattern(r"0|[1-9]\d{0,14}", *kind.words)]


def _status(kind: t.Status) -> list[Schema]:
    digits = f"[{kind.low // 100}-{kind.high // 100}]" + r"\d\d"
    return [{"type": "integer", "minimum": kind.low, "maximum": kind.high}, _pattern(digits)]


def _statuses(kind: t.Statuses) -> list[Schema]:
    return [
        {"type": "integer", "minimum": 100, "maximum": 599},
        _pattern(r"[1-5]\d\d(?:-[1-5]\d\d)?", "[1-5]xx", *kind.words),
    ]


def _name(kind: t.Name) -> list[Schema]:
    if kind.variable:
        return [_pattern("[A-Za-z_][A-Za-z0-9_]{0,127}")]
    return [{"type": "integer", "minimum": 0}, _pattern("[a-z0-9][a-z0-9-]{0,62}")]


def _text(kind: t.Text) -> list[Schema]:
    scalar: Schema = {"type": ["string", "number", "boolean"]}
    return [scalar, {"type": "null"}] if kind.empty else [{**scalar, "minLength": 1}]


def _host(kind: t.Host) -> list[Schema]:
    wild = r"(?:\*\.)?" if kind.wildcard else ""
    port = rf"(?::{_PORT})?" if kind.port else ""
    return [{"type": "number"}, _pattern(f"{wild}{_HOST}{port}")]


def _address(kind: t.AddressOf) -> list[Schema]:
    host = rf"{_HOST}?:{_PORT}" if kind.bind else rf"{_HOST}:{_PORT}"
    spelled = {"tcp": host, "unix": "unix:.+", "fd": "fd:.+", "dns": rf"dns:{_HOST}:{_PORT}"}
    return [_pattern(*(spelled[name] for name in kind.kinds))]


_LEAVES: Final[dict[type, Callable[[Any], list[Schema]]]] = {
    t.Boolean: lambda _: [_words(("true", "false"))],
    t.Integer: _integer,
    t.Duration: _duration,
    t.Size: _size,
    t.Rate: lambda kind: [_pattern(("" if kind.zero else _NOT_ZERO) + r"\d{1,9}/[smh]")],
    t.Share: lambda _: [_pattern(r"100(?:\.0{1,6})?%", r"0?\d{1,2}(?:\.\d{1,6})?%")],
    t.Status: _status,
    t.Statuses: _statuses,
    t.Choice: lambda kind: [_words(kind.words)],
    t.Selector: lambda kind: [_pattern(*kind.words, *(f"{prefix}:{_TOKEN}" for prefix in kind.prefixes))],
    t.Version: lambda _: [_words(("1",))],
    t.Name: _name,
    t.Text: _text,
    t.Target: lambda _: [
        {"type": ["string", "number"], "minLength": 1, "not": {"const": "true"}},
        {"const": False},
    ],
    t.Regex: lambda _: [{"type": ["string", "number", "boolean"], "maxLength": 1000}],
    t.Host: _host,
    t.UrlPath: lambda _: [_pattern("/[^?#]*")],
    t.Method: lambda _: [_pattern(r"(?!CONNECT$)[!#$%&'*+.^_`|~0-9A-Z-]{1,256}")],
    t.HeaderName: lambda _: [{"type": "number"}, _pattern(_TOKEN)],
    t.HeaderValue: lambda _: [
        {"type": ["number", "boolean"]},
        {"type": "string", "pattern": r"^(?![ \t])[^\x00-\x08\x0a-\x1f\x7f]*(?<![ \t])$"},
    ],
    t.Network: lambda _: [_pattern(r"[0-9A-Fa-f:.]+(?:/\d{1,3})?")],
    t.Url: lambda _: [_pattern(r"[Hh][Tt][Tt][Pp][Ss]?://[^/?#\s@]+(?:[/?#]\S*)?")],
    t.AddressOf: _address,
}
