"""The demo, whole: the first thing that a newcomer runs."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.kit.peers import ROOT

pytestmark = pytest.mark.live
COMMAND = [sys.executable, "-m", "appliance", "demo"]


def test_it_tells_its_story_and_ends_well() -> None:
    """Six seconds: healthy, then slow; nobody is lost and the proxy ends with 0."""
    done = subprocess.run(
        [*COMMAND, "--seconds", "6"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "bravo goes slow" in done.stdout
    assert "lost" not in done.stdout
    assert "the proxy ended with 0" in done.stdout


def test_ctrl_c_ends_it_in_order() -> None:
    """An interrupt stops load, proxy and servers, and the summary is still printed."""
    process = subprocess.Popen(COMMAND, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    lines = []
    for text in process.stdout:
        lines.append(text)
        if "clients saw" in text:
            process.send_signal(signal.SIGINT)
            break
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "the proxy ended with 0" in rest
    assert "Traceback" not in rest
