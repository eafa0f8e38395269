"""The reference pages, `docs/profile.md` and `docs/diagnostics.md`, made from the schema and the codes.

Run as a module it writes them: ``python -m appliance.config.reference``. A page that is written by
hand begins to lie with the next change of the format; these cannot, and a test fails while the pages
in the tree are not what would be written.

The page of the profile has one section for each block that `explanations.toml` lists, in that order.
A block that it does not list is small: its keys stand, dotted, in the table of the block around it.
A block that several places share has one section, and the others refer to it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from . import schema_types as t
from .codes import TITLES
from .describe import alternatives, brief, quoted, rule
from .explain import NOT_ACTED_ON, Place, code_facts, default_of, explanations, places
from .read_scalar import Unreadable, read_scalar, words

COMMAND: Final = "python -m appliance.config.reference"
_GENERATED: Final = f"<!-- Written by `{COMMAND}`; changes made here are lost. -->\n\n"

_UNITS: Final[dict[str, t.Leaf]] = {
    "Duration": t.Duration(),
    "Size": t.Size(),
    "Rate": t.Rate(),
    "Share": t.Share(),
    "Address": t.AddressOf(("tcp", "unix")),
    "Statuses": t.Statuses(),
    "Name": t.Name(),
}
_INTRODUCTION: Final = (
    ("Substitution", "substitution"),
    ("Several files", "include"),
    ("What is not written", "defaults"),
    ("YAML", "yaml"),
)


def profile_page() -> str:
    """Give the text of `docs/profile.md`."""
    page = explanations()["page"]
    parts = [
        _GENERATED + page["profile"],
        f"## The smallest useful profile\n\n{_fence(page['smallest'])}\n{page['after_smallest']}",
        f"## On this page\n\n{_contents()}",
        f"## Units\n\n{_units()}",
        *(f"## {title}\n\n{page[name]}" for title, name in _INTRODUCTION),
        *(_section(block) for block in explanations()["block"]),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def diagnostics_page() -> str:
    """Give the text of `docs/diagnostics.md`."""
    page = explanations()["page"]
    families: dict[str, str] = page["families"]
    parts = [_GENERATED + page["diagnostics"]]
    parts.append(
        "| family | |\n| --- | --- |\n"
        + "".join(f"| [{name}xx](#{slug(_family(name))}) | {asks} |\n" for name, asks in families.items())
    )
    for name in families:
        codes = [code for code in TITLES if code.startswith(name)]
        table = "".join(
            f"| [{code}](#{code.lower()}) | {_escaped(TITLES[code])} | {_severity(code)} |\n"
            for code in codes
        )
        parts.append(
            f"## {_family(name)}\n\n{page['family_notes'][name]}\n\n"
            f"| code | | |\n| --- | --- | --- |\n{table}"
        )
        parts += [_code(code) for code in codes]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


PAGES: Final[dict[str, Callable[[], str]]] = {
    "docs/profile.md": profile_page,
    "docs/diagnostics.md": diagnostics_page,
}


def slug(title: str) -> str:
    """Give the anchor that a heading gets where Markdown is shown."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _family(name: str) -> str:
    return f"{name}xx: {explanations()['page']['families'][name]}"


def _severity(code: str) -> str:
    return str(explanations()[code].get("severity", "error"))


def _fence(text: str) -> str:
    return f"```yaml\n{text.strip(chr(10))}\n```\n"


def _escaped(text: str) -> str:
    """Give text in which no star or bar outside back quotes means something to Markdown."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*|])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def _code(code: str) -> str:
    told, facts = explanations()[code], code_facts(code) or {}
    text = f'<a id="{code.lower()}"></a>\n\n### {code}: {_escaped(facts["title"])}\n\n'
    text += f"*{facts['severity'].capitalize()}.* {_escaped(told['text'].strip())}\n"
    for side in ("wrong", "right"):
        if facts[side]:
            text += f"\n{side.capitalize()}:\n\n{_fence(facts[side])}"
    if facts["keys"]:
        text += f"\nKeys: {', '.join(_link(path) for path in facts['keys'])}\n"
    return text


@cache
def _link(path: str) -> str:
    """Give a key with a link to the section that tells of it."""
    by_steps = {place.steps: place for place in places()}
    here = _place(path)
    for end in range(len(here.steps), -1, -1):
        above = by_steps[here.steps[:end]]
        block = next((b for kind in _blocks(above.type) if (b := section_of(kind))), None)
        if block is not None:
            return f"[`{path}`](profile.md#{slug(block['title'])})"
    return f"`{path}`"


def _blocks(kind: t.Type) -> Iterator[t.Object]:
    """Give the blocks of keys at a place, or one level below it, where names or numbers part them."""
    for each in alternatives(kind):
        if isinstance(each, t.Object):
            yield each
        elif isinstance(each, t.ListOf):
            yield from _blocks(each.item)
        elif isinstance(each, t.MapOf):
            yield from _blocks(each.value)


def section_of(kind: t.Object) -> dict[str, Any] | None:
    """Give the section that tells of a block: its own, or one in which all of its keys stand."""
    keys = {id(key) for key in kind.keys.values()}
    for block, known in _sections():
        if keys <= known:
            return block
    return None


@cache
def _sections() -> tuple[tuple[dict[str, Any], set[int]], ...]:
    """Give each section with the identities of the keys in its block."""
    return tuple(
        (block, {id(key) for own in _blocks(_place(block["path"]).type) for key in own.keys.values()})
        for block in explanations()["block"]
    )


@cache
def _place(path: str) -> Place:
    return next(place for place in places() if place.path == path)


def _level(block: dict[str, Any]) -> int:
    return 2 if sum(step not in ("*", "**", "[*]") for step in _place(block["path"]).steps) < 2 else 3


def _contents() -> str:
    head = [("Units", 2), *((title, 2) for title, _ in _INTRODUCTION)]
    found = [*head, *((block["title"], _level(block)) for block in explanations()["block"])]
    return "".join(f"{'  ' * (level - 2)}* [{title}](#{slug(title)})\n" for title, level in found)


def _units() -> str:
    lines = ["| | written | refused |\n| --- | --- | --- |\n"]
    for unit in explanations()["unit"]:
        kind = _UNITS[unit["type"]]
        written = " ".join(f"`{text}`" for text in unit["written"])
        refused = ", ".join(f"`{text}`{_instead(kind, text)}" for text in unit["refused"])
        lines.append(f"| {unit['name']} | {written} | {refused} |\n")
    rules = "".join(f"* {rule(_UNITS[unit['type']])}\n" for unit in explanations()["unit"])
    return "".join(lines) + "\n" + rules


def _instead(kind: t.Leaf, text: str) -> str:
    try:
        read_scalar(kind, text)
    except Unreadable as problem:
        return f" (write {words(tuple(f'`{each}`' for each in problem.instead))})" if problem.instead else ""
    raise AssertionError(f"{text} is not refused")


def _section(block: dict[str, Any]) -> str:
    place = _place(block["path"])
    kind = next(_blocks(place.type))
    others = [
        other.path
        for other in places()
        if other is not place and any(each is kind for each in alternatives(other.type))
    ]
    text = f"{'#' * _level(block)} {block['title']}\n\n"
    if place.path:
        same = f"; the same keys at {quoted(tuple(others))}" if others else ""
        text += f"At `{place.path}`{same}.\n\n"
    text += f"{block['text'].strip()}\n"
    built = place.built
    if not built:
        text += f"\n*{NOT_ACTED_ON}*\n"
    text += (
        f"\n{_fence(block['example'])}\n| key | type | default | what it does |\n| --- | --- | --- | --- |\n"
    )
    text += "".join(_rows(place, kind, "", built))
    for line in _groups(kind):
        text += f"\n{line}\n"
    codes = [
        code for code in TITLES if any(_inside(path, block) for path in explanations()[code].get("keys", ()))
    ]
    if codes:
        links = ", ".join(f'[{code}](diagnostics.md#{code.lower()} "{TITLES[code]}")' for code in codes)
        text += f"\nDiagnostics: {links}\n"
    return text


def _rows(place: Place, kind: t.Object, prefix: str, built: bool) -> Iterator[str]:
    """Give the lines of a table; small blocks follow the key that they belong to."""
    for name, key in kind.keys.items():
        doc = _escaped(key.doc)
        if built and not key.built:
            doc += f" *{NOT_ACTED_ON}*"
        default = "**required**" if key.required else f"`{written}`" if (written := default_of(key)) else ""
        yield f"| `{prefix}{name}` | {_cell(key.type)} | {default} | {doc} |\n"
        for end, inner in _small(key.type):
            yield from _rows(place, inner, f"{prefix}{name}{end}.", built and key.built)


def _small(kind: t.Type, end: str = "") -> Iterator[tuple[str, t.Object]]:
    """Give the blocks below a key that have no section, with what parts their keys from the key."""
    for each in alternatives(kind):
        if isinstance(each, t.Object) and section_of(each) is None:
            yield end, each
        elif isinstance(each, t.ListOf):
            yield from _small(each.item, f"{end}[*]")
        elif isinstance(each, t.MapOf):
            yield from _small(each.value, f"{end}.*")


def _cell(kind: t.Type) -> str:
    """Name a type in a table, with links to the sections of blocks."""
    if isinstance(kind, t.ByShape):
        return " or ".join(_cell(each) for each in alternatives(kind))
    inner = next(_blocks(kind), None)
    block = section_of(inner) if inner is not None else None
    if block is None:
        return brief(kind)
    anchor = f"#{slug(block['title'])}"
    return re.sub(r"blocks?", lambda found: f"[{found[0]}]({anchor})", brief(kind), count=1)


def _groups(kind: t.Object) -> Iterator[str]:
    """Say which keys of a block, and of the small blocks in it, exclude each other."""
    said = rule(kind).removeprefix("A block of keys.").strip()
    if said:
        yield said
    for name, key in kind.keys.items():
        for _, inner in _small(key.type):
            for line in _groups(inner):
                yield f"In `{name}`: {line[0].lower()}{line[1:]}"


def _inside(path: str, block: dict[str, Any]) -> bool:
    """Whether the section that tells of this key is this one."""
    return _link(path).endswith(f"(profile.md#{slug(block['title'])})")


def write(root: Path) -> list[Path]:
    """Write the pages below ``root``; gives those that changed."""
    changed = []
    for name, page in PAGES.items():
        path, text = root / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    for path in write(Path(__file__).parents[2]):
        sys.stdout.write(f"{path}\n")
