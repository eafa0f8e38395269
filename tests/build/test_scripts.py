"""The shell scripts: which Python they pick and what they say when there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("demo", "test", "check", "pyz", "bench")
PICK = f'. {ROOT}/build/python.sh; echo "$PYTHON"'


def finish(words: list[str | Path], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run to the end, bounded."""
    return subprocess.run(words, check=False, env=env, capture_output=True, text=True, timeout=30)


def pick(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Ask the shared piece for its choice, with only this folder on the path."""
    return finish(["/bin/sh", "-c", PICK], {"PATH": str(folder), **env})


def command(folder: Path, name: str, body: str) -> None:
    """Put a command into the folder."""
    (folder / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_may_be_run(name: str) -> None:
    """The scripts are executable and plain POSIX shell."""
    script = ROOT / "build" / name
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert finish(["/bin/sh", "-n", script]).returncode == 0


def test_the_first_interpreter_that_fits_is_picked(tmp_path: Path) -> None:
    """One that is too old and one that cannot run are passed over."""
    command(tmp_path, "python3", "exit 1")
    command(tmp_path, "python3.13", "exit 127")
    command(tmp_path, "python3.12", f'exec {sys.executable} "$@"')
    command(tmp_path, "python3.11", f'exec {sys.executable} "$@"')
    assert pick(tmp_path).stdout == "python3.12\n"


def test_the_named_interpreter_is_used_or_refused(tmp_path: Path) -> None:
    """PYTHON is obeyed; where it does not fit, nothing else is tried."""
    command(tmp_path, "python3", f'exec {sys.executable} "$@"')
    assert pick(tmp_path, PYTHON=sys.executable).stdout == f"{sys.executable}\n"
    ended = pick(tmp_path, PYTHON="/no/such/python")
    assert ended.returncode == 1
    assert "PYTHON=/no/such/python is not a Python 3.11 or newer" in ended.stderr


def test_no_interpreter_is_a_sentence(tmp_path: Path) -> None:
    """Without any Python the script says what to install."""
    ended = pick(tmp_path)
    assert ended.returncode == 1
    assert "No Python 3.11 or newer with venv found" in ended.stderr
    assert "apt-get install python3 python3-venv" in ended.stderr


def test_an_unknown_command_is_told_the_known_ones() -> None:
    """The door to the steps lists them."""
    ended = finish([sys.executable, ROOT / "build" / "run.py", "paint"])
    assert ended.returncode == 2
    assert "demo, test, check, pyz, bench, archive" in ended.stderr
