"""Whether one match takes every request that another takes.

A profile is checked before any request comes, so "the route above leaves nothing for this one" has
to be read off the two matches alone. It is decided part by part, and each part only says yes where
it can be proved:

    hosts      an exact name, or a narrower wildcard, lies below `*.suffix`
    path       see the table below
    methods    the narrow ones are among the wide ones
    rules      for each header or query rule of the wide match, the narrow one has a rule for the
               same name that implies it: `exact: gold` implies `present`, `prefix: go` and
               `contains: ol`, and a regular expression that matches all of `gold`

    the wide path       takes the whole of a narrow path that is
    under /a            /a, or under /a; anything that surely begins with /a/
    exact /a            /a
    begins with /a      anything that surely begins with /a
    regex               an exact path that it matches; the same expression

A regular expression is taken for what it says where that is simple: without anything special it is
an exact path, with a closing `.*` it is all that begins so, and else it is known by the text that all
its matches begin with. Paths are in the spelling of ``path.normalise``, which knows no line end.

So the answer "yes" is always right, and "no" may also mean that it is not known. Two hosts or two
methods that are covered by different matches are the caller's to put together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from .match import Match, TextRule
from .path import normalise, prefix_key, written

Rules = tuple[tuple[str, TextRule], ...]

_parser: Any = re._parser  # type: ignore[attr-defined]
_FOLDING: Final = re.IGNORECASE | re.LOCALE


@dataclass(frozen=True, slots=True)
class Reach:
    """The paths that a match takes.

    ``text``: the path itself (``exact``), the prefix without its last slash (``under``), or what
    every path begins with (``begins``, ``regex``). ``pattern`` is the expression of a ``regex``.
    """

    kind: Literal["exact", "under", "begins", "regex"]
    text: bytes
    pattern: bytes = b""


def reach_of(match: Match) -> Reach:
    """Give the paths that a match takes; raises BadPath and re.error as ``RouteTable`` does."""
    if match.path is not None:
        return Reach("exact", normalise(written(match.path)))
    if match.path_regex is not None:
        return _of_regex(match.path_regex.encode())
    return Reach("under", prefix_key(match.path_prefix or "/"))


def covers(wide: Match, narrow: Match) -> bool:
    """Say whether ``wide`` surely takes every request that ``narrow`` takes."""
    return (
        hosts_cover(wide.hosts, narrow.hosts)
        and (not wide.methods or (bool(narrow.methods) and set(narrow.methods) <= set(wide.methods)))
        and rules_cover(wide.headers, narrow.headers)
        and rules_cover(wide.query, narrow.query)
        and path_covers(reach_of(wide), reach_of(narrow))
    )


def hosts_cover(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    """Say whether each of the narrow hosts lies in one of the wide ones; no hosts at all are all hosts."""
    if not wide:
        return True
    return bool(narrow) and all(any(host_covers(one, host) for one in wide) for host in narrow)


def host_covers(wide: str, narrow: str) -> bool:
    """Say whether the host or wildcard ``narrow`` lies in ``wide``."""
    if wide == narrow:
        return True
    if not wide.startswith("*."):
        return False
    name = narrow[1:] if narrow.startswith("*.") else narrow
    suffix = wide[1:]
    return name.endswith(suffix) and len(name) > len(suffix)


def path_covers(wide: Reach, narrow: Reach) -> bool:
    """Say whether every path of ``narrow`` is one of ``wide``; not known counts as no."""
    if wide.kind == "exact":
        return narrow.kind == "exact" and narrow.text == wide.text
    if wide.kind == "under":
        if not wide.text or (narrow.kind in ("exact", "under") and narrow.text == wide.text):
            return True
        return narrow.text.startswith(wide.text + b"/")
    if wide.kind == "begins":
        return narrow.text.startswith(wide.text)
    if narrow.kind == "exact":
        return narrow.text.startswith(wide.text) and matches(wide.pattern, narrow.text)
    return narrow.kind == "regex" and narrow.pattern == wide.pattern


def matches(pattern: bytes, text: bytes) -> bool:
    """Say whether a regular expression matches the whole of a text."""
    return _compiled(pattern).fullmatch(text) is not None


def rules_cover(wide: Rules, narrow: Rules) -> bool:
    """Say whether every rule of ``wide`` follows from a rule of ``narrow`` for the same name."""
    return all(any(name == other and implies(given, rule) for other, given in narrow) for name, rule in wide)


def implies(given: TextRule, rule: TextRule) -> bool:
    """Say whether every value (or its lack) for which ``given`` holds makes ``rule`` hold."""
    if given == rule:
        return True
    if given.kind == "absent" or rule.kind == "absent":
        return False
    if rule.kind == "present":
        return True
    if given.kind == "present" or rule.kind == "exact":
        return False
    if rule.kind == "regex":
        return given.kind == "exact" and matches(rule.value.encode(), given.value.encode())
    known = _of_regex(given.value.encode()).text if given.kind == "regex" else given.value.encode()
    want = rule.value.encode()
    if rule.kind == "contains":
        return want in known
    return given.kind != "contains" and known.startswith(want)


@lru_cache(maxsize=8192)  # profile text only: no client chooses a key
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)


@lru_cache(maxsize=8192)
def _of_regex(pattern: bytes) -> Reach:
    """Read an expression as an exact path or a beginning where it is no more than that."""
    tree = _parser.parse(pattern)
    if tree.state.flags & _FOLDING:
        return Reach("regex", b"", pattern)
    parts = [(str(operation), argument) for operation, argument in tree]
    if parts and _is_at(parts[0], "AT_BEGINNING", "AT_BEGINNING_STRING"):
        del parts[0]
    if parts and _is_at(parts[-1], "AT_END", "AT_END_STRING"):
        del parts[-1]
    length = next((n for n, part in enumerate(parts) if part[0] != "LITERAL"), len(parts))
    literal = bytes(part[1] for part in parts[:length])
    rest = parts[length:]
    if not rest:
        return Reach("exact", literal)
    if len(rest) == 1 and _is_anything(rest[0]):
        return Reach("begins", literal)
    return Reach("regex", literal, pattern)


def _is_at(part: tuple[str, Any], *places: str) -> bool:
    return part[0] == "AT" and str(part[1]) in places


def _is_anything(part: tuple[str, Any]) -> bool:
    """Whether it is `.*`, in any of its spellings."""
    operation, argument = part
    if operation not in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return False
    low, high, what = argument
    return low == 0 and high == _parser.MAXREPEAT and [str(inner[0]) for inner in what] == ["ANY"]
