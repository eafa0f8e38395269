"""What is wrong with a profile, where, what is allowed, and what to write instead.

All problems are told in one go, in the order of the file, in the file's own words. A diagnostic
is data: the same record renders as text with an excerpt for people, as JSON for machines, and
carries edits that an editor can apply. Nothing here knows a rule of the profile format.

Positions count from 1, in code points; ``end`` is exclusive. The text of every file read is kept
beside the diagnostics, as excerpts are cut from it: so what came in through a substitution is
never shown, only the `${...}` that asked for it. Control characters in anything shown become
escapes, lest a profile write to the operator's terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from appliance.model.address import Where

from .codes import TITLES
from .secrets import begins_secret, blanked, without_credentials

Severity = Literal["error", "warning"]

MAX_SHOWN = 50
"""Diagnostics printed before the rest is only counted: more teach nothing."""

MAX_KEPT = 5000
"""Diagnostics kept with what they say; of a file with more, the rest is only counted."""

_EXCERPT = 160
_NEAR = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_STYLES = {"error": "1;31", "warning": "1;33", "note": "1;36", "bold": "1", "gutter": "34"}


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one file; ``end_line`` and ``end_column`` point just behind it."""

    file: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1

    @property
    def where(self) -> Where:
        """The place where it begins."""
        return Where(self.file, self.line, self.column)


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace what stands in ``span`` by ``text``."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that belongs to a problem, and what it has to do with it."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem. ``label`` stands under the excerpt; ``path`` is the key, dotted."""

    code: str
    severity: Severity
    message: str
    span: Span
    label: str = ""
    help: str = ""
    related: tuple[Related, ...] = ()
    fix: tuple[Edit, ...] = ()
    path: str = ""

    @property
    def title(self) -> str:
        """What this code is about, for lists."""
        return TITLES[self.code]


class Diagnostics:
    """The problems of one profile with the text they point into; iterates in file order.

    ``errors`` make the profile unusable, ``warnings`` do not; both are counts.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, Span, str], Diagnostic] = {}
        self._lines: dict[str, list[str]] = {}
        self._order: dict[str, int] = {}
        self.errors = 0
        self.warnings = 0
        self._parsed: set[str] = set()
        self._hidden: dict[str, list[Span]] = {}

    def add_source(self, file: str, text: str) -> None:
        """Keep the text of a file, from which excerpts are cut; files are shown in this order."""
        self._order.setdefault(file, len(self._order))
        self._lines[file] = text.split("\n")

    def parsed(self, file: str) -> None:
        """Note that the secrets of a file are known by ``hide``, so that none need be guessed at."""
        self._parsed.add(file)

    def hide(self, span: Span) -> None:
        """Blank what stands there in every excerpt."""
        self._hidden.setdefault(span.file, []).append(span)

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a problem, once, however often an alias leads to it."""
        message = without_credentials(diagnostic.message)
        key = (diagnostic.code, diagnostic.span, message)
        if key in self._found:
            return
        if len(self._found) < MAX_KEPT:
            self._found[key] = replace(
                diagnostic,
                message=message,
                help=without_credentials(diagnostic.help),
                path=without_credentials(diagnostic.path),
                fix=tuple(edit for edit in diagnostic.fix if edit.text == without_credentials(edit.text)),
            )
        self.errors += diagnostic.severity == "error"
        self.warnings += diagnostic.severity == "warning"

    def take(self, others: Diagnostics) -> None:
        """Keep what others have found in the same files, and count what they only counted."""
        errors, warnings = self.errors, self.warnings
        for each in others:
            self.add(each)
        self.errors = errors + others.errors
        self.warnings = warnings + others.warnings

    @property
    def full(self) -> bool:
        """Whether what is added from now on is only counted."""
        return len(self._found) >= MAX_KEPT

    def error(self, code: str, message: str, span: Span, **more: Any) -> None:
        """Keep a problem that makes the profile unusable; ``more`` are fields of Diagnostic."""
        self.add(Diagnostic(code, "error", message, span, **more))

    def warning(self, code: str, message: str, span: Span, **more: Any) -> None:
        """Keep a problem with which the profile still works; ``more`` are fields of Diagnostic."""
        self.add(Diagnostic(code, "warning", message, span, **more))

    def __iter__(self) -> Iterator[Diagnostic]:
        def position(d: Diagnostic) -> tuple[int, Span, str]:
            return self._order.get(d.span.file, len(self._order)), d.span, d.code

        return iter(sorted(self._found.values(), key=position))

    def __len__(self) -> int:
        return self.errors + self.warnings

    def render(self, colour: bool = False) -> str:
        """Render all for people, each followed by an empty line; empty if there is nothing to say."""
        shown = list(self)[:MAX_SHOWN]
        width = max([3, *(len(str(s.line)) for d in shown for s in (d.span, *(r.span for r in d.related)))])
        blocks = [self._block(d, width, _Paint(colour)) for d in shown]
        if len(self) > MAX_SHOWN:
            blocks.append(f"... and {len(self) - MAX_SHOWN} more\n")
        return "".join(f"{block}\n" for block in blocks)

    def _block(self, d: Diagnostic, width: int, paint: _Paint) -> str:
        bar = " " * width + " |"
        lines = [
            paint(f"{d.severity}[{d.code}]", d.severity) + paint(f": {printable(d.message)}", "bold"),
            paint(" " * (width - 1) + "-->", "gutter") + f" {printable(str(d.span.where))}",
        ]
        excerpt = self._excerpt(d.span, d.label, "^", width, (paint, d.severity))
        if excerpt:
            lines += [paint(bar, "gutter"), *excerpt]
        for other in d.related:
            lines.append(paint(" " * width + ":::", "gutter") + f" {printable(str(other.span.where))}")
            lines += self._excerpt(other.span, other.message, "-", width, (paint, "note"))
        if d.help:
            lines.append(
                paint(" " * width + " =", "gutter") + f" {paint('help', 'bold')}: {printable(d.help)}"
            )
        return "".join(f"{line}\n" for line in lines)

    def _excerpt(self, span: Span, label: str, mark: str, width: int, style: tuple[_Paint, str]) -> list[str]:
        lines = self._lines.get(span.file)
        if lines is None or not 1 <= span.line <= len(lines):
            return []
        paint, colour = style
        if not lines[span.line - 1].strip():
            return []
        text = lines[span.line - 1].rstrip()
        start = min(span.column - 1, len(text))
        end = span.end_column - 1 if span.end_line == span.line else len(text)
        end = max(min(end, len(text)), start + 1)
        skip = max(0, start - _EXCERPT // 2)
        text = self._without_secrets(span.file, span.line, text, (skip, skip + _EXCERPT))
        lead = "..." if skip else ""
        body = text[skip : skip + _EXCERPT] + ("..." if len(text) > skip + _EXCERPT else "")
        before = lead + text[skip:start]
        marks = max(1, _columns(text[start : min(end, skip + _EXCERPT)]))
        under = f"{mark * marks} {printable(label)}".rstrip()
        return [
            paint(f"{span.line:>{width}} |", "gutter") + f" {_one_line(lead + body)}".rstrip(),
            paint(f"{'':>{width}} |", "gutter") + f" {' ' * _columns(before)}{paint(under, colour)}",
        ]

    def _without_secrets(self, file: str, line: int, text: str, window: tuple[int, int]) -> str:
        """Give a line of a file with what must not be shown in the window blanked, its length kept."""
        if file not in self._parsed:
            text = blanked(text) if not self._below_a_secret(file, line) else re.sub(r"\S", "*", text)
        for span in self._hidden.get(file, ()):
            if span.line <= line <= span.end_line:
                start = span.column - 1 if line == span.line else 0
                end = span.end_column - 1 if line == span.end_line else len(text)
                if end <= window[0] or start >= window[1]:
                    continue
                text = text[:start] + re.sub(r"\S", "*", text[start:end]) + text[end:]
        return without_credentials(text)

    def _below_a_secret(self, file: str, line: int) -> bool:
        """Whether a line continues what a line above it, indented less, begins under a secret's name."""
        lines = self._lines[file]
        indent = len(lines[line - 1]) - len(lines[line - 1].lstrip())
        for above in reversed(lines[max(0, line - 1 - _NEAR) : line - 1]):
            if above.strip() and len(above) - len(above.lstrip()) < indent:
                return begins_secret(above)
        return False

    def as_json(self, profile: str) -> dict[str, Any]:
        """Give the document ``meshctl.validate/1``."""
        return {
            "schema": "meshctl.validate/1",
            "ok": not self.errors,
            "profile": profile,
            "summary": {"errors": self.errors, "warnings": self.warnings},
            "diagnostics": [_as_json(d) for d in self],
        }


def summary(errors: int, warnings: int) -> str:
    """Give ``2 errors, 1 warning``; a count of zero is left out unless both are."""
    parts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((errors, "error"), (warnings, "warning"))
        if count
    ]
    return ", ".join(parts) or "no errors"


def printable(text: str) -> str:
    """Give ``text`` with characters that could steer a terminal written as escapes."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


class _Paint:
    """Wraps text in an ANSI style, or leaves it alone."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._on else text


def _one_line(text: str) -> str:
    """Give an excerpt in which every character takes the columns that ``_columns`` counts."""
    return _CONTROL.sub(lambda found: " " if found[0] == "\t" else "?", text)


def _columns(text: str) -> int:
    """Count terminal columns: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _range_json(span: Span) -> dict[str, Any]:
    return {
        "start": {"line": span.line, "col": span.column},
        "end": {"line": span.end_line, "col": span.end_column},
    }


def _as_json(d: Diagnostic) -> dict[str, Any]:
    related: Sequence[dict[str, Any]] = [
        {"message": r.message, "file": r.span.file, "range": _range_json(r.span)} for r in d.related
    ]
    return {
        "code": d.code,
        "severity": d.severity,
        "message": d.message,
        "file": d.span.file,
        "range": _range_json(d.span),
        "path": d.path,
        "help": d.help,
        "fix": [{"range": _range_json(edit.span), "text": edit.text} for edit in d.fix],
        "related": related,
    }
