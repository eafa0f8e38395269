"""``meshctl run`` up to the moment it serves; serving itself is in tests/live."""

from __future__ import annotations

import resource
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.cli.exits import Exit
from appliance.cli.run import connection_limit, run
from appliance.config.load import load
from appliance.config.plan import Plan, ProcessPlan

PROFILE = """
meshctl: 1
process: {{max_connections: {connections}}}
listeners: {{web: {{bind: "127.0.0.1:{port}"{listener}}}}}
routes: [{{name: all, to: app}}]
upstreams: {{app: {{endpoints: ["127.0.0.1:1"]{upstream}}}}}
"""


def write(
    folder: Path, *, port: int = 0, listener: str = "", upstream: str = "", connections: int = 5
) -> str:
    path = folder / "edge.yaml"
    path.write_text(PROFILE.format(port=port, listener=listener, upstream=upstream, connections=connections))
    return str(path)


def plan_of(path: str) -> Plan:
    plan, diagnostics = load(path)
    assert plan is not None, diagnostics.render(colour=False)
    return plan


def test_a_wrong_profile_does_not_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3, with the diagnostics on stderr."""
    path = write(tmp_path, upstream=", nonsense: 1")
    assert run(path) == Exit.INVALID_PROFILE
    assert "nonsense" in capsys.readouterr().err


def test_a_port_in_use_does_not_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 4, naming the address and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(write(tmp_path, port=port)) == Exit.CANNOT_START
    err = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in err
    assert "choose another port" in err


def test_what_is_not_built_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One warning with every key and its line; the proxy would start."""
    path = write(tmp_path)
    Path(path).write_text(Path(path).read_text() + "tracing: {sample: 5%}\nstats: {rate: 1/s}\n")
    assert run(path, check_only=True) == Exit.OK
    err = capsys.readouterr().err
    assert err.count("does not act on") == 1
    assert "tracing (line" in err
    assert "stats" not in err


def test_checking_only_looks_at_the_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `validate` does."""
    path = write(tmp_path, upstream=", health: {protocol: tcp}")
    Path(path).write_text(Path(path).read_text().replace("endpoints: [", "endpoints: [nowhere.invalid:80, "))
    assert run(path, check_only=True) == Exit.OK
    assert "warning[MC613]" in capsys.readouterr().err


def test_a_stats_socket_that_cannot_be_made_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the profile says where it is to be; listeners that were bound already are let go."""
    path = write(tmp_path)
    Path(path).write_text(Path(path).read_text() + "stats: {socket: /nowhere/at/all/x.sock}\n")
    assert run(path) == Exit.CANNOT_START
    assert "cannot make the directory /nowhere/at/all" in capsys.readouterr().err


def test_connections_are_bounded_by_descriptors(tmp_path: Path) -> None:
    """The profile's number holds; without one it is 10,000, or half of the descriptors if that is less."""
    plan = plan_of(write(tmp_path, connections=7))
    assert connection_limit(plan) == 7
    half = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
    assert connection_limit(replace(plan, process=ProcessPlan())) == min(10_000, half)
