"""The answers of this machine, and that there is always one."""

from __future__ import annotations

import errno
import grp
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from appliance.cli import machine as module
from appliance.cli.machine import ThisMachine

ROOT = Path(__file__).parents[2]
HERE = ThisMachine()


def test_now_is_now() -> None:
    """By the clock that certificates are compared with."""
    assert abs(HERE.now() - time.time()) < 60


@pytest.mark.parametrize(
    ("status", "start", "expected"),
    [
        ("Name:\tx\nCapEff:\t0000000000000400\n", "1024\n", 0),
        ("CapEff:\t000001ffffffffff\n", "1024\n", 0),
        ("CapEff:\t0000000000000000\n", "1024\n", 1024),
        ("CapEff:\t00000000000003ff\n", "80\n", 80),
        ("CapEff:\t0000000000000800\n", "0\n", 0),
        ("CapEff:\t0000000000000000\n", "", 1024),
    ],
)
def test_low_ports_go_by_the_capability(
    status: str, start: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit 10 of the effective ones, and the bound that the kernel is set to."""
    files = {"/proc/self/status": status, "/proc/sys/net/ipv4/ip_unprivileged_port_start": start}
    monkeypatch.setattr(module, "_text", files.__getitem__)
    assert HERE.unprivileged_port() == expected


@pytest.mark.parametrize(("user", "expected"), [(0, 0), (1000, 1024)])
def test_without_capabilities_root_may_bind_all(
    user: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system does not tell of them."""
    monkeypatch.setattr(module, "_text", lambda _: "")
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert HERE.unprivileged_port() == expected


def test_a_system_without_proc_is_no_trouble(tmp_path: Path) -> None:
    """A file that is not there is empty."""
    assert module._text(str(tmp_path / "no-such")) == ""
    assert module._text("/proc/self/status")


@pytest.mark.parametrize(("hard", "expected"), [(4096, 4096), (resource.RLIM_INFINITY, None)])
def test_the_hard_limit_counts(hard: int, expected: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the proxy raises its own up to it."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, hard))
    assert HERE.file_limit() == expected


@pytest.mark.live
@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("127.0.0.77", True), ("192.0.2.1", False)]
)
def test_addresses_are_tried(host: str, expected: bool) -> None:
    """Loopback is here; an address for documentation is nowhere."""
    assert HERE.has_address(host) is expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.EADDRNOTAVAIL, False), (errno.EAFNOSUPPORT, False), (errno.EACCES, True), (errno.ENOBUFS, True)],
)
def test_only_two_failures_say_that_an_address_is_not_here(
    number: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else goes wrong says nothing about the address."""

    def fail(*_: object) -> socket.socket:
        raise OSError(number, "no")

    monkeypatch.setattr(socket, "socket", fail)
    assert HERE.has_address("127.0.0.1") is expected


@pytest.mark.parametrize("host", ["", "not an address", "\0", "a" * 70, "\ud800"])
def test_what_is_no_address_cannot_be_told(host: str) -> None:
    """And raises nothing."""
    assert HERE.has_address(host)


def resolver(monkeypatch: pytest.MonkeyPatch, slow: threading.Event | None = None) -> list[str]:
    """Put a resolver in place that fails for `.invalid` and waits for ``slow`` at `.slow`."""
    asked: list[str] = []

    def look(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        if host.endswith(".slow") and slow is not None:
            slow.wait(30)
        if host.endswith(".odd"):
            raise UnicodeError("label too long")
        if host.endswith((".invalid", ".slow")):
            raise socket.gaierror(socket.EAI_NONAME, "no")
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look)
    return asked


def test_names_that_do_not_resolve_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that cannot be asked for; each is looked up once."""
    asked = resolver(monkeypatch)
    hosts = ["a.example", "b.invalid", "c.odd", "b.invalid", *(f"n{number}.invalid" for number in range(100))]
    assert HERE.unresolved(hosts) == {host for host in hosts if not host.endswith(".example")}
    assert sorted(asked) == sorted(set(hosts))
    assert HERE.unresolved([]) == set()


def test_what_takes_too_long_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """One slow name holds up neither the others nor the check, nor the end of the process."""
    slow = threading.Event()
    resolver(monkeypatch, slow)
    monkeypatch.setattr(module, "LOOKUP", 0.1)
    began = time.monotonic()
    try:
        assert HERE.unresolved(["a.slow", "b.invalid", "c.example", "d.slow"]) == {"b.invalid"}
        assert time.monotonic() - began < 10
        lookers = [thread for thread in threading.enumerate() if thread.name == "lookup"]
        assert len(lookers) == 2
        assert all(thread.daemon for thread in lookers)
    finally:
        slow.set()
    for thread in lookers:
        thread.join(10)


def test_a_whole_second_is_the_bound() -> None:
    """Longer than this nobody waits to be told about a spelling."""
    assert module.LOOKUP == 1.0


def test_groups_are_those_of_the_system() -> None:
    """Any name may be asked for."""
    assert HERE.group_exists(grp.getgrall()[0].gr_name)
    for name in ("no-such-group-here", "", "a\0b", "\ud800"):
        assert not HERE.group_exists(name)


def test_groups_that_cannot_be_asked_for_are_taken_as_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory service that is away is no mistake of the profile."""

    def fail(_: str) -> object:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(grp, "getgrnam", fail)
    assert HERE.group_exists("ops")


def test_rights_are_those_of_the_file(tmp_path: Path) -> None:
    """Permission bits only; None if there is no file."""
    path = tmp_path / "a"
    path.write_text("")
    for mode in (0o600, 0o644, 0o4755):
        path.chmod(mode)
        assert HERE.rights(str(path)) == mode
    for name in (str(tmp_path / "b"), "a\0b", "\ud800"):
        assert HERE.rights(name) is None


def test_places_to_write(tmp_path: Path) -> None:
    """A log may be there already or not; a socket needs its directory."""
    log = tmp_path / "a.log"
    assert HERE.unwritable_file(str(log)) == ""
    log.write_text("")
    assert HERE.unwritable_file(str(log)) == ""
    assert HERE.unwritable_file(str(tmp_path)) == "it is a directory"
    assert HERE.unwritable_file(str(tmp_path / "b" / "a.log")) == "no such directory"
    assert HERE.unwritable_file(str(log / "a.log")) == "not a directory"
    assert HERE.unwritable_file("a\0b") == "the path cannot be used"
    assert HERE.unwritable_file("no-such-file-here") == HERE.unwritable_directory(".")
    assert HERE.unwritable_directory(str(tmp_path)) == ""
    assert HERE.unwritable_directory(str(tmp_path / "b")) == "no such directory"
    assert HERE.unwritable_directory(str(log)) == "what should be its directory is none"
    assert HERE.unwritable_directory("\ud800") == "the path cannot be used"


def test_rights_to_write_are_asked_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for an existing log, so for a directory, in which one must be able to search too."""
    log = tmp_path / "a.log"
    log.write_text("")
    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append((path, mode)))
    assert HERE.unwritable_file(str(log)) == "permission denied"
    assert HERE.unwritable_directory(str(tmp_path)) == "permission denied"
    assert asked == [(str(log), os.W_OK), (str(tmp_path), os.W_OK | os.X_OK)]


def test_a_profile_without_names_is_checked_without_sockets() -> None:
    """Nor are TLS, threads of ours or groups loaded before a profile asks for them."""
    program = '''
import sys
from appliance.cli.machine import ThisMachine
from appliance.config.check_machine import check_machine
from appliance.config.load import load_profile
text = b"""
meshctl: 1
listeners: {web: {bind: ":80"}}
routes: [{name: all, to: app}]
upstreams: {app: {endpoints: [10.0.0.1:1]}}
"""
loaded = load_profile("a.yaml", text=text, env={})
check_machine(loaded.merged, ThisMachine(), loaded.diagnostics)
print([name for name in ("socket", "ssl", "queue", "grp", "trio") if name in sys.modules])
'''
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
