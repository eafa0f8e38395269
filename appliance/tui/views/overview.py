"""The overview: is it all right, what is the worst thing, what just happened. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .. import facts, numbers
from ..chrome import NARROW, STANDARD, TALL, WIDE, state_cell
from ..glyphs import spark
from ..rows import Row, Span, beside, box, clip, filled, rule
from ..scene import Scene
from ..tables import Column, Item, fitting, ordered, spans_of, table
from ..text import fit, safe
from . import kpi
from .columns import route_columns, upstream_columns
from .timeline import brief, due, entries
from .upstreams import tree


def lines(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give the whole view."""
    if cells >= WIDE and count >= TALL - 5:
        return _wide(scene, cells, count)
    if cells >= NARROW:
        return _standard(scene, cells, count)
    return _tiny(scene, cells, count)


def _wide(scene: Scene, cells: int, count: int) -> list[Row]:
    top = kpi.boxes(scene, cells)
    left = count - len(top)
    middle = max(8, left * 55 // 100)
    bottom = left - middle
    side = 44
    upstreams = tree(scene, 1, middle - 3)
    list_width = cells - side
    glyphs = scene.ui.glyphs
    shown = table(scene, 1, upstream_columns(scene), upstreams, list_width - 4, middle - 2)
    title: list[Span] = [("Upstreams", "title")]
    middle_rows = beside(
        box(shown, list_width, middle, glyphs, title=title, right=_sorting(scene)),
        box(
            timeline(scene, side - 4, middle - 2), side, middle, glyphs,
            title=[("Timeline", "title")], right=[("live" if scene.paused is None else "paused", "muted")],
        ),
    )  # fmt: skip
    routes: list[Item] = list(scene.model.things("rt").items())
    routes.sort(key=lambda item: facts.trouble(scene.model, "rt", item[0], item[1], {}))
    listed = _plain_table(scene, route_columns(scene), routes, cells - 4, bottom - 2)
    right: list[Span] = [(f"{len(routes)} {glyphs.dot} sort trouble", "muted")]
    return [*top, *middle_rows, *box(listed, cells, bottom, glyphs, title=[("Routes", "title")], right=right)]


def _sorting(scene: Scene) -> list[Span]:
    column, backwards = scene.ui.sort.get(1, ("", False))
    way = " reversed" if backwards else ""
    only = ", trouble only" if scene.ui.trouble else ""
    total = len(scene.model.things("up"))
    return [(f"{total} {scene.ui.glyphs.dot} sort {column or 'trouble'}{way}{only}", "muted")]


def _plain_table(
    scene: Scene, columns: Sequence[Column], items: Sequence[Item], cells: int, count: int
) -> list[Row]:
    """Give a table without a cursor, for a list that is not the one of the view."""
    shown = fitting(columns, cells)
    head = Row(
        tuple((fit(c.title, size, "right" if c.right else "left") + " ", "muted") for c, size in shown)
    )
    rows = [Row(spans_of(shown, item)) for item in items[: max(0, count - 1)]]
    return [head, *rows]


def timeline(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give what just happened, and what the worst thing is waiting for."""
    rows: list[Row] = []
    soon = due(scene)
    for entry in entries(scene)[: count + 1]:
        told = brief(scene, entry, cells)
        rows += told
        if entry.kind == "open":
            next_step = next((each for each in soon if each.subject == entry.subject), None)
            if next_step is not None and next_step.t is not None:
                left = numbers.lasting(max(0.0, (next_step.t - scene.model.wall_now(scene.m)) / 1000))
                when = numbers.clock(next_step.t, utc=scene.ui.utc)
                text = f"{scene.ui.glyphs.arrow} {next_step.text} at {when} ({left})"
                rows.append(Row(((" " * 9, ""), (text, "half"))))
                soon.remove(next_step)
        if len(rows) >= count:
            break
    if not rows:
        rows.append(Row((("nothing has happened so far", "muted"),)))
    return [clip(row, cells, scene.ui.glyphs.more) for row in rows[:count]]


def _standard(scene: Scene, cells: int, count: int) -> list[Row]:
    proxy, glyphs = scene.model.proxy, scene.ui.glyphs
    series = scene.model.series
    rps = spark(series.get(("proxy", "", "rps"), ()), 15, glyphs)
    errs = spark(series.get(("proxy", "", "err"), ()), 11, glyphs)
    bad = facts.number(proxy, "err") >= 0.01
    first = Row((
        (" RPS ", "muted"), (f"{numbers.rate(proxy.get('rps'))} ", "title"),
        (rps if cells >= STANDARD else "", "ok"),
        ("   ERR ", "muted"), (f"{numbers.percent(proxy.get('err'))}% ", "open bold" if bad else ""),
        (errs if cells >= STANDARD else "", "open" if bad else "ok"),
        ("   p50 ", "muted"), (numbers.millis(proxy.get("p50")), ""),
        ("  p90 ", "muted"), (numbers.millis(proxy.get("p90")), ""),
        ("  p99 ", "muted"), (numbers.millis(proxy.get("p99")), ""),
    ))  # fmt: skip
    found = facts.count_states(scene.model.things("br"))
    spans: list[Span] = [(" BREAKERS  ", "muted")]
    for word, key in (("forced", "forced_open"), ("open", "open"), ("half_open", "half_open")):
        if found[word]:
            style = {"open": "open bold", "half_open": "half bold", "forced": "forced bold"}[word]
            spans += [
                (glyphs.switch[key], style.split()[0]),
                (f" {found[word]} {facts.SHORT[key]}   ", style),
            ]
    spans += [(glyphs.switch["closed"], "ok"), (f"{found['closed']} closed   ", "")]
    near = facts.nearest(scene.model.things("br"))
    if near:
        spans.append((f"nearest: {near}", "muted"))
    across = rule((), (), cells, glyphs)
    head = [across, first, Row(tuple(spans)), across]
    room = count - len(head) - 1
    items = tree(scene, 1, max(3, room * 55 // 100) - 1)
    listed = min(len(items) + 1, max(3, room * 55 // 100))
    body = table(scene, 1, upstream_columns(scene), items, cells, listed)
    below = count - len(head) - len(body) - 1
    told = [Row(((" ", ""), *row.spans)) for row in timeline(scene, cells - 2, below)]
    return filled([*head, *body, rule([("Timeline", "title")], (), cells, glyphs), *told], cells, count)


def _tiny(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give one line for each thing."""
    proxy, glyphs = scene.model.proxy, scene.ui.glyphs
    bad = facts.number(proxy, "err") >= 0.01
    head = [
        Row(((f" {numbers.rate(proxy.get('rps'))}/s", "title"), ("  err ", "muted"),
             (f"{numbers.percent(proxy.get('err'))}%", "open bold" if bad else ""),
             ("  p99 ", "muted"), (numbers.millis(proxy.get("p99")), ""))),
        rule((), (), cells, glyphs),
    ]  # fmt: skip
    fuses = facts.breakers_of(scene.model)
    rows = []
    for name, row in ordered(scene, "up", 1):
        found = facts.worst(fuses.get(name, ()))
        word = facts.state(found[1]) if found is not None else "off"
        spans: list[Span] = [
            (" ", ""),
            *state_cell(word, scene)[:1],
            (" ", ""),
            (fit(safe(name), 10), "title"),
            (" ", ""),
        ]
        if found is not None and word != "closed":
            detail = facts.progress(found[1], scene.m)[1]
            rejected = numbers.rate(found[1].get("rej"))
            spans += [
                *state_cell(word, scene)[2:],
                (f"  {detail}", ""),
                (f"  rej {rejected}/s" if word == "open" else "", "muted"),
            ]
        else:
            spans.append((f"{numbers.rate(row.get('rps'))}/s", ""))
            if facts.number(row, "err") >= 0.001:
                spans.append((f"  err {numbers.percent(row.get('err'))}%", "open"))
        rows.append(Row(tuple(spans)))
    room = max(1, (count - len(head)) * 6 // 10)
    rows = rows[:room]
    left = count - len(head) - len(rows) - 1
    told = [Row(((" ", ""), *each.spans)) for each in timeline(scene, cells - 2, max(0, left))]
    return filled([*head, *rows, rule((), (), cells, glyphs), *told], cells, count)
