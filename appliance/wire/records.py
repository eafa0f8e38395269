"""Which fields the records of requests and the things of a state have, and what may be asked of each.

A record is what a tap shows of one exchange: short names on the wire, and the words that people write in
filters. Times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

Kind = Literal["text", "number", "time", "share", "network", "status"]

EVENT_KINDS: Final = (
    "breaker", "health", "endpoint", "name", "flood", "reload", "certificate", "pressure", "audit",
)  # fmt: skip
"""The kinds of events; later versions may have more."""

RECORD: Final[Mapping[str, tuple[str, Kind]]] = {
    "id": ("rid", "text"),
    "method": ("me", "text"),
    "path": ("path", "text"),
    "host": ("host", "text"),
    "route": ("rt", "text"),
    "upstream": ("up", "text"),
    "ep": ("ep", "text"),
    "endpoint": ("ep", "text"),
    "status": ("st", "status"),
    "dur": ("ms", "time"),
    "bytes": ("by", "number"),
    "tries": ("try", "number"),
    "client": ("client", "network"),
    "listener": ("ls", "text"),
    "fault": ("fault", "text"),
    "note": ("note", "text"),
    "protocol": ("proto", "text"),
    "grpc": ("grpc", "number"),
}
"""The words of a filter over requests: the field of a record behind each, and how it is compared."""

THING: Final[Mapping[str, tuple[str, Kind]]] = {
    "name": ("name", "text"),
    "set": ("set", "text"),
    "upstream": ("up", "text"),
    "ep": ("addr", "text"),
    "endpoint": ("addr", "text"),
    "state": ("state", "text"),
    "rps": ("rps", "number"),
    "err": ("err", "share"),
    "p50": ("p50", "time"),
    "p90": ("p90", "time"),
    "p99": ("p99", "time"),
    "act": ("act", "number"),
    "tot": ("tot", "number"),
    "weight": ("weight", "number"),
    "cf": ("cf", "number"),
    "trips": ("trips_1h", "number"),
    "rej": ("rej", "number"),
    "rejected": ("rej_tot", "number"),
    "match": ("match", "text"),
    "to": ("to", "text"),
    "reason": ("reason", "text"),
}
"""The words of a filter over upstreams, endpoints, breakers and routes."""


def bare(table: Mapping[str, tuple[str, Kind]], record: Mapping[str, Any]) -> str:
    """Give all text of a record, for words that name no field."""
    found = {field for field, kind in table.values() if kind in ("text", "network")}
    parts = []
    for field in found:
        value = record.get(field)
        if isinstance(value, str):
            parts.append(value)
        elif isinstance(value, (list, tuple)):
            parts += [each for each in value if isinstance(each, str)]
    return "\n".join(parts)
