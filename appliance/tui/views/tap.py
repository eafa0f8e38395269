"""Requests as they end, those under way, and one of them in full. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import facts, numbers
from ..chrome import STANDARD, WIDE
from ..rows import Row, Span, beside, box, clip, filled, labelled, rule
from ..scene import Scene
from ..tables import Column, Item, place_cursor, table
from ..tapped import RATE
from ..text import cut_path, fit, safe
from .columns import shown

VIEW = 5
_LIVE = 46


def lines(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give the whole view."""
    glyphs, tap = scene.ui.glyphs, scene.tap
    items = rows(scene)
    below = 12 if count >= 24 else 8 if count >= 16 else 0
    above = count - below
    title: list[Span] = [(_title(scene), "title")]
    right: list[Span] = [("held: space goes on" if tap.held else "newest first", "muted")]
    if not items:
        told = [Row(), *(Row(((f"  {line}", "muted"),)) for line in _nothing(scene))]
    else:
        told = table(scene, VIEW, _columns(scene), items, cells - 4 if cells >= WIDE else cells, above - 2)
    if cells >= WIDE:
        top = box(told, cells, above, glyphs, title=title, right=right)
    else:
        top = [rule(title, right, cells, glyphs), *filled(told, cells, above - 1)]
    if not below:
        return filled(top, cells, count)
    chosen = items[max(0, place_cursor(scene, VIEW, items))] if items else None
    return [*top, *_below(scene, chosen, cells, below)]


def rows(scene: Scene) -> list[Item]:
    """Give what has been shown, newest first."""
    return [(str(row.get("rid")), row) for row in scene.tap.rows]


def _title(scene: Scene) -> str:
    tap = scene.tap
    dot = f" {scene.ui.glyphs.dot} "
    parts = [f"Tap{dot}match: {safe(tap.match) or '(all)'}"]
    if tap.sample > 1:
        parts.append(f"1 of {tap.sample}")
    if tap.runs or tap.seen:
        parts.append(f"{tap.seen} seen, {tap.shown} shown")
        if tap.dropped:
            parts.append(f"{tap.dropped} not shown (cap {RATE:g}/s)")
    if tap.runs:
        parts.append(f"stops in {numbers.lasting(tap.until - scene.now)}")
    return dot.join(parts)


def _nothing(scene: Scene) -> list[str]:
    if scene.tap.why:
        return [f"the tap could not begin: {safe(scene.tap.why)}"]
    if scene.tap.runs:
        return ["waiting for a request that matches"]
    return [
        "t begins to show requests as they end, for five minutes, at most a hundred a second.",
        '/ says which: status>=500   dur>500ms   route=pay   path~"^/pay/"   client=203.0.113.0/24',
        "Bodies are never shown, headers only if the profile lists them.",
    ]


def _columns(scene: Scene) -> list[Column]:
    def status(item: Item) -> tuple[Span, ...]:
        code = facts.number(item[1], "st")
        style = "open" if code >= 500 or not code else "half" if code >= 400 else "ok"
        grpc = item[1].get("grpc")
        extra = f" g{grpc}" if numbers.is_number(grpc) else ""
        return ((f"{code:.0f}{extra}" if code else "-", style),)

    def path(item: Item) -> tuple[Span, ...]:
        return ((cut_path(safe(item[1].get("path")), 60), ""),)

    return [
        Column("TIME", 8, shown("t", lambda t: numbers.clock(t, utc=scene.ui.utc), "muted"), drop=3),
        Column("ID", 6, lambda item: ((safe(item[0])[-6:], "muted"),), drop=7),
        Column("METH", 5, shown("me", safe)),
        Column("PATH", 16, path, flex=True),
        Column("ROUTE", 10, shown("rt", safe), drop=4),
        Column("ENDPOINT", 17, shown("ep", lambda ep: safe(ep or "–")), drop=5),
        Column("STAT", 5, status, right=True),
        Column("DUR", 6, shown("ms", numbers.millis), right=True),
        Column("BYTES", 6, shown("by", numbers.size), right=True, drop=6),
        Column("NOTE", 18, lambda item: ((_note(item[1]), "half"),), drop=2),
    ]


def _note(row: Mapping[str, Any]) -> str:
    notes = row.get("note")
    told = [safe(each) for each in notes] if isinstance(notes, list) else []
    if row.get("fault"):
        told.insert(0, safe(row["fault"]))
    return "; ".join(told)


def _below(scene: Scene, chosen: Item | None, cells: int, count: int) -> list[Row]:
    glyphs = scene.ui.glyphs
    head: list[Span] = [("one request", "title")]
    if chosen is not None:
        row = chosen[1]
        head = [(f"{safe(chosen[0])[-6:]}  {safe(row.get('me'))} ", "title"),
                (cut_path(safe(row.get("path")), max(10, cells // 3)), "title")]  # fmt: skip
    if cells >= STANDARD:
        left = cells - _LIVE
        told = [] if chosen is None else one(scene, chosen[1], left - 4)
        under = f"in flight now ({len(scene.model.things('live'))})"
        return beside(
            box([clip(line, left - 4, glyphs.more) for line in told], left, count, glyphs, title=head),
            box(in_flight(scene, _LIVE - 4, count - 2), _LIVE, count, glyphs, title=[(under, "title")]),
        )
    told = [] if chosen is None else one(scene, chosen[1], cells - 4)
    return box([clip(line, cells - 4, glyphs.more) for line in told], cells, count, glyphs, title=head)


def one(scene: Scene, row: Mapping[str, Any], cells: int) -> list[Row]:
    """Tell of one request, with a bar for where its time went."""
    route = safe(row["rt"]) if row.get("rt") else "none took it"
    client = f"{safe(row.get('client'))}  {safe(row.get('proto'))}  {safe(row.get('host'))}"
    where = f"{safe(row.get('up'))} {scene.ui.glyphs.arrow} {safe(row.get('ep') or 'no endpoint')}"
    tried = row.get("tried")
    before = f", after {', '.join(safe(each) for each in tried)}" if isinstance(tried, list) and tried else ""
    told = [
        labelled("client", client),
        labelled("route", f"{route}   listener {safe(row.get('ls'))}"),
        labelled("upstream", where if row.get("up") else "none"),
        labelled("tries", f"{facts.number(row, 'try'):.0f}{before}"),
    ]
    if row.get("fault"):
        told.append(labelled("because", f"{safe(row['fault'])}: {safe(row.get('why'))}", "open"))
    return [*told, *waterfall(scene, row, cells)]


def waterfall(scene: Scene, row: Mapping[str, Any], cells: int) -> list[Row]:
    """Give a line for each part of the time of a request, each where it lay in the whole."""
    phases = row.get("ph")
    phases = phases if isinstance(phases, dict) else {}
    whole = max(
        facts.number(row, "ms"), sum(facts.number(phases, name) for name in ("q", "ttfb", "body")), 0.001
    )
    room = max(8, cells - 28)
    begin, rows = 0.0, []
    for name, words in (("q", "queue"), ("ttfb", "waiting for head"), ("body", "body")):
        took = facts.number(phases, name)
        if name not in phases:
            continue
        left = round(begin / whole * room)
        size = max(1, round(took / whole * room))
        left = min(left, room - size)
        drawn = " " * left + scene.ui.glyphs.full * size
        rows.append(
            Row(((fit(words, 17), "muted"), (fit(drawn, room), "ok"), (f" {numbers.millis(took)}", "")))
        )
        begin += took
    return rows


def in_flight(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give the oldest requests under way: what is hanging right now."""
    live = sorted(scene.model.things("live").values(), key=lambda row: facts.number(row, "began"))
    rows = []
    for row in live[: max(1, count - 1)]:
        age = max(0.0, (scene.m - facts.number(row, "began")) / 1000)
        style = "open" if age >= 1 else ""
        rows.append(
            Row((
                (fit(f"{age:.2f}s", 6, "right"), style), (" ", ""), (fit(safe(row.get("me")), 5), ""),
                (fit(cut_path(safe(row.get("path")), max(6, cells - 28)), max(6, cells - 28)), ""), (" ", ""),
                (fit(safe(row.get("up") or row.get("rt")), 9), "muted"), (safe(row.get("ph")), "half"),
            ))
        )  # fmt: skip
    if not live:
        rows.append(Row((("nothing is under way", "muted"),)))
    elif len(live) > len(rows):
        rows.append(Row(((f"… {len(live) - len(rows)} more, all younger", "muted"),)))
    return [clip(row, cells, scene.ui.glyphs.more) for row in rows]
