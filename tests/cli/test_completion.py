"""Completion scripts of the three shells."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

from appliance.cli.completion import SHELLS, completion

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_complete_by_the_command_itself(shell: str) -> None:
    """And a shell that is here can read its own."""
    script = completion(shell)
    assert "_MESHCTL_COMPLETE" in script
    if which(shell):
        assert subprocess.run([shell, "-n"], input=script, text=True, timeout=30, check=False).returncode == 0


@pytest.mark.parametrize(
    ("words", "found"),
    [("br", "breaker"), ("breaker o", "open"), ("stats --fo", "--format"), ("endpoint und", "undrain")],
)
def test_bash_completes(words: str, found: str, tmp_path: Path) -> None:
    """A real one, by a command of the name on its path."""
    command = tmp_path / "meshctl"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m appliance "$@"\n')
    command.chmod(0o755)
    count = len(words.split())
    script = (
        f'eval "$(meshctl completion bash)"; COMP_WORDS=(meshctl {words}); COMP_CWORD={count}; '
        '_meshctl_completion meshctl; echo "${COMPREPLY[@]}"'
    )
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, env=env, check=True, cwd=tmp_path
    )
    assert ran.stdout.split() == [found]
