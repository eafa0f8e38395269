"""The signs that the dashboard draws with: one set for terminals with Unicode, one for all others.

Every state has a sign, a word and a style of its own, so that none depends on colour. All signs of a set take
one cell, but for terminals that show box drawing twice as wide; these want the other set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set. ``switch`` has a picture of four cells for each state of a breaker, ``ribbon`` one cell."""

    switch: Mapping[str, str]
    ribbon: Mapping[str, str]
    spark: str
    full: str
    empty: str
    good: str
    bad: str
    cursor: str
    closed_fold: str
    open_fold: str
    branch: str
    last_branch: str
    more: str
    arrow: str
    dot: str
    bullet: str
    corners: str
    horizontal: str
    vertical: str
    events: Mapping[str, str]
    tick: str
    cross: str
    rail: str
    knob: str


UNICODE: Final = Glyphs(
    switch={
        "closed": "━━━ ", "open": "━╱ ━", "half_open": "━┅━ ", "forced_open": "━╳━ ", "forced_closed": "━╳━ ",
        "off": "┄┄┄ ",
    },
    ribbon={
        "closed": "━", "open": "╱", "half_open": "┅", "forced_open": "╳", "forced_closed": "╳", "off": "┄",
        "": " ", "gap": "┊",
    },
    spark="▁▂▃▄▅▆▇█",
    full="█",
    empty="░",
    good="✓",
    bad="✗",
    cursor="▶",
    closed_fold="▸",
    open_fold="▾",
    branch="├",
    last_branch="└",
    more="…",
    arrow="→",
    dot="·",
    bullet="•",
    corners="┌┐└┘",
    horizontal="─",
    vertical="│",
    events={
        "down": "▼", "up": "▲", "reload": "⟳", "audit": "✎", "refused": "✖", "certificate": "⚠", "flood": "≋",
        "pressure": "▣", "name": "@", "due": "◷", "other": "·",
    },
    tick="✓",
    cross="✗",
    rail="─",
    knob="●",
)  # fmt: skip

ASCII: Final = Glyphs(
    switch={
        "closed": "=== ", "open": "=/ =", "half_open": "=~= ", "forced_open": "=X= ", "forced_closed": "=X= ",
        "off": "... ",
    },
    ribbon={
        "closed": "=", "open": "/", "half_open": "~", "forced_open": "X", "forced_closed": "X", "off": ".",
        "": " ", "gap": ":",
    },
    spark="..::--=#",
    full="#",
    empty=".",
    good="o",
    bad="x",
    cursor=">",
    closed_fold="+",
    open_fold="-",
    branch="|",
    last_branch="`",
    more="~",
    arrow=">",
    dot="|",
    bullet="*",
    corners="++++",
    horizontal="-",
    vertical="|",
    events={
        "down": "v", "up": "^", "reload": "R", "audit": "*", "refused": "!", "certificate": "!", "flood": "~",
        "pressure": "#", "name": "@", "due": "?", "other": ".",
    },
    tick="ok",
    cross="x",
    rail="-",
    knob="o",
)  # fmt: skip


def spark(values: list[float | None] | tuple[float | None, ...], cells: int, glyphs: Glyphs) -> str:
    """Draw the last values as bars from nothing to their greatest; what is not known is a space."""
    shown = list(values)[-cells:]
    top = max((value for value in shown if value is not None), default=0.0)
    levels = glyphs.spark
    drawn = []
    for value in shown:
        if value is None:
            drawn.append(" ")
        else:
            level = int(value / top * (len(levels) - 1) + 0.5) if top > 0 else 0
            drawn.append(levels[level])
    return "".join(drawn).rjust(cells)


def bar(share: float, cells: int, glyphs: Glyphs) -> str:
    """Draw how much of a whole there is; anything above nothing shows at least one cell."""
    share = min(1.0, max(0.0, share))
    filled = round(share * cells)
    if share > 0 and not filled:
        filled = 1
    return glyphs.full * filled + glyphs.empty * (cells - filled)
