"""Actions: asked before they are done, told after, and what their codes mean for scripts."""

from __future__ import annotations

import io
import json
import sys
import threading
from typing import Any

import pytest

from appliance.cli.act import CODES, Wish, act, tell
from appliance.cli.exits import Exit
from tests.kit.feeds import OK, FakeFeed

WOULD = {**OK, "text": "would force\x1b it"}
WISH = Wish("breaker.force", {"breaker": "a"}, {"st": "closed"})


class Terminal(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


def feed(**answers: Any) -> FakeFeed:
    return FakeFeed(answers={"breaker.force?": WOULD, **answers})


@pytest.mark.parametrize(
    ("typed", "done"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
async def test_somebody_at_a_terminal_is_asked(
    typed: str, done: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the plan, safe to show; nothing but yes does it."""
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    here = feed()
    assert await act(here, WISH) == (Exit.OK if done else Exit.CONFLICT)  # type: ignore[arg-type]
    told = capsys.readouterr()
    assert "This would force\\x1b it. Do it?" in told.err
    assert [more["dry_run"] for _, _, more in here.asked] == ([True, False] if done else [True])
    assert all(more["expect"] == {"st": "closed"} for _, _, more in here.asked)


async def test_who_thinks_is_not_let_go(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the proxy sends meanwhile is taken."""
    here = feed()
    here._told = iter([{"k": "delta", "set": {}, "del": {}}] * 5)
    heard = threading.Event()

    class Slow(Terminal):
        def readline(self, *_: object) -> str:  # type: ignore[override]
            heard.wait(10)
            return "y\n"

    whole = FakeFeed.__anext__

    async def listen(self: FakeFeed) -> dict[str, Any]:
        if here.seq == 5:
            heard.set()
        return await whole(self)

    monkeypatch.setattr(FakeFeed, "__anext__", listen)
    monkeypatch.setattr(sys, "stdin", Slow())
    assert await act(here, WISH) == Exit.OK  # type: ignore[arg-type]
    assert here.seq == 5


async def test_a_script_has_to_say_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else nothing is done; with it nothing is asked."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    here = feed()
    assert await act(here, WISH) == Exit.USAGE  # type: ignore[arg-type]
    assert "--yes" in capsys.readouterr().err
    sure = feed()
    assert await act(sure, Wish("breaker.force", {}, yes=True)) == Exit.OK  # type: ignore[arg-type]
    assert [more["dry_run"] for _, _, more in sure.asked] == [False]


async def test_what_cannot_be_done_is_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """The refusal of the dry run is the answer."""
    here = FakeFeed(answers={"breaker.force?": {"ok": False, "code": "not_found", "text": "no such"}})
    assert await act(here, WISH) == Exit.CONFLICT  # type: ignore[arg-type]
    assert "no such" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "end"), [*CODES.items(), ("something new", Exit.FAILED)])
def test_codes(code: str, end: Exit, capsys: pytest.CaptureFixture[str]) -> None:
    """For people on the stream that fits, for programs always on stdout."""
    result = {"ok": code == "ok", "code": code, "text": "said", "now": {"a": 1}}
    assert tell(result, "text") == end
    told = capsys.readouterr()
    assert ("said" in told.out, "said" in told.err) == (code == "ok", code != "ok")
    assert tell(result, "json") == end
    assert json.loads(capsys.readouterr().out) == {"schema": "meshctl.result/1", **result}
