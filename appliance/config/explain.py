"""What a diagnostic or a key of the profile means, as text for people and as data for programs.

Nothing here knows a key: what is told of one comes from the schema, by a walk over it. Each place of
the format has a path in which `*` stands for a name that the operator chooses and `[*]` for the
number of a list's entry: `upstreams.*.breaker.open_for`. Whoever asks may write such a path, the
path that a diagnostic prints, or only the end of one; where an end fits several places, all are
told. What the schema cannot know stands in `explanations.toml`, a table for each code.

Blocks that stand in several places are one declaration, so two places say the same if and only if
their Key is the same object.
"""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final

from . import schema_types as t
from .codes import TITLES
from .describe import alternatives, as_yaml, quoted, rule, sample, sample_of
from .schema import PROFILE

NOT_ACTED_ON: Final = "Read and checked; not acted on by this version."

_WIDTH = 96
_NAMES: Final = {
    "listeners": "web",
    "upstreams": "app",
    "vars": "PORT",
    "query": "version",
    "headers": "x-tier",
    "set": "x-tier",
    "add": "x-tier",
}


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One place of the format; ``key`` is None for the profile itself and for entries of lists and maps.

    ``steps`` are those of ``path``; ``**`` among them stands for a name that may have dots in it.
    ``parent`` is the block in which the key stands, ``built`` whether this version acts on it.
    """

    path: str
    steps: tuple[str, ...]
    type: t.Type
    key: t.Key | None = None
    parent: t.Object | None = None
    built: bool = True

    @property
    def note(self) -> str:
        """What this version does not do here; empty if it does it."""
        return "" if self.built else NOT_ACTED_ON


@cache
def explanations() -> dict[str, Any]:
    """Give what `explanations.toml` says."""
    return tomllib.loads(Path(__file__).with_name("explanations.toml").read_text(encoding="utf-8"))


@cache
def places() -> tuple[Place, ...]:
    """Give every place of the format, each block before what it holds, in the order of the schema."""
    return tuple(_walk(Place("", (), PROFILE)))


def _walk(place: Place) -> Iterator[Place]:
    yield place
    for below in children(place):
        yield from _walk(below)


def children(place: Place) -> Iterator[Place]:
    """Give the places one level below: keys of a block, entries of a list or map."""
    path, steps, built = place.path, place.steps, place.built
    for kind in alternatives(place.type):
        if isinstance(kind, t.Object):
            for name, key in kind.keys.items():
                here = f"{path}.{name}" if path else name
                yield Place(here, (*steps, name), key.type, key, kind, built and key.built)
        elif isinstance(kind, t.MapOf):
            step = "*" if isinstance(kind.key, t.Name) else "**"
            yield Place(f"{path}.*", (*steps, step), kind.value, built=built)
        elif isinstance(kind, t.ListOf):
            end, step = (".*", "*") if kind.named else ("[*]", "[*]")
            yield Place(f"{path}{end}", (*steps, step), kind.item, built=built)


_RANK: Final = {"upstreams": 0, "defaults": 2}
"""Which of the places of one key is meant first: where it is at home, and where it is repeated last."""


def find(word: str) -> tuple[Place, ...]:
    """Give the places that a word means: the one with this path, else all whose path ends in it."""
    steps = _steps(word)
    whole = [place for place in places() if _fits(place.steps, steps)]
    if whole:  # a name with dots in it may swallow keys: the place that knows the most of them is meant
        return (max(whole, key=lambda place: sum(step[0] not in "*[" for step in place.steps)),)
    return tuple(
        place
        for place in sorted(places(), key=lambda place: _RANK.get(place.steps[0], 1) if place.steps else 1)
        if place.key is not None
        and len(steps) < len(place.steps)
        and place.steps[-len(steps)] == steps[0]
        and _fits(place.steps[-len(steps) :], steps)
    )


def _steps(word: str) -> tuple[str, ...]:
    bare = word.strip().strip("`").strip(".")
    return () if bare in ("", "profile") else tuple(re.sub(r"(?<=[^.])\[", ".[", bare).split("."))


def _fits(pattern: tuple[str, ...], steps: tuple[str, ...]) -> bool:
    if not pattern or not steps:
        return pattern == steps
    if pattern[0] == "[*]" and _fits(pattern[1:], steps):
        return True
    if pattern[0] == "**":
        return any(_fits(pattern[1:], steps[count:]) for count in range(1, len(steps) + 1))
    return _step_fits(pattern[0], steps[0]) and _fits(pattern[1:], steps[1:])


def _step_fits(pattern: str, step: str) -> bool:
    if pattern == "[*]":
        return re.fullmatch(r"\[(\d*|\*)\]|\d+|\*", step) is not None
    return bool(step) if pattern == "*" else pattern == step


def also_at(place: Place) -> list[str]:
    """Give the paths of the other places where the same declaration, or the same block, stands."""
    return [other.path for other in places() if place.key is not None and _same(other, place)]


def _same(one: Place, other: Place) -> bool:
    if one is other or one.key is None:
        return False
    shared = one.type is other.type and isinstance(one.type, (t.Object, t.ByShape))
    return one.key is other.key or shared


def codes_of(place: Place) -> list[str]:
    """Give the codes that a value at this place may get, by its type or because they are about it."""
    types = {type(kind).__name__ for kind in _leaves(place.type)}
    found = []
    for code in TITLES:
        told = explanations()[code]
        named = any(_about(path, place) for path in told.get("keys", ()))
        if named or types & set(told.get("types", ())):
            found.append(code)
    return found


def _about(path: str, place: Place) -> bool:
    if path == place.path:
        return True
    return place.key is not None and any(place.key is other.key for other in _at(path))


@cache
def _at(path: str) -> tuple[Place, ...]:
    return tuple(place for place in places() if place.path == path and place.key is not None)


def _leaves(kind: t.Type) -> Iterator[t.Type]:
    for each in alternatives(kind):
        if isinstance(each, t.ListOf):
            yield from _leaves(each.item)
        elif isinstance(each, t.MapOf):
            yield each.key
            yield from _leaves(each.value)
        elif not isinstance(each, t.Object):
            yield each


def rules_beside(place: Place) -> list[str]:
    """Say which keys of the same block exclude this one, or stand in for it."""
    name = place.steps[-1] if place.steps else ""
    parent = place.parent
    if parent is None:
        return []
    exactly = [f"Exactly one of {quoted(group)} must stand." for group in parent.one_of if name in group]
    return exactly + [f"At most one of {quoted(g)} may stand." for g in parent.exclusive if name in g]


def default_of(key: t.Key) -> str:
    """Give a default as it would be written; empty if there is none."""
    return as_yaml({"": key.default}).strip().removeprefix(":").strip() if key.default is not None else ""


def example(place: Place) -> str:
    """Give a profile's lines that set this place, with everything above it."""
    data = sample(place.type) if place.key is None else sample_of(place.key)
    for index in range(len(place.steps) - 1, -1, -1):
        step, above = place.steps[index], place.steps[index - 1] if index else ""
        if step == "[*]":
            data = [data]
        elif step in ("*", "**"):
            if above == "routes":
                data = [data if "name" in data else {"name": "all", **data}]
            else:
                data = {_NAMES.get(above, "x-tier"): data}
        else:
            data = {step: data}
    return as_yaml(data)


def block_of(place: Place) -> dict[str, Any] | None:
    """Give what `explanations.toml` says about the block here, or about the entries of the list or map."""
    entries = [below.path for below in children(place) if below.key is None]
    for block in explanations()["block"]:
        if block["path"] in entries or _about(block["path"], place):
            return dict(block)
    return None


def key_facts(word: str) -> list[dict[str, Any]]:
    """Give what there is to tell of each place that a word means, as plain data; nothing if it means none."""
    return [_facts(place) for place in find(word)]


def _facts(place: Place) -> dict[str, Any]:
    key, block = place.key, block_of(place)
    return {
        "path": place.path,
        "doc": key.doc if key is not None else "",
        "text": block["text"].strip() if block else "",
        "type": rule(place.type),
        "default": key.default if key is not None else None,
        "required": key is not None and key.required,
        "rules": rules_beside(place),
        "note": place.note,
        "also_at": also_at(place),
        "keys": [{"path": below.path, "doc": below.key.doc} for below in _keys_below(place) if below.key],
        "codes": {code: TITLES[code] for code in codes_of(place)},
        "example": block["example"] if block else example(place),
    }


def _keys_below(place: Place) -> Iterator[Place]:
    """Give the keys of a block, or those of the entries of a list or map."""
    for below in children(place):
        if below.key is not None:
            yield below
        else:
            yield from _keys_below(below)


def code_facts(code: str) -> dict[str, Any] | None:
    """Give what there is to tell of a code, as plain data; None if there is no such code."""
    name = code.strip().upper()
    if name not in TITLES:
        return None
    told = explanations()[name]
    return {
        "code": name,
        "title": TITLES[name],
        "severity": told.get("severity", "error"),
        "family": explanations()["page"]["families"][name[:3]],
        "text": " ".join(told["text"].split()),
        "wrong": told.get("wrong", "").strip("\n"),
        "right": told.get("right", "").strip("\n"),
        "keys": list(told.get("keys", ())),
    }


def explain_code(code: str) -> str | None:
    """Say what a diagnostic means and how to mend it; None if there is no such code."""
    facts = code_facts(code)
    if facts is None:
        return None
    parts = [f"{facts['code']}: {facts['title']}\n", f"{_fill(facts['text'])}\n"]
    for side in ("wrong", "right"):
        if facts[side]:
            parts.append(f"{side}:\n{textwrap.indent(facts[side], '  ')}\n")
    if facts["keys"]:
        parts.append("keys:\n" + "".join(f"  {path}\n" for path in facts["keys"]))
    return "\n".join(parts)


def explain_key(path: str) -> str | None:
    """Say what a key does and what may be written there; None if no key is meant."""
    found = find(path)
    if not found:
        return None
    if all(place.key is found[0].key for place in found):
        return _explained(found)
    heads = [f"{path.strip()} stands in {len(found)} places; name one for more:\n"]
    width = max(len(place.path) for place in found)
    lines = [f"  {place.path:{width}}  {place.key.doc if place.key else ''}".rstrip() for place in found]
    return "\n".join([*heads, *lines]) + "\n"


def _explained(found: tuple[Place, ...]) -> str:
    facts = _facts(found[0])
    parts = ["".join(f"{place.path or 'the profile'}\n" for place in found)]
    parts += [f"{_fill(text)}\n" for text in (facts["doc"], _plain(facts["text"])) if text]
    rows = [
        ("type", facts["type"]),
        ("default", default_of(found[0].key) if found[0].key is not None else ""),
        ("required", "yes" if facts["required"] else ""),
        ("beside", " ".join(facts["rules"])),
        ("note", facts["note"]),
        ("also at", ", ".join(facts["also_at"]) if len(found) == 1 else ""),
    ]
    parts.append("".join(_fill(text, f"{name:<10}") + "\n" for name, text in rows if text))
    if facts["keys"]:
        start = len(found[0].path)
        table = [(entry["path"][start:].lstrip("."), entry["doc"]) for entry in facts["keys"]]
        width = max(len(name) for name, _ in table) + 4
        parts.append("keys:\n" + "".join(_fill(doc, f"  {name:<{width - 2}}") + "\n" for name, doc in table))
    parts.append(f"example:\n{textwrap.indent(facts['example'].strip(chr(10)), '  ')}\n")
    if facts["codes"]:
        parts.append("codes:\n" + "".join(f"  {code}  {title}\n" for code, title in facts["codes"].items()))
    return "\n".join(parts)


def _fill(text: str, head: str = "") -> str:
    filled = textwrap.fill(
        " ".join(text.split()), _WIDTH - len(head), break_long_words=False, break_on_hyphens=False
    )
    return head + filled.replace("\n", "\n" + " " * len(head))


def _plain(text: str) -> str:
    """Give Markdown without its links."""
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)


def suggestions(word: str) -> list[str]:
    """Give the codes or keys that an unknown word was probably meant to be, the likeliest first."""
    bare = word.strip().strip("`")
    if re.fullmatch(r"(?i)mc\d*|\d{1,3}", bare):
        digits = re.sub(r"\D", "", bare)
        for length in (3, 2, 1):
            same = [code for code in TITLES if code[2:].startswith(digits[:length])]
            if same:
                return same[:10]
        return get_close_matches(f"MC{digits}", list(TITLES), n=6, cutoff=0.6)
    steps = _steps(bare)
    found = [mended for mended in (_mend(steps), _mend_end(steps)) if mended]
    names = {place.steps[-1] for place in places() if place.key is not None}
    found += get_close_matches(steps[-1] if steps else "", sorted(names), n=3, cutoff=0.7)
    return list(dict.fromkeys(name for name in found if find(name)))[:5]


def _mend(steps: tuple[str, ...]) -> str:
    """Follow a path from the root, each wrong key replaced by the nearest there; empty if lost."""
    here = places()[0]
    for step in steps:
        below = list(children(here))
        known = {place.steps[-1]: place for place in below}
        entries = [
            p for p in below if p.key is None and (_step_fits(p.steps[-1], step) or p.steps[-1] == "**")
        ]
        close = get_close_matches(step, [place.steps[-1] for place in below if place.key], n=1, cutoff=0.6)
        if not entries and not close:
            return ""
        here = entries[0] if entries else known[close[0]]
    return here.path


def _mend_end(steps: tuple[str, ...]) -> str:
    """Replace each wrong step of the end of a path by the nearest key of any block."""
    names = sorted({step for place in places() for step in place.steps})
    mended = [get_close_matches(step, names, n=1, cutoff=0.7) for step in steps]
    return ".".join(close[0] for close in mended).replace(".[", "[") if all(mended) else ""
