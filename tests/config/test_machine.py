"""The questions to a machine, and the two that answer them."""

from __future__ import annotations

import inspect

import pytest

from appliance.cli.machine import ThisMachine
from appliance.config.machine import Machine
from tests.kit.machines import FakeMachine


def questions(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in vars(kind).items()
        if callable(method) and name[0] != "_"
    }


@pytest.mark.parametrize("machine", [ThisMachine, FakeMachine])
def test_every_question_has_an_answer(machine: type) -> None:
    """With the parameters that the checks use, so that no check meets a machine that cannot answer."""
    asked, answered = questions(Machine), questions(machine)
    assert asked
    for name, signature in asked.items():
        assert list(answered[name].parameters) == list(signature.parameters), name


def test_the_fake_machine_is_always_the_same() -> None:
    """Its answers come from its tables, whatever machine the tests run on."""
    machine: Machine = FakeMachine(groups=("ops",), addresses=("192.0.2.1",), modes={"a.key": 0o640})
    assert machine.now() == machine.now()
    assert (machine.unprivileged_port(), machine.file_limit()) == (1024, 1024)
    assert [machine.has_address(host) for host in ("127.0.0.2", "::1", "192.0.2.1", "192.0.2.2")] == [
        True,
        True,
        True,
        False,
    ]
    assert machine.unresolved(["a.invalid", "a.example"]) == {"a.invalid"}
    assert [machine.group_exists(name) for name in ("ops", "dev")] == [True, False]
    assert [machine.rights(name) for name in ("x/a.key", "b.key", "open.key")] == [0o640, 0o600, 0o644]
    assert machine.unwritable_file("/missing/log") == "no such directory"
    assert machine.unwritable_directory("/denied") == "permission denied"
    assert machine.unwritable_directory("here") == ""
