"""``meshctl tap`` and ``why``: live requests as they end, and what happened to one."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.model.text import counted, printable
from appliance.tui.feed import Feed

from .exits import Exit
from .remote import failed
from .say import curl, request_line, why_lines


@dataclass(frozen=True, slots=True)
class Tapping:
    """Which requests: those that match, one of ``sample``, so many a second (0: as the profile allows).

    It ends after ``lasts`` seconds (0: as the profile allows) and ``count`` requests (0: any number).
    """

    match: str = ""
    sample: int = 1
    rate: float = 0.0
    lasts: float = 0.0
    count: int = 0
    format: str = "text"
    utc: bool = False


async def tap(feed: Feed, wanted: Tapping) -> int:
    """Print requests as they end; gives the exit code."""
    args: dict[str, Any] = {"match": wanted.match, "sample": wanted.sample, "id": "tap"}
    for key, value in (("rate", wanted.rate), ("ttl", wanted.lasts * 1000), ("count", wanted.count)):
        if value:
            args[key] = value
    await feed.subscribe({}, 4.0)
    result = await feed.command("tap.start", args)
    if result.get("ok") is not True:
        now = result.get("now")
        column = now.get("column") if isinstance(now, dict) else None
        if isinstance(column, int):
            print(f"--match: {printable(wanted.match)}\n{' ' * (9 + min(column, 500))}^", file=sys.stderr)
        return failed(str(result.get("text")), Exit.USAGE)
    async for frame in feed.frames():
        if frame["k"] != "tap":
            continue
        items = frame.get("items")
        for row in items if isinstance(items, list) else []:
            if isinstance(row, dict):
                print(_line(row, wanted), flush=True)
        if frame.get("over") is True:
            seen, dropped = frame.get("seen"), frame.get("dropped")
            text = f"tap ended: {counted(seen if isinstance(seen, int) else 0, 'request')} matched"
            print(text + (f", {printable(dropped)} were over the rate" if dropped else ""), file=sys.stderr)
            break
    return Exit.OK


def _line(row: dict[str, Any], wanted: Tapping) -> str:
    if wanted.format == "jsonl":
        return json.dumps(row)
    return curl(row) if wanted.format == "curl" else request_line(row, utc=wanted.utc)


async def why(feed: Feed, rid: str, format: str, *, utc: bool = False) -> int:
    """Tell what happened to a request."""
    answer = await feed.query("request", rid=rid)
    row = answer.get("now")
    if answer.get("ok") is not True or not isinstance(row, dict):
        hint = "; its line in the access log says more: meshctl why ID --log FILE"
        return failed(f"{answer.get('text')}{hint}", Exit.CONFLICT)
    tell_why(row, format, utc=utc)
    return Exit.OK


def tell_why(row: dict[str, Any], format: str, *, utc: bool) -> None:
    """Print what is known of a request."""
    if format == "json":
        print(json.dumps({"schema": "meshctl.request/1", **row}))
    else:
        print("\n".join(why_lines(row, utc=utc)))


_LOGGED = {
    "id": "rid", "method": "me", "host": "host", "path": "path", "protocol": "proto", "listener": "ls",
    "client": "client", "route": "rt", "upstream": "up", "endpoint": "ep", "status": "st",
    "grpc_status": "grpc", "ms": "ms", "bytes": "by", "tries": "try", "fault": "fault", "why": "why",
}  # fmt: skip


def why_logged(rid: str, path: str, format: str, *, utc: bool = False) -> int:
    """Tell what the access log (JSON lines) says of a request."""
    found: dict[str, Any] | None = None
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if rid in line:
                    try:
                        record = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(record, dict) and str(record.get("id", "")).endswith(rid):
                        found = record
    except OSError as error:
        return failed(f"{path}: {error.strerror}", Exit.USAGE)
    if found is None:
        return failed(f"{path} has no line of request {rid} (it must be in the format json)", Exit.CONFLICT)
    row = {new: found[old] for old, new in _LOGGED.items() if found.get(old) is not None}
    try:
        row["t"] = datetime.fromisoformat(str(found.get("time"))).timestamp() * 1000
    except ValueError:
        row["t"] = None
    if found.get("notes"):
        row["note"] = str(found["notes"]).split("; ")
    if isinstance(found.get("head_ms"), (int, float)) and isinstance(found.get("ms"), (int, float)):
        row["ph"] = {"body": round(found["ms"] - found["head_ms"], 2)}
    tell_why(row, format, utc=utc)
    return Exit.OK
