"""Files: the profile on disk, and what is written down."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from appliance.tui.modals import Choice, Confirm
from tests.kit.dashboards import DISK
from tests.kit.tops import Desk, FakeLine, at_the_dashboard

SHOWN = {"ok": True, "code": "ok", "text": DISK["text"], "now": DISK}


def test_what_was_shown_is_loaded() -> None:
    """After a question, and by its digest."""

    async def do(desk: Desk) -> None:
        await desk.press("r")
        assert "[7 Profile]" in desk.text
        desk.app.tick()
        assert "would reload: 2 changes" in desk.text
        await desk.press("r")
        dialog = desk.app.screen
        assert isinstance(dialog, Confirm)
        assert dialog.wish.expect == {"digest": "0123456789ab"}
        await desk.press("y")

    line = at_the_dashboard(do, line=FakeLine(SHOWN))
    assert ("profile.reload", {"reason": ""}) in line.asked
    assert [op for op, _ in line.asked if op.startswith("profile")][-1] == "profile.diff"


def test_what_cannot_be_loaded_is_not_asked_for() -> None:
    """The same file, one with errors, one that was not read."""

    async def do(desk: Desk) -> None:
        await desk.press("7")
        for disk in (None, {**DISK, "changes": []}, {**DISK, "ok": False}):
            desk.app.disk = disk
            await desk.press("r")
            assert "nothing is to be loaded" in desk.text
            assert not isinstance(desk.app.screen, Confirm)

    at_the_dashboard(do)


def test_the_file_is_looked_at_again_while_it_is_shown() -> None:
    """Every ten seconds."""

    async def do(desk: Desk) -> None:
        await desk.press("7")
        asked = len(desk.line.asked)
        desk.app.tick()
        assert len(desk.line.asked) == asked
        desk.app._looked = time.monotonic() - 11
        desk.app.tick()
        assert desk.line.asked[asked:] == [("profile.diff", {})]
        await desk.press("down", "G", "g")
        assert desk.app.ui.offset[7] == 0

    at_the_dashboard(do)


@pytest.mark.parametrize(("form", "words"), [("txt", "payments/"), ("svg", "<svg"), ("json", '"schema"')])
def test_what_is_shown_is_written(
    form: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this directory; what is there is left alone."""
    monkeypatch.chdir(tmp_path)

    async def do(desk: Desk) -> None:
        await desk.press("2", "e")
        assert isinstance(desk.app.screen, Choice)
        await desk.press("escape")
        desk.app.export(form)
        assert "written: " in desk.text
        desk.app.export(form)
        assert "File exists" in desk.text

    at_the_dashboard(do)
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("meshctl-edge-01-")
    assert words in path.read_text()
    if form == "json":
        assert json.loads(path.read_text())["br"]


def test_the_name_of_a_thing_is_copied() -> None:
    """And shown, for terminals that do not let."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "y")
        assert desk.app.clipboard == "payments/10.0.8.11:8080"
        assert "copied" in desk.text

    at_the_dashboard(do)
