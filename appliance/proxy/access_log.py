"""The access log: one line for each exchange, written by a thread, never waited for by the loop.

Lines wait in a bounded queue. When whoever reads the log is slower than the traffic, lines are dropped
and counted, and the count is logged when there is room again: a stuck pipe costs records, not requests.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from datetime import UTC, datetime
from functools import partial
from typing import TextIO, cast

from appliance.config.plan import AccessLogPlan
from appliance.model.exchange import Exchange
from appliance.model.text import PRINTABLE
from appliance.upstream.breakers import grpc_status

QUEUE = 20_000  # lines
_FLUSH = 0.1  # seconds between writes


class AccessLog:
    """Formats records and hands them to the writer thread; ``close`` writes what is queued."""

    def __init__(
        self, plan: AccessLogPlan, sink: TextIO, wall: float, now: float, *, owns: bool = False
    ) -> None:
        """``wall`` and ``now`` are the same moment on the wall clock (Unix time) and the worker's.

        With ``owns`` the sink is closed with the log.
        """
        self._plan = plan
        self._sink = sink
        self._owns = owns
        self._offset = wall - now
        self._queue: deque[dict[str, object]] = deque()
        self._dropped = 0
        self._seen = 0
        self._closing = threading.Event()
        self._format = _FORMATS.get(plan.format) or partial(_as_asked, plan.format)
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def record(self, exchange: Exchange, now: float) -> None:
        """Queue the record of an exchange that ended at ``now``; sampling spares errors and refusals."""
        if self._plan.sample < 1.0 and exchange.fault is None and exchange.status < 500:
            self._seen += 1
            if int(self._seen * self._plan.sample) == int((self._seen - 1) * self._plan.sample):
                return
        if len(self._queue) >= QUEUE:
            self._dropped += 1
            return
        self._queue.append(facts(exchange, now, self._offset))

    def close(self, timeout: float = 2.0) -> None:
        """Write what is queued, waiting at most ``timeout`` seconds for it."""
        self._closing.set()
        self._thread.join(timeout)
        if self._owns and not self._thread.is_alive():
            self._sink.close()

    def _run(self) -> None:
        while not self._closing.wait(_FLUSH):
            self._write()
        self._write()

    def _write(self) -> None:
        queue, lines = self._queue, []
        while queue:
            lines.append(self._format(queue.popleft()))
        dropped, self._dropped = self._dropped, 0
        if dropped:
            lines.append(json.dumps({"dropped": dropped, "why": "the reader of this log is too slow"}))
        if lines:
            try:
                self._sink.write("\n".join(lines) + "\n")
                self._sink.flush()
            except (OSError, ValueError):
                return  # nobody reads any more: the records are lost, the requests are not


def facts(exchange: Exchange, now: float, offset: float) -> dict[str, object]:
    """Give the fields of a record; durations in milliseconds, absent parts as None."""
    request, attempt, fault = exchange.request, exchange.attempt, exchange.fault
    return {
        "time": exchange.started + offset,
        "id": exchange.id,
        "listener": exchange.listener,
        "client": exchange.client,
        "subject": None if exchange.identity is None else exchange.identity.subject,
        "method": _text(request.method),
        "host": _text(exchange.host),
        "path": _text(exchange.path),
        "protocol": request.version,
        "status": exchange.status,
        "grpc_status": _grpc_status(exchange) if request.method == b"POST" and exchange.grpc else None,
        "route": exchange.route or None,
        "upstream": exchange.upstream or None,
        "endpoint": None if attempt is None else attempt.endpoint.name,
        "tries": exchange.tries,
        "bytes": exchange.stream.sent,
        "ms": round((now - exchange.started) * 1000, 2),
        "head_ms": round((exchange.head_at - exchange.started) * 1000, 2) if exchange.head_at else None,
        "fault": None if fault is None else fault.reason.id,
        "why": None if fault is None else fault.detail or fault.reason.sentence,
        "notes": None if exchange.notes is None else "; ".join(exchange.notes),
    }


def _grpc_status(exchange: Exchange) -> int | None:
    """Give how a gRPC call ended, None if its answer broke off without saying."""
    attempt = exchange.attempt
    if exchange.fault is not None:
        return exchange.fault.reason.grpc
    return None if attempt is None or attempt.response is None else grpc_status(attempt.response)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _stamped(record: dict[str, object]) -> dict[str, object]:
    stamp = (
        datetime.fromtimestamp(cast(float, record["time"]), UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
    return {**record, "time": stamp}


def _as_json(record: dict[str, object]) -> str:
    kept = {key: value for key, value in _stamped(record).items() if value is not None}
    return json.dumps(kept, separators=(",", ":"))


def _as_text(record: dict[str, object]) -> str:
    r = _stamped(record)
    line = f"{r['time']} {r['client']} {r['method']} {r['host']}{r['path']} {r['status']}"
    if r["grpc_status"] is not None:
        line += f" grpc {r['grpc_status']}"
    line += f" {r['ms']}ms"
    line += f" {r['route'] or '-'} {r['endpoint'] or '-'} {r['id']}"
    if r["fault"]:
        line += f" {r['fault']}: {r['why']}"
    return (f"{line} ({r['notes']})" if r["notes"] else line).translate(PRINTABLE)


def _as_asked(format: str, record: dict[str, object]) -> str:
    shown = {key: "-" if value is None else value for key, value in _stamped(record).items()}
    return format.format_map(shown).translate(PRINTABLE)


_FORMATS = {"json": _as_json, "text": _as_text}


def open_log(plan: AccessLogPlan, wall: float, now: float) -> AccessLog | None:
    """Give the log that ``plan`` asks for, None when it asks for none; raises OSError."""
    if plan.to is None:
        return None
    if plan.to in ("stdout", "stderr"):
        return AccessLog(plan, sys.stdout if plan.to == "stdout" else sys.stderr, wall, now)
    return AccessLog(plan, open(plan.to, "a", encoding="utf-8"), wall, now, owns=True)
