"""What a proxy is like: which things, in which format, how often."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appliance.cli.exits import Exit
from appliance.cli.stats import Showing, stats
from appliance.wire.filter import FilterError
from tests.kit.feeds import FakeFeed


def told() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "k": "snap",
            "m": 0,
            "proxy": {"rps": 3, "err": 0.5},
            "up": {"b": {"rps": 1, "err": 0.2}, "a\x1b": {"rps": 2, "err": 0.0}},
            "br": {"a/1": {"st": "open", "until": 5000}},
        }
    ]
    return rows + [{"k": "delta", "m": m, "set": {}, "del": {}} for m in range(250, 10_000, 250)]


async def test_a_table_for_each_set_that_has_something(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of names, escaped."""
    assert await stats(FakeFeed(told()), Showing()) == Exit.OK  # type: ignore[arg-type]
    out = capsys.readouterr().out
    assert "50% failed" in out
    assert out.index("a\\x1b") < out.index("\nb ")
    assert "half-open in 5s" in out
    assert "ROUTE" not in out


async def test_only_what_matches(capsys: pytest.CaptureFixture[str]) -> None:
    """By the words of things; a breaker's state is a state, too."""
    await stats(FakeFeed(told()), Showing(("up", "br"), "err>10% or state=open", "json"))  # type: ignore[arg-type]
    found = json.loads(capsys.readouterr().out)
    assert (list(found["up"]), list(found["br"])) == (["b"], ["a/1"])
    with pytest.raises(FilterError):
        await stats(FakeFeed(told()), Showing(where="err>"))  # type: ignore[arg-type]


async def test_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    """At the times that were asked for, so many times."""
    await stats(FakeFeed(told()), Showing(("up",), "", "jsonl", 2.0, 3))  # type: ignore[arg-type]
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["m"] for row in rows] == [0, 2000, 4000]


async def test_csv_has_one_head(capsys: pytest.CaptureFixture[str]) -> None:
    """And a line for each value."""
    await stats(FakeFeed(told()), Showing(("up",), "", "csv", 1.0, 2))  # type: ignore[arg-type]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "set,name,field,value"
    assert lines.count("set,name,field,value") == 1
    assert lines.count("up,b,err,0.2") == 2
    assert "up,a\\x1b,rps,2" in lines


async def test_routes_stand_in_the_order_in_which_they_are_tried(capsys: pytest.CaptureFixture[str]) -> None:
    """Also when one has come in between."""
    rows = {"all": {"pos": 1, "rps": 0}, "new": {"pos": 0, "rps": 0}}
    feed = FakeFeed([{"k": "snap", "m": 0, "proxy": {}, "rt": rows}])
    await stats(feed, Showing(sets=("rt",), format="json"))  # type: ignore[arg-type]
    assert list(json.loads(capsys.readouterr().out)["rt"]) == ["new", "all"]
