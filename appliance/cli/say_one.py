"""One breaker or one endpoint in sentences: what it is, how it came there, what comes next, who set what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.model.text import printable
from appliance.model.units import format_duration

from .say import progress, show, state_words

Line = tuple[str, str]


def breaker_lines(name: str, row: Mapping[str, Any], m: int) -> list[str]:
    """Tell of one breaker; ``m`` is now (milliseconds since the start of the proxy)."""
    lines: list[Line] = [
        ("breaker", f"{printable(name)}, of upstream {printable(row.get('up'))}"),
        ("state", f"{state_words(row.get('st'))}{_lasting(row, m)}; {progress(row, m)}"),
    ]
    lines += _forced(row.get("forced"), m)
    share = show("err", row.get("er"))
    window = format_duration(row["window"]) if isinstance(row.get("window"), (int, float)) else "-"
    judged = f"{share} of {show('n', row.get('n'))} requests failed within {window}"
    limits = f"opens at {show('err', row.get('er_max'))} of at least {show('n', row.get('n_min'))}"
    in_a_row = f"or {show('n', row.get('cf_max'))} failures in a row"
    lines.append(("window", f"{judged}; {limits}, {in_a_row}"))
    rates = ", ".join(f"{word} {show('n', row.get(key))}/s" for key, word in _RATES)
    lines.append(("now", f"{rates}; {show('n', row.get('rej_tot'))} rejected so far"))
    lines.append(("last", f"{printable(row.get('last') or '-')}  (oldest first: o good, x failed)"))
    trip = row.get("trip")
    trips = f"{show('n', row.get('trips_1h'))} in the last hour"
    last = f"; the last is {printable(trip)}: meshctl breaker report {printable(trip)}" if trip else ""
    lines.append(("opened", f"{trips}{last}"))
    if row.get("src"):
        lines.append(("setting", printable(row["src"])))
    return _aligned(lines)


_RATES = (("ask", "asked"), ("sent", "sent"), ("rej", "rejected"))


def endpoint_lines(name: str, row: Mapping[str, Any], m: int) -> list[str]:
    """Tell of one endpoint; ``m`` is now (milliseconds since the start of the proxy)."""
    state = printable(row.get("state"))
    who = [] if row.get("by") is None else [f"by {printable(row['by'])}"]
    if row.get("reason"):
        who.append(f'"{printable(row["reason"])}"')
    if row.get("by") is not None:
        who.append(_until(row.get("until"), m))
    lines: list[Line] = [
        ("endpoint", printable(name)),
        ("state", f"{state}{', ' if who else ''}{', '.join(who)}"),
        ("weight", _weight(row)),
        ("health", _health(row.get("health"))),
    ]
    times = ", ".join(f"{key} {show(key, row.get(key))}" for key in ("p50", "p90", "p99"))
    flow = f"{show('rps', row.get('rps'))} tries/s, {show('err', row.get('err'))} failed, {times}"
    lines.append(("now", f"{flow}; {show('n', row.get('tot'))} tries so far"))
    busy = f"{show('act', row.get('act'))} under way of at most {show('n', row.get('max'))}"
    lines.append(("busy", f"{busy}, {show('n', row.get('conns'))} connections"))
    return _aligned(lines)


def _weight(row: Mapping[str, Any]) -> str:
    share = row.get("share")
    weight = show("n", row.get("weight"))
    if isinstance(share, (int, float)) and 0 < share < 1:
        return f"{weight}, of which {share:.0%} count while it starts slowly"
    return weight


def _health(health: object) -> str:
    if not isinstance(health, dict):
        return "not checked"
    streak = f", {show('n', health.get('streak'))} in a row the other way" if health.get("streak") else ""
    if health.get("ok") is True:
        return f"well{streak}"
    return f"not well: {printable(health.get('why'))}{streak}"


def _forced(forced: object, m: int) -> list[Line]:
    if not isinstance(forced, dict):
        return []
    reason = f', "{printable(forced["reason"])}"' if forced.get("reason") else ""
    return [("forced", f"by {printable(forced.get('by'))}{reason}, {_until(forced.get('until'), m)}")]


def _until(until: object, m: int) -> str:
    if not isinstance(until, (int, float)):
        return "until somebody ends it"
    return f"for another {format_duration(max(0, round((until - m) / 1000)))}"


def _lasting(row: Mapping[str, Any], m: int) -> str:
    """Say how long it is so; what is known is since when its own state is, not since when it was forced."""
    since = row.get("since")
    if row.get("forced") or not isinstance(since, (int, float)):
        return ""
    return f" for {format_duration(max(0, round((m - since) / 1000)))}"


def _aligned(lines: list[Line]) -> list[str]:
    width = max(len(label) for label, _ in lines)
    return [f"{label:>{width}}  {text}" for label, text in lines]
