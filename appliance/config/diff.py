"""What differs between two profiles, in their own words, and what a reload does about it.

Compared is what the profiles mean: both are read whole, with includes joined, variables replaced and
`defaults` copied under, and a key that is not written has its default. So comments, order of
maps, and the ways of writing one thing make no difference; and a key is told of only where at least one
of the two writes it.

Entries of a list are told apart by what makes them themselves: a route by its name, an endpoint by its
address, a destination by its upstream. The order of routes counts, since the first match wins:
the fewest routes are told as moved that explain the new order (all but a longest common
subsequence), and one that merely has new neighbours is not.

Keys that a route writes over its upstream's are compared with what the upstream says where the
route says nothing; and if several upstreams say different things, with "the upstream's".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from . import schema_types as t
from .diff_entries import (
    count_tests,
    destinations,
    endpoints,
    identity_text,
    moved,
    telling,
    weight_of,
    whole_entry,
)
from .diff_values import Side, default_of, invented, is_nothing, maybe, meaning, side
from .load import Loaded
from .read import Value
from .reload_effect import Effect, Kind, effect_of
from .schema import PROFILE, ROUTE
from .schema_parts import BREAKER

Pair = tuple[Value | None, Value | None]
Bases = tuple[tuple[Value | None, ...], tuple[Value | None, ...]]

_SILENT = frozenset({"meshctl", "include", "vars", "defaults"})  # they count through what they lead to
_OFF_UNLESS_WRITTEN = frozenset(
    {"tls", "rate_limit", "mirror", "inject", "delay", "abort", "health", "export", "proxy_protocol"}
    | {"respond", "redirect"}
)
_NO_BASES: Bases = ((None,), (None,))
_RULES = BREAKER.mapping if isinstance(BREAKER.mapping, t.Object) else t.Object({})
_UPSTREAMS = Side("the upstream's", default=True)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. A side is None where the thing does not exist; ``effect`` is what a reload does."""

    kind: Kind
    steps: tuple[str, ...]
    before: Side | None
    after: Side | None
    effect: Effect

    @property
    def path(self) -> str:
        """The key, dotted; entries of a list in brackets."""
        return "".join(step if step.startswith("[") else f".{step}" for step in self.steps)[1:]


def diff(before: Loaded, after: Loaded) -> tuple[Change, ...]:
    """Give what differs, in the order of the format; both profiles must have a plan."""
    return tuple(_Comparison(before, after).run())


class _Comparison:
    """One walk over two profiles at once, by the schema."""

    def __init__(self, before: Loaded, after: Loaded) -> None:
        if before.merged is None or after.merged is None or before.plan is None or after.plan is None:
            raise ValueError("only profiles without errors can be compared")
        self._roots = (before.merged, after.merged)
        self._files = (before.plan.file, after.plan.file)
        self._names = (before.plan.name, after.plan.name)

    def run(self) -> Iterator[Change]:
        """Give the changes of the whole profile."""
        for name, key in PROFILE.keys.items():
            pair = self._below(self._roots, name)
            if name == "name":
                yield from self._name(pair)
            elif name == "routes":
                yield from self._routes(*pair)
            elif name == "tests":
                sides = count_tests(*pair)
                if sides is not None:
                    yield _changed(("tests",), *sides)
            elif name not in _SILENT:
                yield from self._key(key, name, pair, (name,), _NO_BASES)

    @staticmethod
    def _below(pair: Pair, name: str) -> Pair:
        before, after = pair
        return before and before.find(name), after and after.find(name)

    def _equal(self, before: Value, after: Value) -> bool:
        return meaning(before, self._files[0]) == meaning(after, self._files[1])

    def _name(self, pair: Pair) -> Iterator[Change]:
        if self._names[0] != self._names[1]:
            sides = [
                side(value) if value is not None else Side(name, default=True)
                for value, name in zip(pair, self._names, strict=True)
            ]
            yield _changed(("name",), *sides)

    def _key(
        self, key: t.Key, name: str, pair: Pair, steps: tuple[str, ...], bases: Bases
    ) -> Iterator[Change]:
        """Compare what stands under one key of an object; ``bases`` are what it is written over."""
        before, after = pair
        if before is None and after is None:
            return
        kind = key.type
        if name == "breaker":
            yield from self._breaker(pair, steps, bases)
        elif name == "to" and isinstance(kind, t.ByShape):
            yield from self._destinations(pair, steps)
        elif name == "endpoints":
            yield from self._entries(endpoints(before), endpoints(after), steps)
        elif isinstance(kind, t.Object):
            if name in _OFF_UNLESS_WRITTEN and (before is None or after is None):
                yield _come_or_gone(steps, maybe(before), maybe(after))
            else:
                yield from self._object(kind, pair, steps, bases)
        elif isinstance(kind, t.MapOf):
            yield from self._map(kind, pair, steps)
        else:
            yield from self._leaf(key, pair, steps, (None, None))

    def _object(
        self, kind: t.Object, pair: Pair, steps: tuple[str, ...], bases: Bases = _NO_BASES
    ) -> Iterator[Change]:
        for name, key in kind.keys.items():
            below = self._below(pair, name)
            if below == (None, None):
                continue
            special = name in ("breaker", "endpoints", "to") and not isinstance(key.type, t.Leaf)
            if special or isinstance(key.type, t.Object | t.MapOf):
                inner = self._bases_of(name, pair, steps) or _inside(bases, name)
                yield from self._key(key, name, below, (*steps, name), inner)
            else:
                absent = tuple(self._unwritten(kind, name, pair[i], bases[i], i) for i in (0, 1))
                yield from self._leaf(key, below, (*steps, name), (absent[0], absent[1]))

    def _bases_of(self, name: str, pair: Pair, steps: tuple[str, ...]) -> Bases | None:
        """Give what a route writes its `breaker` or `retry` over: those of its upstreams."""
        if steps[0] != "routes" or len(steps) != 2 or name not in ("breaker", "retry"):
            return None
        before, after = (
            tuple(root.find("upstreams", to, name) for to, _ in destinations(route and route.find("to")))
            for root, route in zip(self._roots, pair, strict=True)
        )
        return before or (None,), after or (None,)

    def _unwritten(
        self, kind: t.Object, name: str, own: Value | None, bases: tuple[Value | None, ...], which: int
    ) -> Value | Side | None:
        """Give what counts for a key where it is not written: a base's, a computed value, or the default."""
        found = [_effective(kind, name, (own, base)) for base in bases]
        first = found[0]
        if all(
            (value is None and first is None)
            or (value is not None and first is not None and self._same(value, first, which))
            for value in found
        ):
            return first
        return _UPSTREAMS

    def _same(self, one: Value, other: Value, which: int) -> bool:
        return meaning(one, self._files[which]) == meaning(other, self._files[which])

    def _leaf(
        self,
        key: t.Key,
        pair: Pair,
        steps: tuple[str, ...],
        absent: tuple[Value | Side | None, Value | Side | None],
    ) -> Iterator[Change]:
        """Compare one value with another, or with what counts in its absence."""
        written = [None if value is None or _says_nothing(key, value) else value for value in pair]
        values = [own if own is not None else other for own, other in zip(written, absent, strict=True)]
        before, after = values
        if isinstance(before, Value) and isinstance(after, Value):
            if self._equal(before, after):
                return
        elif before is None and after is None:
            return
        sides = [
            side(value, default=own is None) if isinstance(value, Value) else value
            for own, value in zip(written, values, strict=True)
        ]
        if None in sides and "Default" in key.doc:  # worked out at run time: there is always a value
            sides = [Side("default", default=True) if each is None else each for each in sides]
        yield _come_or_gone(steps, sides[0], sides[1])

    def _map(self, kind: t.MapOf, pair: Pair, steps: tuple[str, ...]) -> Iterator[Change]:
        before, after = (dict(value.items()) if value is not None else {} for value in pair)
        for name in dict.fromkeys((*before, *after)):
            old, new = before.get(name), after.get(name)
            path = (*steps, name)
            if old is None or new is None:
                sides = [
                    None if each is None else telling(each, steps[0]) if len(steps) == 1 else side(each)
                    for each in (old, new)
                ]
                yield _come_or_gone(path, sides[0], sides[1])
            elif isinstance(kind.value, t.Object):
                yield from self._object(kind.value, (old, new), path)
            elif not self._equal(old, new):
                yield _changed(path, side(old), side(new))

    def _breaker(self, pair: Pair, steps: tuple[str, ...], bases: Bases) -> Iterator[Change]:
        """Compare two breakers: on with rules, or `false`; one that a route does not write is no breaker."""
        before, after = pair
        of_route = steps[0] == "routes"
        off = [value is not None and not isinstance(value.data, dict) for value in pair]
        if of_route and (before is None or after is None):
            yield _come_or_gone(steps, maybe(before), maybe(after))
        elif off[0] != off[1]:
            yield _changed(steps, *(side(each) if each else Side("on", default=True) for each in pair))
        elif not off[0]:
            yield from self._object(_RULES, pair, steps, bases)

    def _destinations(self, pair: Pair, steps: tuple[str, ...]) -> Iterator[Change]:
        before, after = pair
        old, new = destinations(before), destinations(after)
        if before is None or after is None:
            yield _come_or_gone(steps, maybe(before), maybe(after))
        elif len(old) == len(new) == 1:
            if old[0][0] != new[0][0]:
                yield _changed(steps, side(old[0][1]), side(new[0][1]))
        else:
            yield from self._entries(dict(old), dict(new), steps)

    def _entries(
        self, old: dict[str, Value], new: dict[str, Value], steps: tuple[str, ...]
    ) -> Iterator[Change]:
        """Compare entries that have an identity, and otherwise only a weight."""
        for name in dict.fromkeys((*old, *new)):
            before, after = old.get(name), new.get(name)
            path = (*steps, f"[{identity_text(after or before or old[name])}]")
            if before is None or after is None:
                yield _come_or_gone(path, whole_entry(before), whole_entry(after))
            elif weight_of(before).data != weight_of(after).data:
                sides = [side(weight_of(each), default=not each.find("weight")) for each in (before, after)]
                yield _changed((*path, "weight"), *sides)

    def _routes(self, before: Value | None, after: Value | None) -> Iterator[Change]:
        old = {route.get("name"): route for route in (before.values() if before else ())}
        new = {route.get("name"): route for route in (after.values() if after else ())}
        for name, route in old.items():
            if name not in new:
                yield _come_or_gone(("routes", name), telling(route, "routes"), None)
        now = moved([name for name in old if name in new], [name for name in new if name in old])
        names = list(new)
        for index, (name, route) in enumerate(new.items()):
            path = ("routes", name)
            if name not in old:
                following = f"ahead of `{names[index + 1]}`" if index + 1 < len(names) else "last"
                text = f"{telling(route, 'routes').text}, {following}"
                yield _come_or_gone(path, None, Side(text, route.head.where))
                continue
            if name in now:
                was, place = now[name]
                sides = Side(was, old[name].head.where), Side(place, route.head.where)
                yield Change("moved", path, *sides, effect_of("moved", path))
            yield from self._object(ROUTE, (old[name], route), path)


def _inside(bases: Bases, name: str) -> Bases:
    before, after = (tuple(base and base.find(name) for base in each) for each in bases)
    return before, after


def _changed(steps: tuple[str, ...], before: Side, after: Side) -> Change:
    return Change("changed", steps, before, after, effect_of("changed", _plain(steps)))


def _come_or_gone(steps: tuple[str, ...], before: Side | None, after: Side | None) -> Change:
    kind: Kind = "added" if before is None else "removed" if after is None else "changed"
    return Change(kind, steps, before, after, effect_of(kind, _plain(steps)))


def _plain(steps: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(step.strip("[]") if step.startswith("[") else step for step in steps)


def _says_nothing(key: t.Key, value: Value) -> bool:
    return is_nothing(value) and default_of(key) is None


def _effective(kind: t.Object, name: str, blocks: tuple[Value | None, ...]) -> Value | None:
    """Give what counts for a key by blocks of falling precedence, computed defaults included."""
    for block in blocks:
        found = block and block.find(name)
        if found is not None and not _says_nothing(kind.keys[name], found):
            return found
    if name == "max_open_for":
        return _effective(kind, "open_for", blocks)
    if name == "burst":
        rate = _effective(kind, "rate", blocks)
        return rate and invented(kind.keys["burst"].type, str(max(1, ceil(rate.data))))
    return default_of(kind.keys[name])
