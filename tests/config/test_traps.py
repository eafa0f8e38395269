"""The mistakes that people make in YAML, told by name."""

from __future__ import annotations

import pytest

from appliance.config import source
from appliance.config.diagnostic import Diagnostic, Diagnostics


def told(text: str, loader: object = None) -> Diagnostic:
    found = Diagnostics()
    assert source.parse(text.encode(), "a.yaml", found, loader) is None
    return next(iter(found))


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a:\n\tb: 1\n", "MC105", (2, 1)),
        ("a:\n  - 1\n\t- 2\n", "MC105", (3, 1)),
        ("a: 1\n  b: 2\n", "MC106", (2, 3)),
        ("hosts: *.example.com\n", "MC107", (1, 8)),
        ("hosts: [a, *.example.com]\n", "MC107", (1, 12)),
        ("hosts:\n  - *.example.com\n", "MC107", (2, 5)),
        ("bind: [::1]:80\n", "MC108", (1, 7)),
        ("bind: [::]:8080 # all\n", "MC108", (1, 7)),
        ("a: [${X}:9001]\n", "MC109", (1, 5)),
        ("a: {bind: ${X}:80, b: 1}\n", "MC109", (1, 11)),
        ("a: {bind: :8190}\n", "MC109", (1, 11)),
        ("a: {b: hello: world}\n", "MC111", (1, 8)),
        ("upstreams\n  app: {e: 1}\n", "MC106", (1, 1)),
        ("a:\n  - {b: 1}\n  -{b: 2}\n", "MC106", (3, 3)),
        ("a:\n  -\tb: 1\n", "MC105", (2, 1)),
        ("a:\n  b: 1\n\u00a0c: 2\n  d: 3\n", "MC106", (3, 1)),
        ("a: [::1:9001]\n", "MC108", (1, 4)),
        ("trust: [::1]\n", "MC108", (1, 8)),
        ("a: [10.0.0.0/8, ::1]\n", "MC109", (1, 17)),
        ("a: [::1/128]\n", "MC109", (1, 5)),
        ("a: {b: c, d: >-\n  x}\n", "MC109", (1, 14)),
        ("a: {d: |\n  x\n  }\n", "MC109", (1, 8)),
        ("a: %X%\n", "MC109", (1, 4)),
        ("{a: @b}\n", "MC109", (1, 5)),
        ("a: `x`\n", "MC109", (1, 4)),
        ("a: {b: /c?d=1}\n", "MC109", (1, 8)),
        ("a: [1, 2\nb: 3\n", "MC110", (1, 4)),
        ("a: {b: 1\n", "MC110", (1, 4)),
        ("a: 'x\nb: 1\n", "MC110", (1, 4)),
        ('a: "x\n', "MC110", (1, 4)),
        ("a: b: c\n", "MC111", (1, 4)),
        ("note: see: below\n", "MC111", (1, 7)),
        ('a: "\\d+"\n', "MC122", (1, 5)),
        ('a: "\\\\d\\."\n', "MC122", (1, 8)),
    ],
)
@pytest.mark.parametrize("loader", source.PARSERS)
def test_each_trap_is_found_where_it_is(text: str, code: str, place: tuple[int, int], loader: object) -> None:
    """The mistake is pointed at, and not where the parser gave up."""
    found = told(text, loader)
    assert (found.code, (found.span.line, found.span.column)) == (code, place)


def test_what_needs_quotes_comes_with_them() -> None:
    """The correction is an edit that an editor can make."""
    found = told("hosts: [*.example.com]\n")
    assert [(edit.span, edit.text) for edit in found.fix] == [(found.span, '"*.example.com"')]
    assert found.help == 'quote it: "*.example.com"'


def test_what_is_quoted_or_commented_is_no_trap() -> None:
    """Only what the parser would see is searched."""
    assert told("a: '*.b' # *.c\n  d: 1\n").code == "MC106"
