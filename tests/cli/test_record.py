"""Recordings of what a proxy tells."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from appliance.cli.exits import Exit
from appliance.cli.record import Taking, record, replay
from appliance.wire.codec import delta_in, state_in
from appliance.wire.delta import State, apply
from appliance.wire.recording import index, read
from tests.kit.feeds import FakeFeed


def told(seconds: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"k": "snap", "m": 0, "up": {"a": {"n": 0}}}]
    rows.append(
        {"k": "events", "items": [{"eid": 5, "t": 0, "text": "192.0.2.1 was ended", "peer": "192.0.2.1"}]}
    )
    rows += [
        {"k": "delta", "m": 1000 * m, "set": {"up": {"a": {"n": m}}}, "del": {}} for m in range(1, seconds)
    ]
    return rows


async def test_it_can_be_read_from_every_half_minute(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And ends at the same state wherever one begins."""
    path = tmp_path / "x.meshrec"
    assert await record(FakeFeed(told(200)), Taking(str(path), 100.0)) == Exit.OK  # type: ignore[arg-type]
    with path.open("rb") as file:
        places = index(file)
        assert [m for m, _ in places] == [0, 30_000, 60_000, 90_000]
        for _, offset in places:
            state: State = {}
            for frame in read(file, offset):
                if frame["k"] == "snap":
                    state = state_in(frame)
                elif frame["k"] == "delta":
                    state = apply(state, delta_in(frame))
            assert state == {"up": {"a": {"n": 100}}}


async def test_clients_are_masked_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their address is nowhere in the file, and the file says so."""
    path = tmp_path / "x.meshrec"
    await record(FakeFeed(told(5)), Taking(str(path), 3.0, mask=True))  # type: ignore[arg-type]
    with path.open("rb") as file:
        text = json.dumps(list(read(file)))
    assert "192.0.2.1" not in text
    assert "masked was ended" in text
    assert "addresses of clients are masked" in text


async def test_the_past_comes_first_and_events_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The live stream is asked for from where the past ends."""
    past = [{"k": "snap", "m": -5000}, {"k": "events", "items": [{"eid": 3}, {"eid": 4}]}]
    feed = FakeFeed(told(5), {"history": past})
    await record(feed, Taking(str(tmp_path / "x"), 3.0, past=60.0))  # type: ignore[arg-type]
    assert feed.asked[0] == ("history", {"from_": -60_000.0})
    assert feed.asked[2][3] == 4
    with (tmp_path / "x").open("rb") as file:
        assert [frame["k"] for frame in read(file)][:3] == ["hello", "snap", "events"]


async def test_reports_of_trips_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of the past, and those of breakers that open meanwhile."""
    rows = [*told(3), {"k": "events", "items": [{"eid": 6, "trip": "tr-2"}]}, {"k": "delta", "m": 9000}]
    answers = {"trips": [{"trip": "tr-1"}], "trip": {"ok": True, "now": {"trip": "tr-2"}}}
    await record(FakeFeed(rows, answers), Taking(str(tmp_path / "x"), 5.0, past=60.0))  # type: ignore[arg-type]
    with (tmp_path / "x").open("rb") as file:
        assert [frame["trip"]["trip"] for frame in read(file) if frame["k"] == "trip"] == ["tr-1", "tr-2"]


async def test_what_is_there_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless it is forced; a place that cannot be written is told."""
    path = tmp_path / "x"
    path.write_text("dear")
    assert await record(FakeFeed(told(3)), Taking(str(path), 1.0)) == Exit.USAGE  # type: ignore[arg-type]
    assert path.read_text() == "dear"
    assert await record(FakeFeed(told(3)), Taking(str(path), 1.0, force=True)) == Exit.OK  # type: ignore[arg-type]
    nowhere = Taking(str(tmp_path / "no" / "x"), 1.0)
    assert await record(FakeFeed(told(3)), nowhere) == Exit.FAILED  # type: ignore[arg-type]


async def test_a_full_disk_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """In a sentence."""
    wanted = Taking("/dev/full", 100.0, force=True)
    assert await record(FakeFeed(told(200)), wanted) == Exit.FAILED  # type: ignore[arg-type]
    assert "No space left" in capsys.readouterr().err


async def test_hostile_times_are_no_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording may come from anywhere."""
    path = tmp_path / "x.meshrec"
    lines = ('{"k":"hello"}', '{"k":"snap","m":1e999,"proxy":{}}', '{"k":"delta","m":-1e999}')
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    for speed in (0.0, 1.0):
        assert replay(str(path), "text", speed) == Exit.OK


async def test_it_is_told_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In sentences with a summary every ten seconds, or as frames."""
    path = tmp_path / "x"
    await record(FakeFeed(told(30)), Taking(str(path), 25.0))  # type: ignore[arg-type]
    capsys.readouterr()
    assert replay(str(path), "text", 0.0) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert sum("requests/s" in line for line in lines) == 3
    assert sum("192.0.2.1 was ended" in line for line in lines) == 1
    assert replay(str(path), "jsonl", 1000.0) == Exit.OK
    assert json.loads(capsys.readouterr().out.splitlines()[0])["k"] == "hello"
    assert replay(str(tmp_path / "none"), "text", 0.0) == Exit.FAILED
