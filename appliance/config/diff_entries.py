"""What makes an entry of a profile's lists itself, how a whole entry is told, and which of them moved."""

from __future__ import annotations

from bisect import bisect_left

from . import schema_types as t
from .diff_values import Side, invented, meaning, text_of
from .read import Value

_TELLING = {
    "listeners": ("bind", "protocol", "redirect"),
    "routes": ("match", "to", "respond", "redirect"),
    "upstreams": ("endpoints",),
}


def destinations(to: Value | None) -> list[tuple[str, Value]]:
    """Give the entries of a `to` by the name of the upstream; one that is named again gets a number."""
    found: dict[str, Value] = {}
    for item in [] if to is None else to.data if isinstance(to.data, list) else [to]:
        name = item.get("upstream") if isinstance(item.data, dict) else item.data
        while name in found:
            name += "'"
        found[name] = item
    return list(found.items())


def endpoints(value: Value | None) -> dict[str, Value]:
    """Give the entries of an `endpoints` by their address."""
    return {str(_identity(item).data): item for item in (value.values() if value is not None else ())}


def _identity(item: Value) -> Value:
    return item.find("address") or item.find("upstream") or item


def identity_text(item: Value) -> str:
    """Give the address of an endpoint, or the upstream of a destination, as it is written."""
    return text_of(_identity(item))


def weight_of(item: Value) -> Value:
    """Give the weight of an endpoint or destination."""
    return item.find("weight") or invented(t.Integer(), "100")


def whole_entry(item: Value | None) -> Side | None:
    """Give an endpoint or destination that came or went by what there is to say beside its name."""
    if item is None:
        return None
    weight = weight_of(item)
    return Side(f"weight {text_of(weight)}", item.head.where, item.find("weight") is None)


def count_tests(before: Value | None, after: Value | None) -> tuple[Side, Side] | None:
    """Give the tests on both sides, counted; None if they are the same."""
    old, new = (
        {meaning(item, "") for item in (value.values() if value is not None else ())}
        for value in (before, after)
    )
    if old == new:
        return None
    news = [f"{len(some)} {word}" for some, word in ((new - old, "new"), (old - new, "gone")) if some]
    texts = (_counted(len(old)), f"{_counted(len(new))} ({', '.join(news)})")
    return (
        Side(texts[0], None if before is None else before.head.where),
        Side(texts[1], None if after is None else after.head.where),
    )


def _counted(count: int) -> str:
    return f"{count} test{'' if count == 1 else 's'}"


def telling(value: Value, section: str) -> Side:
    """Give a whole listener, route or upstream as one line: the keys that tell it from its like."""
    wanted = _TELLING[section]
    parts = [f"{name}: {text_of(child)}" for name, child in value.items() if name in wanted]
    return Side(", ".join(parts), value.head.where)


def moved(old: list[str], new: list[str]) -> dict[str, tuple[str, str]]:
    """Give the fewest names that moved from one order to the other, each with where it was and is."""
    position = {name: index for index, name in enumerate(old)}
    tails: list[int] = []
    lengths = []
    for name in new:
        at = bisect_left(tails, position[name])
        tails[at : at + 1] = [position[name]]
        lengths.append(at)
    stayed: list[str] = []
    wanted = len(tails) - 1
    limit = len(old)
    for name, length in zip(reversed(new), reversed(lengths), strict=True):
        if length == wanted and position[name] < limit:
            stayed.append(name)
            wanted, limit = wanted - 1, position[name]
    stayed.reverse()
    unmoved = set(stayed)
    now = {name: index for index, name in enumerate(new)}
    found = {}
    for name in new:
        if name in unmoved:
            continue
        passed = [other for other in stayed if (position[other] < position[name]) != (now[other] < now[name])]
        up = now[passed[0]] > now[name]
        ahead, behind = f"ahead of `{passed[0]}`", f"behind `{passed[-1]}`"
        found[name] = (behind, ahead) if up else (ahead, behind)
    return found
