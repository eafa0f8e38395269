"""Why a match takes a request, or does not, in plain words.

The route table answers in microseconds and gives no reasons. Here one match is held against one
request part by part, with a sentence for each: all parts that held, or all that did not. It is a
second reading of the rules in ``table``, and a test holds the two together: going through the rows
with ``explain`` finds the row that ``RouteTable.find`` finds.

What a request carries under a secret name (a token, a cookie) must not be repeated on a screen or
in a build log, and neither must what a profile asks for there: such values are compared, and their
sentences say no more than how that ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from appliance.model.headers import Headers, get_all

from .contain import host_covers, matches
from .match import Match, TextRule
from .path import normalise, prefix_key, written
from .table import query_pairs

MAX_LISTED: Final = 3
MAX_SHOWN: Final = 60

_Part = tuple[bool, str]


@dataclass(frozen=True, slots=True)
class Question:
    """A request as a route table is asked with it: see ``RouteTable.find`` for the fields."""

    host: bytes
    path: bytes
    method: bytes = b"GET"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    query: bytes = b""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a match takes a request, and why; ``near`` counts host and path, if asked for and held."""

    matches: bool
    reasons: tuple[str, ...]
    near: int = 0


def explain(match: Match, asked: Question, secret: Callable[[str], bool] = lambda name: False) -> Verdict:
    """Give the parts of ``match`` that held, or those that did not.

    ``secret`` says of which headers and parameters no value may be shown.
    """
    host, path = _host(match, asked.host), _path(match, asked.path)
    parts = [
        *host,
        *path,
        *_method(match, asked.method),
        *_rules("header", match.headers, _headers(match, asked.headers), secret),
        *_rules("query", match.query, query_pairs(asked.query) if match.query else {}, secret),
    ]
    missed = tuple(text for held, text in parts if not held)
    near = sum(held for held, _ in (*host, *path))
    if missed:
        return Verdict(False, missed, near)
    return Verdict(True, tuple(text for _, text in parts) or ("it takes every request",), near)


def _host(match: Match, host: bytes) -> list[_Part]:
    if not match.hosts:
        return []
    name = host.decode("latin-1")
    for wanted in match.hosts:
        if wanted == name:
            return [(True, f"host {name}")]
        if host_covers(wanted, name):
            return [(True, f"host {name} under {wanted}")]
    if not name:
        return [(False, f"the request names no host, must be {_either(match.hosts)}")]
    return [(False, f"host {name} is not {_either(match.hosts)}")]


def _path(match: Match, path: bytes) -> list[_Part]:
    text = path.decode("latin-1")
    shown = _short(text)
    if match.path is not None:
        held = path == normalise(written(match.path))
        return [(held, f"path {shown}" if held else f"path {shown} is not {match.path}")]
    if match.path_regex is not None:
        held = matches(match.path_regex.encode(), path)
        return [(held, f"path {shown} {'matches' if held else 'does not match'} {match.path_regex}")]
    if match.path_prefix is None:
        return []
    key = prefix_key(match.path_prefix)
    held = not key or path == key or path.startswith(key + b"/")
    return [(held, f"path {shown} {'under' if held else 'is not under'} {match.path_prefix}")]


def _method(match: Match, method: bytes) -> list[_Part]:
    if not match.methods:
        return []
    name = method.decode("latin-1")
    held = name in match.methods
    return [(held, f"method {name}" if held else f"method {name} is not {_either(match.methods)}")]


def _headers(match: Match, headers: tuple[tuple[bytes, bytes], ...]) -> dict[bytes, bytes]:
    """Give the values that the rules ask for; lines of one field are joined as the table joins them."""
    lines: Headers = list(headers) if match.headers else []
    values = {}
    for name in {name.encode() for name, _ in match.headers}:
        found = get_all(lines, name)
        if found:
            values[name] = b", ".join(found)
    return values


def _rules(
    what: str,
    rules: tuple[tuple[str, TextRule], ...],
    values: dict[bytes, bytes],
    secret: Callable[[str], bool],
) -> Iterator[_Part]:
    for name, rule in rules:
        value = values.get(name.encode())
        held = _holds(rule, value)
        hidden = rule.hidden or secret(name)
        has = "absent" if value is None else "present" if hidden else _shown(value)
        if rule.kind in ("present", "absent"):
            if held:
                yield True, f"{what} {name} is {rule.kind}"
            else:
                yield False, f"{what} {name} is {has}, must be {rule.kind}"
        elif hidden:
            must = "not as it must be" if value is not None else "absent"
            yield held, f"{what} {name} is {'as it must be' if held else must}"
        elif rule.kind == "exact":
            wanted = _shown(rule.value.encode())
            yield held, f"{what} {name} is {has}" + ("" if held else f", must be {wanted}")
        else:
            verb, must = _VERBS[rule.kind]
            how = verb if held else f"is {has}, {must}"
            yield held, f"{what} {name} {how} {_shown(rule.value.encode())}"


_VERBS: Final = {
    "prefix": ("begins with", "must begin with"),
    "contains": ("contains", "must contain"),
    "regex": ("matches", "must match"),
}


def _holds(rule: TextRule, value: bytes | None) -> bool:
    """Whether one rule holds for a value, None where there is none."""
    if rule.kind in ("present", "absent"):
        return (value is not None) == (rule.kind == "present")
    if value is None:
        return False
    want = rule.value.encode()
    if rule.kind == "exact":
        return value == want
    if rule.kind == "prefix":
        return value.startswith(want)
    return want in value if rule.kind == "contains" else matches(want, value)


def _either(words: tuple[str, ...]) -> str:
    """Give ``a``, ``a or b``, or the first few and how many more."""
    if len(words) > MAX_LISTED:
        return f"{', '.join(words[:MAX_LISTED])} or {len(words) - MAX_LISTED} more"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _shown(value: bytes) -> str:
    text = value.decode("utf-8", "backslashreplace")
    return _short(text) if text else "empty"


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."
