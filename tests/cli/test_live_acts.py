"""The commands that act on a running proxy, as users run them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.kit.running import Edge, edge


@pytest.fixture
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """A proxy of which nobody has asked anything."""
    with edge(tmp_path_factory.mktemp("edge")) as found:
        yield found


def test_breakers_are_listed_forced_and_cleared(running: Edge) -> None:
    """With reasons that stand in the events; the end of a name is enough."""
    out = running.meshctl("breaker", "list").stdout
    assert len(re.findall(r"app/unix:\S+ +closed +0/5 in a row", out)) == 2
    done = running.meshctl(
        "breaker",
        "open",
        "app/unix:" + str(running.home) + "/a.sock",
        "--for",
        "1m",
        "--reason",
        "why not",
        "--yes",
    )
    assert "forced breaker" in done.stdout
    assert "forced open" in running.meshctl("breaker", "list").stdout
    shown = running.meshctl("breaker", "show", f"unix:{running.home}/a.sock").stdout
    assert "why not" in shown
    assert "why not" in running.meshctl("events", "--kind", "audit").stdout
    found = json.loads(running.meshctl("breaker", "list", "--format", "json").stdout)
    assert found["breakers"][f"app/unix:{running.home}/a.sock"]["forced"]["reason"] == "why not"
    running.meshctl("breaker", "clear", f"unix:{running.home}/a.sock", "--yes")
    running.meshctl("breaker", "clear", f"unix:{running.home}/a.sock", "--yes", code=7)
    running.meshctl("breaker", "close", f"unix:{running.home}/a.sock", "--yes")
    running.meshctl("breaker", "reset", f"unix:{running.home}/a.sock", "--yes")
    assert "there is no breaker nobody" in running.meshctl("breaker", "show", "nobody", code=7).stderr
    running.meshctl("breaker", "wait", f"unix:{running.home}/a.sock", "closed")
    running.meshctl("breaker", "wait", f"unix:{running.home}/a.sock", "open", "--within", "300ms", code=8)


def test_without_a_terminal_nothing_is_done_unasked(running: Edge) -> None:
    """The plan is told, with what to say instead."""
    name = f"unix:{running.home}/a.sock"
    told = running.meshctl("breaker", "open", name, code=2)
    assert "would force breaker" in told.stderr
    assert "--yes" in told.stderr
    assert "would force" in running.meshctl("breaker", "open", name, "--dry-run").stdout
    assert "forced" not in running.meshctl("breaker", "list").stdout


def test_why_it_opened(running: Edge) -> None:
    """The report: rule, requests, endpoints, setting."""
    assert "has opened so far" in running.meshctl("breaker", "report", code=7).stderr
    running.get("/ill", 12)
    out = running.meshctl("breaker", "report").stdout
    assert "5 failures in a row (tr-" in out
    assert out.count("GET /ill") == 5
    assert "breaker.failure_threshold: 5 (default)" in out
    found = json.loads(running.meshctl("breaker", "report", "tr-000001", "--format", "json").stdout)
    assert (found["schema"], found["trip"]) == ("meshctl.trip/1", "tr-000001")


def test_endpoints_are_drained_weighed_and_checked(running: Edge) -> None:
    """By either name of the command; the last one only if it is meant."""
    a, b = (f"app/unix:{running.home}/{name}.sock" for name in "ab")
    assert (
        "drained endpoint" in running.meshctl("drain", a, "--yes", "--wait", "5s", "--reason", "swap").stdout
    )
    out = running.meshctl("endpoint", "list").stdout
    assert re.search(r"a\.sock +drained .*swap", out)
    assert "last usable" in running.meshctl("endpoint", "drain", b, "--yes", code=7).stderr
    running.meshctl("undrain", a, "--yes")
    running.meshctl("endpoint", "undrain", a, "--yes", code=7)
    running.meshctl("endpoint", "weight", b, "3", "--yes")
    assert re.search(r"weight +3", running.meshctl("endpoint", "show", b).stdout)
    assert "no health checks" in running.meshctl("endpoint", "check", a, code=7).stderr


def test_observers_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With 6, when the profile allows nobody to act."""
    with edge(tmp_path_factory.mktemp("edge"), ', actions: "false"') as locked:
        name = f"unix:{locked.home}/a.sock"
        locked.meshctl("breaker", "list")
        assert "needs an operator" in locked.meshctl("breaker", "open", name, "--yes", code=6).stderr
        locked.meshctl("reload", "--yes", code=6)


def test_help_names_the_commands(running: Edge) -> None:
    """A bare group shows what there is."""
    assert "report" in running.meshctl("breaker", "--help").stdout
    assert "drain" in running.meshctl("endpoint", "-h").stdout
    running.meshctl("breaker", "open", "x", "--for", "soon", code=2)
