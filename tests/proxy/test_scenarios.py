"""Every file of tests/scenarios, played on virtual time: the moves and the answers are exactly as written."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from trio._core import _run

from tests.kit.scenario import FOLDER, load_scenario, play

SCENARIOS = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture(autouse=True)
def one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trio run tasks that are ready at the same moment in an order that is the same each time."""
    monkeypatch.setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    _run._r.seed(1)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
async def test_scenario(path: Path, autojump_clock: object) -> None:
    """What the file expects, no more and no less."""
    scenario, plan = load_scenario(path)
    outcome = asdict(await play(scenario, plan))
    assert {key: outcome[key] for key in scenario["expect"]} == scenario["expect"], scenario["says"]
    assert {"moves", "answers", "asked"} <= scenario["expect"].keys()
