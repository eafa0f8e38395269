"""Colours and attributes behind the names of styles, for each theme.

The five colours of states stay apart under every kind of colour blindness, on dark and on light ground, and
none is needed: words, signs, bold, reverse and underline say the same. On ``mono`` they are all there is. The
``ansi`` themes use the colours that the terminal's owner has chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from rich.style import Style

_STATES: Final = ("ok", "half", "open", "forced", "muted")
_DARK: Final = {
    "ground": "#11151C", "text": "#C9D1DC", "ok": "#4CB3F0", "half": "#F5DF4D", "open": "#F4683A",
    "forced": "#E39BD0", "muted": "#7C8798", "edge": "#3A4556", "title": "#E6EBF2", "under": "#1C2532",
}  # fmt: skip
_LIGHT: Final = {
    "ground": "#FAFAFA", "text": "#22272E", "ok": "#0B6FB8", "half": "#8A6E00", "open": "#6B1600",
    "forced": "#8E2F6E", "muted": "#5B6472", "edge": "#B4BCC8", "title": "#000000", "under": "#E4E9F0",
}  # fmt: skip
_CLASSIC: Final = {**_DARK, "ok": "#5FD068", "half": "#F5DF4D", "open": "#FF5F56"}
_ANSI: Final = {
    "ground": "default", "text": "default", "ok": "cyan", "half": "yellow", "open": "red",
    "forced": "magenta", "muted": "bright_black", "edge": "bright_black", "title": "default",
    "under": "default",
}  # fmt: skip
_MONO: Final = dict.fromkeys(_DARK, "default")
THEMES: Final[Mapping[str, Mapping[str, str]]] = {
    "dark": _DARK,
    "light": _LIGHT,
    "classic": _CLASSIC,
    "ansi": _ANSI,
    "mono": _MONO,
}
_ATTRIBUTES: Final = {
    "bold": Style(bold=True),
    "reverse": Style(reverse=True),
    "underline": Style(underline=True),
    "heavy": Style(bold=True),
}


def colours(theme: str) -> Mapping[str, str]:
    """Give the colours of a theme, of the dark one if there is none of the name."""
    return THEMES.get(theme, _DARK)


@lru_cache(maxsize=1024)
def style(names: str, theme: str) -> Style:
    """Give what some names of styles mean together, such as ``open bold reverse``."""
    found = colours(theme)
    plain = theme in ("ansi", "mono")
    whole = Style(color=found["text"], bgcolor=found["ground"])
    for name in names.split():
        if name in _ATTRIBUTES:
            whole += _ATTRIBUTES[name]
        elif name == "cursor":
            whole += Style(bold=True) if plain else Style(bgcolor=found["under"], bold=True)
        elif name == "key":
            whole += Style(color=found["title"], bold=True)
        elif name in found:
            whole += Style(color=found[name])
    if theme == "mono" and ("muted" in names or "edge" in names):
        whole += Style(dim=True)
    return whole


def of_state(word: str) -> str:
    """Give the style of a breaker's state."""
    return {
        "closed": "ok",
        "half_open": "half bold",
        "open": "open bold reverse",
        "forced_open": "forced bold underline",
        "forced_closed": "forced bold underline",
    }.get(word, "muted")
