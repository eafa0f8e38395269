"""The proxy itself: its process, its listeners, who watches, what was done. Pure."""

from __future__ import annotations

from .. import facts, numbers
from ..chrome import WIDE
from ..glyphs import spark
from ..rows import Row, beside, box, clip, filled, labelled, rule
from ..scene import Scene
from ..text import fit, safe


def lines(scene: Scene, cells: int, count: int) -> list[Row]:
    """Give the whole view."""
    glyphs = scene.ui.glyphs
    if cells >= WIDE:
        half = cells // 2
        left = box(_process(scene, half - 4), half, count, glyphs, title=[("Proxy", "title")])
        right = box(_log(scene, cells - half - 4), cells - half, count, glyphs, title=[("Actions", "title")])
        return beside(left, right)
    told = [Row(((" ", ""), *line.spans)) for line in _process(scene, cells - 2)]
    log = [Row(((" ", ""), *line.spans)) for line in _log(scene, cells - 2)]
    head = rule([("Proxy", "title")], (), cells, glyphs)
    return filled([head, *told, rule([("Actions", "title")], (), cells, glyphs), *log], cells, count)


def _process(scene: Scene, cells: int) -> list[Row]:
    model, glyphs = scene.model, scene.ui.glyphs
    proxy, server = model.proxy, model.server
    series = model.series.get(("proxy", "", "rps"), ())
    who = f"pid {safe(server.get('pid'))}  meshctl {safe(server.get('version'))}"
    who += f"  up {numbers.lasting(model.m / 1000)}"
    cpu = f"cpu {facts.number(proxy, 'cpu') * 100:.0f}%  rss {numbers.size(proxy.get('rss'))}"
    lag = f"lag p50 {numbers.millis(proxy.get('lag50'))}  p99 {numbers.millis(proxy.get('lag99'))}"
    recorded = proxy.get("rec")
    recorder = "nothing yet"
    if isinstance(recorded, dict):
        kept = numbers.size(facts.number(recorded, "kb") * 1024)
        recorder = f"{numbers.lasting(facts.number(recorded, 's'))} of the past, {kept}"
    busy = (
        f"{facts.number(proxy, 'fds'):.0f} descriptors, {facts.number(proxy, 'act'):.0f} requests under way"
    )
    watched = f"{facts.number(proxy, 'taps'):.0f} taps, a tick takes {facts.number(proxy, 'tick_ms'):.0f}ms"
    rows = [
        Row(((who, ""),)),
        labelled("process", f"{cpu}  gc {facts.number(proxy, 'gc'):.1f}ms/s"),
        labelled("event loop", lag),
        labelled("open", f"{facts.number(proxy, 'conns'):.0f} connections, {busy}"),
        labelled("requests", spark(series, min(60, cells - 12), glyphs), "ok"),
        labelled("recorder", recorder),
        labelled("watched by", f"{facts.number(proxy, 'clients'):.0f}, {watched}"),
        Row(),
        Row(((fit("LISTENER", 12), "muted"), (fit("BIND", 22), "muted"), (fit("CONNS", 6, "right"), "muted"),
             (fit("ACC/s", 7, "right"), "muted"), ("  TLS", "muted"))),
    ]  # fmt: skip
    for name, row in model.things("ls").items():
        rows.append(
            Row(((fit(safe(name), 12), "title"), (fit(safe(row.get("bind")), 22), ""),
                 (fit(numbers.rate(row.get("conns")), 6, "right"), ""),
                 (fit(numbers.rate(row.get("accept_s")), 7, "right"), ""), (f"  {_tls(scene, row)}", "")))
        )  # fmt: skip
    return [clip(row, cells, glyphs.more) for row in rows]


def _tls(scene: Scene, row: dict[str, object]) -> str:
    if row.get("tls") is not True:
        return "-"
    shares = row.get("tls_ver")
    told = "  ".join(
        f"{safe(word).removeprefix('TLSv')} {numbers.percent(share)}%"
        for word, share in (shares if isinstance(shares, dict) else {}).items()
    )
    until = row.get("cert_until")
    if not numbers.is_number(until):
        return told
    days = (until - scene.model.t) / 86_400_000
    return f"{told}  {days:.0f} days{' !' if days < 14 else ''}"


def _log(scene: Scene, cells: int) -> list[Row]:
    rows = []
    for event in reversed(scene.model.events):
        if event.get("kind") in ("audit", "reload"):
            style = "open" if event.get("sev") not in ("info", None) else ""
            when = numbers.clock(event.get("t"), utc=scene.ui.utc)
            rows.append(Row(((f"{when} ", "muted"), (safe(event.get("text")), style))))
    if not rows:
        rows.append(Row((("nobody has done anything so far", "muted"),)))
    return [clip(row, cells, scene.ui.glyphs.more) for row in rows]
