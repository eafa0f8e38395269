"""``meshctl explain CODE|KEY``: what a diagnostic or a key of the profile means.

The explanation is what was asked for and goes to stdout. A word that is neither gets the nearest
ones on stderr, one of which is probably what was meant. JSON is one document; a key gives a list of
places, as the end of a path may fit several.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from appliance.config.explain import code_facts, explain_code, explain_key, key_facts, suggestions

from .exits import Exit

_HEADING = re.compile(r"^(?:wrong|right|keys|example|codes):$", re.MULTILINE)
_LABEL = re.compile(r"^(?:type|default|required|beside|note|also at)(?= )", re.MULTILINE)


def explain(word: str, fmt: str = "human", colour: bool = False) -> int:
    """Print what a code or a key means; gives the exit code, 2 if ``word`` is neither.

    ``fmt`` is ``human`` or ``json``.
    """
    text = explain_code(word)
    if text is None:
        text = explain_key(word)
    if text is None:
        return _unknown(word)
    if fmt == "json":
        print(json.dumps(_document(word)))
    else:
        print(_coloured(text) if colour else text, end="", flush=True)
    return Exit.OK


def _document(word: str) -> dict[str, Any]:
    head = {"schema": "meshctl.explain/1", "word": word}
    code = code_facts(word)
    if code is not None:
        return {**head, "kind": "code", **code}
    return {**head, "kind": "key", "places": key_facts(word)}


def _unknown(word: str) -> int:
    close = suggestions(word)
    print(
        f"meshctl explain: {ascii(word)[1:-1]!r} is neither a code nor a key of the profile", file=sys.stderr
    )
    if close:
        print("did you mean one of these?" if len(close) > 1 else "did you mean this?", file=sys.stderr)
        for name in close:
            print(f"  meshctl explain {_quoted(name)}", file=sys.stderr)
    else:
        print("codes look like MC203, keys like open_for or listeners.*.bind", file=sys.stderr)
    return Exit.USAGE


def _quoted(name: str) -> str:
    """Give a word as a shell takes it: `*` and brackets would be patterns."""
    return f"'{name}'" if re.search(r"[*\[\]]", name) else name


def _coloured(text: str) -> str:
    """Give the text with its first line, its headings and its labels marked."""
    first, rest = text.split("\n", 1)
    rest = _HEADING.sub(lambda found: f"\x1b[1m{found[0]}\x1b[0m", rest)
    rest = _LABEL.sub(lambda found: f"\x1b[34m{found[0]}\x1b[0m", rest)
    return f"\x1b[1;36m{first}\x1b[0m\n{rest}"
