"""The changes between two profiles as text and as JSON.

Changes are grouped by what a reload does, as that is the question behind most comparisons; what only a
restart can do stands last. A change that reaches several places from one line, as those in `defaults` do, is
told once with all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from appliance.model.text import counted

from .diagnostic import printable
from .diff import Change
from .diff_values import Side
from .reload_effect import Effect

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "moved": "^"}
_STYLES = {"+": "32", "-": "31", "~": "33", "^": "36", "heading": "1", "place": "2"}
_NOUNS = {"listeners": "listener", "routes": "route", "upstreams": "upstream"}
_ORDER = ("reload", "never", "restart")
_WIDTH = 100
_PATH_WIDTH = 44


def as_json(changes: Iterable[Change], names: tuple[str, str]) -> dict[str, Any]:
    """Give the document ``meshctl.diff/1``; one entry for each path, none collected."""
    rows = [
        {
            "kind": change.kind,
            "path": change.path,
            "before": _side_json(change.before),
            "after": _side_json(change.after),
            "effect": change.effect.sentence,
            "takes": change.effect.when,
        }
        for change in changes
    ]
    return {
        "schema": "meshctl.diff/1",
        "before": names[0],
        "after": names[1],
        "same": not rows,
        "restart": [row["path"] for row in rows if row["takes"] == "restart"],
        "changes": rows,
    }


def _side_json(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    where = side.where
    place = None if where is None else {"file": where.file, "line": where.line, "col": where.column}
    return {"text": side.text, "default": side.default, "hidden": side.hidden, "where": place}


def render(changes: tuple[Change, ...], names: tuple[str, str], colour: bool = False) -> str:
    """Give the changes for people, grouped by what a reload does, with a closing line."""
    if not changes:
        return printable(f"{names[0]} and {names[1]} say the same: a reload would change nothing")
    groups: dict[Effect, list[list[Change]]] = {}
    for row in _collected(changes):
        groups.setdefault(row[0].effect, []).append(row)
    places = max(len(_place(change, names)) for change in changes)
    lengths = [len(_path(row)) for group in groups.values() for row in group]
    paths = max((length for length in lengths if length <= _PATH_WIDTH), default=_PATH_WIDTH)
    lines = [printable(f"{names[0]} → {names[1]}"), ""]
    for effect in sorted(groups, key=lambda effect: _ORDER.index(effect.when)):
        lines.append(_painted(effect.sentence, "heading", colour))
        for row in groups[effect]:
            lines += _row(row, _place(row[0], names), (paths, places), colour)
        lines.append("")
    lines.append(closing(changes))
    return "\n".join(lines)


def _collected(changes: tuple[Change, ...]) -> list[list[Change]]:
    """Put changes of one line that say the same in several places together."""
    found: dict[Any, list[Change]] = {}
    for change in changes:
        head, name, rest = change.steps[0], change.steps[1:2], change.steps[2:]
        common = (change.kind, head, rest or name, change.before, change.after)
        found.setdefault(common, []).append(change)
    return list(found.values())


def _path(row: list[Change]) -> str:
    if len(row) == 1:
        return row[0].path
    section, _, rest = row[0].path.partition(".")
    names = ", ".join(change.steps[1] for change in row)
    return f"{section}.{{{names}}}{rest.removeprefix(row[0].steps[1])}"


def _row(row: list[Change], place: str, widths: tuple[int, int], colour: bool) -> list[str]:
    """Give sign, path, values and place on one line, or the path on its own if it is too long for that."""
    paths, places = widths
    sign = _SIGNS[row[0].kind]
    values = printable(_values(row[0]))
    head = f"  {sign} {printable(_path(row))}"
    column = max(4 + paths, len(head)) + 2
    room = _WIDTH - places - 2
    lines = []
    if column + len(values) > room and len(head) > 4 + paths:
        lines.append(_painted(head, sign, colour))
        head, column = "", 4 + paths + 2
    text = _clipped(values, room - column)
    gap = " " * (room - column - len(text) + 2)
    lines.append(_painted(f"{head:<{column}}", sign, colour) + text + gap + _painted(place, "place", colour))
    return [line.rstrip() for line in lines]


def _values(change: Change) -> str:
    before, after = change.before, change.after
    if change.kind == "moved" and after is not None:
        return f"now {after.text}"
    if before is None or after is None:
        return _shown(after or before)
    if before.hidden and before.text == after.text:
        return f"{after.text} (its value differs)"
    return f"{_shown(before)} → {_shown(after)}"


def _shown(side: Side | None) -> str:
    if side is None:
        return ""
    return f"{side.text} (default)" if side.default and side.text not in ("default", "on") else side.text


def _place(change: Change, names: tuple[str, str]) -> str:
    """Give where to look: in the new file if it stands there, else in the old one."""
    for side, words in ((change.after, "line"), (change.before, "was line")):
        if side is not None and side.where is not None:
            file, line = side.where.file, side.where.line
            return f"{words} {line}" if file in names else printable(f"{file.rpartition('/')[2]}:{line}")
    return ""


def _clipped(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 3]}..."


def _painted(text: str, style: str, colour: bool) -> str:
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if colour and text.strip() else text


def closing(changes: tuple[Change, ...]) -> str:
    """Give the counts, and whether a reload is enough."""
    restart = _restart(changes)
    if not restart:
        verdict = "a reload does it all, without a restart"
    else:
        rest = "; a reload does the rest" if len(restart) < len(changes) else ""
        verdict = f"{_needs(restart)}{rest}"
    counts = _counts(changes)
    return f"{counts}; {verdict}" if len(counts) + len(verdict) <= _WIDTH - 2 else f"{counts}\n{verdict}"


def told(changes: tuple[Change, ...]) -> str:
    """Give the counts for one line of a log, and what is still to be done by a restart."""
    restart = _restart(changes)
    return f"{_counts(changes)}; {_needs(restart)}" if restart else _counts(changes)


def _counts(changes: tuple[Change, ...]) -> str:
    touched: dict[str, set[str]] = {}
    for change in changes:
        noun = _NOUNS.get(change.steps[0], change.steps[0])
        touched.setdefault(noun, set()).add(change.steps[1] if noun in _NOUNS.values() else "")
    parts = [
        counted(len(names), noun) if noun in _NOUNS.values() else noun for noun, names in touched.items()
    ]
    return printable(f"{counted(len(changes), 'change')} in {_listed(parts)}")


def _restart(changes: tuple[Change, ...]) -> list[str]:
    return [f"`{change.path}`" for change in changes if change.effect.when == "restart"]


def _needs(keys: list[str]) -> str:
    return printable(f"{_listed(keys)} {'needs' if len(keys) == 1 else 'need'} a restart")


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
