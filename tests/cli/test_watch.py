"""Lines of events and summaries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appliance.cli.watch import Watching, watch
from appliance.tui.feed import FeedError
from tests.kit.feeds import FakeFeed


def frames() -> list[dict[str, Any]]:
    item = {"eid": 1, "t": 0, "kind": "breaker", "text": "it \x1bopened"}
    other = {"eid": 2, "t": 0, "kind": "audit", "text": "somebody did"}
    rows: list[dict[str, Any]] = [{"k": "snap", "m": 0, "proxy": {"rps": 3}}]
    rows.append({"k": "events", "lost": 7, "items": [item, "hostile", other]})
    rows += [{"k": "delta", "m": m, "set": {}, "del": {}} for m in range(500, 5001, 500)]
    return rows


async def test_events_and_a_summary_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the kinds that are wanted; what is lost is told; nothing hostile."""
    with pytest.raises(FeedError):
        await watch(FakeFeed(frames()), Watching({"breaker"}, 2.0, utc=True))  # type: ignore[arg-type]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "watching edge\\x1b, 1; ctrl-c ends it"
    assert lines[2:4] == [
        "7 events are not shown: they are older than what the proxy keeps",
        "00:00:00 it \\x1bopened",
    ]
    assert sum("requests/s" in line for line in lines) == 3  # at 0, 2 and 4 s


async def test_the_past_is_told_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Up to the last event that there was, though states come in between; and then it ends."""
    rows = [{"eid": n, "t": 0, "kind": "x", "text": f"no {n}"} for n in range(1, 7)]
    told: list[dict[str, Any]] = [{"k": "snap", "m": 0, "proxy": {}}]
    for begin in (0, 2, 4):
        told.append({"k": "events", "lost": 0, "items": rows[begin : begin + 2]})
        told.append({"k": "delta", "m": 1000, "set": {}, "del": {}})
    feed = FakeFeed([*told, *told])
    feed.last_event = 6
    assert await watch(feed, Watching(after=0, follow=False)) == 0  # type: ignore[arg-type]
    assert capsys.readouterr().out.count("no ") == 6
    feed = FakeFeed(told)
    feed.last_event = 0
    assert await watch(feed, Watching(after=0, follow=False)) == 0  # type: ignore[arg-type]


async def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing else is on stdout."""
    with pytest.raises(FeedError):
        await watch(FakeFeed(frames()), Watching((), 2.0, "jsonl"))  # type: ignore[arg-type]
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["kind"] for row in rows] == ["summary", "breaker", "audit", "summary", "summary"]


async def test_the_past_alone_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """After the events that there are."""
    feed = FakeFeed(frames())
    assert await watch(feed, Watching(after=0, follow=False)) == 0  # type: ignore[arg-type]
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert feed.asked == [("sub", {"proxy": True}, 1.0, 0)]
