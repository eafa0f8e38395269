"""States of a proxy, what differs between two of them, and how to get from one to the other.

A state has sets (``proxy``, ``br``, ``ep`` ...), a set has things under their keys, a thing has fields. What
is sent is always the difference from what the client has to what there is now: nothing is queued, and a
client that has missed a hundred ticks gets one difference. Differences in a row may be merged into one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Fields = dict[str, Any]
Things = dict[str, Fields]
State = dict[str, Things]
"""Values are those of JSON. Things are never changed once they stand in a state: a changed one is another."""


@dataclass(slots=True)
class Delta:
    """What differs: first ``gone`` things leave, then ``set`` gives fields their values; no value is None."""

    set: State = field(default_factory=dict)
    gone: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.set or self.gone)


def diff(old: Mapping[str, Things], new: Mapping[str, Things]) -> Delta:
    """Give what turns ``old`` into ``new``. Things that are the same object are not looked at."""
    delta = Delta()
    for name in old.keys() | new.keys():
        before, after = old.get(name, {}), new.get(name, {})
        changed: Things = {}
        for key, thing in after.items():
            was = before.get(key)
            if was is thing:
                continue
            if was is None:
                changed[key] = thing
                continue
            fields = {word: value for word, value in thing.items() if was.get(word) != value}
            if not was.keys() <= thing.keys():
                fields |= {
                    word: None for word, value in was.items() if value is not None and word not in thing
                }
            if fields:
                changed[key] = fields
        if changed:
            delta.set[name] = changed
        gone = [key for key in before if key not in after]
        if gone:
            delta.gone[name] = gone
    return delta


def apply(state: Mapping[str, Things], delta: Delta) -> State:
    """Give the state that ``delta`` makes of another, which stays as it is."""
    new = {name: dict(things) for name, things in state.items()}
    for name, keys in delta.gone.items():
        things = new.get(name, {})
        for key in keys:
            things.pop(key, None)
    for name, changed in delta.set.items():
        things = new.setdefault(name, {})
        for key, fields in changed.items():
            things[key] = {**things.get(key, {}), **fields}
    return new


def merge(first: Delta, then: Delta) -> Delta:
    """Give one difference that does what two in a row do."""
    both = Delta({name: dict(things) for name, things in first.set.items()}, dict(first.gone))
    for name, keys in then.gone.items():
        things = both.set.get(name, {})
        for key in keys:
            things.pop(key, None)
        both.gone[name] = list(dict.fromkeys([*both.gone.get(name, []), *keys]))
    for name, changed in then.set.items():
        things = both.set.setdefault(name, {})
        for key, fields in changed.items():
            things[key] = {**things.get(key, {}), **fields}
    both.set = {name: things for name, things in both.set.items() if things}
    return both


def select(state: Mapping[str, Things], wanted: Mapping[str, Any]) -> State:
    """Give the sets that a client wants: ``true`` for a whole one, ``{"up": [...]}`` for some upstreams'."""
    chosen: State = {}
    for name, which in wanted.items():
        things = state.get(name)
        if things is None or not which:
            continue
        ups = which.get("up") if isinstance(which, dict) else None
        if isinstance(ups, list):
            ups = {each for each in ups if isinstance(each, str)}
            things = {key: thing for key, thing in things.items() if thing.get("up", key) in ups}
        chosen[name] = things
    return chosen
