"""The timeline: what is due, now, and what has happened, newest first. Pure."""

from __future__ import annotations

from .. import numbers
from ..chrome import WIDE
from ..rows import Row, Span, box, clip, filled, pointing, rule, toned
from ..scene import Scene
from ..tables import scroll
from ..text import fit, safe
from .timeline import Entry, due, entries, sign

VIEW = 6
_FAR = 12 * 3_600_000
"""Milliseconds from which a time of day says too little."""


def lines(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give the whole view."""
    glyphs = scene.ui.glyphs
    told = listed(scene)
    lost = f", {scene.model.lost} older ones not shown" if scene.model.lost else ""
    title: list[Span] = [(f"Events {glyphs.dot} {len(scene.model.events)}{lost}", "title")]
    if cells >= WIDE:
        return box(_rows(scene, told, cells - 4, count - 2), cells, count, glyphs, title=title)
    body = filled(_rows(scene, told, cells, count - 1), cells, count - 1)
    return [rule(title, (), cells, glyphs), *body]


def listed(scene: Scene) -> list[Entry]:
    """Give what stands in the list, in its order, by the filter of the view."""
    text = scene.ui.filters.get(VIEW, "").lower()
    rows = [*due(scene), *entries(scene)]
    if not text:
        return rows
    return [row for row in rows if text in f"{row.kind} {row.subject} {row.text}".lower()]


def _rows(scene: Scene, told: list[Entry], cells: int, count: int) -> list[Row]:
    ui = scene.ui
    keys = [str(index) for index in range(len(told))]
    wanted = ui.cursor.get(VIEW)
    future = sum(entry.kind == "due" for entry in told)
    cursor = keys.index(wanted) if wanted in keys else min(future, len(told) - 1)
    room = max(0, count - 2)
    offset = scroll(scene, VIEW, cursor, len(told), room)
    size = 30 if cells >= WIDE else 22
    head = Row(
        (
            (fit("  TIME", 15), "muted"),
            (fit("KIND", 6), "muted"),
            (fit("SUBJECT", size), "muted"),
            ("WHAT", "muted"),
        )
    )
    rows = [head]
    for index in range(offset, min(len(told), offset + room)):
        if index == future:
            now = numbers.clock(scene.model.wall_now(scene.m), utc=ui.utc)
            rows.append(rule([(f"now {now}", "key")], (), cells, ui.glyphs))
        entry = told[index]
        line = _row(scene, entry, cells, size, chosen=index == cursor)
        rows.append(toned(line, "cursor") if index == cursor else line)
    if not told:
        rows.append(Row((("  nothing has happened so far", "muted"),)))
    return rows


def _row(scene: Scene, entry: Entry, cells: int, size: int, *, chosen: bool) -> Row:
    style = "muted" if entry.kind == "due" else "open" if entry.severity == "error" else ""
    when = numbers.clock(entry.t, utc=scene.ui.utc, millis=True)
    ahead = (entry.t or 0) - scene.model.wall_now(scene.m)
    if entry.kind == "due" and ahead > _FAR:
        when = f"in {numbers.lasting(ahead / 1000):<9}"
    mark = scene.ui.glyphs.cursor if chosen else " "
    times = (
        f" (x{entry.count} since {numbers.clock(entry.until, utc=scene.ui.utc)})" if entry.count > 1 else ""
    )
    line = Row((
        (f"{mark} ", "key"), (f"{when} ", "muted"), *sign(scene, entry.kind), ("  ", ""),
        (fit(safe(entry.subject), size - 1), "title"), (" ", ""), (entry.text + times, style),
    ))  # fmt: skip
    return pointing(clip(line, cells, scene.ui.glyphs.more), cells, "list", "")
