"""``meshctl breaker`` and ``endpoint``: look at them, and act on one."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import trio

from appliance.model.text import printable
from appliance.tui.feed import Feed
from appliance.wire.delta import Fields, Things

from .act import Wish, act
from .exits import Exit
from .remote import failed
from .say import aligned, cells, state_words, trip_lines
from .say_one import breaker_lines, endpoint_lines

KINDS: Mapping[str, str] = {"br": "breaker", "ep": "endpoint"}


@dataclass(frozen=True, slots=True)
class Choice:
    """What an operator wants of one thing, by its name or the only end that fits."""

    kind: str
    name: str
    op: str
    args: Mapping[str, Any]
    yes: bool = False
    dry_run: bool = False
    format: str = "text"
    wait_for: str = ""
    wait: float = 0.0


async def show(feed: Feed, kind: str, format: str, name: str = "") -> int:
    """Print all of a kind, or one of them."""
    state = await feed.first({kind: True})
    things = state.get(kind, {})
    if name:
        found = _find(things, name)
        if found is None:
            return _missing(kind, name, things)
        things = {found: things[found]}
    if format == "json":
        print(json.dumps({"schema": f"meshctl.{KINDS[kind]}s/1", KINDS[kind] + "s": things}))
    elif name:
        lines = breaker_lines if kind == "br" else endpoint_lines
        for key, thing in things.items():
            print("\n".join(lines(key, thing, feed.m)))
    else:
        rows = [{**thing, "name": key} for key, thing in sorted(things.items())]
        print("\n".join(aligned(kind, cells(kind, rows, feed.m))))
    return Exit.OK


async def report(feed: Feed, name: str, format: str, *, utc: bool = False) -> int:
    """Print why a breaker opened last, or the report of a trip by its id."""
    trips = await feed.trips()
    fits = [
        row for row in trips if not name or name == row.get("trip") or str(row.get("breaker")).endswith(name)
    ]
    if not fits:
        return failed(
            f"no trip of {name} is known" if name else "no breaker has opened so far", Exit.CONFLICT
        )
    if format == "json":
        print(json.dumps({"schema": "meshctl.trip/1", **fits[-1]}))
    else:
        print("\n".join(trip_lines(fits[-1], utc=utc)))
    return Exit.OK


async def change(feed: Feed, choice: Choice) -> int:
    """Act on one thing, as it is now; with ``wait_for`` stay until it is so."""
    state = await feed.first({choice.kind: True})
    things = state.get(choice.kind, {})
    name = _find(things, choice.name)
    if name is None:
        return _missing(choice.kind, choice.name, things)
    seen = {"br": ("st", "since"), "ep": ("state", "weight")}[choice.kind]
    expect = {field: things[name].get(field) for field in seen}
    if choice.op == "breaker.force" or choice.op == "endpoint.drain":
        expect.pop("since", None)
    args = {KINDS[choice.kind]: name, **choice.args}
    code = await act(feed, Wish(choice.op, args, expect, choice.dry_run, choice.yes, choice.format))
    if code == Exit.OK and choice.wait_for and not choice.dry_run:
        return await wait_for(feed, choice.kind, name, choice.wait_for, choice.wait)
    return code


async def wait_for(feed: Feed, kind: str, name: str, word: str, limit: float) -> int:
    """Stay until a thing is in a state; gives CONDITION when it is not so in time, CONFLICT of a drain."""
    field = "st" if kind == "br" else "state"
    await feed.subscribe({kind: True}, 4.0)
    word = word.replace("-", "_")
    with trio.move_on_after(limit):
        async for _ in feed.frames():
            thing = feed.state.get(kind, {}).get(name)
            if thing is None:
                return failed(f"{name} is gone", Exit.CONFLICT)
            if thing.get(field) == word:
                print(f"{printable(name)} is {state_words(word)}", file=sys.stderr)
                return Exit.OK
    now: Fields = feed.state.get(kind, {}).get(name, {})
    left = f", {now.get('act')} requests left" if kind == "ep" else ""
    code = Exit.CONFLICT if kind == "ep" else Exit.CONDITION
    return failed(f"{name} is {now.get(field)} after {limit:g}s, not {word}{left}", code)


async def wait_named(feed: Feed, kind: str, name: str, word: str, limit: float) -> int:
    """Stay until the thing that a name means is in a state."""
    things = (await feed.first({kind: True})).get(kind, {})
    found = _find(things, name)
    return _missing(kind, name, things) if found is None else await wait_for(feed, kind, found, word, limit)


def _find(things: Things, name: str) -> str | None:
    """Give the full name: itself, or the only one that ends or begins with what was written."""
    if name in things:
        return name
    fits = _fits(things, name)
    return fits[0] if len(fits) == 1 else None


def _fits(things: Things, name: str) -> list[str]:
    return [key for key in things if key.endswith((f"/{name}", f":{name}")) or key.startswith(f"{name}/")]


def _missing(kind: str, name: str, things: Things) -> int:
    fits = _fits(things, name)
    names = ", ".join((fits or list(things))[:8]) or "none"
    what = f"several {KINDS[kind]}s fit {name}" if fits else f"there is no {KINDS[kind]} {name}; there are"
    return failed(f"{what}{': ' if fits else ' '}{names}", Exit.CONFLICT)
