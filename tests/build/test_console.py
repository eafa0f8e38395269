"""Progress lines, logs and failures of the build steps."""

import io
import re
import sys
from pathlib import Path

import pytest

from build.steps.console import Progress, StepFailed, must, run, tail


def test_a_step_is_one_line() -> None:
    """Number, name, duration and remark stand on one line."""
    out = io.StringIO()
    progress = Progress(2, out)
    with progress.step("environment"):
        progress.remark = "unchanged"
    with progress.step("pyz"):
        pass
    assert re.fullmatch(r"\[1/2\] environment … 0\.\ds \(unchanged\)\n\[2/2\] pyz … 0\.\ds\n", out.getvalue())


def test_a_failing_step_ends_its_line() -> None:
    """The error passes on, below a finished line."""
    out = io.StringIO()
    with pytest.raises(StepFailed), Progress(1, out).step("pyz"):
        raise StepFailed("no")
    assert re.fullmatch(r"\[1/1\] pyz … failed after 0\.\ds\n", out.getvalue())


def test_a_failure_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """What failed, the last lines, the path."""
    log = tmp_path / "logs" / "pip.log"
    words = [sys.executable, "-c", "import sys; print('reason'); sys.exit(3)"]
    with pytest.raises(StepFailed) as caught:
        must(words, "Installing", cwd=tmp_path, log=log)
    first, *_, reason, last = caught.value.explain().splitlines()
    assert first == "Installing failed with status 3."
    assert reason == "  | reason"
    assert last == f"Full output: {log}"


def test_a_command_that_overruns_is_ended(tmp_path: Path) -> None:
    """A time limit is a failure with a status of its own."""
    words = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    assert run(words, cwd=tmp_path, log=tmp_path / "log", timeout=0.5) == 124


def test_a_command_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    """No traceback for a missing program."""
    with pytest.raises(StepFailed, match="Cannot start no-such-program: No such file or directory"):
        run(["no-such-program"], cwd=tmp_path)


def test_the_tail_of_no_log_is_empty(tmp_path: Path) -> None:
    """A log that was never written has no end."""
    assert tail(tmp_path / "none") == ""
