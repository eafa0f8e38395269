"""What has happened, in order and numbered: transitions, floods, reloads, what operators did.

A ring holds the last of them, for whoever asks later. A breaker that opens leaves a report: which rule, which
setting, the requests that did it, and how the endpoints were just then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from appliance.policy.breaker import State
from appliance.upstream.breakers import BreakerShift, Evidence, Look
from appliance.upstream.watch import HealthShift, NameShift

from .events import describe, log_event
from .floods import FloodEvent

RING: Final = 5000
TRIPS: Final = 100


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at ``at`` (seconds of the worker's clock); ``more`` is for machines."""

    eid: int
    at: float
    kind: str
    severity: str
    subject: str
    text: str
    more: Mapping[str, Any] = field(default_factory=dict)


class Bulletin:
    """The last events, and the reports of the last trips by their ids."""

    __slots__ = ("_events", "_now", "last", "trip_count", "trips")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._events: deque[Event] = deque(maxlen=RING)
        self.last = 0
        self.trips: dict[str, dict[str, Any]] = {}
        self.trip_count = 0

    def tell(self, event: object) -> None:
        """Log an event of breakers, health, names or floods, and keep it."""
        log_event(event)
        bad, text = describe(event)
        severity = "warning" if bad else "info"
        if isinstance(event, BreakerShift):
            self.add("breaker", "error" if bad else "info", event.name, text, **self._shifted(event))
        elif isinstance(event, HealthShift):
            name = f"{event.upstream}/{event.endpoint}"
            self.add("health", severity, name, text, healthy=event.healthy, why=event.why)
        elif isinstance(event, NameShift):
            came, gone = list(event.came), list(event.gone)
            subject = f"{event.upstream}/{event.name}"
            self.add("name", severity, subject, text, came=came, gone=gone, why=event.why)
        elif isinstance(event, FloodEvent):
            self.add(
                "flood", severity, event.listener, text, peer=event.peer, flood=event.kind, count=event.count
            )

    def add(self, kind: str, severity: str, subject: str, text: str, **more: Any) -> Event:
        """Keep an event; ``severity`` is info, warning or error."""
        self.last += 1
        event = Event(self.last, self._now(), kind, severity, subject, text, more)
        self._events.append(event)
        return event

    def after(self, eid: int, most: int = RING) -> tuple[int, list[Event]]:
        """Give the events behind ``eid``, the oldest first, and how many of them are forgotten already."""
        ring = self._events
        first = ring[0].eid if ring else self.last + 1
        lost = max(0, first - eid - 1) if eid < self.last else 0
        if eid >= self.last:
            return 0, []
        begin = max(0, eid + 1 - first)
        return lost, [ring[index] for index in range(begin, min(len(ring), begin + most))]

    def _shifted(self, moved: BreakerShift) -> dict[str, Any]:
        shift = moved.shift
        more: dict[str, Any] = {"from": shift.old.value, "to": shift.new.value, "rule": shift.rule}
        if shift.new is State.OPEN:
            self.trip_count += 1
            more["trip"] = trip = f"tr-{self.trip_count:06d}"
            more["until"] = shift.until
            self.trips[trip] = report(trip, moved)
            if len(self.trips) > TRIPS:
                del self.trips[next(iter(self.trips))]
        return more


def report(trip: str, moved: BreakerShift) -> dict[str, Any]:
    """Give the report of an opening; times in seconds of the worker's clock, durations in milliseconds."""
    shift, rules = moved.shift, moved.rules
    place = dict(rules.places).get(shift.rule)
    limit = None if shift.rule == "probe" else getattr(rules, shift.rule)
    return {
        "trip": trip,
        "breaker": moved.name,
        "at": shift.at,
        "until": shift.until,
        "rule": shift.rule,
        "limit": limit,
        "src": None if place is None else f"{place.file}:{place.line}",
        "run": shift.run,
        "failed": shift.failed,
        "total": shift.total,
        "requests": [_request(each, shift.at) for each in shift.evidence if each is not None],
        "endpoints": [_look(each) for each in moved.endpoints],
    }


def _request(each: Evidence, opened: float) -> dict[str, Any]:
    return {
        "rid": each.id,
        "me": each.method[:40],
        "path": each.path[:200],
        "ep": each.endpoint,
        "how": each.how,
        "before": round((opened - each.at) * 1000),
        "ms": round(each.took * 1000, 1),
        "overload": each.overload,
    }


def _look(each: Look) -> dict[str, Any]:
    return {
        "ep": each.name,
        "st": None if each.state is None else each.state.value,
        "act": each.in_flight,
        "healthy": each.healthy,
        "drained": each.drained,
    }
