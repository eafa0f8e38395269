"""Lists of things: which are shown, in which order and columns, and which of them the cursor is on. Pure.

The order is by trouble unless another column was chosen; it stays for some seconds after the cursor has
moved, and for good when frozen, so that nothing moves away under a finger. The cursor belongs to a thing,
not to a line; before it was moved it is on the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.wire.filter import FilterError, things_filter

from . import facts
from .rows import Row, Span, clip, length, pointing, toned
from .scene import HOLD, Scene
from .text import cut_path, fit

Item = tuple[str, Mapping[str, Any]]
Cell = Callable[[Item], tuple[Span, ...]]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``size`` cells, of which ``drop`` 0 never gives way, and higher numbers earlier.

    ``flex`` takes what is left over. ``sort`` is the field that it sorts by, empty for none.
    """

    title: str
    size: int
    cell: Cell
    right: bool = False
    drop: int = 0
    flex: bool = False
    sort: str = ""


def ordered(scene: Scene, kind: str, view: int, *, filtered: bool = True) -> list[Item]:
    """Give the things of a set that are to be shown in a view, in their order."""
    ui, model = scene.ui, scene.model
    fuses = facts.breakers_of(model)
    items: list[Item] = list(model.things(kind).items())
    matches = predicate(ui.filters.get(view, "")) if filtered else None
    if matches is not None:
        items = [
            (key, thing)
            for key, thing in items
            if matches({"state": thing.get("st"), **thing, "name": key, "set": kind})
        ]
    if ui.trouble:
        items = [(key, thing) for key, thing in items if facts.is_trouble(kind, thing, fuses, key)]
    column, backwards = ui.sort.get(view, ("", False))
    if column:
        items.sort(key=lambda item: _by(item, column), reverse=not backwards)
    else:
        items.sort(key=lambda item: facts.trouble(model, kind, item[0], item[1], fuses))
        if backwards:
            items.reverse()
    return _held(scene, view, items)


def predicate(text: str) -> Callable[[Mapping[str, Any]], bool] | None:
    """Give what says whether a thing matches a filter; None if all do, or if it cannot be read."""
    if not text.strip():
        return None
    try:
        return things_filter(text)
    except FilterError:
        return None


def _by(item: Item, column: str) -> tuple[int, Any, str]:
    value = item[0] if column == "name" else item[1].get(column)
    if isinstance(value, str):
        return 1, tuple(-ord(sign) for sign in value[:50]), item[0]
    return 0, facts.number({"x": value}, "x"), item[0]


def _held(scene: Scene, view: int, items: list[Item]) -> list[Item]:
    """Keep the order of before while the person is moving, or has frozen it; what is new stands last."""
    ui = scene.ui
    keys = tuple(key for key, _ in items)
    held = ui.order.get(view)
    if held is None or not (ui.frozen or scene.now - ui.moved_at < HOLD):
        ui.order[view] = keys
        return items
    known = dict(items)
    kept = [key for key in held if key in known]
    news = [key for key in keys if key not in set(kept)]
    ui.order[view] = (*kept, *news)
    return [(key, known[key]) for key in ui.order[view]]


def fitting(columns: Sequence[Column], cells: int) -> list[tuple[Column, int]]:
    """Give the columns that there is room for, with their sizes; one cell lies between two."""
    shown = list(columns)
    while len(shown) > 1 and sum(column.size + 1 for column in shown) - 1 > cells:
        first = max(shown, key=lambda column: column.drop)
        if not first.drop:
            break
        shown.remove(first)
    spare = cells - sum(column.size + 1 for column in shown) + 1
    flexible = [column for column in shown if column.flex]
    sizes = []
    for column in shown:
        extra = 0
        if column.flex and spare > 0:
            extra = spare // len(flexible)
        sizes.append((column, max(1, column.size + extra)))
    return sizes


def table(
    scene: Scene,
    view: int,
    columns: Sequence[Column],
    items: Sequence[Item],
    cells: int,
    count: int,
    *,
    pane: str = "list",
) -> list[Row]:
    """Give a head and as many lines as fit, with the one that has the cursor in sight."""
    ui = scene.ui
    shown = fitting(columns, cells - 1)
    sorting = ui.sort.get(view, ("", False))[0]
    head: list[Span] = [(" ", "")]
    for column, size in shown:
        style = "title underline" if sorting and column.sort == sorting else "muted"
        head += [(fit(column.title, size, "right" if column.right else "left"), style), (" ", "")]
    lines = [clip(Row(tuple(head)), cells)]
    room = max(0, count - 1)
    cursor = place_cursor(scene, view, items)
    offset = scroll(scene, view, cursor, len(items), room)
    for index in range(offset, min(len(items), offset + room)):
        item = items[index]
        mark = ui.glyphs.cursor if index == cursor else " "
        spans: list[Span] = [(mark, "key"), *spans_of(shown, item)]
        line = pointing(clip(Row(tuple(spans)), cells), cells, pane, item[0])
        lines.append(toned(line, "cursor") if index == cursor else line)
    return lines


def spans_of(shown: Sequence[tuple[Column, int]], item: Item) -> tuple[Span, ...]:
    """Give the cells of one thing."""
    spans: list[Span] = []
    for column, size in shown:
        spans += [*_fitted(column.cell(item), size, right=column.right), (" ", "")]
    return tuple(spans)


def _fitted(spans: tuple[Span, ...], size: int, *, right: bool) -> tuple[Span, ...]:
    if len(spans) == 1:
        text, style = spans[0]
        if style == "title" and not right:
            text = cut_path(text, size)
        return ((fit(text, size, "right" if right else "left"), style),)
    if right and length(spans) < size:
        return ((" " * (size - length(spans)), ""), *spans)
    return clip(Row(spans), size, "…").spans


def place_cursor(scene: Scene, view: int, items: Sequence[Item]) -> int:
    """Give the line of the cursor: that of its thing, else the first."""
    wanted = scene.ui.cursor.get(view)
    return next((index for index, (key, _) in enumerate(items) if key == wanted), 0 if items else -1)


def scroll(scene: Scene, view: int, cursor: int, total: int, room: int) -> int:
    """Give the first line that is shown, so that the cursor is among them."""
    offset = min(scene.ui.offset.get(view, 0), max(0, total - room))
    if cursor >= 0 and room > 0:
        offset = min(offset, cursor)
        offset = max(offset, cursor - room + 1)
    scene.ui.offset[view] = max(0, offset)
    return scene.ui.offset[view]
