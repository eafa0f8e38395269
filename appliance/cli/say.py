"""What a running proxy tells, in sentences and tables; everything that came from outside is escaped."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from appliance.model.text import counted, printable
from appliance.model.units import format_duration
from appliance.wire.delta import State

_WORDS = {
    "closed": "closed",
    "open": "open",
    "half_open": "half-open",
    "forced_open": "forced open",
    "forced_closed": "forced closed",
}
Column = tuple[str, str]
COLUMNS: Mapping[str, Sequence[Column]] = {
    "rt": (
        ("ROUTE", "name"), ("MATCH", "match"), ("TO", "to"), ("RPS", "rps"), ("ERR", "err"), ("P50", "p50"),
        ("P99", "p99"), ("TOTAL", "tot"),
    ),
    "up": (
        ("UPSTREAM", "name"), ("BALANCE", "lb"), ("UP", "up_n"), ("OF", "eps"), ("RPS", "rps"),
        ("ERR", "err"), ("P50", "p50"), ("P99", "p99"), ("ACT", "act"), ("TOTAL", "tot"),
    ),
    "ep": (
        ("ENDPOINT", "name"), ("STATE", "state"), ("WEIGHT", "weight"), ("RPS", "rps"), ("ERR", "err"),
        ("P50", "p50"), ("P99", "p99"), ("ACT", "act"), ("CONNS", "conns"), ("TOTAL", "tot"),
        ("NOTE", "reason"),
    ),
    "br": (
        ("BREAKER", "name"), ("STATE", "st"), ("PROGRESS", "progress"), ("LAST", "last"), ("SENT/S", "sent"),
        ("REJ/S", "rej"), ("REJ TOTAL", "rej_tot"), ("TRIPS 1H", "trips_1h"),
    ),
    "ls": (
        ("LISTENER", "name"), ("BIND", "bind"), ("PROTOCOL", "proto"), ("CONNS", "conns"), ("RPS", "rps"),
        ("TOTAL", "tot"),
    ),
    "live": (
        ("REQUEST", "name"), ("AGE", "age"), ("METHOD", "me"), ("PATH", "path"), ("ROUTE", "rt"),
        ("ENDPOINT", "ep"), ("DOES", "ph"), ("TRY", "try"),
    ),
}  # fmt: skip
_TIMES = ("p50", "p90", "p99", "max")
_LEFT = frozenset(
    (
        "name",
        "match",
        "to",
        "lb",
        "state",
        "st",
        "progress",
        "last",
        "bind",
        "proto",
        "reason",
        "by",
        "me",
        "path",
        "rt",
        "ep",
        "ph",
    )
)


def state_words(state: object) -> str:
    """Give the state of a breaker as people say it."""
    return printable(_WORDS.get(str(state), state))


def clock(t: object, *, utc: bool = False, date: bool = False) -> str:
    """Give Unix milliseconds as a time of day, of this machine unless ``utc``."""
    if not isinstance(t, (int, float)) or isinstance(t, bool) or not 0 <= t < 1e14:
        return "??:??:??"
    moment = datetime.fromtimestamp(t / 1000, UTC)
    if not utc:
        moment = moment.astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S%z" if date else "%H:%M:%S")


def event_line(event: Mapping[str, Any], *, utc: bool = False) -> str:
    """Give one event as one line."""
    return f"{clock(event.get('t'), utc=utc)} {printable(event.get('text'))}"


def summary(name: str, state: State, when: str = "") -> str:
    """Give in one sentence how a proxy is; ``when`` is the time of day, if that is not plain."""
    proxy = state.get("proxy", {}).get("", {})
    parts = [f"{show('rps', proxy.get('rps'))} requests/s", f"{show('err', proxy.get('err'))} failed"]
    if proxy.get("p50") is not None:
        parts.append(f"p50 {show('p50', proxy.get('p50'))}, p99 {show('p99', proxy.get('p99'))}")
    parts.append(f"{show('act', proxy.get('act'))} under way")
    text = f"{when}{' ' if when else ''}{printable(name)}: {', '.join(parts)}"
    found = Counter(str(row.get("st")) for row in state.get("br", {}).values())
    if found:
        words = [f"{count} {_WORDS.get(word, word)}" for word, count in sorted(found.items())]
        text += f"; breakers: {', '.join(printable(word) for word in words)}"
    down = sum(row.get("state") == "down" for row in state.get("ep", {}).values())
    if down:
        text += f"; {counted(down, 'endpoint')} down"
    return text + ("; draining" if proxy.get("drain") is True else "")


def show(field: str, value: object) -> str:
    """Give one value as a table shows it."""
    if value is None or isinstance(value, (dict, list)):
        return "-"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return printable(value)
    if field == "err":
        return f"{value * 100:.3g}%"
    if field in _TIMES:
        return f"{value:g}ms" if value < 1000 else f"{value / 1000:g}s"
    return f"{value:g}" if isinstance(value, float) else str(value)


def progress(row: Mapping[str, Any], m: int) -> str:
    """Give how far a breaker is from its next move; ``m`` is now."""
    word, forced, probe = row.get("st"), row.get("forced"), row.get("probe")
    if isinstance(forced, dict):
        reason = f', "{printable(forced["reason"])}"' if forced.get("reason") else ""
        return f"{_left(forced.get('until'), m)} by {printable(forced.get('by'))}{reason}"
    if word == "open":
        left = _left(row.get("until"), m)
        return "a probe is due" if left == "0s" else f"half-open in {left}"
    if word == "half_open" and isinstance(probe, dict):
        return f"probes {show('n', probe.get('ok'))}/{show('n', probe.get('need'))}"
    share = f", {show('err', row.get('er'))} of {show('n', row.get('n'))}" if row.get("n") else ""
    return f"{show('n', row.get('cf'))}/{show('n', row.get('cf_max'))} in a row{share}"


def _left(until: object, m: int) -> str:
    if not isinstance(until, (int, float)):
        return "for good"
    return format_duration(max(0, round((until - m) / 1000)))


def cells(name: str, rows: Iterable[Mapping[str, Any]], m: int) -> list[list[str]]:
    """Give the table of a set: its head, then a line for each thing."""
    columns = COLUMNS[name]
    table = [[title for title, _ in columns]]
    for thing in rows:
        row = {**thing, **_worked_out(name, thing, m)}
        table.append([show(field, row.get(field)) for _, field in columns])
    return table


def _worked_out(name: str, thing: Mapping[str, Any], m: int) -> dict[str, Any]:
    """Give what a table shows besides what a thing has itself."""
    if name == "br":
        return {"progress": progress(thing, m), "st": state_words(thing.get("st"))}
    if name == "ep" and thing.get("by") is not None:
        reason = f', "{thing["reason"]}"' if thing.get("reason") else ""
        return {"reason": f"{_left(thing.get('until'), m)} by {thing['by']}{reason}"}
    if name == "live" and isinstance(thing.get("began"), (int, float)):
        return {"age": f"{max(0, m - thing['began']) / 1000:.1f}s"}
    return {}


def aligned(name: str, table: Sequence[Sequence[str]]) -> list[str]:
    """Give the lines of a table with its columns in line; names stand left, numbers right."""
    fields = [field for _, field in COLUMNS[name]]
    widths = [max(len(row[index]) for row in table) for index in range(len(fields))]
    lines = []
    for row in table:
        parts = [
            text.ljust(width) if field in _LEFT else text.rjust(width)
            for text, width, field in zip(row, widths, fields, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return lines


def trip_lines(trip: Mapping[str, Any], *, utc: bool = False) -> list[str]:
    """Give the report of a trip: when and why, the requests, the endpoints, the setting."""
    rule, limit = printable(trip.get("rule")), trip.get("limit")
    run, failed, total = (printable(trip.get(key)) for key in ("run", "failed", "total"))
    why = {
        "probe": "a probe failed",
        "failure_threshold": f"{run} failures in a row",
        "error_rate": f"{failed} of {total} requests failed within the window",
    }.get(rule, rule)
    name = f"{printable(trip.get('breaker'))} opened {clock(trip.get('t'), utc=utc, date=True)}"
    lines = [f"{name}: {why} ({printable(trip.get('trip'))})"]
    for each in _rows(trip.get("requests")):
        before = each.get("before")
        ago = f"-{before / 1000:.1f}s" if isinstance(before, (int, float)) else "?"
        what = " ".join(printable(each.get(key)) for key in ("me", "path", "ep", "how"))
        lines.append(f"  {ago:>7} {what} {show('p50', each.get('ms'))} {printable(each.get('rid'))}")
    looks = []
    for each in _rows(trip.get("endpoints")):
        word = _WORDS.get(str(each.get("st")), "-")
        looks.append(f"{printable(each.get('ep'))} {word}, {show('act', each.get('act'))} under way")
    if looks:
        lines.append(f"  endpoints then: {'; '.join(looks)}")
    if rule != "probe":
        value = f"{limit:.0%}" if isinstance(limit, float) and limit <= 1 else printable(limit)
        where = printable(trip["src"]) if trip.get("src") else "default"
        lines.append(f"  setting: breaker.{rule}: {value} ({where})")
    return lines


def _rows(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def request_line(row: Mapping[str, Any], *, utc: bool = False) -> str:
    """Give one request of a tap as one line."""
    notes = row.get("note")
    note = f"  {'; '.join(printable(each) for each in notes)}" if isinstance(notes, list) else ""
    fault = f"  {printable(row['fault'])}" if row.get("fault") else ""
    grpc = f" grpc {show('n', row['grpc'])}" if row.get("grpc") is not None else ""
    status = f"{show('n', row.get('st'))}{grpc}"
    asked = f"{printable(row.get('me'))} {printable(row.get('host', ''))}{printable(row.get('path'))}"
    went = f"{show('p50', row.get('ms'))} {printable(row.get('rt', '-'))} {printable(row.get('ep', '-'))}"
    return f"{clock(row.get('t'), utc=utc)} {printable(row.get('rid'))} {status} {asked} {went}{fault}{note}"


def curl(row: Mapping[str, Any]) -> str:
    """Give a command that asks the same again, without a body."""
    host = printable(row.get("host", "localhost"))
    words = ["curl", "-sv", "-X", printable(row.get("me")), f"http://{host}{printable(row.get('path'))}"]
    return " ".join(shlex.quote(word) for word in words)


def why_lines(row: Mapping[str, Any], *, utc: bool = False) -> list[str]:
    """Tell what happened to one request, in plain words."""
    phases = row.get("ph")
    phases = phases if isinstance(phases, dict) else {}
    who = f"{printable(row.get('me'))} {printable(row.get('host', ''))}{printable(row.get('path'))}"
    lines = [
        f"request {printable(row.get('rid'))} at {clock(row.get('t'), utc=utc, date=True)}",
        f"  asked      {who} by {printable(row.get('client'))} at listener {printable(row.get('ls'))}, "
        f"{printable(row.get('proto'))}",
    ]
    lines.append(f"  route      {printable(row['rt'])}" if row.get("rt") else "  route      none took it")
    if row.get("up"):
        tried = row.get("tried")
        before = f", after {', '.join(printable(each) for each in tried)}" if isinstance(tried, list) else ""
        where = printable(row.get("ep")) if row.get("ep") else "no endpoint"
        tries = row.get("try")
        count = counted(tries, "try").replace("trys", "tries") if isinstance(tries, int) else ""
        lines.append(f"  upstream   {printable(row['up'])}, {where}{before} ({count})")
    notes = row.get("note")
    if isinstance(notes, list):
        lines += [f"  decided    {printable(each)}" for each in notes]
    times = [f"{word} {show('p50', phases[key])}" for key, word in _PHASES.items() if key in phases]
    lines.append(f"  took       {show('p50', row.get('ms'))}: {', '.join(times)}" if times else
                 f"  took       {show('p50', row.get('ms'))}")  # fmt: skip
    grpc = f", grpc-status {show('n', row['grpc'])}" if row.get("grpc") is not None else ""
    sent = show("n", row.get("by", 0))
    lines.append(f"  answered   {show('n', row.get('st'))}{grpc}, {sent} bytes of body")
    if row.get("fault"):
        lines.append(f"  because    {printable(row['fault'])}: {printable(row.get('why', ''))}")
    return lines


_PHASES = {
    "q": "before the last try",
    "ttfb": "until the head of its answer",
    "body": "for the body",
}
