"""The filter language of taps, tables and commands.

    status>=500 and not route=health
    dur>500ms or (path~"^/pay/" and method=POST)
    client=203.0.113.0/24     ep=10.0.2.*     status=5xx     note=retried     err>2%     lamp

A comparison names a field, one of ``= != < <= > >= ~ !~`` and a value, in quotes if it has spaces or
brackets. ``=`` on text takes ``*`` for anything; ``~`` is a regular expression found anywhere, and only one
that cannot be slow. A bare word is found in any text. Comparisons beside each other are joined by ``and``,
which binds more tightly than ``or``. What a record does not have matches nothing but ``!=``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import translate
from ipaddress import ip_address, ip_network
from typing import Any, Final

from appliance.model.units import duration, share, size

from .records import RECORD, THING, Kind, bare

Predicate = Callable[[Mapping[str, Any]], bool]
_LONGEST: Final = 500
_DEEPEST: Final = 20
_SEARCHED: Final = 300  # characters
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<open>\()|(?P<close>\))|(?P<sign><=|>=|!=|!~|[=<>~])|(?P<quoted>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<word>[^\s()<>=!~"]+))"""
)
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


class FilterError(ValueError):
    """A filter cannot be read; ``column`` is where, counted from 0."""

    def __init__(self, text: str, column: int) -> None:
        super().__init__(text)
        self.column = column


def compile_filter(text: str, table: Mapping[str, tuple[str, Kind]] = RECORD) -> Predicate:
    """Give what says whether a record matches; the empty filter matches all. Raises FilterError."""
    if len(text) > _LONGEST:
        raise FilterError(f"a filter has at most {_LONGEST} characters", _LONGEST)
    return _Parser(text, table).whole()


def things_filter(text: str) -> Predicate:
    """As ``compile_filter``, over upstreams, endpoints, breakers and routes."""
    return compile_filter(text, THING)


class _Parser:
    """Reads a filter from left to right."""

    def __init__(self, text: str, table: Mapping[str, tuple[str, Kind]]) -> None:
        self._table = table
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []
        self._next = 0
        self._depth = 0
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                raise FilterError(f"this cannot be read: {text[place:].strip()[:10]}", place)
            kind = str(found.lastgroup)
            self._tokens.append((kind, found[kind], found.start(kind)))
            place = found.end()

    def whole(self) -> Predicate:
        if not self._tokens:
            return lambda _: True
        predicate = self._either()
        if self._next < len(self._tokens):
            raise FilterError("a bracket closes that was not opened", self._tokens[self._next][2])
        return predicate

    def _peek(self) -> tuple[str, str, int]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "", len(self._text))

    def _either(self) -> Predicate:
        rows = [self._all()]
        while self._peek()[:2] == ("word", "or"):
            self._next += 1
            rows.append(self._all())
        return rows[0] if len(rows) == 1 else lambda record: any(row(record) for row in rows)

    def _all(self) -> Predicate:
        rows = [self._one()]
        while True:
            kind, text, _ = self._peek()
            if (kind, text) == ("word", "and"):
                self._next += 1
            elif kind in ("end", "close") or (kind, text) == ("word", "or"):
                break
            rows.append(self._one())
        return rows[0] if len(rows) == 1 else lambda record: all(row(record) for row in rows)

    def _one(self) -> Predicate:
        kind, text, column = self._peek()
        self._next += 1
        if kind == "open" or (kind, text) == ("word", "not"):
            self._depth += 1
            if self._depth > _DEEPEST:
                raise FilterError("too many brackets", column)
            inner = self._either() if kind == "open" else self._one()
            self._depth -= 1
            if kind != "open":
                return lambda record: not inner(record)
            if self._peek()[0] != "close":
                raise FilterError("a bracket is not closed", column)
            self._next += 1
            return inner
        if kind not in ("word", "quoted") or (kind == "word" and text in ("and", "or")):
            raise FilterError("something to compare is missing here", column)
        if self._peek()[0] != "sign":
            word = (_unquoted(text) if kind == "quoted" else text).lower()
            return lambda record: word in bare(self._table, record).lower()
        return self._comparison(text, column)

    def _comparison(self, name: str, column: int) -> Predicate:
        known = self._table.get(name)
        if known is None:
            raise FilterError(f"there is no field {name}: write one of {', '.join(self._table)}", column)
        sign = self._peek()[1]
        self._next += 1
        kind, value, place = self._peek()
        if kind not in ("word", "quoted"):
            raise FilterError(f"{name}{sign} needs a value", place)
        self._next += 1
        given = _unquoted(value) if kind == "quoted" else value
        try:
            return _compare(known[0], known[1], sign, given)
        except (ValueError, OverflowError, re.error) as error:
            raise FilterError(f"{name}{sign}{given}: {error}", place) from None


def _compare(field: str, kind: Kind, sign: str, given: str) -> Predicate:
    """Give one comparison; raises ValueError where field, sign and value do not fit."""
    if sign in ("~", "!~"):
        return _pattern(field, given, wanted=sign == "~")
    if kind == "network" and "/" in given:
        return _network(field, sign, given)
    if kind in ("text", "network"):
        return _word(field, sign, given)
    if kind == "status" and re.fullmatch(r"[1-5]xx", given):
        if sign not in ("=", "!="):
            raise ValueError("a class of statuses can only be compared by = and !=")
        low = int(given[0]) * 100
        return lambda record: (low <= (record.get(field) or 0) < low + 100) == (sign == "=")
    wanted = _number(kind, given)
    order = _ORDER[sign]

    def holds(record: Mapping[str, Any]) -> bool:
        value = record.get(field)
        return sign == "!=" if not isinstance(value, (int, float)) else order(value, wanted)

    return holds


def _number(kind: Kind, given: str) -> float:
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", given):
        return float(given)
    if kind == "time":
        return duration(given) * 1000
    if kind == "share":
        return share(given)
    if kind == "status":
        raise ValueError("write a status such as 503, or a class such as 5xx")
    return float(size(given))


def _texts(value: Any) -> list[str]:
    rows = value if isinstance(value, (list, tuple)) else [value]
    return [row for row in rows if isinstance(row, str)]


def _word(field: str, sign: str, given: str) -> Predicate:
    if sign not in ("=", "!="):
        raise ValueError("text can only be compared by =, !=, ~ and !~")
    if field == "state":  # as it is shown, or as it is on the wire
        given = given.replace("-", "_").replace(" ", "_")
    fits = re.compile(translate(given), re.IGNORECASE).match if "*" in given else None
    plain = given.lower()

    def holds(record: Mapping[str, Any]) -> bool:
        value = record.get(field)
        found = _texts(value)
        if fits is not None:
            hit = any(fits(text) for text in found)
        elif isinstance(value, (list, tuple)):  # notes are sentences
            hit = any(plain in text.lower() for text in found)
        else:
            hit = any(plain == text.lower() for text in found)
        return hit == (sign == "=")

    return holds


def _network(field: str, sign: str, given: str) -> Predicate:
    if sign not in ("=", "!="):
        raise ValueError("networks can only be compared by = and !=")
    network = ip_network(given, strict=False)

    def holds(record: Mapping[str, Any]) -> bool:
        try:
            inside = ip_address(str(record.get(field))) in network
        except ValueError:
            inside = False
        return inside == (sign == "=")

    return holds


def _pattern(field: str, given: str, *, wanted: bool) -> Predicate:
    """Give a search for a pattern, in the first 300 characters; one that cannot take long.

    With a single repetition the time grows with the square of the text at most: half a millisecond. Choices
    in a row would double it each time, so there is one group at most, and no repetition beside a choice.
    """
    repeats = len(re.findall(r"[*+{]", given))
    groups = given.count("(")
    if (
        len(given) > 100
        or repeats > 1
        or groups > 1
        or (repeats and "|" in given)
        or given.count("?") > 3
        or re.search(r"\\[0-9]|\)[*+{?]", given)
    ):
        raise ValueError("the pattern may be slow: use one group, and either choices or one repetition")
    search = re.compile(given).search

    def holds(record: Mapping[str, Any]) -> bool:
        return any(search(text[:_SEARCHED]) for text in _texts(record.get(field))) == wanted

    return holds


def _unquoted(text: str) -> str:
    return re.sub(r'\\(["\\])', r"\1", text[1:-1]) if text.startswith('"') else text
