"""What to write instead, where that follows from what is written: the `help` of many diagnostics.

Advice is given only where it would be right to follow it. Where two things may be meant, both are
named, or none.
"""

from __future__ import annotations

import re

from .nodes import Listing, Mapping, Node, Scalar
from .source import quoted

_VARIABLE = re.compile(r"(?<![$\w])\$([A-Za-z_]\w*)", re.ASCII)


def for_list(node: Node) -> tuple[str, str]:
    """Give the advice for what should be a list, and the list to put in its place or nothing."""
    if isinstance(node, Mapping):
        return "begin each entry with `- `", ""
    if not isinstance(node, Scalar) or node.foreign or "\n" in node.written:
        return "", ""
    text = f"[{quoted(node.written)}]"
    return f"write {text}", text if node.plain else ""


def for_map(node: Node, keys: tuple[str, ...]) -> str:
    """Give the advice for what should be a map, of these keys if they are fixed."""
    if keys:
        return f"its keys are {', '.join(f'`{each}`' for each in keys)}"
    return "give each entry a name: `NAME: ...`" if isinstance(node, Listing) else ""


def for_key(name: str) -> str:
    """Give what went wrong in writing a key, where that can be seen; else nothing."""
    odd = next((c for c in name if c != " " and (c.isspace() or c == "\u200b")), None)
    if odd is not None:
        return f"it contains U+{ord(odd):04X}, which looks like a space but is none; write a space"
    key, colon, value = name.partition(":")
    if colon and value and key.isidentifier():
        return f"write `{key}: {value}`, with a space behind the colon"
    if name.startswith("-"):
        return f"an item of a list begins with `- `: write `- {name.lstrip('-')}`"
    if "${" in name:
        return "keys are never substituted, only values"
    return ""


def meant(name: str) -> str:
    """Give the key in a word that ``for_key`` has advice for."""
    found = re.search(r"[A-Za-z_]\w*", name, re.ASCII)
    return found[0] if found else name


def for_value(node: Scalar) -> str:
    """Give the advice for a value that does not read as its type, where it looks like a substitution."""
    variable = _VARIABLE.search(node.value)
    return f"a variable is written ${{{variable[1]}}}" if variable and not node.secret else ""
