"""The largest files there may be cost two seconds and little memory, whatever they are made of."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.flood import FLOODS

MAX_SECONDS = 2.0
"""Of processor time, on an idle core; more if a loop of the same process takes longer than it should."""

MAX_MEMORY = 200 << 20
MAX_TOLD = 8 << 20
"""Characters of a report: several times the file, but not a multiple of it for each thing told."""

ROOT = Path(__file__).parents[2]
AT_ONCE = 2


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, dict[str, Any]]]:
    """What became of every flood, by name."""
    names = list(FLOODS)
    command = (sys.executable, "-m", "tests.fuzz.flood")
    started = [
        subprocess.Popen((*command, *names[part::AT_ONCE]), stdout=subprocess.PIPE, cwd=ROOT)
        for part in range(AT_ONCE)
    ]
    try:
        lines = [line for process in started for line in process.communicate()[0].splitlines()]
    finally:
        for process in started:
            process.kill()
            process.wait()
    yield {outcome["name"]: outcome for outcome in map(json.loads, lines)}


@pytest.mark.parametrize("name", list(FLOODS))
def test_a_flood_is_answered_in_time(name: str, outcomes: dict[str, dict[str, Any]]) -> None:
    """A plan or words, within the limits of time, memory and what anybody would read."""
    outcome = outcomes[name]
    assert "cpu" in outcome, "it had to be ended, or raised"
    assert outcome["plan"] == (not outcome["errors"])
    assert set(outcome["codes"]) >= {FLOODS[name][0]} - {""}
    assert outcome["cpu"] <= MAX_SECONDS * outcome["slow"]
    assert outcome["memory"] <= MAX_MEMORY
    assert outcome["told"] <= MAX_TOLD
