"""What an editor with the JSON Schema makes of a profile: YAML 1.2 values, and the lines that it marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from appliance.config.nodes import Listing, Mapping, Node, Scalar


def core(text: str) -> Any:
    """Give what an unquoted scalar is by the core schema of YAML 1.2 (section 10.3.2)."""
    if re.fullmatch(r"|~|null|Null|NULL", text):
        return None
    if re.fullmatch(r"true|True|TRUE|false|False|FALSE", text):
        return text.lower() == "true"
    if re.fullmatch(r"[-+]?[0-9]+", text, re.ASCII):
        return int(text) if len(text) < 4000 else float("inf")
    if re.fullmatch(r"0o[0-7]+", text, re.ASCII):
        return int(text[2:], 8)
    if re.fullmatch(r"0x[0-9a-fA-F]+", text, re.ASCII):
        return int(text[2:], 16)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text, re.ASCII):
        return float(text)
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text):
        return float(text.replace(".", ""))
    return text


def keeps_spelling(text: str) -> bool:
    """Whether an unquoted scalar can be told from its value: not so `007`, `1e3`, `1.0` and `True`."""
    value = core(text)
    if isinstance(value, bool) or value is None:
        return text in ("true", "false", "", "null")
    return str(value) == text and not (isinstance(value, float) and value.is_integer())


def plain(node: Node) -> Any:
    """Give a tree as data."""
    if isinstance(node, Mapping):
        return {key.value: plain(value) for key, value in node.entries}
    if isinstance(node, Listing):
        return [plain(item) for item in node.items]
    return core(node.value) if node.plain else node.value


def _ecma(pattern: str) -> str:
    """Give a pattern with `$` as ECMAScript has it: the very end, not before a last line break."""
    return re.sub(r"\\.|\[[^]]*]|\$", lambda found: r"\Z" if found[0] == "$" else found[0], pattern)


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not re.search(_ecma(pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


Editor: Any = extend(Draft202012Validator, {"pattern": _pattern})


@dataclass(frozen=True)
class Mark:
    """One problem as an editor shows it: where, and what it says."""

    line: int
    column: int
    message: str


def marks(schema: dict[str, Any], tree: Node) -> list[Mark]:
    """Give what an editor marks in a tree."""
    return [mark for error in Editor(schema).iter_errors(plain(tree)) for mark in _marks(error, tree)]


def _marks(error: ValidationError, tree: Node) -> Iterator[Mark]:
    key: Scalar | None = None
    node = tree
    for step in error.absolute_path:
        if isinstance(node, Mapping):
            key, node = next((name, value) for name, value in node.entries if name.value == step)
        elif isinstance(node, Listing) and isinstance(step, int):
            key, node = None, node.items[step]
    places: list[Node] = [node]
    if isinstance(node, Mapping) and error.validator == "additionalProperties":
        places = [name for name, _ in node.entries if name.value not in error.schema["properties"]]
    elif isinstance(node, Mapping) and "propertyNames" in error.absolute_schema_path:
        places = [name for name, _ in node.entries if name.value == error.instance]
    elif key is not None and (error.validator in ("required", "anyOf", "not")):
        places = [key]
    advice = error.schema.get("errorMessage") if isinstance(error.schema, dict) else None
    for place in places:
        yield Mark(place.span.line, place.span.column, advice or error.message)
