"""Upstreams and their endpoints as a tree: which endpoint is bad. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.model.text import counted

from .. import facts, numbers
from ..chrome import WIDE
from ..rows import Row, Span, box, clip, filled, labelled, rule
from ..scene import Scene
from ..tables import Column, Item, ordered, place_cursor, predicate, table
from ..text import safe
from .columns import err_cell, rates, shown, times, trace, tree_cell, tree_state

VIEW = 3
_FEW = 40
"""Endpoints up to which everything is unfolded."""


def lines(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give the whole view."""
    items = tree(scene, VIEW)
    glyphs = scene.ui.glyphs
    below = 9 if count >= 20 else 0
    above = count - below
    title: list[Span] = [(_title(scene), "title")]
    columns = _columns(scene)
    if cells >= WIDE:
        top = box(table(scene, VIEW, columns, items, cells - 4, above - 2), cells, above, glyphs, title=title)
    else:
        body = filled(table(scene, VIEW, columns, items, cells, above - 1), cells, above - 1)
        top = [rule(title, (), cells, glyphs), *body]
    if not below or not items:
        return filled(top, cells, count)
    key, thing = items[max(0, place_cursor(scene, VIEW, items))]
    told = _upstream(scene, key, thing) if thing["kind"] == "up" else _endpoint(scene, thing)
    told = [clip(line, cells - 4, glyphs.more) for line in told]
    return [*top, *box(told, cells, below, glyphs, title=[(safe(key), "title")])]


def tree(scene: Scene, view: int, room: int = 0) -> list[Item]:
    """Give upstreams in their order, each followed by its endpoints unless it is folded.

    With ``room`` only so many lines are unfolded by themselves, what is in most trouble first.
    """
    model, ui = scene.model, scene.ui
    many = len(model.things("ep")) > _FEW and not room
    matches = predicate(ui.filters.get(view, ""))
    found: list[Item] = []
    ends: dict[str, list[Item]] = {}
    for key, each in model.things("ep").items():
        ends.setdefault(str(each.get("up")), []).append((key, each))
    ups = ordered(scene, "up", view, filtered=False)
    left = room - len(ups)
    for name, row in ups:
        inner = ends.get(name, [])
        if matches is not None:
            inner = [(key, end) for key, end in inner if matches({**end, "name": key, "set": "ep"})]
            if not inner and not matches({**row, "name": name, "set": "up"}):
                continue
        folded = name in ui.folded or (many and name not in ui.unfolded and matches is None)
        if room and len(inner) > left:
            folded = True
        found.append((name, {**row, "kind": "up", "folded": folded}))
        if folded:
            continue
        left -= len(inner)
        last = len(inner) - 1
        found += [
            (key, {**end, "kind": "ep", "last": index == last}) for index, (key, end) in enumerate(inner)
        ]
    return found


def _title(scene: Scene) -> str:
    ups, ends = scene.model.things("up"), scene.model.things("ep")
    dot = f" {scene.ui.glyphs.dot} "
    parts = [counted(len(ups), "upstream"), counted(len(ends), "endpoint")]
    for word in ("open", "down", "draining", "drained"):
        number = sum(row.get("state") == word for row in ends.values())
        if number:
            parts.append(f"{number} {word}")
    return dot.join(parts)


def _columns(scene: Scene) -> list[Column]:
    glyphs = scene.ui.glyphs

    def health(item: Item) -> tuple[Span, ...]:
        row = item[1]
        if row["kind"] == "up":
            ready, total = int(facts.number(row, "up_n")), int(facts.number(row, "eps"))
            return ((f"{ready}/{total}", "open" if ready < total else "ok"),)
        told = row.get("health")
        if not isinstance(told, dict):
            return (("", ""),)
        if told.get("ok") is True:
            return ((glyphs.good, "ok"),)
        return ((f"{glyphs.bad} {safe(told.get('why'))}", "open"),)

    def limit(item: Item) -> tuple[Span, ...]:
        most = item[1].get("max")
        most = f"/{most}" if numbers.is_number(most) and most else ""
        return ((f"{numbers.rate(item[1].get('act'))}{most}", ""),)

    return [
        Column("UPSTREAM / ENDPOINT", 26, tree_cell(scene, balance=True), flex=True, sort="name"),
        Column("STATE", 18, tree_state(scene)),
        Column("WT", 4, shown("weight", _or_nothing), right=True, drop=4),
        Column("HEALTH", 12, health, drop=5),
        *rates("rps"),
        Column("ERR%", 5, err_cell, right=True, sort="err"),
        *rates("p50", "p99"),
        Column("ACT/MAX", 8, limit, right=True, sort="act", drop=3),
        Column("CONN", 4, shown("conns", _or_nothing), right=True, drop=6),
        Column("60s", 8, lambda item: trace(scene, item[1]["kind"])(item), drop=7),
    ]  # fmt: skip


def _or_nothing(value: object) -> str:
    return "" if value is None else numbers.rate(value)


def _totals(row: Mapping[str, Any]) -> str:
    return f"{facts.number(row, 'tot'):.0f} tries, {numbers.percent(row.get('err'))}% failed lately"


def _upstream(scene: Scene, name: str, row: Mapping[str, Any]) -> list[Row]:
    ready = f"{facts.number(row, 'up_n'):.0f} of {facts.number(row, 'eps'):.0f} endpoints may have requests"
    passing = "; when none may, all may" if row.get("pass") is True else ""
    most = f" of {facts.number(row, 'max'):.0f}" if facts.number(row, "max") else ""
    queue = f", {facts.number(row, 'pend'):.0f} wait for a place" if facts.number(row, "pend") else ""
    return [
        labelled("balancing", f"{safe(row.get('lb'))}, {safe(row.get('proto'))}"),
        labelled("ready", ready + passing),
        labelled("in flight", f"{facts.number(row, 'act'):.0f}{most}{queue}"),
        labelled("times", times(row)),
        labelled("totals", _totals(row)),
    ]  # fmt: skip


def _endpoint(scene: Scene, row: Mapping[str, Any]) -> list[Row]:
    who = f" by {safe(row['by'])}" if row.get("by") is not None else ""
    rest = facts.left(row.get("until"), scene.m)
    ends = f", ends by itself in {numbers.lasting(rest)}" if who and rest is not None else ""
    health = row.get("health")
    told = "not checked"
    if isinstance(health, dict):
        told = "well" if health.get("ok") is True else f"not well: {safe(health.get('why'))}"
    lines = [
        labelled("state", f"{safe(row.get('state'))}{who}{ends}"),
        labelled("health", told),
        labelled("weight", f"{safe(row.get('weight'))}, share {numbers.percent(row.get('share'))}%"),
        labelled("in flight", f"{facts.number(row, 'act'):.0f} of {facts.number(row, 'max'):.0f}, "
                           f"{facts.number(row, 'conns'):.0f} connections"),
        labelled("times", times(row)),
        labelled("totals", _totals(row)),
    ]  # fmt: skip
    if row.get("reason"):
        lines.insert(1, labelled("reason", f'"{safe(row["reason"])}"'))
    return lines
