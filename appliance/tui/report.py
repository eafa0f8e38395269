"""The report of a trip: the requests that did it, how the endpoints were, the setting behind it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import facts, numbers
from .rows import Row, Span
from .scene import Scene
from .text import cut_path, fit, safe


def title(scene: Scene, name: str, trip: Mapping[str, Any] | None) -> list[Span]:
    """Give the title of the pane."""
    if trip is None:
        return [(f"{safe(name)}: it has not opened so far", "title")]
    when = numbers.clock(trip.get("t"), utc=scene.ui.utc, millis=True)
    number = safe(trip.get("trip")).removeprefix("tr-").lstrip("0")
    return [(f"{safe(name)}: why it opened", "title"), (f" (trip #{number}, {when})", "muted")]


def lines(
    scene: Scene, row: Mapping[str, Any], trip: Mapping[str, Any] | None, cells: int, count: int = 100
) -> list[Row]:
    """Give the lines of a report; when they are too many, what matters least is left out first."""
    if trip is None:
        return [
            Row((("A report stands here when it opens: the requests, the endpoints, the setting.", "muted"),))
        ]
    shown = [_request(scene, each, index, cells) for index, each in enumerate(_rows(trip.get("requests")), 1)]
    if trip.get("rule") == "failure_threshold" and shown:
        run = round(
            facts.number(trip, "run")
        )  # those in a row come last; some before them count in the window
        numbered = []
        for index, line in enumerate(shown, 1 + run - len(shown)):
            place = f" {index}/{run}" if index > 0 else ""
            numbered.append(Row((*line.spans, (f"{scene.ui.glyphs.bad}{place}", "open"))))
        shown = numbered
    whole = numbers.lasting((facts.number(trip, "until") - facts.number(trip, "m")) / 1000)
    span = f" for {whole}" if cells >= 100 else ""
    if shown:
        shown[-1] = Row((*shown[-1].spans, (f" {scene.ui.glyphs.arrow} OPENED{span}", "open bold")))
    then = [_then(each) for each in _rows(trip.get("endpoints"))]
    spare = count - len(shown) - 1
    told: list[Row] = [*shown, *([Row()] if spare >= 3 else [])]
    if then and spare >= 1:
        told.append(Row((("endpoints then  ", "muted"), (f" {scene.ui.glyphs.dot} ".join(then), ""))))
    rates = f"asked {numbers.rate(row.get('ask'))}/s, sent {numbers.rate(row.get('sent'))}/s"
    refused = f"rejected {numbers.rate(row.get('rej'))}/s, {facts.number(row, 'rej_tot'):.0f} in all"
    if spare >= 2:
        told.append(Row((("now             ", "muted"), (f"{rates}, {refused}", ""))))
    told.append(Row((("setting         ", "muted"), (_setting(trip), ""))))
    return told


def _request(scene: Scene, each: Mapping[str, Any], index: int, cells: int) -> Row:
    before = facts.number(each, "before") / 1000
    wide = cells >= 100
    spans: list[Span] = [(f"{'-' if before else ' '}{before:.1f}s  ".rjust(8), "muted")]
    if wide:
        spans.append((f"req {safe(each.get('rid'))[-6:]}  ", "muted"))
    room = max(8, cells - (94 if wide else 63))
    spans += [
        (fit(safe(each.get("me")), 5), ""),
        (fit(cut_path(safe(each.get("path")), room), room + 1), ""),
        (fit(safe(each.get("ep")), 18 if wide else 16), "muted"),
        (" ", ""),
        (fit(safe(each.get("how")), 14 if wide else 9), "open"),
        (fit(numbers.millis(each.get("ms")), 7, "right"), ""),
        ("  ", ""),
    ]
    return Row(tuple(spans))


def _then(each: Mapping[str, Any]) -> str:
    word = safe(each.get("st") or "no breaker").replace("_", "-")
    ill = "" if each.get("healthy") is not False else ", unhealthy"
    drained = ", drained" if each.get("drained") is True else ""
    return f"{safe(each.get('ep'))} {word}{ill}{drained} act {facts.number(each, 'act'):.0f}"


def _setting(trip: Mapping[str, Any]) -> str:
    rule = safe(trip.get("rule"))
    if rule == "probe":
        return "a probe failed while it was half-open"
    limit = trip.get("limit")
    value = f"{limit * 100:.0f}%" if isinstance(limit, float) and limit <= 1 else safe(limit)
    return f"breaker.{rule}: {value}   {safe(trip.get('src') or 'default')}"


def _rows(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
