"""What follows from the state: which breaker is worst, how far it is from its next move, what is trouble."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from appliance.wire.delta import Things

from . import numbers
from .numbers import is_number
from .state import Model
from .text import safe

Row = Mapping[str, Any]
RANK: Final = {"forced_open": 5, "forced_closed": 5, "open": 4, "half_open": 3, "closed": 1, "off": 0}
WORDS: Final = {
    "closed": "CLOSED", "open": "OPEN", "half_open": "HALF-OPEN", "forced_open": "FORCED",
    "forced_closed": "FORCED", "off": "OFF",
}  # fmt: skip
SHORT: Final = {**WORDS, "half_open": "HALF"}
NEAR: Final = 0.6
"""Share of its way to opening from which a breaker is trouble."""


def number(row: Row, name: str) -> float:
    """Give a number of a thing, 0 if there is none."""
    value = row.get(name)
    return float(value) if is_number(value) else 0.0


def state(row: Row) -> str:
    """Give the state of a breaker."""
    return str(row.get("st", "off"))


def left(until: object, m: int) -> float | None:
    """Give the seconds until a moment of the proxy's clock, None for no end."""
    return max(0.0, (until - m) / 1000) if is_number(until) else None


def fuse(row: Row) -> float:
    """Give how far a closed breaker is from opening, by either of its rules: 0 to 1."""
    run = number(row, "cf") / max(1.0, number(row, "cf_max")) if number(row, "cf_max") else 0.0
    rated = 0.0
    if number(row, "n") >= number(row, "n_min") and number(row, "er_max"):
        rated = number(row, "er") / number(row, "er_max")
    return min(1.0, max(run, rated))


def progress(row: Row, m: int, *, tenths: bool = True) -> tuple[float, str]:
    """Give how far a breaker is on its way to the next move, and that in words."""
    word = state(row)
    forced = row.get("forced")
    if isinstance(forced, dict):
        rest = left(forced.get("until"), m)
        return (0.0, "until cleared") if rest is None else (min(1.0, rest / 600), numbers.lasting(rest))
    if word == "open":
        rest = left(row.get("until"), m)
        if rest is None:
            return 0.0, ""
        whole = max(1.0, (number(row, "until") - number(row, "since")) / 1000)
        return rest / whole, numbers.lasting(rest, tenths=tenths) if rest else "probe due"
    if word == "half_open":
        probe = row.get("probe")
        probe = probe if isinstance(probe, dict) else {}
        need = max(1.0, number(probe, "need"))
        return number(probe, "ok") / need, f"{number(probe, 'ok'):.0f}/{need:.0f} ok"
    run = f"{number(row, 'cf'):.0f}/{number(row, 'cf_max'):.0f}" if number(row, "cf_max") else ""
    return fuse(row), f"{run} fail" if number(row, "cf") else run


def breakers_of(model: Model) -> dict[str, list[tuple[str, Row]]]:
    """Give the breakers of each upstream."""
    found: dict[str, list[tuple[str, Row]]] = {}
    for name, row in model.things("br").items():
        found.setdefault(str(row.get("up")), []).append((name, row))
    return found


def worst(rows: Iterable[tuple[str, Row]]) -> tuple[str, Row] | None:
    """Give the breaker that is in most trouble."""
    return max(rows, key=lambda each: (*_breaker_trouble(each[1]), _backwards(each[0])), default=None)


def _breaker_trouble(row: Row) -> tuple[float, ...]:
    return RANK.get(state(row), 0), fuse(row), number(row, "rej")


def _backwards(name: str) -> tuple[int, ...]:
    """Give what sorts names the other way round."""
    return tuple(-ord(sign) for sign in name)


def trouble(
    model: Model, kind: str, key: str, row: Row, fuses: Mapping[str, list[tuple[str, Row]]]
) -> tuple[Any, ...]:
    """Give what sorts things with the most trouble first; ties by name, so that nothing flickers."""
    rank = near = down = 0.0
    if kind == "br":
        rank, near, _ = _breaker_trouble(row)
    elif kind == "up":
        found = worst(fuses.get(key, ()))
        if found is not None:
            rank, near, _ = _breaker_trouble(found[1])
        down = number(row, "down_n")
    elif kind == "ep":
        rank = {"open": 4.0, "down": 2.5, "draining": 1.5, "drained": 1.5}.get(str(row.get("state")), 1.0)
    elif kind == "rt":
        near = number(row, "rej")
    level = RANK.get("closed", 1) if rank <= 1 else rank
    return (
        -level,
        -down,
        -(near if near >= NEAR else 0.0),
        -number(row, "err") if number(row, "err") >= 0.001 else 0.0,
        -_ratio(model, kind, key, row),
        number(row, "pos"),
        key,
    )


def _ratio(model: Model, kind: str, key: str, row: Row) -> float:
    """Give how many times slower than usual something is, when that is worth a place."""
    before = [value for value in model.series.get((kind, key, "p99"), ()) if value]
    if len(before) < 10 or not number(row, "p99"):
        return 0.0
    usual = sorted(before)[len(before) // 2]
    ratio = number(row, "p99") / usual
    return ratio if ratio >= 3 else 0.0


def is_trouble(kind: str, row: Row, fuses: Mapping[str, list[tuple[str, Row]]], key: str) -> bool:
    """Say whether a thing is not all right."""
    if number(row, "err") >= 0.01 or number(row, "down_n"):
        return True
    if kind == "br":
        return RANK.get(state(row), 0) > 1 or fuse(row) >= NEAR
    if kind == "ep":
        return row.get("state") not in ("up", None)
    if kind == "up":
        return any(is_trouble("br", fuse_row, fuses, name) for name, fuse_row in fuses.get(key, ()))
    return bool(number(row, "rej"))


def count_states(breakers: Things) -> dict[str, int]:
    """Count breakers by closed, open, half_open and forced."""
    found = {"closed": 0, "open": 0, "half_open": 0, "forced": 0}
    for row in breakers.values():
        word = state(row)
        word = "forced" if word.startswith("forced") else word
        if word in found:
            found[word] += 1
    return found


def nearest(breakers: Things) -> str:
    """Name the closed breaker that is nearest to opening, and how near; empty if none is on its way."""
    found = [(fuse(row), name, row) for name, row in breakers.items() if state(row) == "closed"]
    best = max(found, key=lambda each: (each[0], _backwards(each[1])), default=None)
    if best is None or not best[0]:
        return ""
    _, name, row = best
    if number(row, "cf"):
        return f"{safe(name)} {number(row, 'cf'):.0f}/{number(row, 'cf_max'):.0f}"
    return f"{safe(name)} {numbers.percent(row.get('er'))}% of {numbers.percent(row.get('er_max'))}%"


def admitting(model: Model, name: str) -> tuple[int, int]:
    """Give how many endpoints of an upstream may have requests, and how many there are."""
    row = model.things("up").get(name, {})
    return int(number(row, "up_n")), int(number(row, "eps"))
