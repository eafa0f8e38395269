"""The whole screen for a scene: header, tabs, the view, the last action, the keys. Pure.

Whatever the size: from 40 by 10 up all views are drawn, below that one line says how it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from . import chrome, facts, numbers
from .palette import of_state
from .rows import Row, filled, rule
from .scene import Scene
from .text import safe
from .views import breakers, events, overview, profile, routes, system, tap, upstreams

View = Callable[[Scene, int, int], list[Row]]
_VIEWS: Final[dict[int, View]] = {
    1: overview.lines,
    2: breakers.lines,
    3: upstreams.lines,
    4: routes.lines,
    5: tap.lines,
    6: events.lines,
    7: profile.lines,
    8: system.lines,
}
_KEYS: Final[dict[int, tuple[str, ...]]] = {
    2: ("v cards/table", "o force-open…", "c force-close…", "R reset…", "x clear…"),
    3: ("←→ fold", "d drain…", "u undrain…", "w weigh…"),
    7: ("r reload…", "↑↓ scroll"),
    5: ("t start/stop", "/ match", "n sample", "space hold", "C clear"),
}
_SMALLEST: Final = 40, 10
_ASCII: Final = {
    "–": "-", "…": "~", "→": ">", "·": "|", "•": "*", "│": "|", "─": "-", "⏎": "^", "▶": ">",
    "█": "#", "░": ".",
    "↳": ">", "←": "<", "↑": "^", "↓": "v",
}  # fmt: skip


def screen(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give exactly ``count`` lines of ``cells`` cells."""
    lines = _screen(scene, cells, count)
    if scene.stale and scene.link.status != "connecting":
        lines = [lines[0], *(_old(line) for line in lines[1:])]
    if scene.ui.ascii:
        lines = [_ascii(line) for line in lines]
    return filled(lines, cells, count)


def _screen(scene: Scene, cells: int, count: int) -> list[Row]:
    if cells < _SMALLEST[0] or count < _SMALLEST[1]:
        return [one_line(scene)]
    head = [chrome.header(scene, cells)]
    if cells >= chrome.NARROW and count >= chrome.FLAT:
        head.append(chrome.tabs(scene, cells))
    foot = [chrome.keys(scene, cells, *_KEYS.get(scene.ui.view, ()))]
    if count >= chrome.FLAT:
        foot = [*chrome.story(scene, cells), chrome.echo(scene, cells), *foot]
    room = count - len(head) - len(foot)
    if not scene.model.server:
        return [*head, *_waiting(scene, cells, room), *foot]
    body = _VIEWS.get(scene.ui.view, overview.lines)(scene, cells, room)
    return [*head, *filled(body, cells, room), *foot]


def one_line(scene: Scene) -> Row:
    """Say how a proxy is in a line, for screens that hold no more."""
    proxy = scene.model.proxy
    spans = [
        (f"{safe(scene.model.name)} ", "title"),
        ("LIVE " if not scene.stale else "OLD ", "ok" if not scene.stale else "open bold"),
        (f"{numbers.rate(proxy.get('rps'))}/s err {numbers.percent(proxy.get('err'))}% ", ""),
    ]
    for name, row in scene.model.things("br").items():
        word = facts.state(row)
        if word != "closed":
            spans.append((f"{facts.SHORT.get(word, word)} {safe(name)} ", of_state(word)))
    return Row(tuple(spans))


def _waiting(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give what stands where nothing is known yet."""
    told = [Row(), Row(((f"  {safe(scene.link.text)}", "muted"),))]
    return [rule((), (), cells, scene.ui.glyphs), *filled(told, cells, max(0, count - 1))]


def _old(line: Row) -> Row:
    """Give a line in the colour of what is old."""
    return replace(line, spans=tuple((text, "muted") for text, _ in line.spans), tone="")


def _ascii(line: Row) -> Row:
    """Give a line in which each sign takes as many cells and is one of ASCII."""
    return replace(line, spans=tuple((_plain(text), style) for text, style in line.spans))


def _plain(text: str) -> str:
    if text.isascii():
        return text
    return "".join(sign if sign.isascii() else _ASCII.get(sign, "?")[:1] for sign in text)
