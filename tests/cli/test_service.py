"""Signs to a service manager, and whether there is a terminal."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest
import trio

from appliance.cli.service import has_terminal, keep_alive, notify, notify_reloading, watchdog_interval


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager that listens."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield sock


def test_a_manager_is_told(manager: socket.socket) -> None:
    """Each state as one datagram; a reload with its time, as sd_notify(3) wants for Type=notify-reload."""
    notify("READY=1")
    assert manager.recv(999) == b"READY=1"
    notify_reloading()
    first, second = manager.recv(999).decode().split("\n")
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdigit()


def test_abstract_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """They begin with an @."""
    name = f"meshctl-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify("STOPPING=1")
        assert sock.recv(999) == b"STOPPING=1"


def test_a_manager_that_is_gone_harms_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor does one that there never was."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [("3000000", "", 1.5), ("3000000", "1", inf), ("", "", inf), ("0", "", inf), ("often", "", inf)],
)
def test_the_watchdog_wants_a_sign(
    usec: str, pid: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as often as it must; a sign that another process is asked for is not given."""
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    assert watchdog_interval() == seconds


async def test_signs_of_life(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    """For as long as the loop turns."""
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    with trio.move_on_after(7):
        await keep_alive()
    assert [manager.recv(999) for _ in range(5)] == [b"WATCHDOG=1"] * 5
    with pytest.raises(BlockingIOError):
        manager.recv(999)


def test_a_process_of_its_own_session_has_no_terminal() -> None:
    """As after the terminal that it had was closed."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.setsid()
        os.write(write, b"yes" if has_terminal() else b"no")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 9) == b"no"
    os.close(read)
    os.close(write)
