"""``meshctl reload`` and ``diff --running``: load the file of a running proxy again, or say what would be."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from appliance.model.text import printable
from appliance.tui.feed import Feed

from .act import CODES, agreed
from .exits import Exit
from .remote import failed


async def reload(feed: Feed, format: str, *, dry_run: bool, yes: bool) -> int:
    """Show what would change, ask where somebody can be asked, load; gives the exit code."""
    if not dry_run and not yes and format == "text" and sys.stdin.isatty():
        result = await feed.command("profile.diff", {})
        code = _tell(result, format)
        if code != Exit.OK or not _now(result).get("changes"):
            return code
        if not await agreed(feed, "Load it?"):
            return Exit.OK
    result = await feed.command("profile.diff" if dry_run else "profile.reload", {})
    return _tell(result, format)


def _tell(result: Mapping[str, Any], format: str) -> int:
    """Print what came of it: problems to stderr, what changes to stdout."""
    now = _now(result)
    ok = result.get("ok") is True
    code = CODES.get(str(result.get("code")), Exit.FAILED)
    if not ok and now.get("problems"):
        code = Exit.INVALID_PROFILE
    if format == "json":
        told = {key: now.get(key) for key in ("gen", "changes", "problems")}
        print(json.dumps({"schema": "meshctl.reload/1", "ok": ok, "text": result.get("text"), **told}))
        return code
    if now.get("problems"):
        print(_lines(now["problems"]), file=sys.stderr)
    if ok:
        print(_lines(now.get("diff") or result.get("text")))
        return code
    return failed(str(result.get("text")), code)


def _now(result: Mapping[str, Any]) -> Mapping[str, Any]:
    now = result.get("now")
    return now if isinstance(now, dict) else {}


def _lines(text: object) -> str:
    """Give a text of several lines, each safe on a terminal."""
    return "\n".join(printable(line) for line in str(text).rstrip("\n").split("\n"))
