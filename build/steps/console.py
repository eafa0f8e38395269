"""Short lines for the reader, the full output for a log.

A step shows its name when it begins and its duration when it ends. What its commands print goes to a log
file; when one fails, the end of that file is shown together with its path.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

TAIL_LINES = 25
COMMAND_TIMEOUT = (
    1200.0  # seconds; a pip that has nothing after twenty minutes will have nothing after thirty
)


class StepFailed(Exception):
    """A step cannot go on; the text is for the reader, the log (if any) holds the details."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log

    def explain(self) -> str:
        """The message, the end of the log and where the rest is."""
        if self.log is None:
            return str(self)
        return f"{self}\n{tail(self.log)}\nFull output: {self.log}"


class Progress:
    """Numbers the steps and prints one line for each."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.total = total
        self.done = 0
        self.stream = stream or sys.stderr
        self.remark = ""

    def say(self, text: str, *, end: str = "\n") -> None:
        """Print at once, for a terminal or a pipe."""
        self.stream.write(text + end)
        self.stream.flush()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show ``[2/3] name … 1.2s`` around the work; ``remark`` set meanwhile ends the line."""
        self.done += 1
        self.remark = ""
        self.say(f"[{self.done}/{self.total}] {name} … ", end="")
        begun = time.monotonic()
        try:
            yield
        except BaseException:
            self.say(f"failed after {time.monotonic() - begun:.1f}s")
            raise
        self.say(f"{time.monotonic() - begun:.1f}s{self.remark and f' ({self.remark})'}")


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, indented."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(f"  | {line}" for line in text.splitlines()[-lines:])


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = COMMAND_TIMEOUT,
) -> int:
    """Run one command to its end and return its status; with a log its output goes there and nowhere else.

    A command that overruns counts as status 124, the habit of timeout(1). One that cannot be started raises
    StepFailed.
    """
    words = [str(word) for word in command]
    full = {**os.environ, **(env or {})}
    try:
        if log is None:
            return subprocess.run(words, cwd=cwd, env=full, check=False, timeout=timeout).returncode  # noqa: S603
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as sink:
            sink.write(f"$ {shlex.join(words)}\n".encode())
            sink.flush()
            return subprocess.run(  # noqa: S603 - words come from this package, never through a shell
                words,
                cwd=cwd,
                env=full,
                check=False,
                timeout=timeout,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            ).returncode
    except subprocess.TimeoutExpired:
        return 124
    except OSError as error:
        raise StepFailed(f"Cannot start {words[0]}: {error.strerror}.", log) from error


def must(
    command: Sequence[str | Path],
    what: str,
    *,
    cwd: Path,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a command whose failure ends the step: ``what`` says in a few words what it was for."""
    status = run(command, cwd=cwd, log=log, env=env)
    if status:
        raise StepFailed(f"{what} failed with status {status}.", log)
