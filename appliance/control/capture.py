"""What a tap shows of one exchange, worked out only when somebody asks: never bodies, headers by a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from appliance.model.exchange import Exchange
from appliance.upstream.breakers import grpc_status

_LONGEST = 2000  # characters of a path
_HEADER = 500  # characters of a header's value
_HOST, _METHOD = 255, 40


class Glance:
    """An exchange as a filter sees it: each field is made when it is looked at."""

    __slots__ = ("_exchange", "_now")

    def __init__(self, exchange: Exchange, now: float) -> None:
        self._exchange = exchange
        self._now = now

    def get(self, field: str, default: Any = None) -> Any:
        """Give a field of the record, ``default`` where there is none of the name."""
        make = _FIELDS.get(field)
        return default if make is None else make(self._exchange, self._now)


def record(exchange: Exchange, now: float, offset: float, headers: tuple[str, ...] = ()) -> dict[str, Any]:
    """Give the whole record; ``offset`` turns the worker's clock into Unix time, ``headers`` may be shown."""
    made = {field: make(exchange, now) for field, make in _FIELDS.items()}
    told = {field: value for field, value in made.items() if value is not None and value != ""}
    attempt = exchange.attempt
    head = exchange.head_at or now
    phases = {"q": _ms((attempt.began if attempt is not None else head) - exchange.started)}
    if attempt is not None:
        phases["ttfb"] = _ms((attempt.head_at or now) - attempt.began)
    phases["body"] = _ms(now - head)
    told["t"] = round((exchange.started + offset) * 1000)
    told["ph"] = phases
    told["peer"] = exchange.peer
    if exchange.fault is not None:
        told["why"] = (exchange.fault.detail or exchange.fault.reason.sentence)[:_LONGEST]
    if exchange.tried:
        told["tried"] = [each.name for each in exchange.tried]
    if headers:
        shown = [
            (_text(name), _text(value)[:_HEADER])
            for name, value in exchange.request.headers
            if _text(name) in headers
        ]
        told["headers"] = shown
    return told


def _note(exchange: Exchange, _now: float) -> list[str] | None:
    notes = list(exchange.notes or ())
    if exchange.tries > 1:
        notes.append(f"retried {exchange.tries - 1} times" if exchange.tries > 2 else "retried once")
    if exchange.fault is not None and exchange.fault.reason.id == "no-endpoint":
        notes.append("breaker" if "breaker" in exchange.fault.detail else "no endpoint")
    if exchange.fault is not None and exchange.fault.reason.id == "rate-limited":
        notes.append("ratelimit")
    return notes or None


def _grpc(exchange: Exchange, _now: float) -> int | None:
    if exchange.request.method != b"POST" or not exchange.grpc:
        return None
    if exchange.fault is not None:
        return exchange.fault.reason.grpc
    attempt = exchange.attempt
    return None if attempt is None or attempt.response is None else grpc_status(attempt.response)


_FIELDS: Mapping[str, Callable[[Exchange, float], Any]] = {
    "rid": lambda each, _: each.id,
    "me": lambda each, _: _text(each.request.method)[:_METHOD],
    "host": lambda each, _: _text(each.host)[:_HOST],
    "path": lambda each, _: _text(each.path)[:_LONGEST],
    "proto": lambda each, _: each.request.version,
    "ls": lambda each, _: each.listener,
    "client": lambda each, _: each.client,
    "rt": lambda each, _: each.route,
    "up": lambda each, _: each.upstream,
    "ep": lambda each, _: None if each.attempt is None else each.attempt.endpoint.name,
    "st": lambda each, _: each.status,
    "grpc": _grpc,
    "ms": lambda each, now: _ms(now - each.started),
    "by": lambda each, _: each.stream.sent,
    "try": lambda each, _: each.tries,
    "fault": lambda each, _: None if each.fault is None else each.fault.reason.id,
    "note": _note,
}


def _ms(seconds: float) -> float:
    return round(max(0.0, seconds) * 1000, 2)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
