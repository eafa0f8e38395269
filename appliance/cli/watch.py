"""``meshctl watch`` and ``events``: what happens, one line each, for terminals, pipes and screen readers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.model.text import printable
from appliance.tui.feed import Feed

from .say import clock, event_line, summary

_SETS = {"proxy": True, "br": True, "ep": True}


@dataclass(frozen=True, slots=True)
class Watching:
    """What is shown: kinds of events (all if empty), a summary every so many seconds (0: none), the format.

    ``after`` is the id of the last event that is known, -1 for none of those of before; ``follow`` goes on.
    """

    kinds: Collection[str] = ()
    every: float = 0.0
    format: str = "text"
    after: int = -1
    follow: bool = True
    utc: bool = False


async def watch(feed: Feed, wanted: Watching) -> int:
    """Print until the proxy ends or, without ``follow``, until nothing is left; gives the exit code."""
    name = str(feed.server.get("name"))
    if not wanted.follow:
        return await _past(feed, wanted)
    if wanted.every and wanted.format == "text":
        print(
            f"watching {printable(name)}, {printable(feed.server.get('version'))}; ctrl-c ends it", flush=True
        )
    await feed.subscribe(_SETS if wanted.every else {}, 1.0, wanted.after)
    due = 0
    async for frame in feed.frames():
        if frame["k"] == "events":
            _print(frame, wanted)
        elif frame["k"] in ("snap", "delta") and wanted.every and feed.m >= due:
            due = feed.m + int(wanted.every * 1000)
            _summarise(name, feed, wanted, frame)
    return 0


async def _past(feed: Feed, wanted: Watching) -> int:
    """Print the events that there are."""
    last, seen = feed.last_event, max(0, wanted.after)
    await feed.subscribe({"proxy": True}, 1.0, seen)
    async for frame in feed.frames():
        if frame["k"] == "events":
            _print(frame, wanted)
            seen = max([seen, *(row["eid"] for row in rows_of(frame) if isinstance(row.get("eid"), int))])
        if last is not None and seen >= last:
            break
        if last is None and frame["k"] == "delta":  # an older proxy: a whole tick, and nothing more to tell
            break
    return 0


def rows_of(frame: Mapping[str, object]) -> list[dict[str, Any]]:
    """Give the events of a frame."""
    items = frame.get("items")
    return [row for row in items if isinstance(row, dict)] if isinstance(items, list) else []


def _print(frame: dict[str, object], wanted: Watching) -> None:
    lost = frame.get("lost")
    if lost and wanted.format == "text":
        print(f"{printable(lost)} events are not shown: they are older than what the proxy keeps")
    for event in rows_of(frame):
        if wanted.kinds and event.get("kind") not in wanted.kinds:
            continue
        print(
            json.dumps(event) if wanted.format == "jsonl" else event_line(event, utc=wanted.utc), flush=True
        )


def _summarise(name: str, feed: Feed, wanted: Watching, frame: Mapping[str, object]) -> None:
    if wanted.format == "jsonl":
        print(
            json.dumps({"kind": "summary", "m": feed.m, **feed.state.get("proxy", {}).get("", {})}),
            flush=True,
        )
    else:
        print(summary(name, feed.state, clock(frame.get("t"), utc=wanted.utc)), flush=True)
