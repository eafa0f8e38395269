"""``meshctl validate``: check profiles, say everything that is wrong, start nothing.

Diagnostics are what was asked for, so they go to stdout in either format. A profile that is fine
still gets one line: what was counted, and what to do next; a key that is read but not acted on yet
is named there too, since a checker that keeps quiet about it would be believed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

from appliance.config.diagnostic import Diagnostic, printable, summary
from appliance.config.load import Loaded, load_profile
from appliance.model.text import counted

from .exits import Exit
from .machine import ThisMachine

STDIN = "<stdin>"


@dataclass(frozen=True, slots=True)
class Look:
    """What a check may look at besides the profile, and what it says when all is well.

    ``quiet``: nothing; ``effective``: every value that counts, with its origin.
    """

    env: bool = True
    files: bool = True
    quiet: bool = False
    effective: bool = False


def validate(
    profiles: list[str],
    fmt: str = "human",
    strict: bool = False,
    colour: bool = False,
    look: Look = Look(),
) -> int:
    """Check each profile (``-`` is stdin) and print the outcome; gives the exit code.

    ``fmt`` is ``human``, ``json``, ``sarif`` or ``github``; ``strict`` makes warnings fail. JSON is one
    document: that of the profile, or for several a list of them under ``profiles``.
    """
    if fmt in ("sarif", "github"):
        from appliance.config.report import github, sarif
    failed = False
    documents: list[dict[str, Any]] = []
    everything: list[Diagnostic] = []
    total = (0, 0)
    for path in profiles:
        began = time.perf_counter()
        name = STDIN if path == "-" else path
        loaded = load_profile(
            name,
            text=sys.stdin.buffer.read() if path == "-" else None,
            env=os.environ if look.env else None,
            files=look.files,
            machine=ThisMachine() if look.files else None,
        )
        found = loaded.diagnostics
        took = time.perf_counter() - began
        failed = failed or found.errors > 0 or (strict and found.warnings > 0)
        everything += found
        total = (total[0] + found.errors, total[1] + found.warnings)
        if fmt == "json":
            documents.append(_document(name, loaded, strict))
        elif fmt == "github":
            print(github(found), end="")
        elif fmt == "human":
            printed = look.effective and not found.errors
            print(found.render(colour=colour), end="", file=sys.stderr if printed else sys.stdout)
            if look.effective and loaded.merged is not None and not found.errors:
                from appliance.config.effective import effective

                print(effective(loaded.merged, loaded.plan), end="", flush=True)
            elif found.errors or not look.quiet:
                print(_closing(name, loaded, took, path, strict), flush=True)
    if fmt == "sarif":
        print(json.dumps(sarif(everything)))
    if fmt == "github":
        print(f"{counted(len(profiles), 'profile')}: {summary(*total)}")
    if fmt == "json":
        print(json.dumps(documents[0] if len(documents) == 1 else _several(documents)))
    return Exit.INVALID_PROFILE if failed else Exit.OK


def _document(name: str, loaded: Loaded, strict: bool) -> dict[str, Any]:
    """Give the document of one profile, with the keys that this version does not act on."""
    found = loaded.diagnostics
    document = found.as_json(name)
    unbuilt = loaded.plan.unbuilt if loaded.plan is not None else ()
    return {
        **document,
        "ok": document["ok"] and not (strict and found.warnings),
        "not_acted_on": [{"path": key.path} for key in unbuilt],
    }


def _several(documents: list[dict[str, Any]]) -> dict[str, Any]:
    ok = all(document["ok"] for document in documents)
    return {"schema": "meshctl.validate/1", "ok": ok, "profiles": documents}


def _closing(name: str, loaded: Loaded, took: float, path: str, strict: bool) -> str:
    plan, found = loaded.plan, loaded.diagnostics
    if strict and found.warnings and not found.errors:
        return f"{printable(name)}: {summary(0, found.warnings)}, and --strict allows none"
    if loaded.unknown and not found.errors:
        unknown = counted(loaded.unknown, "value")
        return f"ok {printable(name)}, as far as it can be told: {unknown} not known here"
    if plan is None:
        counts = summary(found.errors, found.warnings)
        return f"{printable(name)}: {counts} (checked in {max(1, round(took * 1000))} ms)"
    parts = [
        counted(len(plan.listeners), "listener"),
        counted(len(plan.routes), "route"),
        counted(len(plan.upstreams), "upstream"),
    ]
    endpoints = sum(len(upstream.endpoints) for upstream in plan.upstreams)
    warned = f", {summary(0, found.warnings)}" if found.warnings else ""
    lines: list[str] = []
    if plan.unbuilt:
        lines += [
            "read, but not acted on by this version:",
            *(f"  {key.path}  ({key.where})" for key in plan.unbuilt),
        ]
    following = "" if path == "-" else f"   next: meshctl run {path}"
    lines.append(f"ok {name}: {', '.join(parts)} ({counted(endpoints, 'endpoint')}){warned}{following}")
    return "\n".join(printable(line) for line in lines)
