"""YAML text to nodes, by our own loop over the parser's events: the only door to ``yaml``.

PyYAML's composer is not used. It recurses once per bracket (half a million of them end the
process inside the C library), keeps the last of two equal keys without a word, guesses types, and
words its errors differently from loader to loader. The events below it carry none of that: text,
and where it stands. So the loop here holds its own stack, and refuses before it builds:

    more than 1 MiB, or no UTF-8, or a control character     before the parser sees it
    nesting over 32, a tag, a second document, a merge key   at the event
    over 100 alias expansions, or 50,000 nodes by aliases    at the alias, counting what it contains

An alias shares the node that it names, and costs as much as writing it out would; so counting
what it contains is what stops ten lines from unfolding into a billion nodes.

The C parser is used where PyYAML has one, for its speed, and the pure one is the authority: a text
with any problem is parsed again by the pure one, and text with one of the few things that only the
C parser lets pass (a tab or `?` between tokens, a comment glued to a block mark) goes there at once.
So a profile means the same everywhere. Only files so large that the pure one would take seconds are
left to the C parser alone, whatever is wrong with them. Why a text is refused is worked out from the text
(``traps``), as neither parser points at the mistake.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from .diagnostic import Diagnostics, Edit, Related, Span
from .nodes import Listing, Mapping, Node, Scalar
from .traps import explain

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_ALIASES = 100
MAX_ALIASED_NODES = 50_000
MAX_SLOW = 96 * 1024
"""Characters that the pure parser reads within a second."""

_BAD_CHARACTER = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)

PARSERS: tuple[Any, ...] = tuple(
    loader for loader in (getattr(yaml, "CLoader", None), yaml.Loader) if loader is not None
)
"""The loaders whose ``parse`` events may be used, the preferred first; the last is the authority."""

_AUTHORITY: Any = yaml.Loader
_DISPUTED = re.compile(r"\t|\?|[|>][-+0-9]*#")


class _Refused(Exception):
    """Parsing cannot go on; the reason has been told."""


@dataclass(slots=True)
class _Frame:
    """A collection that is still open, and what is known about it so far."""

    node: Mapping | Listing
    anchor: str | None
    key: Scalar | None = None
    seen: dict[str, Scalar] = field(default_factory=dict)
    nodes: int = 1
    aliases: int = 0
    height: int = 1


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A finished node that aliases may name, with what each of them costs."""

    node: Node
    nodes: int
    aliases: int
    height: int


def parse(data: bytes, file: str, diagnostics: Diagnostics, loader: Any = None) -> Node | None:
    """Give the tree of one file, or None when ``diagnostics`` say why there is none.

    ``file`` is the name shown; ``loader`` is one of PARSERS, the first if left out. Duplicate keys
    are told without ending the parse: the first value is kept.
    """
    text = decode(data, file, diagnostics)
    if text is None:
        return None
    quick = loader or PARSERS[0]
    large = len(text) > MAX_SLOW
    if quick is not _AUTHORITY and (large or not _DISPUTED.search(text)):
        unheard = Diagnostics()
        node = _Builder(text, file, unheard).build(quick)
        if large:
            diagnostics.take(unheard)
        if large or not unheard:
            return node
    return _Builder(text, file, diagnostics).build(_AUTHORITY)


def decode(data: bytes, file: str, diagnostics: Diagnostics) -> str | None:
    """Give the text of a file with ``\\n`` line ends, or None when it is not fit to be parsed."""
    diagnostics.add_source(file, "")
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data)} bytes, and at most {MAX_BYTES} (1 MiB) are read"
        diagnostics.error("MC117", message, Span(file), help="split it up with `include`")
        return None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:2]:
        diagnostics.error("MC101", "the file is UTF-16 or UTF-32", Span(file), help="save it as UTF-8")
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        before = data[data.rfind(b"\n", 0, problem.start) + 1 : problem.start].decode()
        column = len(before.removeprefix("\ufeff") if line == 1 else before) + 1
        message = f"byte 0x{data[problem.start]:02x} is not UTF-8"
        diagnostics.error(
            "MC101", message, Span(file, line, column, line, column + 1), help="save the file as UTF-8"
        )
        return None
    if text.startswith("\ufeff"):
        text = text[1:]
        diagnostics.warning(
            "MC103", "the file begins with a byte order mark", Span(file), help="save it as UTF-8 without one"
        )
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
        diagnostics.warning("MC104", "lines end in CR LF", Span(file), help="save the file with LF line ends")
    if not text.endswith("\n"):
        text += "\n"
    diagnostics.add_source(file, text)
    bad = _BAD_CHARACTER.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - text.rfind("\n", 0, bad.start())
        span = Span(file, line, column, line, column + 1)
        advice = "remove it; inside double quotes it can be written as an escape, such as \\u2028 or \\x07"
        diagnostics.error(
            "MC102", f"the character U+{ord(bad[0]):04X} cannot stand in a profile", span, help=advice
        )
        return None
    return text


class _Builder:
    """One run over the events of one file."""

    def __init__(self, text: str, file: str, diagnostics: Diagnostics) -> None:
        self._text = text
        self._file = file
        self._diagnostics = diagnostics
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored | None] = {}
        self._aliases = 0
        self._aliased_nodes = 0
        self._root: Node | None = None

    def build(self, loader: Any) -> Node | None:
        documents = 0
        try:
            for event in yaml.parse(self._text, Loader=loader):
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._refuse(
                            "MC114", "a second document begins here", event, help="one file is one profile"
                        )
                else:
                    self._take(event)
        except (yaml.YAMLError, ValueError, OverflowError) as problem:  # the latter two: "\\U00110000"
            marks = (getattr(problem, "problem_mark", None), getattr(problem, "context_mark", None))
            nested = "maximum nesting" in str(getattr(problem, "problem", ""))
            if nested:  # libyaml counts, too, and looks ahead
                where = marks[0]
                span = Span(self._file, *([where.line + 1, where.column + 1] * 2 if where else ()))
                self._diagnostics.error("MC116", f"nested more than {MAX_DEPTH} deep", span)
                return None
            opened = next((f.node.span for f in reversed(self._stack) if self._at(f.node.span) in "[{"), None)
            self._diagnostics.add(explain(self._text, self._file, marks, opened))
            return None
        except _Refused:
            return None
        root = self._root
        if root is None or (isinstance(root, Scalar) and root.empty):
            self._diagnostics.error(
                "MC118", "the file says nothing", Span(self._file), help="begin with `meshctl: 1`"
            )
            return None
        return root

    def _at(self, span: Span) -> str:
        lines = self._text.split("\n")
        return lines[span.line - 1][span.column - 1 : span.column] or " "

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            self._check_tag(event)
            scalar = self._scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = _Anchored(scalar, 1, 0, 0)
            if self._stack:
                self._stack[-1].nodes += 1
            self._put(scalar, event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._check_tag(event)
            if len(self._stack) >= MAX_DEPTH:
                self._refuse("MC116", f"nested more than {MAX_DEPTH} deep", event)
            node = (Mapping if isinstance(event, yaml.MappingStartEvent) else Listing)(self._span(event))
            if event.anchor:
                self._anchors[event.anchor] = None
            self._stack.append(_Frame(node, event.anchor))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close(event)

    def _close(self, event: Any) -> None:
        frame = self._stack.pop()
        start = frame.node.span
        end = event.end_mark
        frame.node.span = Span(self._file, start.line, start.column, end.line + 1, end.column + 1)
        if frame.anchor:
            self._anchors[frame.anchor] = _Anchored(frame.node, frame.nodes, frame.aliases, frame.height)
        if self._stack:
            above = self._stack[-1]
            above.nodes += frame.nodes
            above.aliases += frame.aliases
            above.height = max(above.height, frame.height + 1)
        self._put(frame.node, event)

    def _alias(self, event: Any) -> None:
        known = self._anchors.get(event.anchor)
        if known is None:
            if event.anchor in self._anchors:
                self._refuse("MC115", f"the alias `*{event.anchor}` contains itself", event)
            advice = f'if the text itself begins with *, quote it: "*{event.anchor}"'
            self._refuse("MC115", f"the alias `*{event.anchor}` has no anchor above it", event, help=advice)
            return
        self._aliases += 1 + known.aliases
        self._aliased_nodes += known.nodes
        if self._aliases > MAX_ALIASES or self._aliased_nodes > MAX_ALIASED_NODES:
            self._refuse("MC115", f"aliases expand to more than {MAX_ALIASES} copies", event)
        if len(self._stack) + known.height > MAX_DEPTH:
            self._refuse("MC116", f"nested more than {MAX_DEPTH} deep", event)
        if self._stack:
            frame = self._stack[-1]
            frame.nodes += known.nodes
            frame.aliases += 1 + known.aliases
            frame.height = max(frame.height, known.height + 1)
        self._put(known.node, event)

    def _put(self, node: Node, event: Any) -> None:
        """Hand a finished node to the collection it stands in."""
        if not self._stack:
            self._root = node
            return
        frame = self._stack[-1]
        if isinstance(frame.node, Listing):
            frame.node.items.append(node)
        elif frame.key is None:
            self._key(frame, node, event)
        else:
            key, frame.key = frame.key, None
            if frame.seen.setdefault(key.value, key) is key:
                frame.node.entries.append((key, node))
            else:
                self._duplicate(key, frame.seen[key.value])

    def _key(self, frame: _Frame, node: Node, event: Any) -> None:
        if not isinstance(node, Scalar):
            self._diagnostics.error("MC120", "a key must be plain text, not a list or map", node.span)
            raise _Refused
        if node.plain and node.value == "<<":
            advice = "write the keys out, or put what is common under `defaults`"
            self._refuse("MC119", "merge keys (<<) are not read", event, help=advice)
        frame.key = node

    def _duplicate(self, key: Scalar, first: Scalar) -> None:
        self._diagnostics.error(
            "MC112",
            f"the key `{key.value}` stands twice in one map",
            key.span,
            label="again",
            help="keep one of them",
            related=(Related("first here", first.span),),
        )

    def _scalar(self, event: Any) -> Scalar:
        plain = event.style is None or event.style == ""
        start, end = event.start_mark, event.end_mark
        if not event.value.isascii() and any(0xD800 <= ord(c) < 0xE000 for c in event.value):
            advice = r"write the character itself, or one escape for the whole of it, such as \U0001F600"
            self._refuse("MC102", "an escape in this text gives half of a character", event, help=advice)
        written = event.value if plain else _slice(self._text, start, end)
        return Scalar(self._span(event), event.value, written, plain)

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        line = start.line + 1
        end_line = line if end.line == start.line else end.line + 1  # one object: there are many spans
        return Span(self._file, line, start.column + 1, end_line, end.column + 1)

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None:
            advice = "remove it; what a value means follows from its key"
            self._refuse("MC113", "YAML tags (!...) are not read", event, help=advice)

    def _refuse(self, code: str, message: str, event: Any, **more: Any) -> None:
        self._diagnostics.error(code, message, self._span(event), **more)
        raise _Refused


def _slice(text: str, start: Any, end: Any) -> str:
    """Give a quoted scalar as it stands in the file, without its quotes."""
    raw = re.sub(r"\A&\S+\s+", "", text[start.index : end.index].strip())
    return raw[1:-1] if len(raw) > 1 and raw[0] in "'\"" else raw


def replacement(scalar: Scalar, text: str) -> tuple[Edit, ...]:
    """Give the edit that writes ``text`` for a scalar, quoted when it needs to be."""
    return (Edit(scalar.span, quoted(text)),)


def quoted(text: str) -> str:
    """Give a text as it can stand in YAML, in quotes where it needs them."""
    return (
        text
        if re.fullmatch(r"[A-Za-z0-9./][A-Za-z0-9_./%:+-]*(?<!:)", text)
        else json.dumps(text, ensure_ascii=False)
    )
