"""``meshctl record`` and ``replay``: what a proxy told, in a file, and told again."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Any, BinaryIO

from appliance.model.text import printable
from appliance.model.units import format_size
from appliance.tui.feed import Feed
from appliance.wire.codec import SETS, Frame, delta_in, state_in, state_out
from appliance.wire.delta import State, apply
from appliance.wire.recording import RecordingError, Writer, read

from .exits import Exit
from .remote import failed
from .say import clock, event_line, summary

_WHOLE = 30_000  # milliseconds between two whole states
_SUMMARY = 10_000


@dataclass(frozen=True, slots=True)
class Taking:
    """What is recorded: for how long (seconds), from how long ago on, and whether clients are masked."""

    path: str
    lasts: float = inf
    past: float = 0.0
    mask: bool = False
    force: bool = False


async def record(feed: Feed, wanted: Taking) -> int:
    """Write a recording until the time is over, or somebody ends it; gives the exit code."""
    mode = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if wanted.force else os.O_EXCL)
    try:
        file = os.fdopen(os.open(wanted.path, mode, 0o600), "wb")
    except FileExistsError:
        return failed(f"{wanted.path} is there already; --force overwrites it", Exit.USAGE)
    except OSError as error:
        return failed(f"{wanted.path}: {error.strerror}", Exit.FAILED)
    try:
        await _write(feed, file, wanted)
    except OSError as error:
        return failed(f"{wanted.path}: {error.strerror}", Exit.FAILED)
    return Exit.OK


async def _write(feed: Feed, file: BinaryIO, wanted: Taking) -> None:
    with file:
        hello = {**feed.hello, "note": "addresses of clients are masked" if wanted.mask else ""}
        writer = Writer(file, hello)
        try:
            await _record(feed, writer, wanted)
        finally:
            writer.close()
            size = format_size(writer.size // 1024 * 1024) if writer.size > 1024 else f"{writer.size}B"
            print(f"{printable(wanted.path)}: {size}", file=sys.stderr)


async def _record(feed: Feed, writer: Writer, wanted: Taking) -> None:
    known = -1
    if wanted.past:
        for frame in await feed.history(from_=-wanted.past * 1000):
            writer.add(_masked(frame) if wanted.mask else frame)
            known = max([known, *(row.get("eid", -1) for row in _events(frame))])
        for trip in await feed.trips():
            writer.add({"k": "trip", "trip": trip})
    end = feed.m + wanted.lasts * 1000
    await feed.subscribe({name: True for name in SETS if name != "live"}, 4.0, known)
    whole_at = feed.m
    async for frame in feed.frames():
        if frame["k"] == "delta" and feed.m - whole_at >= _WHOLE:
            whole_at = feed.m
            head = {"k": "snap", "seq": feed.seq, "m": feed.m, "t": frame.get("t")}
            writer.add({**head, **state_out(feed.state)})
            writer.flush()
        elif frame["k"] in ("snap", "delta", "events"):
            writer.add(_masked(frame) if wanted.mask else frame)
        for name in [row.get("trip") for row in _events(frame) if row.get("trip")]:
            answer = await feed.query("trip", trip=name)
            if answer.get("ok") is True:
                writer.add({"k": "trip", "trip": answer["now"]})
        if feed.m >= end:
            return


def _events(frame: Frame) -> list[dict[str, Any]]:
    items = frame.get("items") if frame.get("k") == "events" else None
    return [row for row in items if isinstance(row, dict)] if isinstance(items, list) else []


def _masked(frame: Frame) -> Frame:
    """Give a frame without the addresses of clients."""
    if frame.get("k") != "events":
        return frame
    rows = []
    for row in _events(frame):
        peer = row.get("peer")
        if isinstance(peer, str) and peer:
            row = {**row, "peer": "masked", "text": str(row.get("text")).replace(peer, "masked")}  # noqa: PLW2901
        rows.append(row)
    return {**frame, "items": rows}


def replay(path: str, format: str, speed: float, *, utc: bool = False) -> int:
    """Tell a recording again: ``speed`` 0 at once, 1 as it was; gives the exit code."""
    try:
        with open(path, "rb") as file:
            frames = _paced(file, speed)
            if format == "text":
                _tell(frames, utc=utc)
            else:
                for frame in frames:
                    print(json.dumps(frame), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        return failed(f"{path}: {error.strerror}", Exit.FAILED)
    except RecordingError as error:
        return failed(f"{path}: {error}", Exit.FAILED)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return Exit.OK


def _paced(file: BinaryIO, speed: float) -> Iterator[Frame]:
    """Give the frames, each at its time."""
    began: float | None = None
    for frame in read(file):
        m = frame.get("m")
        if speed and frame["k"] in ("snap", "delta") and isinstance(m, (int, float)) and abs(m) < inf:
            if began is None:
                began = time.monotonic() - m / 1000 / speed
            time.sleep(max(0.0, min(60.0, began + m / 1000 / speed - time.monotonic())))
        yield frame


def _tell(frames: Iterator[Frame], *, utc: bool) -> None:
    """Print events, and a summary every ten seconds of the recording."""
    name = "?"
    state: State = {}
    due = -1
    for frame in frames:
        kind = frame["k"]
        if kind == "hello" and isinstance(frame.get("server"), dict):
            name = str(frame["server"].get("name"))
        elif kind == "snap":
            state = state_in(frame)
        elif kind == "delta":
            state = apply(state, delta_in(frame))
        for event in _events(frame):
            print(event_line(event, utc=utc), flush=True)
        m = frame.get("m")
        if kind in ("snap", "delta") and isinstance(m, (int, float)) and inf > m >= due:
            due = int(m) + _SUMMARY
            print(summary(name, state, clock(frame.get("t"), utc=utc)), flush=True)
