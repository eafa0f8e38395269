"""Every fix that is offered takes its problem away."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from appliance.config.diagnostic import Diagnostic, Edit, Span
from appliance.config.load import load_profile
from tests.kit.edits import applied
from tests.kit.machines import FakeMachine

BAD = Path(__file__).parent / "corpus" / "bad"
NAMES = sorted(path.name for path in BAD.glob("*.yaml"))


def told(name: str, text: str) -> list[Diagnostic]:
    """Give what is said of a text under a name of the corpus."""
    machine = FakeMachine() if "mc604" <= name < "mc7" else None
    return list(load_profile(name, text=text.encode(), env={}, machine=machine).diagnostics)


def counted(found: list[Diagnostic]) -> Counter[tuple[str, str]]:
    """Count what is said, wherever it stands."""
    return Counter((each.code, each.message) for each in found)


@pytest.mark.parametrize("name", NAMES)
def test_each_fix_of_the_corpus_takes_its_problem_away(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One less of just that, and no mistake of shape that was not there before."""
    monkeypatch.chdir(BAD)
    try:
        text = (BAD / name).read_bytes().decode()
    except UnicodeDecodeError:
        return
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    before = told(name, text)
    for each in before:
        if not each.fix or any(edit.span.file != name for edit in each.fix):
            continue
        after = told(name, applied(text, each.fix))
        key = (each.code, each.message)
        assert counted(after)[key] < counted(before)[key]
        assert {f.message for f in after if f.code < "MC4"} <= {b.message for b in before}


def test_edits_are_made_from_the_last_to_the_first() -> None:
    """So that none moves the place of another."""
    first, second = Edit(Span("p", 1, 1, 1, 2), "long"), Edit(Span("p", 2, 2, 2, 2), "!")
    assert applied("ab\ncd\n", (first, second)) == "longb\nc!d\n"
