"""Taps and reports of requests; what is seen on a real proxy stands in test_live."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.cli.exits import Exit
from appliance.cli.tap import Tapping, tap, why_logged
from tests.kit.feeds import FakeFeed

ROW = {"rid": "abcdef", "t": 0, "st": 503, "me": "GET", "path": "/\x1b[2J", "host": "a"}
TOLD = [
    {"k": "delta", "m": 1},
    {"k": "tap", "items": [ROW, "hostile"], "over": False},
    {"k": "tap", "items": [], "over": True, "seen": 9, "dropped": 8},
]


async def test_requests_are_printed_until_it_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    """Escaped; how many were not shown is told on stderr."""
    feed = FakeFeed(TOLD)
    assert await tap(feed, Tapping("status>=500", 10, 5.0, 60.0, 3)) == Exit.OK  # type: ignore[arg-type]
    assert feed.asked[1][1] == {
        "match": "status>=500", "sample": 10, "id": "tap", "rate": 5.0, "ttl": 60_000.0, "count": 3,
    }  # fmt: skip
    told = capsys.readouterr()
    assert "GET a/\\x1b[2J" in told.out
    assert "9 requests matched, 8 were over the rate" in told.err


async def test_a_filter_that_is_wrong_is_pointed_at(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, at its column."""
    wrong = {"ok": False, "code": "invalid", "text": "a value is missing", "now": {"column": 3}}
    assert await tap(FakeFeed(answers={"tap.start": wrong}), Tapping("st>")) == Exit.USAGE  # type: ignore[arg-type]
    assert capsys.readouterr().err.splitlines()[:2] == ["--match: st>", "            ^"]


def test_the_log_is_read_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that are no records are passed over; the last one of the id counts."""
    lines = [
        "nonsense abcdef",
        json.dumps(["abcdef"]),
        json.dumps({"id": "xxabcdef", "status": 200, "ms": 5, "head_ms": 2}),
    ]
    (tmp_path / "log").write_text("\n".join(lines))
    assert why_logged("abcdef", str(tmp_path / "log"), "json") == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["rid"], found["st"], found["ph"], found["t"]) == ("xxabcdef", 200, {"body": 3}, None)
    assert why_logged("nobody1", str(tmp_path / "log"), "text") == Exit.CONFLICT
