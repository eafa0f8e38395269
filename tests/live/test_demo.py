"""The demo, whole: the first thing that a newcomer runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.peers import ROOT
from tests.kit.terminal import Terminal

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


def test_on_a_terminal_it_opens_the_dashboard(tmp_path: Path) -> None:
    """With the story below the picture; whoever leaves it gets the terminal back, and the summary."""
    here = Terminal("demo", XDG_RUNTIME_DIR=str(tmp_path))
    try:
        here.wait(lambda: "LIVE" in here.text and "all three servers are well" in here.text)
        here.type("2")
        here.wait(lambda: "bravo goes slow" in here.text and "[2 Breakers" in here.text)
        here.wait(lambda: "bravo fails" in here.text and "OPEN" in here.text)
        here.type("q")
        here.wait(lambda: here.process.poll() is not None)
        for _ in range(5):
            here.read(0.1)
        assert here.process.returncode == 0
        assert "the proxy ended with 0" in here.text
    finally:
        here.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_dashboard_too(number: signal.Signals, tmp_path: Path) -> None:
    """And the proxy, in order: nothing is left over."""
    here = Terminal("demo", XDG_RUNTIME_DIR=str(tmp_path))
    try:
        here.wait(lambda: "LIVE" in here.text)
        here.process.send_signal(number)
        here.wait(lambda: here.process.poll() is not None)
        for _ in range(5):
            here.read(0.1)
        assert "the proxy ended with 0" in here.text
    finally:
        here.close()
