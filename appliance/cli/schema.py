"""``meshctl schema``: the profile format as a JSON Schema, for editors and other tools."""

from __future__ import annotations

import json
import sys

from .exits import Exit


def schema(out: str | None = None) -> int:
    """Print the schema, or write it to the file ``out``; gives the exit code."""
    from appliance.config.json_schema import json_schema

    text = json.dumps(json_schema(), indent=2) + "\n"
    if out is None:
        print(text, end="")
        return Exit.OK
    try:
        with open(out, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        print(f"meshctl: cannot write {out}: {problem.strerror}", file=sys.stderr)
        return Exit.FAILED
    return Exit.OK
