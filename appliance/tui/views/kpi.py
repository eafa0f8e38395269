"""The four boxes of what matters most: requests, errors, times, breakers. Pure."""

from __future__ import annotations

from .. import facts, numbers
from ..glyphs import bar, spark
from ..rows import EMPTY, Row, Span, beside, box
from ..scene import Scene
from ..text import cut_path, fit

_DIGITS = {
    "0": ("╭─╮", "│ │", "╰─╯"), "1": (" ╷ ", " │ ", " ╵ "), "2": ("╶─╮", "╭─╯", "╰─╴"),
    "3": ("╶─╮", " ─┤", "╶─╯"), "4": ("╷ ╷", "╰─┤", "  ╵"), "5": ("╭─╴", "╰─╮", "╶─╯"),
    "6": ("╭─╴", "├─╮", "╰─╯"), "7": ("╶─╮", "  │", "  ╵"), "8": ("╭─╮", "├─┤", "╰─╯"),
    "9": ("╭─╮", "╰─┤", "╶─╯"), ".": ("   ", "   ", " . "), "%": ("◦ ╱", " ╱ ", "╱ ◦"),
    "–": ("   ", "╶─╴", "   "), "K": ("╷╱ ", "├╮ ", "╵╰ "),
}  # fmt: skip


def boxes(scene: Scene, cells: int) -> list[Row]:
    """Give the four boxes of what matters most."""
    size, rest = divmod(cells, 4)
    sizes = [size + (index < rest) for index in range(4)]
    makers = (_requests, _errors, _latency, _breakers)
    titles = ("Requests/s", "Errors", "Latency 10s", "Breakers")
    blocks = []
    for each, title, width in zip(makers, titles, sizes, strict=True):
        right: list[Span] = []
        if title == "Breakers":
            right = [(str(len(scene.model.things("br"))), "muted")]
        glyphs = scene.ui.glyphs
        blocks.append(box(each(scene, width - 4), width, 8, glyphs, title=[(title, "title")], right=right))
    return beside(*blocks)


def _big(scene: Scene, text: str) -> list[str]:
    if scene.ui.ascii or scene.ui.low:
        return ["", text, ""]
    drawn = [_DIGITS.get(sign, ("   ",) * 3) for sign in text]
    return ["".join(each[level] for each in drawn) for level in range(3)]


def _requests(scene: Scene, cells: int) -> list[Row]:
    proxy = scene.model.proxy
    series = scene.model.series.get(("proxy", "", "rps"), ())
    known = [value for value in series if value is not None]
    big = _big(scene, numbers.rate(proxy.get("rps")))
    beside_it = ("", f"now  {numbers.rate(proxy.get('rps'))}",
                 f"peak {numbers.rate(max(known))}" if known else "")  # fmt: skip
    rows = [_with_note(left, note, cells) for left, note in zip(big, beside_it, strict=True)]
    rows.append(EMPTY)
    rows.append(Row(((spark(series, cells, scene.ui.glyphs), "ok"),)))
    traffic = f"in {numbers.size(proxy.get('in'))}/s   out {numbers.size(proxy.get('out'))}/s"
    return [*rows, Row(((traffic, "muted"),))]


def _with_note(left: str, note: str, cells: int) -> Row:
    gap = max(1, cells - len(left) - len(note))
    return Row(((left, "title"), (" " * gap, ""), (note, "")))


def _errors(scene: Scene, cells: int) -> list[Row]:
    proxy = scene.model.proxy
    series = scene.model.series.get(("proxy", "", "err"), ())
    known = [value for value in series[:-5] if value is not None]
    err = facts.number(proxy, "err")
    style = "open" if err >= 0.01 else "ok"
    now = numbers.percent(proxy.get("err"))
    big = _big(scene, now + ("%" if now != "–" else ""))
    was = f"was {numbers.percent(sum(known) / len(known))}%" if known else ""
    beside_it = ("", f"now {now}{'%' if now != '–' else ''}", was)
    rows = [_with_note(left, note, cells) for left, note in zip(big, beside_it, strict=True)]
    mix: dict[str, float] = {}
    total = sum(facts.number(row, "rps") for row in scene.model.things("rt").values())
    for row in scene.model.things("rt").values():
        shares = row.get("mix")
        for word, share in (shares if isinstance(shares, dict) else {}).items():
            if total and numbers.is_number(share):
                mix[word] = mix.get(word, 0.0) + share * facts.number(row, "rps") / total
    parts = [f"{word} {numbers.percent(mix[word])}" for word in ("5xx", "4xx") if mix.get(word)]
    refused = f"refused {numbers.percent(proxy.get('rej'))}" if facts.number(proxy, "rej") else ""
    rows.append(EMPTY)
    rows.append(Row(((spark(series, cells, scene.ui.glyphs), style),)))
    return [*rows, Row(((("  ".join([*parts, refused]).strip() or "none"), "muted"),))]


def _latency(scene: Scene, cells: int) -> list[Row]:
    proxy, glyphs = scene.model.proxy, scene.ui.glyphs
    top = max((facts.number(proxy, name) for name in ("p50", "p90", "p99")), default=0.0)
    rows = []
    for name in ("p50", "p90", "p99"):
        value = facts.number(proxy, name)
        size = max(4, cells - 14)
        filled_bar = bar(value / top, size, glyphs).replace(glyphs.empty, " ") if top else ""
        rows.append(
            Row(((f"{name} ", "muted"), (fit(numbers.millis(proxy.get(name)), 8, "right"), ""),
                 ("  ", ""), (filled_bar, "ok")))
        )  # fmt: skip
    rows.append(Row((("max ", "muted"), (fit(numbers.millis(proxy.get("max")), 8, "right"), ""))))
    series = scene.model.series.get(("proxy", "", "p99"), ())
    rows.append(Row((("p99 60s ", "muted"), (spark(series, max(4, cells - 8), glyphs), "ok"))))
    under = f"{facts.number(proxy, 'act'):.0f} under way, {facts.number(proxy, 'conns'):.0f} conns"
    return [*rows, Row(((under, "muted"),))]


def _breakers(scene: Scene, cells: int) -> list[Row]:
    things, glyphs = scene.model.things("br"), scene.ui.glyphs
    found = facts.count_states(things)
    rows = []
    for word, key in (
        ("closed", "closed"),
        ("open", "open"),
        ("half_open", "half_open"),
        ("forced", "forced_open"),
    ):
        count = found[word]
        style = {"closed": "ok", "open": "open", "half_open": "half", "forced": "forced"}[word]
        loud = count and word != "closed"
        rows.append(
            Row(
                (
                    (glyphs.switch[key], style),
                    ("  ", ""),
                    (fit(facts.WORDS[key], 10), f"{style} bold" if loud else "muted"),
                    (f"{count:>4}", f"{style} bold" if loud else ""),
                    ("  !" if loud and word != "half_open" else "", "open"),
                )
            )
        )
    near = facts.nearest(things)
    rows.append(EMPTY)
    name, _, how = near.rpartition(" ")
    told = f"{cut_path(name, cells - 10 - len(how))} {how}" if name else near or "none"
    return [*rows, Row((("nearest: ", "muted"), (told, "")))]
