"""What a dashboard knows of one proxy: a pure reducer, so that the past is drawn as the present is.

``reduce`` takes a model and one frame and gives the next model; nothing is changed in place. Live, paused,
gone back in time or played from a file: always the same function over the same frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from appliance.wire.codec import Frame, delta_in, state_in
from appliance.wire.delta import State, Things, apply

from .numbers import is_number

SECONDS: Final = 60
"""Samples of a series, one a second."""
CELLS: Final = 30
"""Cells of a ribbon."""
CELL: Final = 2000
"""Milliseconds of one."""
EVENTS: Final = 500
SEVERITY: Final = {"closed": 0, "forced_closed": 1, "half_open": 2, "open": 3, "forced_open": 4}
"""Which state of a breaker wins in a cell of its ribbon."""
_SERIES: Final = {
    "proxy": ("rps", "err", "p99"),
    "up": ("rps", "p99"),
    "rt": ("rps", "p99"),
    "ep": ("rps",),
}

Series = Mapping[tuple[str, str, str], tuple[float | None, ...]]


@dataclass(frozen=True, slots=True)
class Ribbon:
    """The states of a breaker over the last minute: the worst of each cell; the last is number ``at``."""

    at: int = -1
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """One proxy at one moment: ``m`` in milliseconds since its start, ``t`` in Unix milliseconds.

    ``eid`` is the last event that it told of. ``series`` are the last samples by set, key and field;
    ``gaps`` counts how often it began anew.
    """

    server: Mapping[str, Any] = field(default_factory=dict)
    role: str = ""
    minor: int = 0
    state: State = field(default_factory=dict)
    m: int = 0
    t: int = 0
    seq: int = 0
    events: tuple[Mapping[str, Any], ...] = ()
    eid: int = 0
    lost: int = 0
    series: Series = field(default_factory=dict)
    ribbons: Mapping[str, Ribbon] = field(default_factory=dict)
    sampled: int = -1
    gaps: int = 0
    notice: str = ""

    def things(self, kind: str) -> Things:
        """Give a set of the state."""
        return self.state.get(kind, {})

    @property
    def proxy(self) -> Mapping[str, Any]:
        """The proxy itself."""
        return self.state.get("proxy", {}).get("", {})

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.server.get("name", ""))

    def wall(self, m: object) -> int | None:
        """Give a moment of the proxy's clock as Unix milliseconds."""
        return round(self.t + m - self.m) if is_number(m) and self.t else None

    def wall_now(self, m: int) -> int:
        """Give another moment of the proxy's clock, such as now, as Unix milliseconds."""
        return round(self.t + m - self.m)


def reduce(model: Model, frame: Frame) -> Model:
    """Give what is known after a frame; kinds that are not known change nothing."""
    kind = frame.get("k")
    if kind == "hello":
        return _hello(model, frame)
    if kind == "snap":
        return _sampled(_at(replace(model, state=state_in(frame)), frame))
    if kind == "delta":
        return _sampled(_at(replace(model, state=apply(model.state, delta_in(frame))), frame))
    if kind == "events":
        return _events(model, frame)
    if kind == "notice":
        return replace(model, notice=str(frame.get("text", "")))
    return model


def reduce_all(model: Model, frames: Iterable[Frame]) -> Model:
    """Give what is known after all of them."""
    for frame in frames:
        model = reduce(model, frame)
    return model


def _hello(model: Model, frame: Frame) -> Model:
    """Meet the proxy, or another life of it: then its clock began anew, and what was drawn has a gap."""
    server = frame.get("server")
    server = server if isinstance(server, dict) else {}
    proto = frame.get("proto")
    minor = proto.get("minor") if isinstance(proto, dict) else None
    known = replace(
        model, server=server, role=str(frame.get("role", "")), minor=minor if isinstance(minor, int) else 0
    )
    if not model.server or model.server.get("boot") == server.get("boot"):
        return known
    gap = {name: Ribbon(-1, (*ribbon.cells, "gap")[-CELLS:]) for name, ribbon in model.ribbons.items()}
    series = {key: (*row, None)[-SECONDS:] for key, row in model.series.items()}
    return replace(known, ribbons=gap, series=series, sampled=-1, seq=0, m=0, eid=0, gaps=model.gaps + 1)


def _at(model: Model, frame: Frame) -> Model:
    """Give the model at the moment of a frame."""
    m, t, seq = frame.get("m"), frame.get("t"), frame.get("seq")
    at = int(m) if is_number(m) else model.m
    wall = int(t) if is_number(t) else model.t + (at - model.m if model.t else 0)
    return replace(model, m=at, t=wall, seq=int(seq) if is_number(seq) else model.seq)


def _sampled(model: Model) -> Model:
    """Take samples for what is drawn over time: a series each second, the worst state in each cell."""
    ribbons = dict(model.ribbons)
    breakers = model.things("br")
    for name, row in breakers.items():
        ribbons[name] = _worse(ribbons.get(name, Ribbon()), model.m // CELL, str(row.get("st", "")))
    for name in ribbons.keys() - breakers.keys():
        del ribbons[name]
    second = model.m // 1000
    if second == model.sampled:
        return replace(model, ribbons=ribbons)
    missed = min(SECONDS, second - model.sampled - 1) if model.sampled >= 0 else 0
    series: dict[tuple[str, str, str], tuple[float | None, ...]] = {}
    for kind, fields in _SERIES.items():
        for key, thing in model.things(kind).items():
            for name in fields:
                value = thing.get(name)
                before = model.series.get((kind, key, name), ())
                sample = float(value) if is_number(value) else None
                filling = (sample if name == "rps" else None,) * max(0, missed)
                series[kind, key, name] = (*before, *filling, sample)[-SECONDS:]
    return replace(model, ribbons=ribbons, series=series, sampled=second)


def _worse(ribbon: Ribbon, cell: int, word: str) -> Ribbon:
    """Give a ribbon with a state in a cell: it stays as it was in cells that nobody told of."""
    if ribbon.at < 0 or cell < ribbon.at:
        return Ribbon(cell, (*ribbon.cells, word)[-CELLS:])
    if cell == ribbon.at:
        last = ribbon.cells[-1]
        if SEVERITY.get(word, 0) <= SEVERITY.get(last, 0):
            return ribbon
        return Ribbon(cell, (*ribbon.cells[:-1], word))
    between = min(CELLS, cell - ribbon.at - 1)
    return Ribbon(cell, (*ribbon.cells, *(word,) * between, word)[-CELLS:])


def _events(model: Model, frame: Frame) -> Model:
    """Take events; a state that lasted shorter than a tick still shows in its breaker's ribbon."""
    items = frame.get("items")
    news = [row for row in items if isinstance(row, dict)] if isinstance(items, list) else []
    news = [row for row in news if not isinstance(row.get("eid"), int) or row["eid"] > model.eid]
    if not news:  # history and the live stream overlap
        return model
    ribbons = dict(model.ribbons)
    for event in news:
        name, m, word = str(event.get("subj")), event.get("m"), event.get("to")
        ribbon = ribbons.get(name)
        if event.get("kind") == "breaker" and isinstance(word, str) and ribbon is not None and is_number(m):
            back = ribbon.at - int(m) // CELL
            if 0 <= back < len(ribbon.cells):
                cells = list(ribbon.cells)
                place = len(cells) - 1 - back
                if SEVERITY.get(word, 0) > SEVERITY.get(cells[place], 0):
                    cells[place] = word
                    ribbons[name] = Ribbon(ribbon.at, tuple(cells))
    lost = frame.get("lost")
    return replace(
        model,
        events=(*model.events, *news)[-EVENTS:],
        eid=max([model.eid, *(row["eid"] for row in news if isinstance(row.get("eid"), int))]),
        lost=model.lost + (int(lost) if is_number(lost) else 0),
        ribbons=ribbons,
    )
