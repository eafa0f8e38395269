"""Columns of the tables: what each shows of a thing, how wide, and which give way first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import facts, numbers
from ..chrome import state_cell
from ..glyphs import bar, spark
from ..rows import Span
from ..scene import Scene
from ..tables import Cell, Column, Item
from ..text import safe


def shown(field: str, how: Callable[[object], str], style: str = "") -> Cell:
    """Give a cell that shows one field."""
    return lambda item: ((how(item[1].get(field)), style),)


def name(item: Item) -> tuple[Span, ...]:
    """Give the name of a thing."""
    return ((safe(item[0]), "title"),)


def rates(*wanted: str) -> list[Column]:
    """Give the usual columns of numbers."""
    every = {
        "rps": Column("RPS", 6, shown("rps", numbers.rate), right=True, sort="rps", drop=1),
        "err": Column("ERR%", 5, err_cell, right=True, sort="err"),
        "p50": Column("P50", 6, shown("p50", numbers.millis), right=True, sort="p50", drop=6),
        "p99": Column("P99", 6, shown("p99", numbers.millis), right=True, sort="p99", drop=2),
        "act": Column("ACT", 4, shown("act", numbers.rate), right=True, sort="act", drop=3),
    }
    return [every[word] for word in wanted]


def times(row: Mapping[str, Any]) -> str:
    """Give the times of a thing in words."""
    return "  ".join(f"{word} {numbers.millis(row.get(word))}" for word in ("p50", "p90", "p99"))


def trace(scene: Scene, kind: str, cells: int = 8) -> Cell:
    """Give a cell that draws the last minute of requests."""
    series, glyphs = scene.model.series, scene.ui.glyphs
    return lambda item: ((spark(series.get((kind, item[0], "rps"), ()), cells, glyphs), "ok"),)


def err_cell(item: Item) -> tuple[Span, ...]:
    """Give the share of failures of a thing."""
    return ((numbers.percent(item[1].get("err")), "open" if facts.number(item[1], "err") >= 0.01 else ""),)


def tree_cell(scene: Scene, *, balance: bool = False) -> Cell:
    """Give a cell with the name of an upstream, or the address of an endpoint below it."""
    glyphs = scene.ui.glyphs

    def cell(item: Item) -> tuple[Span, ...]:
        key, row = item
        if row["kind"] == "up":
            fold = glyphs.closed_fold if row["folded"] else glyphs.open_fold
            how = ((f"  {safe(row.get('lb'))}", "muted"),) if balance else ()
            return ((f"{fold} ", "muted"), (safe(key), "title"), *how)
        branch = glyphs.last_branch if row["last"] else glyphs.branch
        return ((f"  {branch} ", "edge"), (safe(row.get("addr")), ""))

    return cell


def tree_state(scene: Scene) -> Cell:
    """Give a cell with the state of an endpoint, or with the worst breaker of an upstream."""
    fuses = facts.breakers_of(scene.model)

    def cell(item: Item) -> tuple[Span, ...]:
        key, row = item
        if row["kind"] == "ep":
            return endpoint_state(scene, key, row)
        found = facts.worst(fuses.get(key, ()))
        return (("no breaker", "muted"),) if found is None else breaker_state(scene, found[1])

    return cell


def upstream_columns(scene: Scene) -> list[Column]:
    """Give the columns of upstreams, and of endpoints below them, in the overview."""
    model = scene.model

    def ends(item: Item) -> tuple[Span, ...]:
        if item[1]["kind"] == "ep":
            return (("", ""),)
        ready, total = facts.admitting(model, item[0])
        return ((f"{ready}/{total}", "open" if ready < total else ""),)

    return [
        Column("UPSTREAM", 20, tree_cell(scene), flex=True, sort="name"),
        Column("STATE", 18, tree_state(scene)),
        *rates("rps", "err", "p50", "p99", "act"),
        Column("EP", 5, ends, right=True, drop=4),
        Column("60s", 8, lambda item: trace(scene, item[1]["kind"])(item), drop=7),
    ]


def breaker_state(scene: Scene, row: Mapping[str, Any]) -> tuple[Span, ...]:
    """Give switch, word and what comes next of a breaker."""
    word = facts.state(row)
    told = facts.progress(row, scene.m)[1].removesuffix(" fail")
    if word == "closed" and not facts.number(row, "cf"):
        told = ""
    return (*state_cell(word, scene), (f" {told}", "muted"))


def endpoint_state(scene: Scene, key: str, row: Mapping[str, Any]) -> tuple[Span, ...]:
    """Give what an endpoint may do: by its breaker where it is up or open, else as a word."""
    word = str(row.get("state"))
    fuse = scene.model.things("br").get(key)
    if word in ("up", "open") and fuse is not None:
        share = row.get("share")
        if word == "up" and row.get("weight") == 0:
            return (("weight 0", "muted"),)
        if word == "up" and numbers.is_number(share) and 0 < share < 1:
            return ((f"slow-start {share * 100:.0f}%", "half"),)
        return breaker_state(scene, fuse)
    if word == "draining":
        return ((f"DRAINING {facts.number(row, 'act'):.0f}", "half bold"),)
    styles = {"down": "open bold", "drained": "half bold"}
    return ((word.upper() if word in styles else safe(word), styles.get(word, "")),)


def route_columns(scene: Scene) -> list[Column]:
    """Give the columns of routes."""
    glyphs = scene.ui.glyphs

    def mix(item: Item) -> tuple[Span, ...]:
        shares = item[1].get("mix")
        spans: list[Span] = []
        for word, share in (shares if isinstance(shares, dict) else {}).items():
            if numbers.is_number(share) and share > 0:
                style = "open" if word == "5xx" else "half" if word in ("4xx", "rej") else "ok"
                spans.append((f"{safe(word)} {bar(share, 8, glyphs).rstrip(glyphs.empty)} ", style))
        return tuple(spans) or (("", ""),)

    return [
        Column("ROUTE", 12, name, sort="name"),
        Column("MATCH", 24, shown("match", safe, "muted"), flex=True, drop=4),
        Column("TO", 14, shown("to", safe), drop=3),
        *rates("rps", "err", "p50", "p99"),
        Column("STATUS MIX 10s", 26, mix, drop=7),
    ]
