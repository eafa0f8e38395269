"""``meshctl stats``: what a proxy is like now, once or again and again, as a table or for programs."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import trio

from appliance.model.text import printable
from appliance.net.reach import ReachError, reach
from appliance.tui.feed import Feed
from appliance.wire.codec import state_out
from appliance.wire.delta import Fields, State, Things
from appliance.wire.filter import Predicate, things_filter

from .exits import Exit
from .remote import failed
from .say import COLUMNS, aligned, cells, summary
from .target import TargetError, resolve, token

_USUAL = ("rt", "up", "ep", "br")


@dataclass(frozen=True, slots=True)
class Showing:
    """Which sets are shown, of them those that match, as what, how often, how many times (0: for ever)."""

    sets: tuple[str, ...] = _USUAL
    where: str = ""
    format: str = "table"
    every: float = 0.0
    count: int = 1


async def stats(feed: Feed, wanted: Showing) -> int:
    """Print the state; raises FilterError."""
    matches = things_filter(wanted.where)
    wants = dict.fromkeys(("proxy", *wanted.sets), True)
    await feed.subscribe(wants, 4.0 if wanted.every and wanted.every < 1 else 1.0)
    shown = due = 0
    async for frame in feed.frames():
        if frame["k"] not in ("snap", "delta") or feed.m < due:
            continue
        due = feed.m + int(wanted.every * 1000)
        if shown and wanted.format == "table":
            print()
        _print(feed, _chosen(feed.state, wanted, matches), wanted, first=not shown)
        shown += 1
        if shown == wanted.count:
            break
    return Exit.OK


def _chosen(state: State, wanted: Showing, matches: Predicate) -> State:
    """Give the things that match, each set in the order of its names."""
    chosen: State = {"proxy": state.get("proxy", {})}
    for name in wanted.sets:
        things = state.get(name, {})
        rows: Things = {}
        for key, thing in sorted(things.items(), key=_place):
            if matches({"state": thing.get("st"), **thing, "name": key, "set": name}):
                rows[key] = thing
        chosen[name] = rows
    return chosen


def _place(item: tuple[str, Fields]) -> tuple[int, str]:
    """Give the place of a thing: of routes the first match wins, everything else goes by its name."""
    place = item[1].get("pos")
    return place if isinstance(place, int) else 0, item[0]


def _print(feed: Feed, state: State, wanted: Showing, *, first: bool) -> None:
    if wanted.format == "table":
        print(summary(str(feed.server.get("name")), feed.state))
        for name in wanted.sets:
            if name in COLUMNS and state.get(name):
                rows = [{**thing, "name": key} for key, thing in state[name].items()]
                print("\n" + "\n".join(aligned(name, cells(name, rows, feed.m))))
    elif wanted.format == "csv":
        print(_csv(state, wanted, first=first), end="")
    else:
        frame: Mapping[str, Any] = {
            "schema": "meshctl.stats/1",
            "m": feed.m,
            "seq": feed.seq,
            **state_out(state),
        }
        print(json.dumps(frame, indent=2 if wanted.format == "json" else None))
    sys.stdout.flush()


def _csv(state: State, wanted: Showing, *, first: bool) -> str:
    """Give a line for each number: which set, which thing, which field, what."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if first:
        writer.writerow(("set", "name", "field", "value"))
    for name in ("proxy", *wanted.sets):
        for key, thing in state.get(name, {}).items():
            for field, value in thing.items():
                if value is not None:
                    text = json.dumps(value) if isinstance(value, (dict, list)) else printable(value)
                    writer.writerow((name, printable(key), field, text))
    return out.getvalue()


def metrics(target: str | None) -> int:
    """Print what Prometheus would scrape."""
    try:
        place = resolve(target, os.environ)
        secret = token(os.environ)
        host = place.authority
        fields = f"Authorization: Bearer {secret}\r\n" if secret else ""
        asked = f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n"
        answer = trio.run(_ask, place, asked.encode())
    except TargetError as error:
        return failed(str(error), Exit.UNREACHABLE if error.absent else Exit.USAGE)
    except ReachError as error:
        return failed(str(error), Exit.REFUSED if error.denied else Exit.UNREACHABLE)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *([0-9]+)", head, re.IGNORECASE)
    if length is not None and len(body) < int(length[1]):
        return failed("the answer was cut off", Exit.UNREACHABLE)
    if not head.startswith(b"HTTP/1.1 200"):
        return failed(body.decode("utf-8", "replace").strip() or "no answer", Exit.REFUSED)
    for line in body.decode("utf-8", "replace").splitlines():
        print(printable(line))
    return Exit.OK


async def _ask(place: Any, asked: bytes) -> bytes:
    stream = await reach(place, os.environ.get("MESHCTL_CA_FILE"))
    answer = b""
    with trio.move_on_after(10):
        try:
            await stream.send_all(asked)
            while data := await stream.receive_some(65536):
                answer += data
        except trio.BrokenResourceError:
            pass
    await trio.aclose_forcefully(stream)
    return answer


def bridge(target: str | None) -> int:
    """Pass stdin to the socket and the socket to stdout: what runs at the far end of ``ssh://``."""
    try:
        place = resolve(target, os.environ)
        trio.run(_bridge, place)
    except TargetError as error:
        return failed(str(error), Exit.USAGE)
    except ReachError as error:
        return failed(str(error), Exit.REFUSED if error.denied else Exit.UNREACHABLE)
    return Exit.OK


async def _bridge(place: Any) -> None:
    stream = await reach(place)
    near = trio.lowlevel.FdStream(os.dup(0))
    far = trio.lowlevel.FdStream(os.dup(1))
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            async for data in near:
                await stream.send_all(data)
            if isinstance(stream, trio.abc.HalfCloseableStream):
                await stream.send_eof()

        async def receive() -> None:
            try:
                while data := await stream.receive_some(65536):
                    await far.send_all(data)
            except trio.BrokenResourceError:
                pass
            nursery.cancel_scope.cancel()

        nursery.start_soon(send)
        nursery.start_soon(receive)
    await trio.aclose_forcefully(stream)
