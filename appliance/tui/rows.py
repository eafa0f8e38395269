"""Lines of styled text, and how boxes, rules and columns are put together from them. Pure.

A line is a tuple of spans: safe text and the name of a style. What can be pointed at is a hit: a range of
cells with the pane and the key of the thing that is shown there. A screen is a list of lines; whoever shows
it compares it with the last one and draws only what differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .glyphs import Glyphs
from .text import cut, width

Span = tuple[str, str]
Hit = tuple[int, int, str, str]
"""First cell, the one behind the last, pane, key."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line. ``tone`` is a style under all of it, such as that of the line with the cursor."""

    spans: tuple[Span, ...] = ()
    hits: tuple[Hit, ...] = ()
    tone: str = ""


EMPTY = Row()


def row(*spans: Span | str, tone: str = "") -> Row:
    """Give a line; plain text has no style."""
    return Row(tuple(span if isinstance(span, tuple) else (span, "") for span in spans), (), tone)


def labelled(label: str, text: str, style: str = "", size: int = 11) -> Row:
    """Give a line of a pane of details: what it is about, and what is to be said."""
    return Row(((f"{label:<{size}}", "muted"), (text, style)))


def plain(line: Row) -> str:
    """Give a line without styles."""
    return "".join(text for text, _ in line.spans)


def length(spans: Iterable[Span]) -> int:
    """Give how many cells spans take."""
    return sum(width(text) for text, _ in spans)


def clip(line: Row, cells: int, more: str = "") -> Row:
    """Give a line in exactly so many cells; the style of what is added is none."""
    taken = 0
    kept: list[Span] = []
    for text, style in line.spans:
        size = width(text)
        if taken + size > cells:
            piece = cut(text, cells - taken, more)
            kept.append((piece, style))
            taken += width(piece)
            break
        kept.append((text, style))
        taken += size
    if taken < cells:
        kept.append((" " * (cells - taken), ""))
    hits = tuple((begin, min(end, cells), pane, key) for begin, end, pane, key in line.hits if begin < cells)
    return Row(tuple(kept), hits, line.tone)


def shifted(line: Row, cells: int) -> tuple[Hit, ...]:
    """Give the hits of a line that begins so many cells further right."""
    return tuple((begin + cells, end + cells, pane, key) for begin, end, pane, key in line.hits)


def pointing(line: Row, cells: int, pane: str, key: str) -> Row:
    """Let all of a line point at a thing."""
    return replace(line, hits=((0, cells, pane, key),))


def toned(line: Row, tone: str) -> Row:
    """Give a line with its tone painted on each span, so that it stays within its own pane."""
    return replace(line, spans=tuple((text, f"{style} {tone}".strip()) for text, style in line.spans))


def filled(lines: Sequence[Row], cells: int, count: int) -> list[Row]:
    """Give exactly so many lines of so many cells."""
    shown = [clip(line, cells) for line in lines[:count]]
    return shown + [clip(EMPTY, cells)] * (count - len(shown))


def beside(*blocks: Sequence[Row]) -> list[Row]:
    """Put blocks beside each other; each has lines of one width, and all have as many."""
    lines = []
    for parts in zip(*blocks, strict=True):
        spans: list[Span] = []
        hits: list[Hit] = []
        for part in parts:
            hits += shifted(part, length(spans))
            spans += part.spans
        lines.append(Row(tuple(spans), tuple(hits)))
    return lines


def box(
    lines: Sequence[Row],
    cells: int,
    count: int,
    glyphs: Glyphs,
    *,
    title: Sequence[Span] = (),
    right: Sequence[Span] = (),
    heavy: bool = False,
) -> list[Row]:
    """Give a box of exactly so many cells and lines, its edge included."""
    style = "edge heavy" if heavy else "edge"
    top_left, top_right, low_left, low_right = (glyphs.corners[index] for index in range(4))
    line = glyphs.horizontal
    inside = cells - 2
    head: list[Span] = []
    if title:
        head = [(" ", ""), *title, (" ", "")]
    tail: list[Span] = [(" ", ""), *right, (" ", "")] if right else []
    room = inside - length(head) - length(tail) - 1
    if room < 1:
        tail, room = [], inside - length(head) - 1
    if room < 0:
        head = list(clip(Row(tuple(head)), max(0, inside - 1)).spans)
        room = 0
    top = clip(Row((*head, (line * max(0, room + (not tail)), style), *tail)), inside - bool(tail))
    last: list[Span] = [(line, style)] if tail else []
    drawn = [Row(((top_left, style), *top.spans, *last, (top_right, style)))]
    for each in filled(lines, inside - 2, count - 2):
        hits = shifted(each, 2)
        drawn.append(
            Row(((glyphs.vertical, style), (" ", ""), *each.spans, (" ", ""), (glyphs.vertical, style)), hits)
        )
    drawn.append(Row(((low_left + line * inside + low_right, style),)))
    return drawn


def rule(title: Sequence[Span], right: Sequence[Span], cells: int, glyphs: Glyphs) -> Row:
    """Give a line across, with a title in it."""
    line = glyphs.horizontal
    head: list[Span] = [(line * 2, "edge"), (" ", ""), *title, (" ", "")] if title else []
    tail: list[Span] = [(" ", ""), *right, (" ", "")] if right else []
    room = cells - length(head) - length(tail)
    return clip(Row((*head, (line * max(0, room), "edge"), *tail)), cells)


def split(left: Sequence[Span], right: Sequence[Span], cells: int, more: str = "") -> Row:
    """Give a line with something at each end; the right one goes first when there is no room."""
    gap = cells - length(left) - length(right)
    if gap < 1:
        return clip(Row(tuple(left)), cells, more)
    return Row((*left, (" " * gap, ""), *right))
