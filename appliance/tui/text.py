"""Text for a grid of cells: what came from the network made harmless, cut and padded to a width.

A path or a reason may hold anything: escape sequences, marks of direction, characters that take no cell or
two. Whatever is shown passes through ``safe`` first; widths are those of a terminal, not of Python.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal
from unicodedata import category

from rich.cells import cell_len, get_character_cell_size

from appliance.model.text import PRINTABLE

LONGEST: Final = 2000
"""Characters of one text that are looked at; no screen is wider."""
_NO_CELL: Final = frozenset(("Mn", "Me", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))

Align = Literal["left", "right"]


def safe(value: object) -> str:
    """Give a value as text in which each character takes one or two cells and does nothing else."""
    text = value if isinstance(value, str) else str(value)
    if len(text) > LONGEST:
        text = text[:LONGEST]
    if text.isascii() and text.isprintable():
        return text
    return _harmless(text)


@lru_cache(maxsize=4096)
def _harmless(text: str) -> str:
    text = text.translate(PRINTABLE)
    return "".join(_shown(sign) for sign in text)


def _shown(sign: str) -> str:
    if _takes_cells(sign):
        return sign if sign == " " or category(sign) != "Zs" else " "
    return f"\\u{ord(sign):04x}"


def _takes_cells(sign: str) -> bool:
    return sign.isascii() or (category(sign) not in _NO_CELL and get_character_cell_size(sign) > 0)


def width(text: str) -> int:
    """Give the cells that a safe text takes."""
    return len(text) if text.isascii() else cell_len(text)


def cut(text: str, cells: int, more: str = "…") -> str:
    """Give as much of a safe text as fits, with a sign that there is more."""
    if width(text) <= cells:
        return text
    if cells <= 0:
        return ""
    room = cells - width(more)
    if room <= 0:
        return more[:cells]
    if text.isascii():
        return text[:room] + more
    taken = 0
    for index, sign in enumerate(text):
        taken += get_character_cell_size(sign)
        if taken > room:
            return text[:index] + more + " " * (room - (taken - get_character_cell_size(sign)))
    return text


def fit(text: str, cells: int, align: Align = "left", more: str = "…") -> str:
    """Give a safe text in exactly so many cells."""
    text = cut(text, cells, more)
    gap = " " * (cells - width(text))
    return text + gap if align == "left" else gap + text


def cut_path(text: str, cells: int, more: str = "…") -> str:
    """Cut in the middle: of a long path or name both ends tell most, the end a bit more."""
    if width(text) <= cells or cells < 8 or not text.isascii():
        return cut(text, cells, more)
    tail = (cells - 1) * 3 // 5
    return text[: cells - 1 - tail] + more + text[-tail:]
