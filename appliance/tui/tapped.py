"""The requests that a tap has shown so far: newest first, bounded, with what was not shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from appliance.wire.codec import Frame
from appliance.wire.filter import FilterError, compile_filter

KEEP: Final = 500
LASTS: Final = 300.0
"""Seconds for which a tap runs."""
RATE: Final = 100.0
"""Requests a second that it shows at most."""


@dataclass(frozen=True, slots=True)
class Tapped:
    """What a tap has told.

    ``until`` is when it ends by itself (seconds of this machine's clock), 0 when it does not run. ``held``
    keeps the list still, ``waiting`` is what came meanwhile. ``why`` it could not begin.
    """

    match: str = ""
    sample: int = 1
    rows: tuple[Mapping[str, Any], ...] = ()
    seen: int = 0
    shown: int = 0
    dropped: int = 0
    until: float = 0.0
    held: bool = False
    waiting: tuple[Mapping[str, Any], ...] = ()
    why: str = ""

    @property
    def runs(self) -> bool:
        """Say whether more will come."""
        return self.until > 0

    def take(self, frame: Frame) -> Tapped:
        """Take a frame of the tap."""
        items = frame.get("items")
        news = tuple(row for row in items if isinstance(row, dict)) if isinstance(items, list) else ()
        over = frame.get("over") is True
        told = replace(
            self,
            seen=_count(frame.get("seen"), self.seen),
            shown=_count(frame.get("shown"), self.shown),
            dropped=_count(frame.get("dropped"), self.dropped),
            until=0.0 if over else self.until,
        )
        fresh = tuple(reversed(news))
        if told.held:
            return replace(told, waiting=(*fresh, *told.waiting)[:KEEP])
        return replace(told, rows=(*fresh, *told.rows)[:KEEP])

    def hold(self) -> Tapped:
        """Keep the list still, or let it go on with what came meanwhile."""
        if not self.held:
            return replace(self, held=True)
        return replace(self, held=False, rows=(*self.waiting, *self.rows)[:KEEP], waiting=())

    def cleared(self) -> Tapped:
        """Forget what was shown."""
        return replace(self, rows=(), waiting=(), seen=0, shown=0, dropped=0)


def _count(value: object, usual: int) -> int:
    return value if isinstance(value, int) else usual


def wrong(match: str) -> str:
    """Say what is wrong with a match, empty if nothing is."""
    try:
        compile_filter(match)
    except FilterError as error:
        return f"column {error.column + 1}: {error}"
    return ""


def match_for(kind: str, key: str, row: Mapping[str, Any]) -> str:
    """Give the match that fits a thing of a list."""
    if kind == "rt":
        return f"route={_quoted(key)}"
    if kind == "up":
        return f"upstream={_quoted(key)}"
    if kind == "ep":
        return f"upstream={_quoted(row.get('up'))} and ep={_quoted(row.get('addr'))}"
    if kind == "br":
        address = key.partition("@")[2] or key
        upstream, _, end = address.partition("/")
        return f"upstream={_quoted(upstream)}" + (f" and ep={_quoted(end)}" if end else "")
    return ""


def _quoted(text: object) -> str:
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
