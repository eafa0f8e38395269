"""The secrets of a tree: marked, so that messages leave them out, and blanked in excerpts.

A scalar counts by the name that it stands under: the nearest key, or the one above it where the
key only says how to compare (`authorization: {prefix: ...}`). A value that is nothing but a
substitution without a fallback gives nothing away and stays readable.
"""

from __future__ import annotations

import re

from .diagnostic import Diagnostics
from .nodes import Listing, Mapping, Node, Scalar
from .secrets import is_secret_name

_COMPARES = frozenset({"exact", "prefix", "contains", "regex"})
_WORD = re.compile(r"[\w.-]+")
_SUBSTITUTION = re.compile(r"(?:\w+ )?\$\{(?:\w+(?::-|:\?[^{}]*)?|file:[^{}]*)\}")


def hide_secrets(tree: Node, diagnostics: Diagnostics) -> None:
    """Mark every secret of a tree that has not been substituted yet."""
    waiting: list[tuple[Mapping | Listing, bool]] = []
    seen: set[tuple[int, bool]] = set()

    def meet(node: Node, secret: bool) -> None:
        if not isinstance(node, Scalar):
            waiting.append((node, secret))
        elif secret and node.value and not node.empty and not _SUBSTITUTION.fullmatch(node.written):
            node.foreign = node.secret = True
            diagnostics.hide(node.span)

    meet(tree, False)
    while waiting:
        node, secret = waiting.pop()
        if (id(node), secret) in seen:
            continue
        seen.add((id(node), secret))
        if isinstance(node, Mapping):
            diagnostics.parsed(node.span.file)
            for key, value in node.entries:
                told = any(is_secret_name(word) for word in _WORD.findall(key.value))
                if (secret or told) and not _WORD.fullmatch(key.value):
                    meet(key, secret=True)  # no key at all, but a value that lost its colon
                meet(value, told or (secret and key.value in _COMPARES))
        else:
            for item in node.items:
                meet(item, secret)
