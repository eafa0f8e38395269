"""Whether a regular expression can be made to run for ever by the text that it is given.

Python's `re` tries one way to read the text after the other. A pattern that can read the same text
in many ways, and fails in the end, tries them all: `(a+)+b` takes twice as long for every `a`. The
text comes from clients, so such a pattern hands them the processor. Four causes are refused:

    loop in a loop     (a+)+       one text splits into rounds in exponentially many ways
    unclear choice     (a|ab|b)*   two branches may begin with the same character, in every round
    restarted loop     .*a.*b      each place where the first loop may stop makes the second run
                                   again over the same text: quadratic, and worse with each one more
    many choices       (a|aa)(a|aa)...  each alone has two ways to read the text, twenty have a million

A loop inside a loop is fine where every step is forced: `(/[^/]+)*` has one way to read any text,
since what ends the inner loop cannot also go on with it. That is what is checked, over the tree
that `re` itself parses, with sets of bytes (256-bit masks) for what may come first and next. Where
the check cannot tell, it refuses; the message says what to write, mostly a narrower set such as
`[^/]*` for `.*`. Back references and look-arounds with loops are refused as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

_parser: Any = re._parser  # type: ignore[attr-defined]

ALL: Final = (1 << 256) - 1
MANY: Final = 10
"""A bounded repeat of at least so many rounds counts as a loop."""

MAX_WAYS: Final = 64
MAX_READINGS: Final = 256
"""Ways in which one text may be read without any loop."""

_RESTART = (
    "a later loop can run again over what an earlier one gave up; write narrower sets, such as [^/]* for .*"
)
_NESTED = (
    "a loop stands inside a loop, and one text fits in several ways; "
    "end each round with a character of its own"
)
_EMPTY = "inside a loop, a part that may be empty is optional or repeated as well"
_BRANCHES = "inside a loop, two branches of | can begin with the same character"


class _Refused(Exception):
    """Carries the reason."""


@dataclass(frozen=True, slots=True)
class _One:
    """One character out of a set of bytes, as a mask."""

    mask: int


@dataclass(frozen=True, slots=True)
class _All:
    """One part after the other."""

    parts: tuple[_Part, ...]


@dataclass(frozen=True, slots=True)
class _Any:
    """One of several."""

    branches: tuple[_Part, ...]


@dataclass(frozen=True, slots=True)
class _Times:
    """A part, repeated; ``high`` is capped at MANY, which stands for any number."""

    part: _Part
    low: int
    high: int


_Part = _One | _All | _Any | _Times


def unbounded(pattern: str) -> str:
    """Give the reason why a pattern may backtrack without bound, or an empty text.

    The pattern must compile as bytes.
    """
    try:
        tree = _parser.parse(pattern.encode())
        whole = _simplify(tree, bool(tree.state.flags & re.IGNORECASE) or ("(?" in pattern and _folds(tree)))
        _check_loops(whole, inside=False)
        if _readings(whole, 0) > MAX_READINGS:
            raise _Refused("one text fits in many ways; let each choice begin with a character of its own")
        for way in _ways(whole):
            _check_restarts(way)
    except _Refused as reason:
        return str(reason)
    except RecursionError:
        return "it is nested too deeply to be understood"
    return ""


def _folds(tree: Any) -> bool:
    """Whether some group, such as `(?i:...)`, ignores case: then all of it is taken to."""
    for operation, argument in tree:
        name = str(operation)
        if name == "SUBPATTERN" and argument[1] & re.IGNORECASE:
            return True
        if any(_folds(inner) for inner in _inner(name, argument)):
            return True
    return False


def _inner(name: str, argument: Any) -> list[Any]:
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return [argument[2]]
    if name == "SUBPATTERN":
        return [argument[3]]
    if name == "BRANCH":
        return list(argument[1])
    return [argument] if name == "ATOMIC_GROUP" else []


def _simplify(tree: Any, fold: bool) -> _Part:
    """Give our own tree for one of `re`: sets, sequences, choices, repeats."""
    parts: list[_Part] = []
    for operation, argument in tree:
        name = str(operation)
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            parts.append(_One(_mask([(operation, argument)] if name != "IN" else argument, fold)))
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, inner = argument
            parts.append(_Times(_simplify(inner, fold), min(int(low), MANY), min(int(high), MANY)))
        elif name in ("SUBPATTERN", "ATOMIC_GROUP"):
            parts.append(_simplify(_inner(name, argument)[0], fold))
        elif name == "BRANCH":
            parts.append(_Any(tuple(_simplify(branch, fold) for branch in argument[1])))
        elif name in ("ASSERT", "ASSERT_NOT"):
            if _has_loop(_simplify(argument[1], fold)):
                raise _Refused("a look-around contains a loop")
        elif name != "AT":
            raise _Refused("it refers back to what it has matched")
    return _All(tuple(parts))


_CATEGORIES: Final = {
    "CATEGORY_DIGIT": rb"\d",
    "CATEGORY_NOT_DIGIT": rb"\D",
    "CATEGORY_SPACE": rb"\s",
    "CATEGORY_NOT_SPACE": rb"\S",
    "CATEGORY_WORD": rb"\w",
    "CATEGORY_NOT_WORD": rb"\W",
}


@cache
def _category(name: str) -> int:
    """Give the set of bytes of a class such as \\w."""
    category = re.compile(_CATEGORIES[name])
    return sum(1 << octet for octet in range(256) if category.fullmatch(bytes([octet])))


def _mask(items: Any, fold: bool) -> int:
    """Give the set of bytes of a literal, a class or a dot; `.` counts as everything."""
    mask, negate = 0, False
    for operation, argument in items:
        name = str(operation)
        if name == "NEGATE":
            negate = True
        elif name == "ANY":
            mask = ALL
        elif name == "LITERAL":
            mask |= 1 << argument
        elif name == "NOT_LITERAL":
            mask |= ALL & ~(1 << argument)
        elif name == "RANGE":
            low, high = argument
            mask |= ((1 << (high - low + 1)) - 1) << low
        else:
            mask |= _category(str(argument))
    if fold:
        for upper in range(0x41, 0x5B):
            pair = 1 << upper | 1 << (upper + 32)
            mask |= pair if mask & pair else 0
    return ALL & ~mask if negate else mask


def _has_loop(part: _Part) -> bool:
    if isinstance(part, _Times):
        return part.high >= MANY or _has_loop(part.part)
    return any(_has_loop(inner) for inner in _below(part))


def _below(part: _Part) -> tuple[_Part, ...]:
    if isinstance(part, _All):
        return part.parts
    if isinstance(part, _Any):
        return part.branches
    return (part.part,) if isinstance(part, _Times) else ()


def _nullable(part: _Part) -> bool:
    if isinstance(part, _All):
        return all(_nullable(inner) for inner in part.parts)
    if isinstance(part, _Any):
        return any(_nullable(inner) for inner in part.branches)
    return isinstance(part, _Times) and (part.low == 0 or _nullable(part.part))


def _first(part: _Part) -> int:
    """Give the bytes with which a part can begin."""
    if isinstance(part, _One):
        return part.mask
    if isinstance(part, _All):
        return _first_of(part.parts, 0)
    mask = 0
    for inner in _below(part):
        mask |= _first(inner)
    return mask


def _first_of(parts: tuple[_Part, ...], after: int) -> int:
    """Give the bytes with which a sequence can begin, ``after`` being what follows it."""
    mask = 0
    for part in parts:
        mask |= _first(part)
        if not _nullable(part):
            return mask
    return mask | after


def _union(part: _Part) -> int:
    """Give every byte that a part can contain."""
    mask = part.mask if isinstance(part, _One) else 0
    for inner in _below(part):
        mask |= _union(inner)
    return mask


def _check_loops(part: _Part, inside: bool) -> None:
    """Refuse loops whose rounds can be read in more than one way."""
    if isinstance(part, _Times) and part.high > 1 and not isinstance(_bare(part.part), _One):
        if _nullable(part.part):
            raise _Refused("a loop repeats something that may be empty")
        _forced(part.part, _first(part.part))
    for inner in _below(part):
        _check_loops(inner, inside)


def _bare(part: _Part) -> _Part:
    while isinstance(part, _All) and len(part.parts) == 1:
        part = part.parts[0]
    return part


def _forced(part: _Part, after: int) -> None:
    """Refuse a part of a loop's body in which the next byte does not decide the next step."""
    if isinstance(part, _All):
        for index, inner in enumerate(part.parts):
            _forced(inner, _first_of(part.parts[index + 1 :], after))
    elif isinstance(part, _Any):
        seen = 0
        if sum(_nullable(branch) for branch in part.branches) > 1:
            raise _Refused(_BRANCHES)
        for branch in part.branches:
            begins = _first(branch) | (after if _nullable(branch) else 0)
            if seen & begins:
                raise _Refused(_BRANCHES)
            seen |= begins
            _forced(branch, after)
    elif isinstance(part, _Times):
        if part.high > 1 or part.low != part.high:
            if _nullable(part.part):
                raise _Refused(_EMPTY)
            if part.low != part.high and _first(part.part) & after:
                raise _Refused(_NESTED)
        _forced(part.part, after | (_first(part.part) if part.high > 1 else 0))


def _readings(part: _Part, after: int) -> int:
    """Count in how many ways choices that the next byte does not settle can be combined, up to a bound."""
    if isinstance(part, _All):
        total = 1
        for index, inner in enumerate(part.parts):
            total *= _readings(inner, _first_of(part.parts[index + 1 :], after))
            if total > MAX_READINGS:
                break
        return total
    if isinstance(part, _Any):
        seen, overlap = 0, 0
        for branch in part.branches:
            begins = _first(branch) | (after if _nullable(branch) else 0)
            overlap |= seen & begins
            seen |= begins
        overlap |= sum(_nullable(branch) for branch in part.branches) > 1
        most = max((_readings(branch, after) for branch in part.branches), default=1)
        return most * (len(part.branches) if overlap else 1)
    if isinstance(part, _Times) and part.high < MANY:
        begins = _first(part.part)
        unclear = begins & after or _nullable(part.part)
        own = part.high - part.low + 1 if part.low != part.high and unclear else 1
        rounds = _readings(part.part, after | (begins if part.high > 1 else 0))
        return own * int(min(rounds, MAX_READINGS + 1) ** part.high)
    return 1


def _ways(part: _Part) -> list[tuple[_Part, ...]]:
    """Write a pattern out as sequences; a choice is split up only if there is a loop in it."""
    if isinstance(part, _All):
        ways: list[tuple[_Part, ...]] = [()]
        for inner in part.parts:
            ways = [(*way, *more) for way in ways for more in _ways(inner)]
            if len(ways) > MAX_WAYS:
                raise _Refused("it has too many branches with loops in them")
        return ways
    if isinstance(part, _Any) and _has_loop(part):
        return [way for branch in part.branches for way in _ways(branch)]
    if isinstance(part, _Times) and part.high == 1 and _has_loop(part):
        return [*_ways(part.part), ()]
    return [(part,)]


def _check_restarts(way: tuple[_Part, ...]) -> None:
    """Refuse a loop that an earlier one, stopping in many places, starts over the same text."""
    loops = [index for index, part in enumerate(way) if isinstance(part, _Times) and _has_loop(part)]
    for early in loops:
        if not _first_of(way[early + 1 :], 0) & _union(way[early]):
            continue  # one place to stop: whatever follows cannot be part of it
        for late in loops:
            if late <= early:
                continue
            over = _union(way[late])
            if not over & _union(way[early]) or (over == ALL and _accepts_all(way[late + 1 :])):
                continue
            between = [part for part in way[early + 1 : late] if not _nullable(part)]
            if all(_union(part) & over for part in (*_round(way[early]), *between)):
                raise _Refused(_RESTART)


def _round(loop: _Part) -> list[_Part]:
    """Give what stands in every round of a loop."""
    body = _bare(loop.part) if isinstance(loop, _Times) else loop
    return [part for part in (body.parts if isinstance(body, _All) else (body,)) if not _nullable(part)]


def _accepts_all(rest: tuple[_Part, ...]) -> bool:
    """Whether what follows a `.*` cannot fail."""
    return all(_nullable(part) for part in rest)
