"""The commands that look at a running proxy, as users run them: output, formats, exit codes."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.running import Edge, edge


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """A proxy that has answered some requests well, and some not."""
    with edge(tmp_path_factory.mktemp("edge")) as found:
        found.get("/well", 5)
        found.get("/ill", 12)
        time.sleep(1.1)  # a tick of the recorder
        yield found


def test_stats_is_a_table(running: Edge) -> None:
    """With a sentence first, and each set below it."""
    out = running.meshctl("stats").stdout
    assert re.match(r"edge: .* requests/s, .*failed", out)
    for word in ("ROUTE", "UPSTREAM", "ENDPOINT", "BREAKER", "well", "app"):
        assert word in out
    assert re.search(r"app/unix:.*a\.sock +open", out)


def test_stats_for_programs(running: Edge) -> None:
    """JSON, JSON lines, CSV, and what Prometheus scrapes."""
    found = json.loads(running.meshctl("stats", "--format", "json").stdout)
    assert (found["schema"], found["rt"]["well"]["tot"]) == ("meshctl.stats/1", 5)
    lines = running.meshctl(
        "stats", "--format", "jsonl", "--every", "300ms", "--count", "2"
    ).stdout.splitlines()
    assert [json.loads(line)["rt"]["ill"]["tot"] for line in lines] == [12, 12]
    rows = list(
        csv.DictReader(running.meshctl("stats", "--format", "csv", "--set", "rt").stdout.splitlines())
    )
    assert {"set": "rt", "name": "well", "field": "tot", "value": "5"} in rows
    assert {row["set"] for row in rows} == {"proxy", "rt"}
    text = running.meshctl("stats", "--format", "prometheus").stdout
    assert 'meshctl_route_requests_total{code="2xx",route="well"} 5.0' in text


def test_stats_of_what_matches(running: Edge) -> None:
    """A mistake in the filter says where."""
    out = running.meshctl("stats", "--set", "rt", "--where", "name=ill").stdout
    assert "ill" in out
    assert "well" not in out
    wrong = running.meshctl("stats", "--where", "name>", code=2)
    assert "column 6" in wrong.stderr
    assert "there are" in running.meshctl("stats", "--set", "nonsense", code=2).stderr


def test_events(running: Edge) -> None:
    """What has happened, of the kinds that are asked for."""
    out = running.meshctl("events", "--kind", "breaker").stdout
    assert len(out.splitlines()) == 2
    assert all("open for 30s: 5 failures in a row" in line for line in out.splitlines())
    rows = [json.loads(line) for line in running.meshctl("events", "--format", "jsonl").stdout.splitlines()]
    assert [row["eid"] for row in rows] == list(range(1, len(rows) + 1))
    assert running.meshctl("events", "--after", str(rows[-1]["eid"])).stdout == ""
    running.meshctl("events", "--after", "yesterday", code=2)


def test_watch_goes_on_until_it_is_told(running: Edge) -> None:
    """Line by line; ctrl-c ends it with 130, SIGTERM with 143."""
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance", "watch", running.socket, "--every", "1s"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().startswith("watching edge, ")
        assert re.match(r"[0-9:]{8} edge: .*; breakers: 2 open", process.stdout.readline())
        process.send_signal(number)
        assert process.wait(20) == code
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        process.stdout.close()
        process.stderr.close()


def test_watch_ends_when_nobody_reads(running: Edge) -> None:
    """As other tools in a pipe."""
    command = f"{sys.executable} -m appliance watch {running.socket} --every 200ms | head -1"
    ran = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.startswith("watching edge")
    assert "Traceback" not in ran.stderr


def test_tap_shows_requests(running: Edge) -> None:
    """Those that match, as text, JSON or curl; then it ends."""
    for format, said in (
        ("text", " GET a/ill "),
        ("jsonl", '"path": "/ill"'),
        ("curl", "curl -sv -X GET http://a/ill"),
    ):
        process = subprocess.Popen(
            [
                sys.executable, "-m", "appliance", "tap", running.socket, "--match", "status>=500",
                "--count", "2", "--format", format, "--for", "20s",
            ],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while process.poll() is None:
            running.get("/well")
            running.get("/ill")
            time.sleep(0.1)
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert len(out.splitlines()) == 2
        assert all(said in line for line in out.splitlines()), out
        assert "tap ended" in err
    wrong = running.meshctl("tap", "--match", "status>", code=2)
    assert wrong.stderr.splitlines()[:2] == ["--match: status>", "                ^"]
    running.meshctl("tap", "--sample", "3", code=2)
    running.meshctl("tap", "--max", "fast", code=2)


def test_why_tells_of_one_request(running: Edge) -> None:
    """From the proxy if it went wrong, from the log in any case."""
    ill, well = running.get("/ill"), running.get("/well")
    out = running.meshctl("why", ill).stdout
    assert re.search(r"because +(no-endpoint|connect-failed)", out)
    assert re.search(r"route +ill", out)
    assert json.loads(running.meshctl("why", ill[-8:], "--format", "json").stdout)["rid"] == ill
    missing = running.meshctl("why", well, code=7)
    assert "--log FILE" in missing.stderr
    log = str(running.home / "log.jsonl")
    end = time.monotonic() + 10
    while well not in Path(log).read_text() and time.monotonic() < end:
        time.sleep(0.05)
    out = running.meshctl("why", well, "--log", log, target=False).stdout
    assert re.search(r"answered +200", out)
    assert "because" not in out
    assert re.search(
        r"because +(no-endpoint|connect-failed)", running.meshctl("why", ill, "--log", log).stdout
    )
    running.meshctl("why", "0" * 20, "--log", log, code=7)
    running.meshctl("why", "abc", code=2)
    running.meshctl("why", well, "--log", "/nowhere", code=2)


def test_a_recording_is_made_and_told_again(running: Edge) -> None:
    """It has the past, too; it is not overwritten by accident."""
    path = str(running.home / "x.meshrec")
    running.meshctl("record", "-o", path, "--for", "500ms", "--past", "5m")
    assert "is there already" in running.meshctl("record", "-o", path, code=2).stderr
    running.meshctl("record", code=2)
    out = running.meshctl("replay", path, target=False).stdout
    assert re.search(r"edge: .*breakers: 2 open", out)
    assert "open for 30s: 5 failures in a row" in out
    frames = [
        json.loads(line) for line in running.meshctl("replay", path, "--format", "jsonl").stdout.splitlines()
    ]
    assert [frame["k"] for frame in frames[:2]] == ["hello", "snap"]
    assert {"delta", "events"} <= {frame["k"] for frame in frames}
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert "no recording" in running.meshctl("replay", str(running.profile), code=1).stderr


def test_targets(running: Edge, tmp_path: Path) -> None:
    """A path, a name in the standard directory, nothing where one runs; else what there is."""
    running.meshctl("stats", running.socket, target=False)
    assert "there is no proxy nobody" in running.meshctl("stats", "nobody", code=5, target=False).stderr
    gone = running.meshctl("stats", str(tmp_path / "none.sock"), code=5).stderr
    assert "is the proxy running?" in gone
    assert running.meshctl("stats", "127.0.0.1:1", code=5).stderr
    assert running.meshctl("stats", "ssh://", code=2).stderr
    assert running.meshctl("stats", running.socket, code=2, environ={"MESHCTL_TOKEN_FILE": "/none"}).stderr


def test_stdio_is_a_bridge(running: Edge) -> None:
    """What goes in comes to the socket, what the socket says comes out."""
    ran = subprocess.run(
        [sys.executable, "-m", "appliance", "stats", running.socket, "--stdio"],
        input=b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0
    assert ran.stdout.endswith(b"ok\n")


def test_ssh_is_spoken_through(running: Edge, tmp_path: Path) -> None:
    """Here through a program that takes the place of ssh and runs what it is told to run."""
    ssh = tmp_path / "ssh"
    ssh.write_text(
        f'#!/bin/sh\nshift 3\neval "set -- $*"; shift 1\n'
        f'exec {sys.executable} -m appliance "$@" {running.socket}\n'
    )
    ssh.chmod(0o755)
    out = running.meshctl("stats", "ssh://box", environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"}).stdout
    assert out.startswith("edge: ")


def test_running_profiles_are_compared_and_reloaded(running: Edge) -> None:
    """A change is shown and loaded, a mistake is told with 3 and changes nothing."""
    usual = running.profile.read_text()
    try:
        running.profile.write_text(usual.replace("body: well", "body: better"))
        assert "routes.well" in running.meshctl("diff", "--running").stdout
        assert "routes.well" in running.meshctl("reload", "--dry-run").stdout
        told = json.loads(running.meshctl("reload", "--yes", "--format", "json").stdout)
        assert (told["ok"], told["gen"], [row["path"] for row in told["changes"]]) == (
            True,
            2,
            ["routes.well.respond.body"],
        )
        running.profile.write_text(usual.replace("meshctl: 1", "meshctl: 1\nnonsense: 1"))
        wrong = running.meshctl("reload", "--yes", code=3)
        assert "nonsense" in wrong.stderr
        assert "not reloaded" in wrong.stderr
    finally:
        running.profile.write_text(usual)
        running.meshctl("reload", "--yes")
    running.meshctl("diff", code=2)
