"""What happens to breakers, endpoints and names, each in one plain line of the log.

A breaker's line says what moved, by which rule and setting, and which requests caused it. Requests and
servers come from outside, so whatever could move a terminal is escaped.
"""

from __future__ import annotations

import logging
from collections import Counter

from appliance.model.text import PRINTABLE
from appliance.model.units import format_duration, format_share
from appliance.policy.breaker import Shift, State
from appliance.upstream.breakers import BreakerShift, Evidence
from appliance.upstream.watch import HealthShift, NameShift

from .floods import FloodEvent

_log = logging.getLogger("meshctl")
_SHOWN = 3  # kinds of requests that are named in a line
_METHOD, _PATH = 20, 60  # characters that are shown


def log_event(event: object) -> None:
    """Write an event to the log: what makes things worse as a warning."""
    bad, text = describe(event)
    _log.log(logging.WARNING if bad else logging.INFO, "%s", text)


def describe(event: object) -> tuple[bool, str]:
    """Say whether an event makes things worse, and what happened; raises TypeError for what is none."""
    if isinstance(event, BreakerShift):
        bad, text = event.shift.new is State.OPEN, sentence(event)
    elif isinstance(event, HealthShift):
        bad = not event.healthy
        text = f"endpoint {event.upstream}/{event.endpoint} is "
        text += "healthy" if event.healthy else f"unhealthy: {event.why}"
    elif isinstance(event, NameShift):
        bad, text = bool(event.why), _name(event)
    elif isinstance(event, FloodEvent):
        bad, text = True, _flood(event)
    else:
        raise TypeError(f"{type(event).__name__} has no line")
    return bad, text.translate(PRINTABLE)


def _name(event: NameShift) -> str:
    """Give the line for a name's other addresses."""
    what = f"name {event.name} of upstream {event.upstream}"
    if event.why:
        kept = f"its {_addresses(event.count, 'known ')} stay" if event.count else "it has no endpoints"
        return f"{what} cannot be resolved: {event.why}; {kept}"
    parts = [f"{word} {', '.join(row)}" for word, row in (("new", event.came), ("gone", event.gone)) if row]
    return f"{what} has {_addresses(event.count)}: {'; '.join(parts) or 'all known already'}"


def _flood(event: FloodEvent) -> str:
    """Give the line for clients that were cut off."""
    many = "" if event.count == 1 else f"; {event.count} such since the last line"
    return (
        f"listener {event.listener}: a connection of {event.peer} was ended: {event.kind}: {event.why}{many}"
    )


def _addresses(count: int, kind: str = "") -> str:
    return f"{count} {kind}address{'' if count == 1 else 'es'}"


def sentence(moved: BreakerShift) -> str:
    """Give the line for a breaker's move."""
    shift = moved.shift
    if shift.new is State.HALF_OPEN:
        lasted = shift.at - shift.since
        after = format_duration(round(lasted) if lasted >= 1 else round(lasted, 1))
        text = f"half-open after {after}: one probe at a time"
    elif shift.new is State.CLOSED:
        probes = moved.rules.success_threshold
        text = f"closed: {f'{probes} probes in a row' if probes > 1 else 'a probe'} succeeded"
    else:
        again = " again" if shift.old is State.HALF_OPEN else ""
        text = f"open{again} for {format_duration(shift.until - shift.at)}: {_cause(moved, shift)}"
    return f"breaker {moved.name} {text}{_setting(moved)}{_requests(shift)}{_others(moved)}".translate(
        PRINTABLE
    )


def _cause(moved: BreakerShift, shift: Shift) -> str:
    if shift.rule == "failure_threshold":
        return f"{shift.run} failures in a row" if shift.run > 1 else "a request failed"
    if shift.rule == "error_rate":
        window = format_duration(moved.rules.window)
        return f"{shift.failed} of {shift.total} requests failed within {window}"
    return "a probe failed"


def _setting(moved: BreakerShift) -> str:
    """Name the setting behind a move, with its place if it is written in the profile."""
    rule = moved.shift.rule
    if rule == "probe":
        return ""
    place = dict(moved.rules.places).get(rule)
    value = getattr(moved.rules, rule)
    shown = (
        format_share(value)
        if rule == "error_rate"
        else format_duration(value)
        if rule == "open_for"
        else str(value)
    )
    return f" ({rule}: {shown}, {f'{place.file}:{place.line}' if place else 'default'})"


def _requests(shift: Shift) -> str:
    """Name the requests behind an opening: equal ones once, the last with its id."""
    if shift.new is not State.OPEN:
        return ""
    count = {"probe": 1, "failure_threshold": shift.run, "error_rate": shift.failed}[shift.rule]
    kept: list[Evidence] = [each for each in shift.evidence if each is not None]
    if shift.rule == "failure_threshold":
        kept = [each for each in kept if not each.overload]
    behind = kept[-count:]
    if not behind:
        return ""
    kinds = Counter(f"{_cut(each.method, _METHOD)} {_cut(each.path, _PATH)} {each.how}" for each in behind)
    of = "times" if len(behind) == count else f"of the last {len(behind)}"
    named = [f"{kind} ({times} {of})" if times > 1 else kind for kind, times in kinds.most_common(_SHOWN)]
    if len(kinds) > _SHOWN:
        named.append("others")
    last = behind[-1]
    took = f"{last.took * 1000:.0f} ms"
    when = (
        f", the last took {took} (request {last.id})" if len(behind) > 1 else f" in {took}, request {last.id}"
    )
    joint = ": " if shift.rule == "probe" else "; "
    return f"{joint}{', '.join(named)}{when}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _others(moved: BreakerShift) -> str:
    """Say who is left when a breaker opens."""
    if moved.shift.new is not State.OPEN or len(moved.endpoints) < 2:
        return ""
    well = [
        each
        for each in moved.endpoints
        if each.healthy and not each.drained and each.state in (None, State.CLOSED)
    ]
    return f"; {len(well)} of {len(moved.endpoints)} endpoints left"
