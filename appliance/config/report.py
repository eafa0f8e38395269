"""Diagnostics for machines: the JSON document, SARIF 2.1.0 for code scanning, GitHub's annotations.

All three are made from the same records as the text for people, and carry the same positions:
lines and columns from 1, in code points, the end exclusive. None carries an excerpt, so none can
carry more of a file than a message quotes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from appliance import __version__

from .codes import TITLES
from .diagnostic import Diagnostic, Edit, Span, printable
from .explain import explain_code

_SARIF: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def github(found: Iterable[Diagnostic]) -> str:
    """Give one workflow command for each problem, which GitHub shows beside the line."""
    lines = []
    for each in found:
        span = each.span
        place = {
            "file": span.file,
            "line": span.line,
            "col": span.column,
            "endLine": span.end_line,
            "endColumn": span.end_column,
            "title": each.code,
        }
        properties = ",".join(f"{name}={_property(str(value))}" for name, value in place.items())
        related = (f"{other.message}: {other.span.where}" for other in each.related)
        text = "%0A".join(_data(part) for part in (each.message, each.help, *related) if part)
        lines.append(f"::{each.severity} {properties}::{text}\n")
    return "".join(lines)


def _data(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(found: Iterable[Diagnostic]) -> dict[str, Any]:
    """Give one SARIF log with one run; a rule for every code, a result for every problem."""
    order = {code: index for index, code in enumerate(TITLES)}
    seen: Counter[str] = Counter()
    return {
        "$schema": _SARIF,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "meshctl",
                        "version": __version__,
                        "rules": [_rule(code) for code in TITLES],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(each, order, seen) for each in found],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    text = explain_code(code) or TITLES[code]
    return {
        "id": code,
        "shortDescription": {"text": TITLES[code]},
        "fullDescription": {"text": TITLES[code]},
        "help": {"text": text},
    }


def _result(each: Diagnostic, order: dict[str, int], seen: Counter[str]) -> dict[str, Any]:
    key = f"{each.code} {each.path}"
    seen[key] += 1
    print_ = hashlib.sha256(f"{key} {seen[key]}".encode()).hexdigest()[:32]
    text = f"{each.message}. {each.help}" if each.help else each.message
    result: dict[str, Any] = {
        "ruleId": each.code,
        "ruleIndex": order[each.code],
        "level": each.severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": _place(each.span)}],
        "partialFingerprints": {"codeAndPath/v1": print_},
    }
    if each.related:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": other.message}, "physicalLocation": _place(other.span)}
            for number, other in enumerate(each.related)
        ]
    if each.fix:
        result["fixes"] = [_fix(each.fix)]
    return result


def _place(span: Span) -> dict[str, Any]:
    return {"artifactLocation": _artifact(span.file), "region": _region(span)}


def _artifact(file: str) -> dict[str, Any]:
    return {"uri": quote(file.encode("utf-8", "surrogateescape"), safe="/")}


def _region(span: Span) -> dict[str, Any]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _fix(edits: tuple[Edit, ...]) -> dict[str, Any]:
    files: dict[str, list[dict[str, Any]]] = {}
    for edit in edits:
        change = {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
        files.setdefault(edit.span.file, []).append(change)
    changes = [{"artifactLocation": _artifact(file), "replacements": made} for file, made in files.items()]
    return {"description": {"text": "What the message proposes"}, "artifactChanges": changes}
