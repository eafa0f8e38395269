"""`meshctl top` in a real terminal, and where there is none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli.top import theme
from tests.kit.running import Edge, edge
from tests.kit.terminal import Terminal


def top(running: Edge, *words: str, size: tuple[int, int] = (120, 36), **environ: str) -> Terminal:
    return Terminal("top", *words, size=size, MESHCTL_TARGET=running.socket, **environ)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> object:
    with edge(tmp_path_factory.mktemp("edge")) as proxy:
        yield proxy


def test_a_breaker_trips_and_shows(running: Edge) -> None:
    """Within a second of its opening; then keys work, and the terminal is as before."""
    here = top(running)
    try:
        here.wait(lambda: "LIVE" in here.text and "CLOSED" in here.text)
        running.get("/ill", 12)
        took = here.wait(lambda: "OPEN" in here.text.replace("OPEN         0", ""))
        assert took < 5  # a bound on madness; a tick is a quarter of a second
        here.type("2")
        here.wait(lambda: "[2 Breakers !2]" in here.text and "why it opened" in here.text)
        here.type("q")
        here.wait(lambda: here.process.poll() is not None)
        assert here.process.returncode == 0
        assert (
            here.raw.rstrip().endswith(b"\x1b[?1004l") or b"\x1b[?1049l" in here.raw
        )  # the screen of before
    finally:
        here.close()


def test_the_last_picture_can_be_kept(running: Edge) -> None:
    """On stdout, after the screen is gone."""
    here = top(running, "--view", "routes", size=(80, 24))
    try:
        here.wait(lambda: "[4 Rte]" in here.text)
        here.type("Q")
        here.wait(lambda: here.process.poll() is not None)
        for _ in range(5):
            here.read(0.1)
        assert "[4 Rte]" in here.raw.rpartition(b"\x1b[?1049l")[2].decode()
    finally:
        here.close()


def test_a_signal_leaves_the_terminal_sane(running: Edge) -> None:
    """SIGTERM ends it in order."""
    here = top(running)
    try:
        here.wait(lambda: "LIVE" in here.text)
        here.process.send_signal(signal.SIGTERM)
        here.wait(lambda: here.process.poll() is not None)
        for _ in range(5):
            here.read(0.1)
        assert b"\x1b[?1049l" in here.raw
        assert here.process.returncode == 143
    finally:
        here.close()


def test_no_colour_is_no_colour(running: Edge) -> None:
    """Not one colour is sent, nor one sign beyond ASCII if that is asked for."""
    here = top(running, "--ascii", NO_COLOR="1")
    try:
        here.wait(lambda: "LIVE" in here.text)
        here.read(0.5)
        assert b"[38;" not in here.raw
        assert b"[48;" not in here.raw
        assert here.text.isascii()
    finally:
        here.close()


def test_without_a_terminal_it_is_watch(running: Edge) -> None:
    """With a word on stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance", "top"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL, env={**os.environ, "MESHCTL_TARGET": running.socket},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("watching edge")
    finally:
        process.send_signal(signal.SIGINT)
        assert "no terminal" in process.communicate(timeout=30)[1]


def test_no_proxy_is_told(tmp_path: Path) -> None:
    """Before a screen is opened."""
    ran = subprocess.run(
        [sys.executable, "-m", "appliance", "top", "nobody", "--plain"], capture_output=True, text=True,
        timeout=60, check=False, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert ran.returncode == 5
    assert "nobody" in ran.stderr


def test_themes_by_terminal() -> None:
    """NO_COLOR wins."""
    assert theme({"NO_COLOR": "1", "TERM": "xterm-256color"}) == "mono"
    assert theme({"TERM": "linux"}) == "ansi"
    assert theme({"TERM": "xterm-256color"}) == "dark"


def test_a_recording_in_a_terminal(running: Edge, tmp_path: Path) -> None:
    """Made by `record`, shown by `top --replay`; what is none is told."""
    path = tmp_path / "x.meshrec"
    running.meshctl("record", "-o", str(path), "--for", "2s", "--past", "1m")
    here = top(running, "--replay", str(path))
    try:
        here.wait(lambda: "REPLAY x.meshrec" in here.text and "edge" in here.text)
        here.type("q")
        here.wait(lambda: here.process.poll() is not None)
        assert here.process.returncode == 0
    finally:
        here.close()
    bad = top(running, "--replay", str(running.profile))
    try:
        bad.wait(lambda: bad.process.poll() is not None)
        assert bad.process.returncode == 1
    finally:
        bad.close()


def test_what_is_on_the_screen_is_the_picture() -> None:
    """After many small updates no cell is left over: a held picture is the one that is printed at the end."""
    here = Terminal("top", "--replay", "docs/pictures/edge-01.meshrec", size=(100, 30))
    try:
        here.wait(lambda: "REPLAY" in here.text and "payments" in here.text)
        here.type("++++")
        here.wait(lambda: "x16" in here.text and "OPEN " in here.text)
        for key, words in (("2", "[2 Brk"), ("3", "[3 Ups"), ("1", "[1 Over"), ("p", "held")):
            here.type(key)
            here.wait(lambda words=words: words in here.text)  # type: ignore[misc]
        for _ in range(8):
            here.read(0.1)
        shown = [line.rstrip() for line in here.screen.display]
        here.type("Q")
        here.wait(lambda: here.process.poll() is not None)
        for _ in range(5):
            here.read(0.1)
        printed = here.raw.rpartition(b"\x1b[?1049l")[2].decode()
        for line in filter(None, shown):
            assert line in printed
    finally:
        here.close()


@pytest.mark.parametrize("way", ["killed", "closed"])
def test_the_proxy_does_not_notice(way: str, running: Edge) -> None:
    """Whatever becomes of a dashboard: requests are answered, and its seat is free again."""
    here = Terminal("top", MESHCTL_TARGET=running.socket)
    try:
        here.wait(lambda: "LIVE" in here.text)
        if way == "killed":
            here.process.kill()
        else:
            here.hang_up()
        here.process.wait(20)
        assert running.get("/well", 20)
        told = json.loads(running.meshctl("stats", "--set", "up", "--format", "json").stdout)
        assert told["proxy"]["clients"] == 1  # who asks
    finally:
        here.close()
