"""``meshctl diff A B``: what differs in meaning between two profiles, and what a reload does about it.

The outcome goes to stdout and ends with 0 whether something differs or not; profiles with errors are told
on stderr.
"""

from __future__ import annotations

import json
import sys

from appliance.config.diff import diff as compare
from appliance.config.diff_text import as_json, render
from appliance.config.load import Loaded, load_profile

from .emit import wants_colour
from .exits import Exit

_STDIN = "<stdin>"


def diff(before: str, after: str, fmt: str = "human", colour: bool = False) -> int:
    """Compare two profiles (one may be ``-`` for stdin) and print what differs; gives the exit code."""
    if before == after == "-":
        print("meshctl: only one of the two profiles can be stdin", file=sys.stderr)
        return Exit.USAGE
    loaded = [_load(path) for path in (before, after)]
    if any(each.plan is None for each in loaded):
        for each in loaded:
            if each.plan is None:
                print(each.diagnostics.render(wants_colour(sys.stderr)), end="", file=sys.stderr)
        return Exit.INVALID_PROFILE
    changes = compare(*loaded)
    names = (_name(before), _name(after))
    if fmt == "json":
        print(json.dumps(as_json(changes, names)))
    else:
        print(render(changes, names, colour))
    return Exit.OK


def _name(path: str) -> str:
    return _STDIN if path == "-" else path


def _load(path: str) -> Loaded:
    if path == "-":
        return load_profile(_STDIN, text=sys.stdin.buffer.read())
    return load_profile(path)
