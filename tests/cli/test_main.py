"""The command line as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from appliance import __version__
from appliance.cli.main import app

ROOT = Path(__file__).parents[2]
GOOD = ROOT / "profiles" / "quickstart.yaml"


def call(*arguments: str) -> tuple[int, str]:
    """Run the command in this process; gives the exit code and all that was printed."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_bare_says_what_can_be_done() -> None:
    """A bare ``meshctl`` prints the commands and a profile to begin with, and is no error."""
    code, text = call()
    assert code == 0
    for word in ("meshctl demo", "meshctl validate", "meshctl run", "listeners:"):
        assert word in text
    assert len(text.splitlines()) < 20


def test_version() -> None:
    """The version, as text and as JSON with a schema."""
    assert call("version") == (0, f"meshctl {__version__} (CPython {sys.version.split()[0]})\n")
    code, text = call("version", "--format", "json")
    assert code == 0
    assert json.loads(text)["schema"] == "meshctl.version/1"


def test_an_unknown_command_names_the_nearest() -> None:
    """Exit 2, and a suggestion."""
    code, text = call("valdate", "x")
    assert code == 2
    assert "validate" in text


def test_validate_exits_with_0_and_3(tmp_path: Path) -> None:
    """0 for a good profile; 3 for a bad one, with its place."""
    assert call("validate", str(GOOD))[0] == 0
    bad = tmp_path / "bad.yaml"
    bad.write_text(GOOD.read_text().replace("to: app", "to: ap"))
    code, text = call("validate", str(bad))
    assert code == 3
    assert "bad.yaml:8:" in text
    assert call("validate", str(GOOD), "--format", "xml")[0] == 2


@pytest.mark.parametrize("command", ["run", "validate", "demo", "version"])
def test_every_command_has_help(command: str) -> None:
    """-h and --help work everywhere."""
    assert call(command, "-h")[0] == 0
    assert call(command, "--help")[0] == 0


def test_validate_loads_no_network_and_no_terminal_library() -> None:
    """Commands import what they use: checking a profile needs neither trio nor h2 nor textual."""
    code = (
        "import sys; from appliance.cli.main import app\n"
        f"try: app(['validate', {str(GOOD)!r}])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'trio', 'h2', 'textual', 'h11', 'ssl'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_output_that_cannot_be_written_as_it_is_is_escaped() -> None:
    """A terminal or a pipe without Unicode ends no command."""
    arguments = ["diff", "profiles/demo.yaml", "profiles/canary.yaml"]
    done = subprocess.run(
        [sys.executable, "-m", "appliance", *arguments],
        cwd=ROOT, capture_output=True, env={"PYTHONIOENCODING": "ascii"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.startswith(b"profiles/demo.yaml \\u2192 profiles/canary.yaml\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_end_no_command(closed: str) -> None:
    """The exit code is what was asked for."""
    command = f'"$1" -m appliance validate profiles/quickstart.yaml nope.yaml {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", command, "sh", sys.executable], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 3
    assert b"Traceback" not in done.stdout + done.stderr
