"""Asking a proxy to do something: show what is meant, ask for a yes, send it, say what came of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import trio

from appliance.model.text import printable
from appliance.tui.feed import Feed, FeedError

from .exits import Exit
from .remote import failed

CODES = {
    "ok": Exit.OK,
    "conflict": Exit.CONFLICT,
    "not_found": Exit.CONFLICT,
    "failed": Exit.CONFLICT,
    "busy": Exit.CONFLICT,
    "denied": Exit.REFUSED,
    "invalid": Exit.USAGE,
    "unsupported": Exit.USAGE,
}


@dataclass(frozen=True, slots=True)
class Wish:
    """An action that somebody wants; ``expect`` is what they saw, ``yes`` that they need not be asked."""

    op: str
    args: Mapping[str, Any]
    expect: Mapping[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    yes: bool = False
    format: str = "text"


async def act(feed: Feed, wish: Wish) -> int:
    """Do it, unless it is not wanted after all; gives the exit code."""
    if not wish.dry_run and not wish.yes:
        plan = await feed.command(wish.op, wish.args, expect=wish.expect, dry_run=True)
        if plan.get("ok") is not True:
            return tell(plan, wish.format)
        if not await _agreed(feed, str(plan.get("text"))):
            return Exit.CONFLICT if sys.stdin.isatty() else Exit.USAGE
    result = await feed.command(wish.op, wish.args, expect=wish.expect, dry_run=wish.dry_run)
    return tell(result, wish.format)


async def _agreed(feed: Feed, plan: str) -> bool:
    """Ask whether to do it; only who sits at a terminal can be asked."""
    if not sys.stdin.isatty():
        failed(f"this {printable(plan)}; say --yes to do it, or --dry-run to see only that", Exit.USAGE)
        return False
    return await agreed(feed, f"This {printable(plan)}. Do it?")


async def agreed(feed: Feed, question: str) -> bool:
    """Ask for a yes, and go on listening to the proxy, which lets nobody go who still thinks."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_listen, feed)
        line = await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()
    if line.strip().lower() in ("y", "yes"):
        return True
    print("nothing was done", file=sys.stderr)
    return False


async def _listen(feed: Feed) -> None:
    """Take what comes; that the proxy has gone shows with the next command."""
    try:
        async for _ in feed.frames():
            pass
    except FeedError:
        return


def tell(result: Mapping[str, Any], format: str) -> int:
    """Print a result; gives the exit code."""
    code = CODES.get(str(result.get("code")), Exit.FAILED)
    if format == "json":
        told = {key: result.get(key) for key in ("ok", "code", "text", "now")}
        print(json.dumps({"schema": "meshctl.result/1", **told}))
    elif code == Exit.OK:
        print(printable(result.get("text")))
    else:
        failed(str(result.get("text")), code)
    return code
