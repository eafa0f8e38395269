"""Which row of the route table a request takes: the first, in written order, whose every part holds.

Trying the rows one after the other says it exactly, and costs a little for each of a thousand
routes. So each row is filed where only requests that could match it will look: first by host
(an exact name, the suffix of a wildcard, or any), then, within that drawer, by path (an exact
path, a prefix, a regular expression, or any). A request makes the few keys that it could be
filed under, looks into those places, and of the rows that hold there takes the one written first.

    the answer = the row of least order, over all places that the request looks into

That is the linear scan's answer if every row that holds lies in a place that is looked into, and
nothing else has to be believed: a row skipped for its order could not have won. The tests compare
both on random tables.

Places are made from the profile alone. A request looks up slices of its host and path whose
lengths the profile contains, so neither an endless path nor an invented host costs more than
those look-ups, and nothing is remembered about it. Memory grows with the rows, once per host
that a row names.

How the parts of a Match are read:

* hosts: any of them. `*.example.com` stands for one or more labels, so not for `example.com`.
* a path or prefix of a profile is put into the spelling of ``path.normalise`` first. A prefix
  covers whole segments. Regular expressions see the path in that spelling, ASCII only, and must
  match all of it, as they must match all of a header or query value.
* methods are compared as they are: GET does not imply HEAD.
* several lines of one header field are one value, joined by `, ` (RFC 9110 section 5.3).
* a query is pairs between `&`, with `+` and percent escapes decoded in names and values, as
  browsers write forms. The first pair of a name counts; `a` and `a=` both give the empty value.
  An escape that is not one stays as it is. Profile text is compared as UTF-8.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar
from urllib.parse import unquote_to_bytes

from appliance.model.headers import Headers, get_all

from .match import Match, TextRule
from .path import normalise, prefix_key, written

T = TypeVar("T")
_Test = Callable[[bytes | None], bool]

_SLASH: Final = 0x2F


class _Fields:
    """The header and query values that rules ask for, each worked out at most once per request."""

    __slots__ = ("_headers", "_joined", "_pairs", "_query")

    def __init__(self, headers: Headers, query: bytes) -> None:
        self._headers = headers
        self._query = query
        self._joined: dict[bytes, bytes | None] = {}
        self._pairs: dict[bytes, bytes] | None = None

    def header(self, name: bytes) -> bytes | None:
        try:
            return self._joined[name]
        except KeyError:
            lines = get_all(self._headers, name)
            value = self._joined[name] = b", ".join(lines) if lines else None
            return value

    def parameter(self, name: bytes) -> bytes | None:
        if self._pairs is None:
            self._pairs = query_pairs(self._query)
        return self._pairs.get(name)


_NO_FIELDS: Final = _Fields([], b"")


def query_pairs(query: bytes) -> dict[bytes, bytes]:
    """Decode a query into its first value for each name, by the rule in the module's docstring."""
    pairs: dict[bytes, bytes] = {}
    for piece in query.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.setdefault(_decoded(name), _decoded(value))
    return pairs


def _decoded(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" ")) if b"%" in raw or b"+" in raw else raw


def _text_test(rule: TextRule) -> _Test:
    """Give the predicate of one rule; it is asked with None where the request has no such value."""
    want = rule.value.encode()
    if rule.kind == "present":
        return lambda value: value is not None
    if rule.kind == "absent":
        return lambda value: value is None
    if rule.kind == "exact":
        return lambda value: value == want
    if rule.kind == "prefix":
        return lambda value: value is not None and value.startswith(want)
    if rule.kind == "contains":
        return lambda value: value is not None and want in value
    whole = re.compile(want).fullmatch
    return lambda value: value is not None and whole(value) is not None


class _Row(Generic[T]):
    """One route, with what is left to ask of a request once host and path are known to fit."""

    __slots__ = ("headers", "methods", "order", "query", "ruled", "target")

    def __init__(self, order: int, match: Match, target: T) -> None:
        self.order = order
        self.target = target
        self.methods = frozenset(method.encode() for method in match.methods)
        self.headers = tuple((name.encode(), _text_test(rule)) for name, rule in match.headers)
        self.query = tuple((name.encode(), _text_test(rule)) for name, rule in match.query)
        self.ruled = bool(self.methods or self.headers or self.query)

    def holds(self, method: bytes, fields: _Fields) -> bool:
        if self.methods and method not in self.methods:
            return False
        for name, test in self.headers:
            if not test(fields.header(name)):
                return False
        for name, test in self.query:  # noqa: SIM110 (a generator would cost more than the tests)
            if not test(fields.parameter(name)):
                return False
        return True


class _Drawer(Generic[T]):
    """The rows of one host, filed by path; within each place in written order."""

    __slots__ = ("_always", "_exact", "_lengths", "_prefixes", "_regexes", "first")

    def __init__(self) -> None:
        self.first = sys.maxsize
        self._exact: dict[bytes, list[_Row[T]]] = {}
        self._prefixes: dict[bytes, list[_Row[T]]] = {}
        self._lengths: list[int] = []
        self._regexes: list[tuple[Callable[[bytes], object], list[_Row[T]]]] = []
        self._always: list[_Row[T]] = []

    def file(self, match: Match, row: _Row[T]) -> None:
        """Add a row; they come in written order."""
        self.first = min(self.first, row.order)
        if match.path is not None:
            self._exact.setdefault(normalise(written(match.path)), []).append(row)
        elif match.path_regex is not None:
            self._regexes.append((re.compile(match.path_regex.encode()).fullmatch, [row]))
        elif match.path_prefix is not None and (key := prefix_key(match.path_prefix)):
            self._prefixes.setdefault(key, []).append(row)
            self._lengths = sorted({*self._lengths, len(key)})
        else:
            self._always.append(row)

    def best(self, best: _Row[T], path: bytes, method: bytes, fields: _Fields) -> _Row[T]:
        """Give the first row that holds, or ``best`` if that is written earlier."""
        rows = self._exact.get(path)
        if rows is not None:
            best = _earlier(best, rows, method, fields)
        if self._lengths:
            size = len(path)
            for length in self._lengths:
                if length > size:
                    break
                if length == size or path[length] == _SLASH:
                    rows = self._prefixes.get(path[:length])
                    if rows is not None:
                        best = _earlier(best, rows, method, fields)
        if self._regexes:
            for whole, rows in self._regexes:
                if rows[0].order > best.order:
                    break
                if whole(path):
                    best = _earlier(best, rows, method, fields)
        return _earlier(best, self._always, method, fields) if self._always else best


def _earlier(best: _Row[T], rows: list[_Row[T]], method: bytes, fields: _Fields) -> _Row[T]:
    """Give the first of ``rows`` that holds and is written before ``best``, else ``best``."""
    for row in rows:
        if row.order > best.order:
            break
        if not row.ruled or row.holds(method, fields):
            return row
    return best


class RouteTable(Generic[T]):
    """Rows compiled once from a profile; immutable, and safe to share between requests.

    Raises ValueError for a row with more than one path field, BadPath for a path or prefix that
    no request can have, and re.error for an expression that does not compile.
    """

    __slots__ = ("_any", "_asks", "_hosts", "_lengths", "_none", "_suffixes")

    def __init__(self, rows: Sequence[tuple[Match, T]]) -> None:
        self._none: _Row[T | None] = _Row(len(rows), Match(), None)
        self._any: _Drawer[T | None] = _Drawer()
        self._hosts: dict[bytes, _Drawer[T | None]] = {}
        self._suffixes: dict[bytes, _Drawer[T | None]] = {}
        for order, (match, target) in enumerate(rows):
            if [match.path, match.path_prefix, match.path_regex].count(None) < 2:
                raise ValueError(f"row {order} has more than one of path, path_prefix and path_regex")
            row: _Row[T | None] = _Row(order, match, target)
            for drawer in self._drawers(match.hosts):
                drawer.file(match, row)
        self._lengths = tuple(sorted({len(suffix) for suffix in self._suffixes}))
        self._asks = any(match.headers or match.query for match, _ in rows)

    def _drawers(self, hosts: tuple[str, ...]) -> list[_Drawer[T | None]]:
        """Give the drawers that a row belongs in: one for each host, or the one for all."""
        drawers = []
        for host in dict.fromkeys(hosts):
            if host.startswith("*."):
                drawers.append(self._suffixes.setdefault(host[1:].encode(), _Drawer()))
            else:
                drawers.append(self._hosts.setdefault(host.encode(), _Drawer()))
        return drawers or [self._any]

    def find(self, host: bytes, path: bytes, method: bytes, headers: Headers, query: bytes) -> T | None:
        """Give the target of the first row that holds, or None.

        ``host`` is lower-case without a port, empty if the request has none; ``path`` comes from
        ``path.normalise``; ``query`` is without its `?`.
        """
        best = self._none
        fields = _Fields(headers, query) if self._asks else _NO_FIELDS
        drawer = self._hosts.get(host) if self._hosts else None
        if drawer is not None:
            best = drawer.best(best, path, method, fields)
        for length in self._lengths:
            if length >= len(host):
                break
            drawer = self._suffixes.get(host[-length:])
            if drawer is not None and drawer.first < best.order:
                best = drawer.best(best, path, method, fields)
        drawer = self._any
        if drawer.first < best.order:
            best = drawer.best(best, path, method, fields)
        return best.target
