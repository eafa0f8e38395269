"""Conversations of commands: what goes wrong is a sentence and an exit code."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from appliance.cli import remote
from appliance.cli.exits import Exit
from appliance.cli.remote import failed, talk
from appliance.cli.target import TargetError
from appliance.net.reach import Place, ReachError
from appliance.tui.feed import FeedError


async def nothing(_feed: object) -> int:
    return 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TargetError("which"), Exit.USAGE),
        (ReachError("gone"), Exit.UNREACHABLE),
        (ReachError("not you", denied=True), Exit.REFUSED),
        (FeedError("ended"), Exit.UNREACHABLE),
        (FeedError("no", denied=True), Exit.REFUSED),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
    ],
    ids=range(6),
)
def test_what_went_wrong(
    error: BaseException, code: Exit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, after the name of the command."""

    def resolve(*_: object) -> Place:
        raise error

    monkeypatch.setattr(remote, "resolve", resolve)
    assert talk(None, "test", nothing) == code
    err = capsys.readouterr().err
    assert err == ("" if isinstance(error, KeyboardInterrupt) else f"meshctl: {error}\n")


def test_errors_of_the_conversation_come_out_of_their_nurseries(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As what they are; the stream is closed."""
    near, _ = trio.testing.memory_stream_pair()

    async def reached(*_: object) -> Any:
        return near

    async def converse(*_: object) -> int:
        raise FeedError("it ended")

    monkeypatch.setattr(remote, "resolve", lambda *_: Place("x", path="/x"))
    monkeypatch.setattr(remote, "reach", reached)
    monkeypatch.setattr(remote, "_converse", converse)
    assert talk(None, "test", nothing) == Exit.UNREACHABLE
    assert capsys.readouterr().err == "meshctl: it ended\n"

    async def used() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await near.send_all(b"x")

    trio.run(used)


def test_hostile_text_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a proxy says."""
    assert failed("a\x1b[31mb\u202e", Exit.FAILED) == 1
    assert capsys.readouterr().err == "meshctl: a\\x1b[31mb\\u202e\n"
