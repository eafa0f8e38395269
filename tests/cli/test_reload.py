"""Reloads by command: shown, asked, done; what came of it for people and programs."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from appliance.cli.exits import Exit
from appliance.cli.reload import reload
from tests.kit.feeds import OK, FakeFeed

CHANGES: dict[str, Any] = {
    **OK,
    "now": {
        "gen": 2,
        "digest": "d1",
        "changes": [{"path": "a"}],
        "diff": "~ a\x1b\n1 change",
        "problems": "",
    },
}
WRONG = {
    "ok": False,
    "code": "failed",
    "text": "not reloaded",
    "now": {"problems": "error[MC1]: x\x1b\n --> y\n"},
}


class Terminal(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


def operations(feed: FakeFeed) -> list[str]:
    return [row[0] for row in feed.asked]


@pytest.mark.parametrize(("typed", "done"), [("y\n", True), ("n\n", False)])
async def test_at_a_terminal_the_changes_come_first(
    typed: str, done: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then the question; what was shown is what is loaded, or nothing."""
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    feed = FakeFeed(answers={"profile.diff": CHANGES, "profile.reload": CHANGES})
    code = await reload(feed, "text", dry_run=False, yes=False)  # type: ignore[arg-type]
    assert code == (Exit.OK if done else Exit.CONFLICT)
    assert operations(feed) == ["profile.diff", *["profile.reload"] * done]
    out = capsys.readouterr().out
    assert out.count("~ a\\x1b\n1 change\n") == 1
    if done:
        assert feed.asked[-1][2]["expect"] == {"digest": CHANGES["now"]["digest"]}


async def test_a_script_has_to_say_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody can be asked nothing is loaded."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    for format in ("text", "json"):
        feed = FakeFeed(answers={"profile.diff": CHANGES, "profile.reload": CHANGES})
        assert await reload(feed, format, dry_run=False, yes=False) == Exit.USAGE  # type: ignore[arg-type]
        assert operations(feed) == []
        assert "--yes" in capsys.readouterr().err


async def test_without_changes_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor where there is an error."""
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    for answer, code in ((OK, Exit.OK), (WRONG, Exit.INVALID_PROFILE)):
        feed = FakeFeed(answers={"profile.diff": answer})
        assert await reload(feed, "text", dry_run=False, yes=False) == code  # type: ignore[arg-type]
        assert operations(feed) == ["profile.diff"]


async def test_a_profile_that_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """Its problems on stderr line by line, and 3; for programs all of it on stdout."""
    feed = FakeFeed(answers={"profile.reload": WRONG})
    assert await reload(feed, "text", dry_run=False, yes=True) == Exit.INVALID_PROFILE  # type: ignore[arg-type]
    told = capsys.readouterr()
    assert told.err == "error[MC1]: x\\x1b\n --> y\nmeshctl: not reloaded\n"
    assert await reload(feed, "json", dry_run=False, yes=True) == Exit.INVALID_PROFILE  # type: ignore[arg-type]
    assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("denied", Exit.REFUSED),
        ("busy", Exit.CONFLICT),
        ("failed", Exit.CONFLICT),
        ("unsupported", Exit.USAGE),
    ],
)
async def test_refusals(code: str, end: Exit, capsys: pytest.CaptureFixture[str]) -> None:
    """Are no fault of the profile."""
    feed = FakeFeed(answers={"profile.diff": {"ok": False, "code": code, "text": "no"}})
    assert await reload(feed, "text", dry_run=True, yes=True) == end  # type: ignore[arg-type]
