"""The table of codes is the whole truth about them."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.config.codes import TITLES

PACKAGE = Path(__file__).parents[2] / "appliance" / "config"
CORPUS = Path(__file__).parent / "corpus" / "bad"


def test_every_code_that_is_told_has_a_title_and_every_title_is_told() -> None:
    """A code in the source and a code in the table are the same set."""
    told: set[str] = set()
    for path in PACKAGE.glob("*.py"):
        if path.name != "codes.py":
            told |= set(re.findall(r'"(MC\d{3})"', path.read_text()))
    assert told == set(TITLES)


def test_every_code_has_a_bad_profile() -> None:
    """Each code is seen by the corpus, but for those that need a huge or a missing file."""
    seen = set(re.findall(r"\[(MC\d{3})\]", "".join(path.read_text() for path in CORPUS.glob("*.txt"))))
    assert set(TITLES) - seen == {"MC117", "MC601"}
