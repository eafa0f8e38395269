"""Names of breakers and endpoints, and waiting for a state; all else is seen in test_live_acts."""

from __future__ import annotations

import pytest
import trio

from appliance.cli.breaker import Choice, change, show, wait_for
from appliance.cli.exits import Exit
from tests.kit.feeds import FakeFeed

SNAP = {
    "k": "snap",
    "m": 0,
    "br": {"app/a:1": {"st": "open", "since": 5}, "app/b:1": {"st": "closed"}, "own/a:1": {}},
}


@pytest.mark.parametrize(
    ("name", "found"),
    [("app/a:1", "app/a:1"), ("b:1", "app/b:1"), ("own", "own/a:1"), ("a:1", ""), ("app", ""), ("x", "")],
)
async def test_the_end_or_the_beginning_is_enough_if_one_fits(
    name: str, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of several that fit none is taken."""
    feed = FakeFeed([SNAP])
    code = await change(feed, Choice("br", name, "breaker.reset", {}, yes=True))  # type: ignore[arg-type]
    assert code == (Exit.OK if found else Exit.CONFLICT)
    acts = [args for op, args, *_ in feed.asked if op == "breaker.reset"]
    assert acts == ([{"breaker": found}] if found else [])


async def test_what_was_seen_goes_along(capsys: pytest.CaptureFixture[str]) -> None:
    """So that the proxy can say that it is not so any more."""
    feed = FakeFeed([SNAP])
    await change(feed, Choice("br", "app/a:1", "breaker.reset", {}, yes=True))  # type: ignore[arg-type]
    assert feed.asked[-1][2]["expect"] == {"st": "open", "since": 5}


async def test_waiting(autojump_clock: trio.abc.Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Until it is so; when it is gone that is told."""
    frames = [SNAP, {"k": "delta", "m": 9, "set": {"br": {"app/a:1": {"st": "half_open"}}}, "del": {}}]
    assert await wait_for(FakeFeed(frames), "br", "app/a:1", "half_open", 5) == Exit.OK  # type: ignore[arg-type]
    gone = [SNAP, {"k": "delta", "m": 9, "set": {}, "del": {"br": ["app/a:1"]}}]
    assert await wait_for(FakeFeed(gone), "br", "app/a:1", "closed", 5) == Exit.CONFLICT  # type: ignore[arg-type]


async def test_one_is_shown_field_by_field(capsys: pytest.CaptureFixture[str]) -> None:
    """Hostile values are escaped."""
    evil = {"k": "snap", "m": 0, "br": {"x": {"forced": {"by": "\x1b[31m"}, "st": None}}}
    assert await show(FakeFeed([evil]), "br", "text", "x") == Exit.OK  # type: ignore[arg-type]
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "by \\x1b[31m" in out
