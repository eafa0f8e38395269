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
    """Show what would change, ask, load what was shown; gives the exit code.

    Only who sits at a terminal can be asked; scripts say ``yes``.
    """
    expect: dict[str, Any] = {}
    if not dry_run and not yes:
        if not sys.stdin.isatty() or format != "text":
            return failed("say --yes to load it, or --dry-run to see only what would change", Exit.USAGE)
        result = await feed.command("profile.diff", {})
        code = _tell(result, format)
        if code != Exit.OK or not _now(result).get("changes"):
            return code
        if not await agreed(feed, "Load it?"):
            return Exit.CONFLICT
        expect = {"digest": _now(result).get("digest")}
    result = await feed.command("profile.diff" if dry_run else "profile.reload", {}, expect=expect)
    return _tell(result, format, shown=bool(expect))


def _tell(result: Mapping[str, Any], format: str, *, shown: bool = False) -> int:
    """Print what came of it: problems to stderr, what changes to stdout unless it was shown before."""
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
        if now.get("diff") and not shown:
            print(_lines(now["diff"]))
        if not now.get("diff") or str(result.get("text")).startswith("reloaded"):
            print(printable(result.get("text")))
        return code
    return failed(str(result.get("text")), code)


def _now(result: Mapping[str, Any]) -> Mapping[str, Any]:
    now = result.get("now")
    return now if isinstance(now, dict) else {}


def _lines(text: object) -> str:
    """Give a text of several lines, each safe on a terminal."""
    return "\n".join(printable(line) for line in str(text).rstrip("\n").split("\n"))
