"""Routes: what clients see of each, and what it took to give them that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import facts, numbers
from ..chrome import WIDE
from ..rows import Row, Span, box, clip, filled, labelled, rule
from ..scene import Scene
from ..tables import Column, Item, ordered, place_cursor, table
from ..text import safe
from .columns import err_cell, name, rates, route_columns, shown, times

VIEW = 4


def lines(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give the whole view."""
    items = ordered(scene, "rt", VIEW)
    below = 8 if count >= 18 else 0
    glyphs = scene.ui.glyphs
    columns = _columns(scene)
    title: list[Span] = [("Routes", "title")]
    right: list[Span] = [(f"{len(items)}", "muted")]
    above = count - below
    if cells >= WIDE:
        top = box(table(scene, VIEW, columns, items, cells - 4, above - 2), cells, above, glyphs, title=title,
                  right=right)  # fmt: skip
    else:
        body = filled(table(scene, VIEW, columns, items, cells, above - 1), cells, above - 1)
        top = [rule(title, right, cells, glyphs), *body]
    if not below or not items:
        return filled(top, cells, count)
    key, thing = items[max(0, place_cursor(scene, VIEW, items))]
    told = [clip(line, cells - 4, glyphs.more) for line in _detail(scene, thing)]
    return [*top, *box(told, cells, below, glyphs, title=[(safe(key), "title")])]


def _columns(scene: Scene) -> list[Column]:
    def success(item: Item) -> tuple[Span, ...]:
        value = item[1].get("try_err")
        return ((numbers.percent(value), "half" if facts.number(item[1], "try_err") >= 0.01 else ""),)

    def last(item: Item) -> tuple[Span, ...]:
        hit = item[1].get("last_hit")
        if not numbers.is_number(hit):
            return (("never", "muted"),)
        return ((f"{numbers.lasting((scene.m - hit) / 1000)} ago", "muted"),)

    mixed = route_columns(scene)[-1]
    return [
        Column("ROUTE", 12, name, sort="name"),
        Column("MATCH", 20, shown("match", safe, "muted"), flex=True, drop=5),
        Column("TO", 12, shown("to", safe), drop=4),
        *rates("rps"),
        Column("ERR%", 5, err_cell, right=True, sort="err"),
        Column("TRY%", 5, success, right=True, sort="try_err", drop=3),
        Column("RETRY", 6, shown("retry_s", numbers.rate), right=True, sort="retry_s", drop=6),
        Column("LIMIT", 6, shown("rl_rej", numbers.rate), right=True, sort="rl_rej", drop=7),
        *rates("p50", "p99"),
        Column("LAST", 9, last, right=True, drop=8),
        mixed,
    ]


def _detail(scene: Scene, row: Mapping[str, Any]) -> list[Row]:
    """Tell of one route in sentences."""
    err, tries = numbers.percent(row.get("err")), numbers.percent(row.get("try_err"))
    retries = numbers.rate(row.get("retry_s"))
    seen = (
        f"clients see {err}% failed; of single tries {tries}% failed, {retries} retries/s hide the difference"
    )
    own = f"{numbers.percent(row.get('rej'))}% by the proxy itself"
    return [
        labelled("match", safe(row.get("match"))),
        labelled("sends to", f"{safe(row.get('to'))}   {safe(row.get('src') or '')}"),
        labelled("success", seen),
        labelled("refused", f"{own}, {facts.number(row, 'rl_rej'):.0f} by its rate limit so far"),
        labelled("times", f"{times(row)}   {facts.number(row, 'tot'):.0f} requests so far"),
    ]
