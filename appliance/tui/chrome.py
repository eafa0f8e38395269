"""What stands around every view: the header with the state of the connection, the tabs, the keys. Pure."""

from __future__ import annotations

from dataclasses import replace

from . import facts, numbers
from .palette import of_state
from .rows import Hit, Row, Span, clip, length, split
from .scene import SLOW_LAG, VIEWS, Scene
from .text import cut, safe

WIDE, STANDARD, NARROW = 110, 80, 60
"""Cells from which a screen is wide, standard, narrow; below that it is tiny."""
TALL, SHORT, FLAT = 30, 20, 16
_SHORT_NAMES = ("Over", "Brk", "Ups", "Rte", "Tap", "Evt", "Prof", "Sys")
_SKIPPED = 2  # ticks merged within ten seconds that make a link a slow one


def header(scene: Scene, cells: int) -> Row:
    """Give the first line: who, how the link is, and what that means for what stands below."""
    name = safe(scene.model.name or scene.link.text or "…")
    who: list[Span] = [(" ", "")]
    if cells >= WIDE:
        who += [("meshctl", "title"), ("  ", "")]
    who += [(cut(name, 24), "title bold"), ("  " if cells >= WIDE else " ", "")]
    time = numbers.clock(scene.paused or scene.model.t or None, utc=scene.ui.utc)
    right: list[Span] = [(time, "title"), (" ", "")]
    if cells >= STANDARD and scene.model.t:
        right = [(time, "title"), (f" {numbers.zone(scene.model.t, utc=scene.ui.utc)} ", "muted")]
    parts = _link(scene, cells)
    left = list(who)
    for index, part in enumerate(parts):
        joint: list[Span] = [(f" {scene.ui.glyphs.vertical} ", "edge")] if index else []
        if length(left) + length(joint) + length(part) + length(right) + 1 > cells and index:
            break
        left += [*joint, *part]
    return split(left, right, cells, "…")


def _link(scene: Scene, cells: int) -> list[list[Span]]:
    """Give the parts of the header, the most important first."""
    link, glyphs = scene.link, scene.ui.glyphs
    ago = numbers.lasting(max(0.0, scene.now - link.since))
    if link.status == "connecting":
        hint = link.text if scene.now - link.since > 2 else ""
        return [[("CONNECTING", "half bold")], *([[(safe(hint), "muted")]] if hint else [])]
    if link.status == "denied":
        return [[("DENIED", "open bold reverse")], [(safe(link.text), "")]]
    if link.status == "disconnected":
        wait = max(0.0, link.next_at - scene.now)
        tries = f"try {link.attempt} in {numbers.lasting(wait)} (r: now)"
        return [
            [("DISCONNECTED", "open bold reverse"), (f" {ago}", "")],
            [(safe(link.text), "")],
            [(tries, "")],
        ]
    if link.status == "replay":
        speed = f" x{scene.speed:g}" if scene.speed else " held"
        return [
            [("REPLAY", "forced bold"), (f" {safe(link.text)}{speed}", "")],
            _track(scene),
            [("[ ] 5s  { } event  @ goto", "muted")],
        ]
    if scene.paused is not None:
        behind = numbers.lasting(max(0.0, ((scene.span or (0, scene.paused))[1] - scene.paused) / 1000))
        runs = f" x{scene.speed:g}" if scene.speed else ""
        return [
            [("PAUSED", "half bold reverse"), (f" {behind} behind, still recording{runs}", "")],
            _track(scene),
            [("[ ] step  . live", "muted")],
        ]
    if scene.stale:
        old = numbers.lasting(max(0.0, scene.now - link.heard))
        since = f"no data since {numbers.clock(scene.model.t, utc=scene.ui.utc)}"
        return [[("STALE", "open bold reverse"), (f" {old}", "")], [(since, "")],
                [("values below are OLD; actions are off", "")]]  # fmt: skip
    if link.restarted is not None and scene.now - link.restarted[0] < 10:
        _, old_pid, new_pid = link.restarted
        pids = f" pid {old_pid} {glyphs.arrow} {new_pid}"
        return [[("RESTARTED", "half bold"), (pids, "")], [("counters began again, the gap is marked", "")]]
    if link.lag > SLOW_LAG or link.skipped > _SKIPPED:
        merged = f"proxy merges updates ({link.skipped} skipped)"
        return [[("SLOW LINK", "half bold"), (f" lag {numbers.lasting(link.lag, tenths=True)}", "")],
                [(merged, "")], [("L low bandwidth", "muted")]]  # fmt: skip
    state: list[Span] = [(glyphs.switch["closed"], "ok"), ("LIVE", "ok bold"), (f" {link.rate:g}/s", "")]
    if cells >= WIDE:
        state.append((f" lag {link.lag * 1000:.0f}ms", "muted"))
    parts = [state]
    if scene.model.role == "observer" or scene.ui.read_only:
        parts.append([("READ-ONLY", "half bold")])
    return [*parts, *_about(scene, cells)]


def _track(scene: Scene) -> list[Span]:
    """Draw where in the known past the moment is that is shown."""
    if scene.span is None or scene.paused is None:
        return [("", "")]
    first, last = scene.span
    glyphs, size = scene.ui.glyphs, 16
    place = round((scene.paused - first) / max(1, last - first) * (size - 1))
    place = max(0, min(size - 1, place))
    begin, end = (numbers.clock(moment, utc=scene.ui.utc) for moment in scene.span)
    return [
        (f"{begin} ", "muted"), (glyphs.rail * place, "edge"), (glyphs.knob, "key"),
        (glyphs.rail * (size - 1 - place), "edge"), (f" {end}", "muted"),
    ]  # fmt: skip


def _about(scene: Scene, cells: int) -> list[list[Span]]:
    model = scene.model
    proxy = model.proxy
    gen = f"gen {safe(proxy.get('gen', '?'))}"
    parts: list[list[Span]] = [[(f"up {numbers.lasting(model.m / 1000)}", "")]]
    if proxy.get("drain") is True:
        parts.insert(0, [("DRAINING", "half bold")])
    file = safe(str(proxy.get("file", "")).rpartition("/")[2])
    parts.append([(f"{cut(file, 20)} {gen}" if cells >= WIDE and file else gen, "")])
    if cells >= WIDE:
        cpu, rss = facts.number(proxy, "cpu"), numbers.size(proxy.get("rss"))
        parts.append([(f"cpu {cpu * 100:.0f}% rss {rss}", "")])
        parts.append([(f"{facts.number(proxy, 'clients'):.0f} watching", "")])
    return parts


def tabs(scene: Scene, cells: int) -> Row:
    """Give the line of views, with what they have to tell."""
    active, badges = scene.ui.view, _badges(scene)
    spans: list[Span] = [(" ", "")]
    hits: list[Hit] = []
    for number, name in enumerate(VIEWS, 1):
        badge = badges.get(number, "")
        short = _SHORT_NAMES[number - 1]
        if cells >= WIDE:
            text = f"{number} {name}{' ' if badge else ''}"
        else:
            text = f"{number} {short}" if cells >= STANDARD or number == active else f"{number}"
        here = number == active
        begin = length(spans)
        inner: list[Span] = [(text, "key" if here else "muted")]
        if badge:
            inner.append((badge, "open bold" if badge[0] == "!" else "half"))
        spans += [("[", "key"), *inner, ("]", "key")] if here else [*inner, (" ", "")]
        hits.append((begin, length(spans), "tab", str(number)))
        spans.append((" ", ""))
    right: list[Span] = [("^P commands  ? help " if cells >= WIDE else "? help ", "muted")]
    return replace(split(spans, right, cells), hits=tuple(hits))


def _badges(scene: Scene) -> dict[int, str]:
    """Give the signs behind the names of views: how much trouble there is, and news nobody has seen."""
    model = scene.model
    found = facts.count_states(model.things("br"))
    bad = found["open"] + found["forced"]
    fuses = facts.breakers_of(model)
    ups = sum(facts.is_trouble("up", row, fuses, name) for name, row in model.things("up").items())
    news = sum(
        1
        for event in model.events
        if isinstance(event.get("eid"), int)
        and event["eid"] > scene.ui.seen_event
        and event.get("sev") != "info"
    )
    bullet = scene.ui.glyphs.bullet
    badges = {}
    if bad:
        badges[2] = f"!{bad}"
    if ups:
        badges[3] = f"!{ups}"
    if news and scene.ui.view != 6:
        badges[6] = f"{bullet}{news}"
    return badges


def echo(scene: Scene, cells: int) -> Row:
    """Give the line of the last action, or of what is asked just now."""
    return clip(Row(((" ", ""), (safe(scene.ui.echo), "muted"))), cells, "…")


def story(scene: Scene, cells: int) -> list[Row]:
    """Give what a demonstration says; nothing if there is none."""
    text, hint = (safe(part) for part in scene.ui.story)
    if not text:
        return []
    told: list[list[Span]] = [
        [(f" {scene.ui.glyphs.cursor} ", "key"), (text, "title bold")],
        [(f"   {hint}", "")],
    ]
    return [clip(Row(tuple(spans)), cells, "…") for spans in told]


def keys(scene: Scene, cells: int, *more: str) -> Row:
    """Give the line of keys: those of the view first, then those of all."""
    words: tuple[str, ...]
    if cells < NARROW:
        words = ("1-8 view", "⏎ more", "a", "/", "s", "p", "?", "q")
    elif cells < WIDE:
        words = (
            *more,
            "⏎ inspect",
            "a actions…",
            "/ filter",
            "s sort",
            "! trouble",
            "p pause",
            "[ ] time",
            "q quit",
        )
    else:
        words = (
            *more, "1-8 view", "⏎ inspect", "a actions…", "/ filter", "s sort", "! trouble", "t tap",
            "p pause", "[ ] time", "e export", "? help", "q quit",
        )  # fmt: skip
    spans: list[Span] = [(" ", "")]
    for word in words:
        key, _, rest = word.partition(" ")
        piece: list[Span] = [
            (key, "key"),
            (f" {rest}" if rest else "", "muted"),
            ("  " if cells >= WIDE else " ", ""),
        ]
        if length(spans) + length(piece) - 1 > cells:
            break
        spans += piece
    return clip(Row(tuple(spans)), cells)


def state_cell(word: str, scene: Scene, *, short: bool = True) -> tuple[Span, ...]:
    """Give the switch and the word of a breaker's state."""
    glyphs = scene.ui.glyphs
    names = facts.SHORT if short else facts.WORDS
    style = of_state(word)
    return ((glyphs.switch.get(word, glyphs.switch["off"]), style.split()[0]), (" ", ""),
            (names.get(word, safe(word)), style))  # fmt: skip
