"""The profile: what runs, what the file says now, and what a reload would change. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import facts
from ..chrome import WIDE
from ..rows import Row, Span, box, clip, filled, labelled, rule
from ..scene import Scene
from ..text import safe

VIEW = 7
_HEAD = 5
_STYLES = {"+": "ok", "-": "open", "~": "half"}


def lines(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give the whole view."""
    glyphs = scene.ui.glyphs
    head, title = _head(scene), [("Profile", "title")]
    told = _changes(scene.disk, cells - 4)
    room = max(1, count - _HEAD - 2)
    offset = max(0, min(scene.ui.offset.get(VIEW, 0), len(told) - room))
    scene.ui.offset[VIEW] = offset
    below: list[Span] = [("what a reload would change", "title")]
    more = f"{offset + 1}-{min(len(told), offset + room)} of {len(told)}" if len(told) > room else ""
    if cells >= WIDE:
        top = box(head, cells, _HEAD, glyphs, title=title)
        rest = box(
            told[offset : offset + room],
            cells,
            count - _HEAD,
            glyphs,
            title=below,
            right=[(more, "muted")] if more else (),
        )
        return filled([*top, *rest], cells, count)
    inner = [clip(Row(((" ", ""), *line.spans)), cells) for line in (*head, *told[offset:])]
    cut = len(head)
    heads = rule(title, (), cells, glyphs), rule(below, [(more, "muted")] if more else (), cells, glyphs)
    return filled([heads[0], *inner[:cut], heads[1], *inner[cut:]], cells, count)


def _head(scene: Scene) -> list[Row]:
    proxy, disk = scene.model.proxy, scene.disk
    running = f"{safe(proxy.get('file'))}   {safe(proxy.get('digest'))}"
    running += f"   generation {facts.number(proxy, 'gen'):.0f}"
    if disk is None:
        return [labelled("running", running), labelled("on disk", "being read", "muted")]
    digest = safe(disk.get("digest") or "")
    text = safe(disk.get("text"))
    style = "ok" if disk.get("ok") is True else "open"
    return [
        labelled("running", running),
        labelled("on disk", f"{digest}   {text}" if digest else text, style),
        labelled("", "r loads it, after a question" if disk.get("changes") else "", "muted"),
    ]


def _changes(disk: Mapping[str, Any] | None, cells: int) -> list[Row]:
    if disk is None:
        return []
    problems = [Row(((safe(line), "open"),)) for line in str(disk.get("problems") or "").splitlines()]
    changes = str(disk.get("diff") or "").splitlines()
    shown = [Row(((safe(line), _STYLES.get(line.lstrip()[:1], "")),)) for line in changes]
    return [clip(line, cells, "…") for line in (*problems, *shown)] or [Row((("nothing", "muted"),))]
