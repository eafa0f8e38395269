"""What clients may ask once: the past, reports of trips, one request, how long requests took.

Answers may be long, so they are given piece by piece, as the client reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import Any

from appliance.metrics.heat import BOUNDS, STEP
from appliance.wire.codec import Frame, encode

from .desk import Desk
from .recorder import chunks

_TRIPS = 5  # of a frame


def number(value: Any, usual: float, low: float | None = None) -> float:
    """Give a number that a client has sent, what is usual if it is none; not less than ``low``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return usual
    if isinstance(value, float) and isnan(value):
        return usual
    bounded: float = max(-1e15, min(1e15, value))
    return bounded if low is None else max(low, bounded)


def answer(desk: Desk, frame: Frame) -> Iterator[str]:
    """Give the frames that answer a query."""
    what = frame.get("what")
    id = frame.get("id")
    if what == "history":
        return _history(desk, frame)
    told: Frame = {"k": "result", "id": id, "ok": True, "code": "ok", "text": ""}
    if what == "trip":
        found = desk.trip(str(frame.get("trip")))
        missing = "this trip is not known any more"
    elif what == "trips":
        return _trips(desk, told)
    elif what == "request":
        found = desk.taps.find(str(frame.get("rid")))
        missing = "this request is not known here: it went well, or it was long ago"
    elif what == "histogram":
        heat = desk.board.heat.get((str(frame.get("set", "up")), str(frame.get("key"))))
        found = None
        if heat is not None:
            found = {"step": STEP, "bounds": list(BOUNDS), "columns": heat.columns(desk.now())}
        missing = "nothing is known of that"
    elif what == "clients":
        found = {"clients": [_client(each) for each in desk.clients]}
        missing = ""
    else:
        return iter((encode(told | {"ok": False, "code": "unsupported", "text": "this cannot be asked"}),))
    if found is None:
        told |= {"ok": False, "code": "not_found", "text": missing}
    return iter((encode(told | {"now": found or {}}),))


def _trips(desk: Desk, told: Frame) -> Iterator[str]:
    """Give the reports that there are, some in each frame."""
    names = list(desk.worker.bulletin.trips)
    for begin in range(0, max(1, len(names)), _TRIPS):
        trips = [row for name in names[begin : begin + _TRIPS] if (row := desk.trip(name)) is not None]
        yield encode({**told, "more": begin + _TRIPS < len(names), "now": {"trips": trips}})


def _client(each: Any) -> dict[str, Any]:
    peer = each.peer
    return {"name": each.name, "who": peer.label, "role": peer.role, "rate": each.rate}


def _history(desk: Desk, frame: Frame) -> Iterator[str]:
    """Give recorded frames in pieces; ``from`` and ``to`` are milliseconds, 0 is now."""
    trip = frame.get("trip")
    id = encode({"id": frame.get("id")})[1:-1]
    if isinstance(trip, str):
        rows = desk.recorder.around(trip) or []
    else:
        begin = min(0.0, number(frame.get("from"), -90_000) / 1000)
        rows = list(desk.history(begin, min(0.0, number(frame.get("to"), 0) / 1000)))
    pieces = list(chunks(rows))
    for index, piece in enumerate(pieces):
        more = "true" if index + 1 < len(pieces) else "false"
        yield f'{{"k":"hist",{id},"more":{more},"frames":[{",".join(piece)}]}}'
