"""A breaker as a card: how far it is, why, its last results, what was asked and sent, its last minute. Pure.

The drop of what is sent while what is asked for stays is the picture of a trip.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from . import facts, numbers
from .chrome import state_cell
from .glyphs import Glyphs, bar
from .palette import of_state
from .rows import Row, Span, box, clip, length
from .scene import Scene
from .state import CELLS, SEVERITY
from .text import cut_path, fit, safe

CARD_LINES: Final = 9
"""Lines of a card, its edge included."""
_OUTCOMES: Final = 24
_FLASH: Final = 1500
"""Milliseconds for which a card that has just tripped stands out."""


def card(scene: Scene, name: str, row: Mapping[str, Any], cells: int, *, chosen: bool) -> list[Row]:
    """Give the lines of one card."""
    glyphs, word = scene.ui.glyphs, facts.state(row)
    inside = cells - 4
    fresh = word == "open" and 0 <= scene.m - facts.number(row, "since") < _FLASH
    right = state_cell(word, scene, short=False)
    mark = [(glyphs.cursor, "key")] if chosen else []
    room = max(4, inside - length(right) - len(mark) - 4)
    title: list[Span] = [*mark, (cut_path(safe(name), room), "title bold" if chosen else "title")]
    lines = [
        _progress(scene, row, inside),
        _second(scene, name, row, inside),
        _last(glyphs, row, inside),
        _flow(row),
        _history(scene, row),
        ribbon_row(scene, name, min(CELLS, inside - 5)),
    ]
    return box(lines, cells, CARD_LINES, glyphs, title=title, right=right, heavy=fresh or chosen)


def _label(text: str) -> Span:
    return f"{text:<5}", "muted"


def _progress(scene: Scene, row: Mapping[str, Any], cells: int) -> Row:
    """Give the first line: a fuse that fills, an opening that drains, probes that pass."""
    word = facts.state(row)
    share, told = facts.progress(row, scene.m)
    style = of_state(word).split()[0]
    if word == "open":
        text = f"half-open in {told}" if told != "probe due" else "a probe is due"
    elif word == "half_open":
        text = f"probes {told}"
    elif word.startswith("forced"):
        text = f"{'open' if word == 'forced_open' else 'closed'} for {told}"
    else:
        text = f"fuse {told}{'ures' if told.endswith('fail') else ''}"
        style = "half" if share >= facts.NEAR else "ok"
    size = max(4, cells - 20)
    return Row(((fit(text, 19), "title"), (bar(share, size, scene.ui.glyphs), style)))


def _second(scene: Scene, name: str, row: Mapping[str, Any], cells: int) -> Row:
    """Give the second line: the rate of errors of a closed breaker, why another one is as it is."""
    word = facts.state(row)
    forced = row.get("forced")
    if isinstance(forced, dict):
        reason = f', "{safe(forced["reason"])}"' if forced.get("reason") else ""
        return Row((_label("by"), (f"{safe(forced.get('by'))}{reason}", "")))
    if word == "closed":
        limit = f"{facts.number(row, 'er_max') * 100:.0f}%"
        judged = facts.number(row, "n") >= facts.number(row, "n_min")
        if not facts.number(row, "er_max"):
            return Row((_label("rate"), ("not judged", "muted")))
        if not judged:
            counts = f"{facts.number(row, 'n'):.0f}/{facts.number(row, 'n_min'):.0f} requests, not judged"
            return Row((_label("rate"), (counts, "muted")))
        share = facts.number(row, "er") / facts.number(row, "er_max")
        text = f"rate {numbers.percent(row.get('er'))}% of {limit}"
        return Row(((fit(text, 19), ""), (bar(share, max(4, cells - 20), scene.ui.glyphs), "ok")))
    return Row((_label("why"), (why(scene, name, row), "")))


def why(scene: Scene, name: str, row: Mapping[str, Any]) -> str:
    """Say why a breaker opened last, as short as it can be said."""
    trip = scene.trips.get(str(row.get("trip")))
    for event in reversed(scene.model.events):
        if event.get("kind") == "breaker" and event.get("subj") == name and event.get("to") == "open":
            rule = str(event.get("rule"))
            if rule == "probe":
                return f"still failing at {numbers.clock(event.get('t'), utc=scene.ui.utc)}"
            if trip is not None:
                break
            text = safe(event.get("text")).partition(": ")[2]
            return text.partition(" (")[0] or "see its report"
    if trip is None:
        return "see its report"
    run = facts.number(trip, "run")
    if trip.get("rule") == "failure_threshold":
        return f"{run:.0f} consecutive ({mix(trip)})"
    if trip.get("rule") == "error_rate":
        return f"{facts.number(trip, 'failed'):.0f} of {facts.number(trip, 'total'):.0f} failed ({mix(trip)})"
    return f"still failing at {numbers.clock(trip.get('t'), utc=scene.ui.utc)}"


def mix(trip: Mapping[str, Any]) -> str:
    """Give how the requests behind a trip failed: 3x503 2xtimeout."""
    counts: dict[str, int] = {}
    requests = trip.get("requests")
    for each in requests if isinstance(requests, list) else []:
        if isinstance(each, dict):
            how = safe(each.get("how"))
            counts[how] = counts.get(how, 0) + 1
    return " ".join(f"{count}x{how}" for how, count in counts.items())


def _last(glyphs: Glyphs, row: Mapping[str, Any], cells: int) -> Row:
    """Give the last outcomes, the oldest left."""
    signs = {"o": (glyphs.good, "ok"), "x": (glyphs.bad, "open")}
    shown = [signs.get(sign, (glyphs.dot, "muted")) for sign in str(row.get("last", ""))[-_OUTCOMES:]]
    return clip(Row((_label("last"), *shown)), cells)


def _flow(row: Mapping[str, Any]) -> Row:
    parts = (("ask", "ask"), ("sent", "sent"), ("rej", "reject"))
    spans: list[Span] = []
    for key, word in parts:
        value = f"{numbers.rate(row.get(key))}/s"
        style = "open" if key == "rej" and facts.number(row, key) else ""
        spans += [(f"{word:<5}" if key == "ask" else f"{word} ", "muted"), (f"{value:<7}", style)]
    return Row(tuple(spans))


def _history(scene: Scene, row: Mapping[str, Any]) -> Row:
    word = facts.state(row)
    lasted = numbers.lasting((scene.m - facts.number(row, "since")) / 1000)
    trips = f"{facts.number(row, 'trips_1h'):.0f} trips/h"
    dot = f" {scene.ui.glyphs.dot} "
    if word == "open":
        whole = numbers.lasting((facts.number(row, "until") - facts.number(row, "since")) / 1000)
        text = f"open {lasted} of {whole}{dot}try {facts.number(row, 'try'):.0f}{dot}{trips}"
    elif word == "half_open":
        text = f"{lasted} half{dot}try {facts.number(row, 'try'):.0f}{dot}{trips}"
    else:
        text = f"{word.split('_')[0]} {lasted}{dot}{trips}"
    return Row(((text, "muted"),))


def ribbon_row(scene: Scene, name: str, cells: int) -> Row:
    """Give the last minute of a breaker: a cell is two seconds, the worst state in it wins."""
    return Row((_label("60s"), *ribbon_spans(scene, name, cells)))


def ribbon_spans(scene: Scene, name: str, cells: int) -> tuple[Span, ...]:
    """Give the cells of a ribbon, neighbours of one state together."""
    ribbon = scene.model.ribbons.get(name)
    words = ribbon.cells if ribbon is not None else ()
    if cells < CELLS:
        words = _squeezed(words, cells)
    glyphs = scene.ui.glyphs.ribbon
    spans: list[Span] = [(" " * (cells - len(words)), "")] if len(words) < cells else []
    for word in words:
        sign, style = glyphs.get(word, "?"), of_state(word).split()[0]
        if spans and spans[-1][1] == style:
            spans[-1] = (spans[-1][0] + sign, style)
        else:
            spans.append((sign, style))
    return tuple(spans)


def _squeezed(words: tuple[str, ...], cells: int) -> tuple[str, ...]:
    """Give the whole minute in fewer cells, of each the worst state in it."""
    padded = ("",) * (CELLS - len(words)) + words
    bounds = [index * CELLS // cells for index in range(cells + 1)]
    parts = [padded[begin:end] for begin, end in pairwise(bounds)]
    return tuple(max(part, key=lambda word: SEVERITY.get(word, -1)) for part in parts)
