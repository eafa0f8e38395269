"""Completion scripts of the three shells."""

from __future__ import annotations

import subprocess
from shutil import which

import pytest

from appliance.cli.completion import SHELLS, completion


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_complete_by_the_command_itself(shell: str) -> None:
    """And a shell that is here can read its own."""
    script = completion(shell)
    assert "_MESHCTL_COMPLETE" in script
    if which(shell):
        assert subprocess.run([shell, "-n"], input=script, text=True, timeout=30, check=False).returncode == 0
