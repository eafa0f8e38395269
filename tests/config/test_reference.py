"""The reference pages are what the schema and the codes say now, and lead nowhere wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from appliance.config.codes import TITLES
from appliance.config.explain import NOT_ACTED_ON, explanations, places
from appliance.config.read_scalar import read_scalar
from appliance.config.reference import (
    _UNITS,
    COMMAND,
    PAGES,
    diagnostics_page,
    profile_page,
    slug,
    write,
)

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_in_the_tree_are_fresh(name: str) -> None:
    """Whoever changes the format writes them anew."""
    path = ROOT / name
    current = path.read_text(encoding="utf-8") if path.exists() else ""
    assert current == PAGES[name](), f"{name} is stale; renew it with: {COMMAND}"


def anchors(text: str) -> list[str]:
    bare = re.sub(r"```.*?```", "", text, flags=re.S)
    headings = [slug(title) for title in re.findall(r"^#+ (.+)$", bare, re.M)]
    return headings + re.findall(r'<a id="([^"]+)"></a>', bare)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere_and_no_anchor_is_double(name: str) -> None:
    """Within the page and between the two."""
    pages = {path.rsplit("/", 1)[1]: page() for path, page in PAGES.items()}
    here = name.rsplit("/", 1)[1]
    known = anchors(pages[here])
    assert len(known) == len(set(known))
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?(?: \"[^\"]*\")?\)", pages[here])
    assert len(links) > 30
    for page, anchor in links:
        assert (page or here) in pages
        assert not anchor or anchor in anchors(pages[page or here]), anchor


def test_every_key_stands_in_the_page_with_its_words() -> None:
    """No key is lost between sections and small blocks."""
    page = profile_page()
    rows = re.findall(r"^\| `([^`]+)` \| .* \| .* \| (.*) \|$", page, re.M)
    for place in places():
        if place.key is None:
            continue
        doc = place.key.doc.replace("*", "\\*")
        name = place.steps[-1]
        found = [text for key, text in rows if re.split(r"[.\]]", key)[-1] == name]
        assert any(text.startswith(doc) for text in found), place.path


def test_required_keys_defaults_and_flags_show() -> None:
    """One row of each kind, and a note for each flag that is off."""
    page = profile_page()
    assert "| `bind` | address | **required** |" in page
    assert "| `per_try` | duration | `5s` |" in page
    assert "| `breaker` | `false` or [block](#breakers) |" in page
    noted = [line for line in page.splitlines() if NOT_ACTED_ON in line]
    flagged = [place for place in places() if place.key is not None and not place.key.built]
    assert bool(noted) == bool(flagged)


def test_every_code_stands_in_the_page_with_its_examples() -> None:
    """In order, each with an anchor that does not change with its title."""
    page = diagnostics_page()
    assert re.findall(r'<a id="mc(\d+)"></a>', page) == [code[2:] for code in TITLES]
    for code in TITLES:
        for side in ("wrong", "right"):
            if side in explanations()[code]:
                assert f"```yaml\n{explanations()[code][side].strip(chr(10))}\n```" in page


@pytest.mark.parametrize("unit", explanations()["unit"], ids=lambda unit: unit["name"])
def test_spellings_in_the_table_of_units_are_read(unit: dict[str, list[str]]) -> None:
    """And those that it calls refused are refused, or the page could not be written."""
    kind = _UNITS[str(unit["type"])]
    for text in unit["written"]:
        read_scalar(kind, text)
    assert all(f"`{text}`" in profile_page() for text in unit["refused"])


def test_writing_changes_only_what_is_stale(tmp_path: Path) -> None:
    """The first run writes both pages, the second none."""
    assert write(tmp_path) == [tmp_path / name for name in PAGES]
    assert write(tmp_path) == []
    (tmp_path / "docs" / "profile.md").write_text("old")
    assert write(tmp_path) == [tmp_path / "docs" / "profile.md"]


def test_headings_become_anchors() -> None:
    """As the usual viewers do it."""
    assert slug("TLS for clients") == "tls-for-clients"
    assert slug("MC1xx: Is it YAML, free of its traps?") == "mc1xx-is-it-yaml-free-of-its-traps"
