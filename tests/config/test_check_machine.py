"""What the machine lacks of what a profile names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.config.check_machine import check_machine
from appliance.config.diagnostic import Diagnostic
from appliance.config.load import load_profile
from tests.kit.machines import FakeMachine

BAD = Path(__file__).parent / "corpus" / "bad"
BASE = 'meshctl: 1\nlisteners: {web: {bind: "%s"}}\nroutes: [{name: a, respond: {status: 204}}]\n%s\n'


def found(
    bind: str = ":8080", rest: str = "", machine: FakeMachine | None = None, env: dict[str, str] | None = None
) -> list[Diagnostic]:
    """Give what the machine has to say of a profile, and only that."""
    loaded = load_profile("etc/a.yaml", text=(BASE % (bind, rest)).encode(), env=env or {})
    assert loaded.merged is not None
    before = {id(diagnostic) for diagnostic in loaded.diagnostics}
    check_machine(loaded.merged, machine or FakeMachine(), loaded.diagnostics)
    return [diagnostic for diagnostic in loaded.diagnostics if id(diagnostic) not in before]


def codes(bind: str = ":8080", rest: str = "", machine: FakeMachine | None = None) -> list[str]:
    return [diagnostic.code for diagnostic in found(bind, rest, machine)]


def _corpus() -> list[str]:
    return [path.name for path in sorted(BAD.glob("mc6*.yaml")) if path.name[:5] >= "mc604"]


@pytest.mark.parametrize("name", _corpus())
def test_the_corpus_is_told_word_for_word(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The golden texts hold for the fake machine; set UPDATE_GOLDEN=1 to write them anew."""
    monkeypatch.chdir(BAD)
    loaded = load_profile(name, env={})
    assert loaded.merged is not None
    assert len(loaded.diagnostics) == 0
    check_machine(loaded.merged, FakeMachine(), loaded.diagnostics)
    golden = BAD / f"{name.removesuffix('.yaml')}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(loaded.diagnostics.render())
    assert loaded.diagnostics.render() == golden.read_text()
    assert {diagnostic.code for diagnostic in loaded.diagnostics} == {name[:5].upper()}


def test_the_corpus_has_each_code() -> None:
    """From the first rule about the machine to the last."""
    assert {name[:5] for name in _corpus()} == {f"mc{number}" for number in range(604, 616)}


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        (":1024", []),
        (":1023", ["MC610"]),
        ("localhost:80", ["MC610"]),
        (":0", []),
        ("fd:web", []),
        ("unix:/tmp/web.sock", []),
    ],
)
def test_low_ports_take_a_privilege(bind: str, expected: list[str]) -> None:
    """Below the bound of the machine; port 0 and what is no port are free."""
    assert codes(bind) == expected
    assert codes(bind, machine=FakeMachine(lowest_port=0)) == []


def test_the_stats_port_counts_too() -> None:
    """It cannot be a passed socket, so that is not advised."""
    (low,) = found(rest="stats: {listen: 127.0.0.1:99}")[-1:]
    assert (low.code, low.path) == ("MC610", "stats.listen")
    assert "fd:" not in low.help
    assert "fd:" in found(":99")[0].help


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("192.0.2.17:8080", ["MC611"]),
        ("[2001:db8::1]:8080", ["MC611"]),
        ("127.0.0.9:8080", []),
        ("[::1]:8080", []),
        ("0.0.0.0:8080", []),
        ("[::]:8080", []),
        ("edge.example.com:8080", []),
    ],
)
def test_addresses_of_others_cannot_be_bound(bind: str, expected: list[str]) -> None:
    """Literal ones are asked about; all of them at once, and names, are not."""
    assert codes(bind) == expected
    assert codes(bind, machine=FakeMachine(addresses=("192.0.2.17", "2001:db8::1"))) == []


@pytest.mark.parametrize(("files", "expected"), [(1024, []), (1023, ["MC612"]), (None, [])])
def test_a_connection_takes_two_files(files: int | None, expected: list[str]) -> None:
    """One for each side."""
    assert codes(rest="process: {max_connections: 512}", machine=FakeMachine(files=files)) == expected


def test_connections_that_are_not_written_are_not_counted() -> None:
    """The default goes by the limit itself."""
    assert codes(machine=FakeMachine(files=1)) == []


def test_names_are_looked_up_together_and_once() -> None:
    """Addresses are no names; a name in two places is told where it stands first."""
    machine = FakeMachine()
    endpoints = (
        "[b.invalid:1, 10.0.0.1:1, {address: 'dns:a.example:1'}, 'dns:b.invalid:2', '[::1]:1', unix:/a.sock]"
    )
    (told,) = found(rest=f"upstreams: {{app: {{endpoints: {endpoints}}}}}", machine=machine)
    assert machine.asked == ["b.invalid", "a.example"]
    assert (told.code, told.path) == ("MC613", "upstreams.app.endpoints[0]")


def test_without_names_nothing_is_looked_up() -> None:
    """A profile of addresses needs no resolver."""
    machine = FakeMachine()
    assert found(rest="upstreams: {app: {endpoints: [10.0.0.1:1]}}", machine=machine) == []
    assert machine.asked == []


@pytest.mark.parametrize(
    "rest",
    [
        "access_log: {to: /denied/a.log}",
        "stats: {socket: /missing/a.sock}",
        "access_log: {to: ../../denied/a}",
    ],
)
def test_places_must_be_writable(rest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the log and of sockets; relative ones begin at the profile."""
    monkeypatch.setattr(
        FakeMachine, "unwritable_directory", lambda _, path: "" if path in ("etc", ".") else path
    )
    (told,) = found(rest=rest)
    assert told.code == "MC614"
    assert told.severity == "warning"


@pytest.mark.parametrize("to", ["stdout", "stderr", "false", "a.log"])
def test_logs_that_need_no_directory(to: str) -> None:
    """What is open already, what is nowhere, and what is beside the profile."""
    assert codes(rest=f"access_log: {{to: {to}}}") == []


def test_relative_places_begin_at_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Like every path in it."""
    asked: list[str] = []
    monkeypatch.setattr(FakeMachine, "unwritable_directory", lambda _, path: asked.append(path) or "")
    monkeypatch.setattr(FakeMachine, "unwritable_file", lambda _, path: asked.append(path) or "")
    found("unix:/run/web.sock", "access_log: {to: log/a}\nstats: {socket: s.sock}")
    assert asked == ["etc/log/a", "/run", "etc"]


@pytest.mark.parametrize(("group", "expected"), [("ops", []), ("opps", ["MC615"])])
def test_groups_must_exist(group: str, expected: list[str]) -> None:
    """A warning, as nothing is open to anybody then."""
    told = found(rest=f"stats: {{socket_group: {group}}}")
    assert [diagnostic.code for diagnostic in told] == expected
    assert all(diagnostic.severity == "warning" for diagnostic in told)


def test_what_came_from_the_environment_is_not_shown() -> None:
    """Only the `${...}` that asked for it."""
    env = {"PORT": "77", "HOST": "hidden.invalid", "DIR": "/denied/hidden", "GROUP": "hidden", "N": "7777"}
    rest = (
        "process: {max_connections: '${N}'}\nupstreams: {app: {endpoints: ['${HOST}:1']}}\n"
        "access_log: {to: '${DIR}/a'}\nstats: {socket_group: '${GROUP}'}"
    )
    told = found("192.0.2.1:${PORT}", rest, env=env)
    assert {diagnostic.code for diagnostic in told} == {"MC610", "MC611", "MC612", "MC613", "MC614", "MC615"}
    for diagnostic in told:
        words = f"{diagnostic.message} {diagnostic.label} {diagnostic.help}"
        assert "hidden" not in words
        assert "77" not in words


def test_half_a_profile_is_checked_as_far_as_it_goes() -> None:
    """Values that could not be read are not there; the others are."""
    text = "listeners: {web: {bind: 7}, low: {bind: ':80'}}\nupstreams: {a: {endpoints: 3}}\nstats: []\n"
    loaded = load_profile("a.yaml", text=text.encode(), env={})
    assert loaded.merged is not None
    check_machine(loaded.merged, FakeMachine(), loaded.diagnostics)
    assert "MC610" in {diagnostic.code for diagnostic in loaded.diagnostics}
