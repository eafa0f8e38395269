"""Child processes of a benchmark: started with a readiness wait, weighed through /proc, ended by pid.

A proxy may be one process, a master with workers, or a launcher that stays in front of both, so every
figure is taken over the tree below the pid we started. Children live in a session of their own: a Ctrl-C
at the terminal reaches only the benchmark, which then ends them itself, in reverse order.
"""

import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
READY_WITHIN = 20.0
TERM_GRACE = 5.0
ROOT = Path(__file__).resolve().parents[2]


class StartError(Exception):
    """A child that did not come to listen; the text holds the end of what it wrote."""


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat used here; `cpu` is seconds, with those of reaped children."""

    ppid: int
    started: int
    cpu: float


def stat(pid: int) -> Stat | None:
    """Return the line of one process, or None once it is gone (a zombie counts as gone)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before it may hold spaces and brackets
    if fields[0] == "Z":
        return None
    return Stat(int(fields[1]), int(fields[19]), sum(map(int, fields[11:15])) / TICK)


def tree(pid: int) -> dict[int, Stat]:
    """Return a process and all its living descendants."""
    every = {
        int(name): found for name in os.listdir("/proc") if name.isdigit() and (found := stat(int(name)))
    }
    children: dict[int, list[int]] = {}
    for child, line in every.items():
        children.setdefault(line.ppid, []).append(child)
    below, todo = dict[int, Stat](), [pid]
    while todo:
        one = todo.pop()
        if one in every:
            below[one] = every[one]
            todo += children.get(one, [])
    return below


def cpu_seconds(pid: int) -> float:
    """Return user + system time of the tree; children that ended are in their parent's figure."""
    return sum(line.cpu for line in tree(pid).values())


def rss_bytes(pid: int) -> int:
    """Return resident memory of the tree; pages shared by its processes count in each."""
    total = 0
    for one in tree(pid):
        try:
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * PAGE
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def machine_busy_seconds() -> float:
    """Return the time all cores spent on anything, stolen time included: what neighbours took is in it."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / TICK


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on, all different: they are held together, then let go."""
    held = []
    try:
        for _ in range(count):
            one = socket.socket()
            held.append(one)
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def raise_fd_limit() -> int:
    """Raise the soft limit on open files to the hard one, for us and our children, and return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def ends_on_port(port: int) -> int:
    """Return how many TCP connections to a port on this machine are open or lately ended (TIME_WAIT)."""
    found, known = set(), ("01", "04", "05", "06", "08")  # net/tcp_states.h: all but opening and listening
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, there, state, *_ = line.split()
        if state in known and f"{port:04X}" in (here[-4:], there[-4:]):
            found.add(frozenset((here, there)))
    return len(found)


@dataclass(frozen=True, slots=True)
class Child:
    """One started process."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def log_tail(self, lines: int = 3) -> str:
        return " / ".join(self.log.read_text(errors="replace").strip().splitlines()[-lines:])


class Fleet:
    """The children of one benchmark; leaving the block ends them all."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.children: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self.children:
            self.end(self.children[-1])

    def start(
        self, name: str, command: Sequence[str], port: int, environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start a command and wait until its port accepts; raise StartError when it does not."""
        log = self.directory / f"{name}.log"
        with log.open("wb") as out:
            try:
                popen = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    cwd=ROOT,
                    env={**os.environ, **(environment or {})},
                    start_new_session=True,
                )
            except OSError as error:
                raise StartError(f"{command[0]}: {error.strerror}") from None
        child = Child(name, popen, log)
        self.children.append(child)
        wait_listening(child, port)
        return child

    def end(self, child: Child) -> None:
        """Ask the child to end, then kill what is left of its tree; pids used again are left alone."""
        self.children.remove(child)
        family = tree(child.pid)
        if child.popen.poll() is None:
            child.popen.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + TERM_GRACE
        while time.monotonic() < deadline and survivors(child, family):
            time.sleep(0.02)
        for pid in survivors(child, family):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        child.popen.wait()


def survivors(child: Child, family: Mapping[int, Stat]) -> list[int]:
    """Return the pids of the family still alive, reaping the child on the way."""
    child.popen.poll()
    return [pid for pid, old in family.items() if (now := stat(pid)) and now.started == old.started]


def wait_listening(child: Child, port: int) -> None:
    """Block until a TCP connect succeeds; raise StartError when the child ends first or takes too long."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if child.popen.poll() is not None:
            raise StartError(f"ended with {child.popen.returncode}: {child.log_tail()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise StartError(f"not listening after {READY_WITHIN:.0f}s: {child.log_tail()}")
