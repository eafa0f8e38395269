"""The checks of the tree: format, lint, types, tests. All of them run, whatever the first one says."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .console import Progress, StepFailed, run, tail
from .environment import python_of
from .packages import SYSTEM_FOLDERS

TYPED = ("appliance", "build/run.py", "build/steps", "build/zipapp")


@dataclass(frozen=True)
class Check:
    """One command of the environment; a shown one writes to the terminal instead of the log."""

    name: str
    command: tuple[str, ...]
    shown: bool = False


FORMAT = Check("format", ("ruff", "format", "--check", "."))
LINT = Check("lint", ("ruff", "check", "--output-format=concise", "."))
TYPES = Check("types", ("mypy", "--strict", *TYPED))
HOUSE = Check("house", ("pytest", "-q", "tests/test_house.py"))


def pytest(arguments: Sequence[str] = ()) -> Check:
    """The tests, shown as they run."""
    return Check("tests", ("pytest", *arguments), shown=True)


def perform(root: Path, venv: Path, check: Check, progress: Progress, logs: Path) -> bool:
    """Run one check; what a quiet one has to say is shown when it fails."""
    command: list[str | Path] = [python_of(venv), "-m", *check.command]
    env = {"PATH": f"{venv / 'bin'}:{os.environ.get('PATH', os.defpath)}:{SYSTEM_FOLDERS}"}
    if check.shown:
        progress.done += 1
        progress.say(f"[{progress.done}/{progress.total}] {check.name} …")
        return run(command, cwd=root, env=env, timeout=None) == 0
    log = logs / f"{check.name}.log"
    log.unlink(missing_ok=True)
    try:
        with progress.step(check.name):
            if run(command, cwd=root, env=env, log=log):
                raise StepFailed(check.name, log)
    except StepFailed:
        progress.say(tail(log, 60))
        return False
    return True


def summary(results: dict[str, bool]) -> str:
    """One line per check, the failed ones easy to see."""
    width = max(map(len, results), default=0)
    return "\n".join(f"  {name:{width}}  {'ok' if passed else 'FAILED'}" for name, passed in results.items())
