"""Every file of tests/scenarios, played on virtual time: the moves and the answers are exactly as written."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from tests.kit.scenario import FOLDER, load_scenario, play

SCENARIOS = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
async def test_scenario(path: Path, autojump_clock: object) -> None:
    """What the file expects, no more and no less."""
    scenario, plan = load_scenario(path)
    outcome = asdict(await play(scenario, plan))
    assert {key: outcome[key] for key in scenario["expect"]} == scenario["expect"], scenario["says"]
    assert {"moves", "answers", "asked"} <= scenario["expect"].keys()
