"""Breakers: which are open, how near the others are, why, until when; as cards or as a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import facts, numbers, report
from ..cards import CARD_LINES, card, ribbon_spans
from ..chrome import NARROW, STANDARD, WIDE, state_cell
from ..glyphs import bar
from ..palette import of_state
from ..rows import Row, Span, beside, box, clip, filled, pointing, rule, split
from ..scene import Scene
from ..tables import Column, Item, ordered, place_cursor, table
from ..text import safe
from .columns import name, shown

VIEW = 2


def lines(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give the whole view."""
    items = ordered(scene, "br", VIEW)
    if not items:
        what = "no breaker fits the filter" if scene.model.things("br") else "this proxy has no breakers"
        return filled([Row((("", ""),)), Row(((f"  {what}", "muted"),))], cells, count)
    as_table = scene.ui.table if scene.ui.table is not None else cells < WIDE
    below = min(12, max(0, count // 3 + 1)) if count >= 14 else 0
    cursor = max(0, place_cursor(scene, VIEW, items))
    if scene.ui.whole:
        return _report(scene, items[cursor], cells, count)
    above = count - below
    if as_table or cells < NARROW or above < CARD_LINES + 1:
        top = _table(scene, items, cells, above)
    else:
        top = _cards(scene, items, cursor, cells, above)
    return [*top, *_report(scene, items[cursor], cells, below)]


def _table(scene: Scene, items: Sequence[Item], cells: int, count: int) -> list[Row]:
    glyphs, things = scene.ui.glyphs, _columns(scene, cells)
    if cells >= WIDE:
        right: list[Span] = [(f"{len(items)} {glyphs.dot} {_summary(scene)}", "muted")]
        body = table(scene, VIEW, things, items, cells - 4, count - 2)
        return box(body, cells, count, glyphs, title=[("Breakers", "title")], right=right)
    return [
        rule((), (), cells, glyphs),
        *filled(table(scene, VIEW, things, items, cells, count - 1), cells, count - 1),
    ]


def _columns(scene: Scene, cells: int) -> list[Column]:
    glyphs = scene.ui.glyphs

    def state(item: Item) -> tuple[Span, ...]:
        return state_cell(facts.state(item[1]), scene)

    def progress(item: Item) -> tuple[Span, ...]:
        share, told = facts.progress(item[1], scene.m)
        style = of_state(facts.state(item[1])).split()[0]
        return ((bar(share, 11, glyphs), style), (f" {told}", ""))

    ribbon = 30 if cells >= WIDE else 10
    return [
        Column("BREAKER", 14, name, flex=True, sort="name"),
        Column("STATE", 11, state),
        Column("PROGRESS", 22, progress, drop=1),
        Column("ASK/s", 6, shown("ask", numbers.rate), right=True, sort="ask", drop=6),
        Column("REJ/s", 6, shown("rej", numbers.rate), right=True, sort="rej", drop=4),
        Column("TRIP", 4, shown("trips_1h", numbers.rate), right=True, sort="trips_1h", drop=3),
        Column("60s", ribbon, lambda item: ribbon_spans(scene, item[0], ribbon), drop=5),
    ]


def _cards(scene: Scene, items: Sequence[Item], cursor: int, cells: int, count: int) -> list[Row]:
    """Give as many cards as fit, page by page, and a line that says so."""
    across = 3 if cells >= WIDE else 2 if cells >= STANDARD else 1
    down = max(1, (count - 1) // CARD_LINES)
    size, spare = divmod(cells, across)
    sizes = [size + (index < spare) for index in range(across)]
    page, pages = cursor // (across * down), -(-len(items) // (across * down))
    begin = page * across * down
    drawn: list[Row] = []
    for line in range(down):
        blocks = []
        for column, width in enumerate(sizes):
            index = begin + line * across + column
            if index < len(items):
                key, thing = items[index]
                made = card(scene, key, thing, width, chosen=index == cursor)
                blocks.append([pointing(each, width, "list", key) for each in made])
            else:
                blocks.append(filled([], width, CARD_LINES))
        drawn += beside(*blocks)
    where = f"page {page + 1}/{pages} " if pages > 1 else ""
    summary = split(
        [(f" {_summary(scene)}", "muted")], [(f"v: cards/table  !: trouble only  {where}", "muted")], cells
    )
    return filled([*drawn[: count - 1], summary], cells, count)


def _summary(scene: Scene) -> str:
    found = facts.count_states(scene.model.things("br"))
    dot = f" {scene.ui.glyphs.dot} "
    parts = (f"{found['open']} OPEN", f"{found['half_open']} HALF-OPEN", f"{found['closed']} closed",
             f"{found['forced']} forced")  # fmt: skip
    return dot.join(parts)


def _report(scene: Scene, item: Item, cells: int, count: int) -> list[Row]:
    """Give the pane with the report of the last trip of the chosen breaker."""
    if count < 4:
        return filled([], cells, count)
    key, thing = item
    trip = trip_of(scene, key, thing)
    title = report.title(scene, key, trip)
    if cells >= WIDE:
        told = report.lines(scene, thing, trip, cells - 4, count - 2)
        hint = "⏎ back" if scene.ui.whole else "⏎ full report"
        return box(_tail(told, count - 2), cells, count, scene.ui.glyphs, title=title,
                   right=[(hint, "muted")] if trip else ())  # fmt: skip
    told = [Row(((" ", ""), *line.spans)) for line in report.lines(scene, thing, trip, cells - 2, count - 1)]
    shown_lines = [clip(line, cells, scene.ui.glyphs.more) for line in _tail(told, count - 1)]
    return [rule(title, (), cells, scene.ui.glyphs), *filled(shown_lines, cells, count - 1)]


def _tail(told: list[Row], count: int) -> list[Row]:
    """Give what fits: the last requests matter most, and the summary below them."""
    return told if len(told) <= count else told[len(told) - count :]


def trip_of(scene: Scene, name: str, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give the report of the last trip of a breaker, if it has been fetched."""
    known = scene.trips.get(safe(row.get("trip")))
    if known is not None:
        return known
    fits = [trip for trip in scene.trips.values() if trip.get("breaker") == name]
    return fits[-1] if fits else None
