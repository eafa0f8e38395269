"""Events as lines: what happened, newest first, above them what is due; repeated ones folded. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .. import facts, numbers
from ..palette import of_state
from ..rows import Row, Span
from ..scene import Scene
from ..text import cut, cut_path, safe

_ALIKE: Final = 60_000
"""Milliseconds within which equal events are one line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline: an event, perhaps several alike, or something that is due at ``t``."""

    t: int | None
    kind: str
    subject: str
    text: str
    severity: str
    count: int = 1
    until: int | None = None
    event: Mapping[str, Any] | None = None


def entries(scene: Scene) -> list[Entry]:
    """Give what has happened, newest first."""
    found: list[Entry] = []
    for event in reversed(scene.model.events):
        t, subject = event.get("t"), safe(event.get("subj", ""))
        when = int(t) if numbers.is_number(t) else None
        kind = _kind(event)
        if found and _alike(found[-1], kind, subject, when):
            last = found[-1]
            found[-1] = Entry(
                last.t, kind, subject, last.text, last.severity, last.count + 1, when, last.event
            )
            continue
        severity = str(event.get("sev", "info"))
        found.append(Entry(when, kind, subject, _text(event), severity, event=event))
    return found


def _alike(last: Entry, kind: str, subject: str, t: int | None) -> bool:
    if kind in ("open", "half_open", "closed", "audit", "reload") or t is None or last.t is None:
        return False
    return (last.kind, last.subject) == (kind, subject) and abs((last.until or last.t) - t) < _ALIKE


def due(scene: Scene) -> list[Entry]:
    """Give what will happen by itself, the soonest last."""
    rows: list[Entry] = []
    model = scene.model
    for name, row in model.things("br").items():
        forced = row.get("forced")
        if facts.state(row) == "open":
            rows.append(_due(scene, row.get("until"), safe(name), "half-open"))
        elif isinstance(forced, dict) and forced.get("until") is not None:
            rows.append(_due(scene, forced["until"], safe(name), "forced state ends"))
    for name, row in model.things("ep").items():
        if row.get("by") is not None and row.get("until") is not None:
            rows.append(_due(scene, row["until"], safe(name), "drain ends"))
    for name, row in model.things("ls").items():
        until = row.get("cert_until")
        if numbers.is_number(until) and until - model.t < 30 * 86_400_000:
            rows.append(Entry(int(until), "due", safe(name), "a certificate ends", "warning"))
    return sorted(rows, key=lambda entry: -(entry.t or 0))


def _due(scene: Scene, until: object, subject: str, text: str) -> Entry:
    return Entry(scene.model.wall(until), "due", subject, text, "info")


def _kind(event: Mapping[str, Any]) -> str:
    kind = str(event.get("kind"))
    if kind == "breaker":
        return str(event.get("to", "other"))
    if kind == "health":
        return "up" if event.get("healthy") is True else "down"
    if kind == "reload" and event.get("sev") == "error":
        return "refused"
    return kind


def _text(event: Mapping[str, Any]) -> str:
    """Give what happened without the subject, which stands in a column of its own."""
    text = safe(event.get("text", ""))
    subject = safe(event.get("subj", ""))
    if event.get("kind") == "audit" and event.get("op"):  # USER (uid N): OP: what was done "why"
        did = text.partition(f"{safe(event['op'])}")[2].partition(": ")[2]
        code = "" if event.get("code") == "ok" else f"{safe(event.get('code'))}: "
        who = safe(event.get("user") or event.get("peer") or "?")
        for thing in (f" endpoint {subject}", f" breaker {subject}"):
            did = did.replace(thing, "", 1)
        return f"{code}{did} ({who})"
    for start in (f"breaker {subject} ", f"endpoint {subject} ", f"name {subject} ", f"listener {subject}: "):
        text = text.removeprefix(start)
    return text


def sign(scene: Scene, kind: str) -> tuple[Span, ...]:
    """Give the sign of an event."""
    glyphs = scene.ui.glyphs
    if kind in glyphs.switch and kind != "off":
        return ((glyphs.switch[kind], of_state(kind).split()[0]),)
    style = {"down": "open", "up": "ok", "refused": "open", "flood": "half", "due": "muted"}.get(kind, "half")
    return ((glyphs.events.get(kind, glyphs.events["other"]) + "   ", style),)


def brief(scene: Scene, entry: Entry, cells: int) -> list[Row]:
    """Give one event for a narrow pane: a line, and one or two more for an opening."""
    when = numbers.clock(entry.t, utc=scene.ui.utc)
    word = {"open": "OPENED", "half_open": "HALF-OPEN", "closed": "CLOSED"}.get(entry.kind, "")
    style = of_state(entry.kind).split()[0] if word else ("open" if entry.severity == "error" else "")
    head: list[Span] = [(f"{when} ", "muted"), *sign(scene, entry.kind), (" ", "")]
    times = f" (x{entry.count})" if entry.count > 1 else ""
    if word:
        word += " again" if entry.text.startswith("open again") else ""
        subject = cut_path(entry.subject, max(8, cells - 15 - len(word)))
        first = Row((*head, (f"{subject} ", "title"), (word, f"{style} bold")))
        cause = entry.text.partition(": ")[2].partition(";")[0]
        if entry.kind == "open" and cause:
            return [first, Row(((" " * 9, ""), (cut(cause.partition(" (")[0], cells - 9), "muted")))]
        return [first]
    subject = cut_path(entry.subject, max(8, cells // 3))
    return [Row((*head, (cut(f"{subject} {entry.text}{times}", max(8, cells - 14)), style)))]
