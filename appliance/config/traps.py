"""Why a file is not YAML, told from the text itself.

A parser stops where the text stops making sense to it, which is seldom where the mistake is: an
unquoted `*.example.com` is "expected alphabetic or numeric character", and `[::1]:80` fails at
the colon behind the bracket. And the two parsers that PyYAML offers stop at different columns
with different words. So their words are dropped. Only the line counts; it is searched for the
mistakes that people make in profiles, in the order of this table, and the first is told. Whatever
is left is told as what it is: a line that YAML does not understand.
"""

from __future__ import annotations

import re
from typing import Any

from .diagnostic import Diagnostic, Edit, Related, Span
from .secrets import blanked

MAX_LINE = 1000
"""Characters of a line that is searched for mistakes; nobody typed a longer one."""

_BEFORE = r"(?:^|(?<=[\s\[,{]))"
_STAR = re.compile(_BEFORE + r"\*[^\s,\]}\"']*")
_IPV6 = re.compile(_BEFORE + r"\[(?=[^\]]*:[^\]]*:)[0-9A-Fa-f:.]+\](?::\d+)?")
_IPV6_ITEM = re.compile(r"(?<=[\[,{\s])(?=[0-9A-Fa-f:.]*::)[0-9A-Fa-f:.]+(?:/\d+)?(?=\s*(?:[,\]}]|$))")
_REFERENCE = re.compile(r"(?<=[\s\[,{])[^\s\[\]{},:]*\$\{[^{}]*\}[^\s,\]}]*")
_COLON = re.compile(r"(?<=[\s\[,{]):[^\s,\]}]+")
_INNER_COLONS = re.compile(
    r"(?<=:\s)(?P<value>[^\s\[\]{},:#&*!|>%@`?~-][^\[\]{},]*?:\s[^\[\]{},]*?)\s*(?=[,\]}])"
)
_NO_BREAK = re.compile("[\u00a0\u2000-\u200b\u202f\u205f\u3000]+")
_DASH = re.compile(r"^ *(?P<dash>-)(?=[\[{\w])")
_NO_COLON = re.compile(r"^ *(?:- +)?(?P<key>[A-Za-z_][\w-]*)\s*$")
_BLOCK = re.compile(r"(?<=:\s)[|>][-+0-9]*(?=\s*$)")
_ESCAPE = re.compile(r"\\(?![0abtnvfre \"/\\N_LPxuU\t]|$).?")
_TAB = re.compile(r"^ *(?:-[ \t]*)?\t+|(?<=:)\t+(?=\S+:\s)")
_BAD_START = re.compile(_BEFORE + r"(?:(?<=: )|(?<=- )|(?<=[\[,{] )|(?<=[\[,{])|^)[%@`][^,\]}#]*")
_QUESTION = re.compile(r"(?<=[\s\[,{])[^\s\[\]{},:?#&*!|>%@`~-][^\s,\]}]*\?[^,\]}]*")
_TWO_COLONS = re.compile(
    r"^\s*(?:- +)?[^\s:\"'\[{#][^:\"'\[{#]*:\s+(?P<value>[^\s\"'\[{#|>&*!][^\"'\[{]*?:(?:\s.*?)?)\s*$"
)


def explain(text: str, file: str, marks: tuple[Any | None, Any | None], opened: Span | None) -> Diagnostic:
    """Give the reason why the text cannot be parsed.

    ``marks`` are where the parser stopped and where what it was reading began, ``opened`` the
    innermost bracket that was open.
    """
    lines = text.split("\n")
    stopped = min(marks[0].line, len(lines) - 1) if marks[0] is not None else 0
    began = min(marks[1].line, len(lines) - 1) if marks[1] is not None else stopped
    quote = _quote_at(lines, marks[1])
    at_end = all(not line.strip() or line.lstrip().startswith("#") for line in lines[stopped + 1 :])
    if quote is not None and quote[0] == '"':
        for number in range(began, stopped + 1):
            found = _escape(lines[number], file, number + 1, quote[1] - 1 if number == began else 0)
            if found is not None:
                return found
    for number in dict.fromkeys((stopped, stopped - 1, began) if quote is None else ()):
        if 0 <= number < len(lines):
            found = _trap(lines[number], file, number + 1)
            if found is not None:
                return found
    found = _no_colon(lines, file, stopped) if quote is None and opened is None else None
    if found is not None:
        return found
    if quote is not None:
        return Diagnostic(
            "MC110",
            "error",
            f"the quote {quote[0]} is never closed",
            Span(file, began + 1, quote[1], began + 1, quote[1] + 1),
            label="opened here",
        )
    if opened is not None:
        bracket = lines[opened.line - 1][opened.column - 1]
        end = Span(file, stopped + 1, 1, stopped + 1, len(lines[stopped]) + 1)
        return Diagnostic(
            "MC110",
            "error",
            f"the {bracket} is not closed where it should be",
            Span(file, opened.line, opened.column, opened.line, opened.column + 1),
            label="opened here",
            help=f"close it with {'}' if bracket == '{' else ']'}, and part the entries with commas",
            related=() if at_end else (Related("here it can no longer be read", end),),
        )
    while stopped and not lines[stopped].strip():
        stopped -= 1
    line = lines[stopped]
    start = len(line) - len(line.lstrip()) + 1
    return Diagnostic(
        "MC106",
        "error",
        "this line does not fit into the YAML around it",
        Span(file, stopped + 1, start, stopped + 1, max(len(line.rstrip()) + 1, start)),
        help="check that it is indented like its neighbours and that every key is followed by `: `",
    )


def _quote_at(lines: list[str], mark: Any | None) -> tuple[str, int] | None:
    if mark is None or mark.line >= len(lines):
        return None
    character = lines[mark.line][mark.column : mark.column + 1]
    return (character, mark.column + 1) if character and character in "'\"" else None


def _escape(line: str, file: str, number: int, start: int) -> Diagnostic | None:
    """Tell of an escape in double quotes that YAML does not know, such as the one in "\\d+"."""
    found = _ESCAPE.search(re.sub(r"\\\\", "~~", line), start)
    if found is None:
        return None
    return Diagnostic(
        "MC122",
        "error",
        f"the escape {found[0]} is unknown in double quotes",
        Span(file, number, found.start() + 1, number, found.end() + 1),
        help="put the text into single quotes, in which a backslash is just one, or write two",
    )


def _no_colon(lines: list[str], file: str, stopped: int) -> Diagnostic | None:
    """Tell of a key that ends its line without a colon, found at the line below it."""
    above = next((n for n in range(stopped - 1, -1, -1) if _without_quotes(lines[n]).strip()), None)
    found = None if above is None else _NO_COLON.match(_without_quotes(lines[above]))
    if above is None or found is None or _indent(lines[stopped]) < _indent(lines[above]):
        return None
    key, end = found["key"], found.end("key") + 1
    return Diagnostic(
        "MC106",
        "error",
        f"there is no colon behind `{key}`",
        Span(file, above + 1, found.start("key") + 1, above + 1, end),
        help=f"write `{key}:`",
        fix=(Edit(Span(file, above + 1, end, above + 1, end), ":"),),
    )


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _trap(line: str, file: str, number: int) -> Diagnostic | None:
    """Give the first known mistake in a line."""
    if len(line) > MAX_LINE:
        return None
    bare = _without_quotes(line)

    def told(code: str, message: str, found: re.Match[str], advice: str, group: int | str = 0) -> Diagnostic:
        start, end = found.span(group)
        while end > start + 1 and bare[end - 1].isspace():
            end -= 1
        span = Span(file, number, start + 1, number, end + 1)
        written = line[start:end]
        fix: tuple[Edit, ...] = ()
        readable = '"' not in written and "\\" not in written and blanked(line) == line
        if advice == "quote" and readable:
            advice, fix = f'quote it: "{written}"', (Edit(span, f'"{written}"'),)
        elif advice == "quote":
            advice = "quote it"
        return Diagnostic(code, "error", message, span, help=advice, fix=fix)

    tab = _TAB.search(bare)
    if tab:
        return told("MC105", "a tab cannot indent YAML", tab, "indent with spaces")
    space = _NO_BREAK.match(bare, _indent(bare))
    if space:
        return told(
            "MC106",
            f"the character U+{ord(space[0][0]):04X} looks like a space, but cannot indent YAML",
            space,
            "indent with spaces",
        )
    dash = _DASH.search(bare)
    if dash and (bare[dash.end()] in "[{" or re.search(r":(?:\s|$)", bare)):
        return told(
            "MC106", "a - without a space begins no item of a list", dash, "put a space behind the -", "dash"
        )
    star = _STAR.search(bare)
    if star:
        return told("MC107", "an unquoted * begins a YAML alias, not a text", star, "quote")
    ipv6 = _IPV6.search(bare)
    if ipv6:
        with_port = re.fullmatch(r"\[(.*::.*[^:]):(\d{4,5})\]", ipv6[0])
        if with_port:
            advice = f'with a port an address is written "[{with_port[1]}]:{with_port[2]}", in quotes'
        elif ipv6[0].endswith("]"):
            advice = f'quote the address, "{ipv6[0]}", or the item of a list, ["{ipv6[0][1:-1]}"]'
        else:
            advice = "quote"
        return told("MC108", "an unquoted [ begins a YAML list, not an IPv6 address", ipv6, advice)
    start = _BAD_START.search(bare)
    if start:
        return told("MC109", f"an unquoted value cannot begin with {start[0][0]}", start, "quote")
    question = _QUESTION.search(bare) if "{" in bare or "[" in bare else None
    if question:
        return told("MC109", "an unquoted value in brackets cannot contain ?", question, "quote")
    brackets = re.search(r"[\[{]", bare)
    item = _IPV6_ITEM.search(bare, brackets.start()) if brackets else None
    if item:
        return told("MC109", "an unquoted value in brackets cannot contain ::", item, "quote")
    reference = _REFERENCE.search(bare, brackets.start()) if brackets else None
    if reference:
        return told("MC109", "an unquoted value in brackets cannot contain ${...}", reference, "quote")
    colon = _COLON.search(bare, brackets.start()) if brackets else None
    if colon:
        return told("MC109", "an unquoted value in brackets cannot begin with :", colon, "quote")
    inner = _INNER_COLONS.search(bare, brackets.start()) if brackets else None
    if inner:
        return told("MC111", "an unquoted value cannot contain `: `", inner, "quote", "value")
    block = _BLOCK.search(bare, brackets.start()) if brackets else None
    if block:
        advice = "quote the text, or write what is in brackets over several lines without them"
        return told("MC109", f"a block of text ({block[0][0]}) cannot stand in brackets", block, advice)
    colons = _TWO_COLONS.search(bare)
    if colons:
        return told("MC111", "an unquoted value cannot contain `: `", colons, "quote", "value")
    return None


def _without_quotes(line: str) -> str:
    """Give the line with quoted texts and the comment blanked, columns kept."""
    blank = re.sub(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'", lambda found: "~" * len(found[0]), line)
    return re.sub(r"(?:^|(?<=\s))#.*", lambda found: " " * len(found[0]), blank)
