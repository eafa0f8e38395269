"""A profile as a tree of what was written: text, lists and maps, each knowing its place.

YAML would turn `on` into true and `12:01:03` into a number. Here a scalar stays the text it was,
and only the schema, which knows what is expected at that place, gives it a type.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .diagnostic import Span


@dataclass(slots=True)
class Scalar:
    """One piece of text.

    ``value`` is what it means after substitution, ``written`` what stands in the file, for
    messages. ``plain`` says that it was not quoted. ``foreign`` says that part of the value came
    from the environment or another file and must not be shown; ``secret`` that what is written must
    not be either. ``failed``: its substitution did, which has been told already. ``unknown``: what it
    stands for is not known here, and so nothing about it can be checked. ``asked`` is the value before
    anything was substituted in it, None where nothing was.
    """

    span: Span
    value: str
    written: str
    plain: bool = True
    foreign: bool = False
    secret: bool = False
    failed: bool = False
    unknown: bool = False
    asked: str | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing was written, or one of YAML's words for nothing."""
        return self.plain and self.value in ("", "~", "null", "Null", "NULL")


@dataclass(slots=True)
class Mapping:
    """Keys and values in written order; a key stands at most once."""

    span: Span
    entries: list[tuple[Scalar, Node]] = field(default_factory=list)

    def get(self, key: str) -> Node | None:
        """Give the value of a key, or None."""
        return next((value for name, value in self.entries if name.value == key), None)


@dataclass(slots=True)
class Listing:
    """Items in written order."""

    span: Span
    items: list[Node] = field(default_factory=list)


Node = Scalar | Mapping | Listing


def shape(node: Node) -> str:
    """Name the shape of a node for a message."""
    if isinstance(node, Scalar):
        return "nothing" if node.empty else "a single value"
    return "a map" if isinstance(node, Mapping) else "a list"


def brief(name: str) -> str:
    """Give a key as a path shows it; no key that means anything is longer."""
    return name if len(name) <= 80 else f"{name[:77]}..."
