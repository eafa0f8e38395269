"""Nodes to typed values by the schema, with every problem on the way told.

The walk goes on after a problem: what cannot be read is left out, the rest is checked all the same,
so that one run tells all there is to fix. Values keep the node that they come from, as later checks
must point at something. No value is ever guessed; a correction is only proposed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import schema_types as t
from .advice import for_key, for_list, for_map, for_value, meant
from .codes import TITLES
from .diagnostic import MAX_SHOWN, Diagnostics, Edit, Related, Span
from .nodes import Listing, Mapping, Node, Scalar, brief, shape
from .read_scalar import Unreadable, nearest, read_scalar, words
from .secrets import HIDDEN
from .source import replacement


@dataclass(slots=True)
class Value:
    """One value as read.

    ``data`` is a dict of Values for a map, a list of them for a list, else what the type gives.
    ``type`` is the type that fitted; ``key`` the key that it stands under, if any.
    """

    data: Any
    type: t.Type
    node: Node
    path: str
    key: Scalar | None = None

    @property
    def span(self) -> Span:
        """Where the value is written."""
        return self.node.span

    @property
    def head(self) -> Span:
        """Where its key is written, or its own beginning if it has none."""
        return self.key.span if self.key is not None else self.node.span

    @property
    def shown(self) -> str:
        """The value as written, fit for a message."""
        return shown(self.node)

    def find(self, *steps: str) -> Value | None:
        """Give the value below these keys, or None where one of them is missing."""
        here: Value | None = self
        for step in steps:
            if here is None or not isinstance(here.data, dict):
                return None
            here = here.data.get(step)
        return here

    def get(self, *steps: str) -> Any:
        """Give the data below these keys, or None where one of them is missing."""
        found = self.find(*steps)
        return None if found is None else found.data

    def known(self, *steps: str) -> Any:
        """Give the data below these keys, else the key's default; None where it stands but was not read."""
        here: Value | None = self
        kind: t.Type | None = self.type
        for step in steps:
            if here is not None and not isinstance(here.data, dict):
                return None
            if not isinstance(kind, t.Object):
                return None
            key = kind.keys[step]
            kind = key.type.mapping if isinstance(key.type, t.ByShape) else key.type
            if here is not None:
                unread = here.has(step)
                here = here.data.get(step)
                if here is None and unread:
                    return None
        if here is not None:
            return here.data
        return (
            read_scalar(kind, key.default) if isinstance(kind, t.Leaf) and key.default is not None else None
        )

    def has(self, name: str) -> bool:
        """Whether a map has this key, even where what stands there could not be read."""
        written = isinstance(self.node, Mapping) and self.node.get(name) is not None
        return written or (isinstance(self.data, dict) and name in self.data)

    def items(self) -> Iterator[tuple[str, Value]]:
        """Give the entries of a map; none if it is something else."""
        if isinstance(self.data, dict):
            yield from self.data.items()

    def values(self) -> Iterator[Value]:
        """Give the entries of a list; none if it is something else."""
        if isinstance(self.data, list):
            yield from self.data


def shown(node: Node) -> str:
    """Give a node as a message shows it: as written, on one line, shortened."""
    if not isinstance(node, Scalar):
        return shape(node)
    if node.secret:
        return HIDDEN
    text = " ".join(node.written.split())
    if not text:
        return '""'
    return text if len(text) <= 60 else f"{text[:57]}..."


def owner(path: str) -> str:
    """Name what a path is inside of: ``upstream `app` ``, ``route `pay` ``, or the key above."""
    parts = path.split(".")
    kind = {"upstreams": "upstream", "routes": "route", "listeners": "listener"}.get(parts[0])
    if kind and len(parts) > 1:
        return f"{kind} `{parts[1]}`"
    if parts[0].startswith("routes["):
        return f"`{parts[0]}`"
    return f"`{path}`" if path else "the profile"


MAX_EXPRESSIONS = 256 * 1024
"""Characters of all regular expressions of a profile together: each is parsed several times."""


class Reader:
    """One walk over one tree."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        self._diagnostics = diagnostics
        self._top: frozenset[str] = frozenset()
        self._expressions = 0

    def read(self, kind: t.Type, node: Node, path: str = "", key: Scalar | None = None) -> Value | None:
        """Give the value of ``node`` as this type; None after a problem, which has been told."""
        if isinstance(kind, t.ByShape):
            return self._by_shape(kind, node, path, key)
        if isinstance(kind, t.Object):
            return self._object(kind, node, path, key)
        if isinstance(kind, t.MapOf):
            return self._map(kind, node, path, key)
        if isinstance(kind, t.ListOf):
            return self._list(kind, node, path, key)
        if not isinstance(node, Scalar):
            self._shape("a single value", node, path, key)
            return None
        return self._scalar(kind, node, path, key)

    def _by_shape(self, kind: t.ByShape, node: Node, path: str, key: Scalar | None) -> Value | None:
        found = (
            kind.mapping
            if isinstance(node, Mapping)
            else kind.listing
            if isinstance(node, Listing)
            else kind.scalar
        )
        if found is not None:
            return self.read(found, node, path, key)
        pairs = (("a single value", kind.scalar), ("a list", kind.listing), ("a map", kind.mapping))
        self._shape(words(tuple(name for name, given in pairs if given is not None)), node, path, key)
        return None

    def _shape(
        self, expected: str, node: Node, path: str, key: Scalar | None, keys: tuple[str, ...] = ()
    ) -> None:
        name = _below("", key) if key is not None else path
        if isinstance(node, Scalar) and node.empty:
            span = key.span if key is not None else node.span
            self._diagnostics.error(
                "MC208",
                f"`{name}` has no value",
                span,
                help=f"write {expected}, or leave the key out",
                path=path,
            )
            return
        message = f"`{name}` must be {expected}, but is {shape(node)}"
        text = ""
        if expected == "a list":
            advice, text = for_list(node)
        else:
            advice = for_map(node, keys) if expected == "a map" else ""
        if name in self._top and path.count(".") == 1:
            above = path.partition(".")[0]
            advice = f"if it is not an entry of `{above}`, indent it as far as `{above}` is"
        fix = (Edit(node.span, text),) if text else ()
        self._diagnostics.error("MC201", message, node.span, help=advice, fix=fix, path=path)

    def _scalar(self, kind: t.Leaf, node: Scalar, path: str, key: Scalar | None) -> Value | None:
        if node.failed or node.unknown:
            return None
        text = node.value
        if node.empty:
            if not (isinstance(kind, t.Text) and kind.empty):
                self._shape("a value", node, path, key)
                return None
            text = ""
        try:
            if isinstance(kind, t.Regex):
                self._expressions += len(text)
                if self._expressions > MAX_EXPRESSIONS:
                    problem = f"is one too many: all together may have {MAX_EXPRESSIONS // 1024} KiB"
                    raise Unreadable("MC311", problem)
            return Value(read_scalar(kind, text), kind, node, path, key)
        except Unreadable as problem:
            self._unreadable(problem, node, path)
            return None

    def _unreadable(self, problem: Unreadable, node: Scalar, path: str) -> None:
        if node.foreign:
            title = TITLES[problem.code]
            what = "this value, which is not shown," if node.secret else f"what `{shown(node)}` stands for"
            message = f"{what} does not fit here: {title[0].lower()}{title[1:]}"
            advice = "look at what it is set to; ${NAME:-fallback} also stands in for an empty value"
            self._diagnostics.error(problem.code, message, node.span, help=advice, path=path)
            return
        instead = problem.instead
        advice = f"write {' or '.join(f'`{choice}`' for choice in instead)}" if instead else ""
        if "${" in node.written:
            advice = for_key(node.written)
        advice = advice or for_value(node)
        fix = replacement(node, instead[0]) if len(instead) == 1 else ()
        message = f"`{shown(node)}` {problem.problem}"
        self._diagnostics.error(problem.code, message, node.span, help=advice, fix=fix, path=path)

    def _list(self, kind: t.ListOf, node: Node, path: str, key: Scalar | None) -> Value | None:
        if not isinstance(node, Listing):
            self._shape("a list", node, path, key)
            return None
        if len(node.items) < kind.low:
            self._too_few(node, path, key, "entry")
        items = []
        for index, item in enumerate(node.items):
            step = f"{path}[{index}]"
            if kind.named and isinstance(item, Mapping):
                name = item.get("name")
                if isinstance(name, Scalar) and name.value and not name.foreign:
                    step = _below(path, name)
            value = self.read(kind.item, item, step)
            if value is not None:
                items.append(value)
        return Value(items, kind, node, path, key)

    def _map(self, kind: t.MapOf, node: Node, path: str, key: Scalar | None) -> Value | None:
        if not isinstance(node, Mapping):
            self._shape("a map", node, path, key)
            return None
        if len(node.entries) < kind.low:
            self._too_few(node, path, key, kind.entry or "entry")
        entries: dict[str, Value] = {}
        for name, child in node.entries:
            step = _below(path, name)
            read_name = self._scalar(kind.key, name, step, None) if isinstance(kind.key, t.Leaf) else None
            value = self.read(kind.value, child, step, name)
            if read_name is None or value is None:
                continue
            if read_name.data in entries:
                first = entries[read_name.data].head
                self._diagnostics.error(
                    "MC112",
                    f"`{shown(name)}` is the same {kind.entry or 'entry'} as one above",
                    name.span,
                    label="again",
                    related=(Related("first here", first),),
                    path=step,
                )
                continue
            entries[read_name.data] = value
        return Value(entries, kind, node, path, key)

    def _too_few(self, node: Node, path: str, key: Scalar | None, entry: str) -> None:
        name = _below("", key) if key is not None else path
        self._diagnostics.error(
            "MC207", f"`{name}` is empty, but needs at least one {entry}", node.span, path=path
        )

    def _object(self, kind: t.Object, node: Node, path: str, key: Scalar | None) -> Value | None:
        if not path:
            self._top = frozenset(kind.keys)
        if not isinstance(node, Mapping):
            self._shape("a map", node, path, key, tuple(kind.keys))
            return None
        fields: dict[str, Value] = {}
        written = {name.value for name, _ in node.entries}
        absent = [known for known in kind.keys if known not in written]
        misspelt = set()
        for name, child in node.entries:
            declared = kind.keys.get(name.value)
            step = _below(path, name)
            if declared is None:
                misspelt.add(self._unknown(kind, name, path, absent))
                continue
            value = self.read(declared.type, child, step, name)
            if value is not None:
                fields[name.value] = value
        self._presence(kind, node, path, key, misspelt)
        return Value(fields, kind, node, path, key)

    def _unknown(self, kind: t.Object, name: Scalar, path: str, absent: list[str]) -> str | None:
        """Tell of a key that there is not; gives the one that was probably meant."""
        if self._diagnostics.full:
            self._diagnostics.errors += 1
            return None
        last = path.rsplit(".", maxsplit=1)[-1].split("[", maxsplit=1)[0] if path else ""
        flood = len(self._diagnostics) > MAX_SHOWN  # nobody will read the advice
        below = [k for k, declared in kind.keys.items() if name.value in _inner_keys(declared.type)]
        close = None if flood or len(below) == 1 else nearest(name.value, absent)
        fix: tuple[Edit, ...] = ()
        advice = "" if name.secret else for_key(name.value)
        if advice:
            close = meant(name.value)
        elif close is not None:
            advice = f"did you mean `{close}`?"
            fix = (Edit(name.span, close),)
        elif len(below) == 1:
            advice = f"`{name.value}` belongs under `{below[0]}`"
        else:
            advice = f"the keys here are {', '.join(f'`{known}`' for known in kind.keys)}"
        self._diagnostics.error(
            "MC203",
            f"unknown key `{shown(name)}` in {owner(path)}",
            name.span,
            label=f"not a key of `{last}`" if last else "not a key of a profile",
            help=advice,
            fix=fix,
            path=_below(path, name),
        )
        return close

    def _presence(
        self, kind: t.Object, node: Mapping, path: str, key: Scalar | None, misspelt: set[str | None]
    ) -> None:
        """Tell of keys that are missing, unless misspelt, and of keys that exclude each other."""
        present = {name.value: name for name, _ in node.entries if name.value in kind.keys}
        span = key.span if key is not None else _first_line(node.span)
        for name, declared in kind.keys.items():
            if declared.required and name not in present and name not in misspelt:
                step = f"{path}.{name}" if path else name
                message = f"{_place(path)} has no `{name}`, which is required"
                advice = f"add `{name}`: {declared.doc[0].lower()}{declared.doc[1:].rstrip('.')}"
                self._diagnostics.error("MC202", message, span, help=advice, path=step)
        for group in (*kind.exclusive, *kind.one_of):
            written = [name for name in present if name in group]
            for other in written[1:]:
                first = present[written[0]]
                self._diagnostics.error(
                    "MC206",
                    f"`{other}` and `{written[0]}` exclude each other in {_place(path)}",
                    present[other].span,
                    help=f"keep one of {words(tuple(f'`{name}`' for name in group))}",
                    related=(Related("the other is here", first.span),),
                    path=f"{path}.{other}",
                )
            if not written and group in kind.one_of and not misspelt & set(group):
                choices = words(tuple(f"`{name}`" for name in group))
                self._diagnostics.error("MC202", f"{_place(path)} needs one of {choices}", span, path=path)


def _below(path: str, name: Scalar) -> str:
    """Give the path of a key in the map at ``path``; a key that holds a secret is not shown."""
    step = HIDDEN if name.secret else brief(name.value)
    return f"{path}.{step}" if path else step


def _place(path: str) -> str:
    """Name the map at a path: itself if it has a name of its own, else its key and its owner."""
    inside = owner(path)
    parts = path.split(".")
    return inside if len(parts) < 3 else f"`{parts[-1]}` of {inside}"


def _first_line(span: Span) -> Span:
    return (
        span
        if span.line == span.end_line
        else Span(span.file, span.line, span.column, span.line, span.column + 1)
    )


def _inner_keys(kind: t.Type) -> tuple[str, ...]:
    """Give the keys one level down, if there are fixed ones."""
    inner = kind.mapping if isinstance(kind, t.ByShape) else kind
    return tuple(inner.keys) if isinstance(inner, t.Object) else ()
