"""Whether each route is reached at all, and whether every host and method that it names is.

A route that no request can reach is an error: its author believes in a rule that is not there. The
first match wins, so a route is lost where routes above take all that it asks for. A route asks for
each of its hosts with each of its methods, and different routes may take them: GET and POST routes
together hide a route for both. So every such pair is judged by itself, with ``routing.contain``. All
pairs taken is MC403; some of them is MC409, a warning, since the rest of the route does its work.

An error is always right. Not everything is found: not hosts below a wildcard, taken one by one, nor
methods of a route that names none, nor all that one regular expression leaves to another.

Profiles may have thousands of routes, and comparing each with each is not an option. What can hide
a route is filed where the route will look: by path, then by host, then by one rule for an exact
header or query value. The request path ``/a/b`` meets the drawers of ``/a/b``, ``/a`` and ``/``, and
in them the places of its own host, of the wildcards over it, and of all hosts. What still meets in one
place is compared one by one, and so are expressions with an exact path. Each route gets an equal part
of ``BUDGET`` such comparisons; where that is used up, nothing more is claimed about the route.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, product
from typing import Final

from appliance.routing.contain import Reach, matches, path_covers, reach_of, rules_cover
from appliance.routing.match import Match

from .compile import match_of
from .diagnostic import Diagnostics, Related
from .nodes import Listing, Mapping
from .read import Value, owner

BUDGET: Final = 400_000
"""Comparisons of two routes in a whole profile, and as many of an expression with a path."""

MAX_CELLS: Final = 10_000
LOOKS: Final = 8
"""Places looked into for each comparison that is allowed."""

MAX_NAMED: Final = 3

Cell = tuple[str | None, str | None]
"""One host and one method of a route; None stands for all of them."""

_Rule = tuple[str, str, str]


@dataclass(slots=True)
class _Row:
    """A route with all that is compared of it."""

    order: int
    route: Value
    match: Match
    reach: Reach

    @property
    def name(self) -> Value:
        return self.route.find("name") or self.route


class _Drawer:
    """The routes of one path, by host, then by one exact rule; each place in written order."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: dict[str | None, dict[_Rule | None, list[_Row]]] = {}

    def file(self, row: _Row) -> None:
        """Add a row under each of its hosts."""
        rule = next(_exact_rules(row.match), None)
        for host in row.match.hosts or (None,):
            self._places.setdefault(host, {}).setdefault(rule, []).append(row)

    def places(self, wider: list[str | None], rules: list[_Rule | None]) -> Iterator[list[_Row]]:
        """Give the lists in which something that takes one of these hosts and rules would be."""
        for wide in wider:
            place = self._places.get(wide)
            if place is not None:
                for rule in rules:
                    rows = place.get(rule)
                    if rows is not None:
                        yield rows


class _Index:
    """All routes so far, by what they say about the path."""

    __slots__ = ("_allowance", "_hosts", "_left", "_lengths", "_regexes", "_shelves")

    def __init__(self, allowance: int) -> None:
        """``allowance``: the comparisons that may be spent on one route."""
        self._allowance = self._left = allowance
        self._shelves: dict[str, dict[bytes, _Drawer]] = {"exact": {}, "under": {}, "begins": {}}
        self._regexes: dict[bytes, dict[bytes, _Drawer]] = {}
        self._hosts: set[str | None] = set()
        self._lengths: dict[str, list[int]] = {"under": [], "begins": [], "regex": []}

    def file(self, row: _Row) -> None:
        """Add a row; they come in written order."""
        kind, text = row.reach.kind, row.reach.text
        if kind == "regex":
            drawers, key = self._regexes.setdefault(text, {}), row.reach.pattern
        else:
            drawers, key = self._shelves[kind], text
        if key not in drawers:
            drawers[key] = _Drawer()
            if kind != "exact":
                self._lengths[kind] = sorted({*self._lengths[kind], len(text)})
        drawers[key].file(row)
        self._hosts.update(row.match.hosts or (None,))

    def takers(self, row: _Row) -> dict[Cell, _Row]:
        """Give, for each cell of a route that is taken by one above, the first that takes it."""
        self._left = self._allowance
        if len(row.match.hosts) * len(row.match.methods) > MAX_CELLS:
            return {}
        drawers = list(self._drawers(row.reach))
        rules: list[_Rule | None] = [None, *_exact_rules(row.match)]
        found: dict[Cell, _Row] = {}
        looks = LOOKS * self._allowance + MAX_CELLS
        for host in row.match.hosts or (None,):
            wider = [wide for wide in _wider(host) if wide in self._hosts]
            looks -= len(drawers) * len(wider) * len(rules)
            if looks < 0:
                break
            places = [rows for drawer in drawers for rows in drawer.places(wider, rules)]
            for method in row.match.methods or (None,):
                taker = self._first(places, method, row.match)
                if taker is not None:
                    found[host, method] = taker
        return found

    def _first(self, places: list[list[_Row]], method: str | None, match: Match) -> _Row | None:
        best: _Row | None = None
        for rows in places:
            for row in rows:
                if best is not None and row.order > best.order:
                    break
                if self._left <= 0:
                    return best
                self._left -= 1
                if _takes(row.match, method, match):
                    best = row
                    break
        return best

    def _drawers(self, reach: Reach) -> Iterator[_Drawer]:
        """Give the drawers of every path that takes all of this one."""
        text = reach.text
        if reach.kind == "exact" and text in self._shelves["exact"]:
            yield self._shelves["exact"][text]
        for kind in ("under", "begins"):
            for length in self._lengths[kind]:
                if length > len(text):
                    break
                drawer = self._shelves[kind].get(text[:length])
                if drawer is not None and path_covers(Reach(kind, text[:length]), reach):
                    yield drawer
        if reach.kind == "regex" and reach.pattern in self._regexes.get(text, {}):
            yield self._regexes[text][reach.pattern]
        elif reach.kind == "exact":
            lengths = (length for length in self._lengths["regex"] if length <= len(text))
            near = (self._regexes.get(text[:length], {}).items() for length in lengths)
            for pattern, drawer in islice(chain.from_iterable(near), self._allowance):
                if matches(pattern, text):
                    yield drawer


def check_reach(routes: list[Value], diagnostics: Diagnostics, budget: int = BUDGET) -> None:
    """Tell of routes that no request can reach, and of hosts and methods in them that none can."""
    index = _Index(budget // max(1, len(routes)))
    for order, route in enumerate(routes):
        block = route.find("match")
        if not _whole(route, block):
            continue  # part of it could not be read, so it looks wider than it is
        match = match_of(block)
        row = _Row(order, route, match, reach_of(match))
        taken = index.takers(row)
        if len(taken) == max(1, len(match.hosts)) * max(1, len(match.methods)):
            _unreachable(row, taken, diagnostics)
            continue  # whatever it takes is taken above: what it would hide is hidden already
        if taken:
            _partly(row, taken, diagnostics)
        index.file(row)


def _unreachable(row: _Row, taken: dict[Cell, _Row], diagnostics: Diagnostics) -> None:
    takers = _by_taker(taken)
    who = _named([taker for taker, _ in takers])
    takes = "takes" if len(takers) == 1 else "take"
    diagnostics.error(
        "MC403",
        f"{owner(row.route.path)} can never be reached: {who} above {takes} all its requests",
        row.name.span,
        label="never reached",
        help="the first match wins: move it up, or make the route above ask for more"
        if len(takers) == 1
        else "the first match wins: move it up, or make the routes above ask for more",
        related=_related(row, takers),
        path=row.route.path,
    )


def _partly(row: _Row, taken: dict[Cell, _Row], diagnostics: Diagnostics) -> None:
    takers = _by_taker(taken)
    parts = []
    for taker, cells in takers[:MAX_NAMED]:
        what, several = _described(row.match, cells)
        parts.append(f"{what} {'are' if several else 'is'} taken by {owner(taker.route.path)} above")
    more = len(takers) - MAX_NAMED
    if more > 0:
        parts.append(f"and {more} more {'route takes' if more == 1 else 'routes take'} parts of it")
    at = _place(row, takers[0][1])
    diagnostics.warning(
        "MC409",
        f"part of {owner(row.route.path)} is never reached: {'; '.join(parts)}",
        at.span,
        label="never reached",
        help="the first match wins: move the route up, or leave out here what it never gets",
        related=_related(row, takers),
        path=at.path,
    )


def _by_taker(taken: dict[Cell, _Row]) -> list[tuple[_Row, list[Cell]]]:
    """Give each route above with the cells that it takes, in written order."""
    cells: dict[int, list[Cell]] = {}
    rows: dict[int, _Row] = {}
    for cell, taker in taken.items():
        rows[taker.order] = taker
        cells.setdefault(taker.order, []).append(cell)
    return [(rows[order], cells[order]) for order in sorted(rows)]


def _named(rows: list[_Row]) -> str:
    """Name routes: ``route `a` ``, ``routes `a` and `b` ``, or the first few and how many more."""
    if len(rows) == 1:
        return owner(rows[0].route.path)
    names = [owner(row.route.path).removeprefix("route ") for row in rows]
    if len(names) > MAX_NAMED:
        names = [*names[:MAX_NAMED], f"{len(names) - MAX_NAMED} more"]
    return f"routes {_and(names)}"


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _related(row: _Row, takers: list[tuple[_Row, list[Cell]]]) -> tuple[Related, ...]:
    every = max(1, len(row.match.hosts)) * max(1, len(row.match.methods))
    found = []
    for taker, cells in takers[:MAX_NAMED]:
        what = "them all" if len(cells) == every else _described(row.match, cells)[0].replace("`", "")
        found.append(Related(f"takes {what}", taker.name.span))
    return tuple(found)


def _described(match: Match, cells: list[Cell]) -> tuple[str, bool]:
    """Name cells as hosts, as methods, or one by one; the second part says whether they are several."""
    hosts = list(dict.fromkeys(host for host, _ in cells if host is not None))
    methods = list(dict.fromkeys(method for _, method in cells if method is not None))
    if len(hosts) * max(1, len(match.methods)) == len(cells):
        return _several("host", hosts)
    if len(methods) * max(1, len(match.hosts)) == len(cells):
        return _several("method", methods)
    if set(cells) == set(product(hosts, methods)):
        return f"{_several('method', methods)[0]} of {_several('host', hosts)[0]}", len(methods) > 1
    shown = [f"`{method}` of `{host}`" for host, method in cells[:MAX_NAMED]]
    if len(cells) > MAX_NAMED:
        shown.append(f"{len(cells) - MAX_NAMED} more")
    return _and(shown), True


def _several(noun: str, names: list[str]) -> tuple[str, bool]:
    shown = [f"`{name}`" for name in names]
    if len(shown) > MAX_NAMED + 1:
        shown = [*shown[:MAX_NAMED], f"{len(shown) - MAX_NAMED} more"]
    return f"{noun}{'' if len(names) == 1 else 's'} {_and(shown)}", len(names) > 1


def _place(row: _Row, cells: list[Cell]) -> Value:
    """Give where the first of these cells is written: its host, unless it is the method that is lost."""
    host, method = cells[0]
    whole_host = host is not None and sum(cell[0] == host for cell in cells) == max(1, len(row.match.methods))
    key, wanted = ("hosts", host) if whole_host or method is None else ("methods", method)
    listed = row.route.find("match", key)
    items = listed.values() if listed is not None else ()
    return next((item for item in items if item.data == wanted), row.name)


def _takes(wide: Match, method: str | None, narrow: Match) -> bool:
    """Whether ``wide``, known to take the host and the path, takes the rest for this method, too."""
    if wide.methods and (method is None or method not in wide.methods):
        return False
    return rules_cover(wide.headers, narrow.headers) and rules_cover(wide.query, narrow.query)


def _wider(host: str | None) -> Iterator[str | None]:
    """Give every host, wildcard and None under which something that takes ``host`` may be filed."""
    yield None
    if host is None:
        return
    yield host
    name = host.removeprefix("*")
    dot = name.find(".", 1)
    while dot > 0:
        yield f"*{name[dot:]}"
        dot = name.find(".", dot + 1)


def _exact_rules(match: Match) -> Iterator[_Rule]:
    for where, rules in (("header", match.headers), ("query", match.query)):
        for name, rule in rules:
            if rule.kind == "exact":
                yield where, name, rule.value


def _whole(route: Value, block: Value | None) -> bool:
    """Whether everything that the route's `match` says has been read."""
    if block is None:
        return isinstance(route.node, Mapping) and route.node.get("match") is None
    return _all_read(block)


def _all_read(value: Value) -> bool:
    if isinstance(value.data, dict):
        complete = isinstance(value.node, Mapping) and len(value.node.entries) == len(value.data)
        return complete and all(_all_read(child) for child in value.data.values())
    if isinstance(value.data, list):
        complete = isinstance(value.node, Listing) and len(value.node.items) == len(value.data)
        return complete and all(_all_read(child) for child in value.data)
    return True
