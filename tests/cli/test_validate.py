"""``meshctl validate``: what is printed, and how it ends."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from appliance.cli.exits import Exit
from appliance.cli.validate import Look, validate

GOOD = """meshctl: 1
listeners: {web: {bind: ":8080"}}
routes: [{name: all, to: app}]
upstreams: {app: {endpoints: [127.0.0.1:9001, 127.0.0.1:9002]}}
"""


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good profile in the current directory."""
    monkeypatch.chdir(tmp_path)
    path = Path("edge.yaml")
    path.write_text(GOOD)
    return path


def test_a_good_profile_gets_one_line_with_the_next_step(
    profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was counted, and what to do now."""
    assert validate(["edge.yaml"]) == Exit.OK
    expected = "ok edge.yaml: 1 listener, 1 route, 1 upstream (2 endpoints)   next: meshctl run edge.yaml\n"
    assert capsys.readouterr() == (expected, "")


def test_a_bad_profile_gets_its_diagnostics_and_a_count(
    profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stdout, since they are what was asked for."""
    profile.write_text(GOOD.replace("to: app", "to: ap"))
    assert validate(["edge.yaml"]) == Exit.INVALID_PROFILE
    out, err = capsys.readouterr()
    assert out.startswith("error[MC402]: route `all` sends to upstream `ap`, which does not exist\n")
    assert re.search(r"\n\nedge\.yaml: 1 error \(checked in \d+ ms\)\n\Z", out)
    assert err == ""


def test_warnings_fail_only_if_told_to(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line counts them either way."""
    profile.write_text(GOOD.replace("to: app", "to: app, timeouts: {response: 1s}"))
    assert validate(["edge.yaml"]) == Exit.OK
    assert "(2 endpoints), 1 warning   next:" in capsys.readouterr().out
    assert validate(["edge.yaml"], strict=True) == Exit.INVALID_PROFILE


def test_json_is_one_document(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For one profile its own, for several a list."""
    assert validate(["edge.yaml"], "json") == Exit.OK
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["ok"], document["profile"]) == (
        "meshctl.validate/1",
        True,
        "edge.yaml",
    )
    assert validate(["edge.yaml", "absent.yaml"], "json") == Exit.INVALID_PROFILE
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert [each["ok"] for each in document["profiles"]] == [True, False]


def test_a_dash_is_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no file to run next."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert validate(["-"]) == Exit.OK
    assert capsys.readouterr().out == "ok <stdin>: 1 listener, 1 route, 1 upstream (2 endpoints)\n"


def test_what_is_not_acted_on_is_named(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A checker that keeps quiet about it would be believed."""
    profile.write_text(GOOD + "tracing: {sample: 5%}\n")
    assert validate(["edge.yaml"]) == Exit.OK
    out = capsys.readouterr().out
    assert "read, but not acted on by this version:\n  tracing  (edge.yaml:5:" in out


def test_colour_is_a_matter_of_the_caller(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever knows the stream decides."""
    profile.write_text("")
    validate(["edge.yaml"], colour=True)
    assert "\x1b[" in capsys.readouterr().out


def test_formats_for_machines(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SARIF is one log of all profiles; GitHub gets a command a line, and a count for the step's log."""
    profile.write_text(GOOD.replace("to: app", "to: ap"))
    Path("other.yaml").write_text(GOOD)
    assert validate(["edge.yaml", "other.yaml"], "sarif") == Exit.INVALID_PROFILE
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert result["ruleId"] == "MC402"
    assert validate(["edge.yaml", "other.yaml"], "github") == Exit.INVALID_PROFILE
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("::error file=edge.yaml,line=3,col=26,")
    assert last == "2 profiles: 1 error"


def test_what_is_not_known_here_is_not_judged(
    profile: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far from its machine a profile is as right as can be told, and the line says so."""
    monkeypatch.setenv("HOST", "not an address")
    profile.write_text(GOOD.replace("127.0.0.1:9001", '"${HOST}:9001", "${file:absent}"'))
    assert validate(["edge.yaml"]) == Exit.INVALID_PROFILE
    capsys.readouterr()
    assert validate(["edge.yaml"], look=Look(env=False, files=False)) == Exit.OK
    assert capsys.readouterr().out == "ok edge.yaml, as far as it can be told: 2 values not known here\n"


def test_quiet_says_nothing_when_all_is_well(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the same as always when it is not."""
    assert validate(["edge.yaml"], look=Look(quiet=True)) == Exit.OK
    assert capsys.readouterr().out == ""
    profile.write_text("")
    assert validate(["edge.yaml"], look=Look(quiet=True)) == Exit.INVALID_PROFILE
    assert "1 error" in capsys.readouterr().out


def test_the_effective_profile_is_a_profile(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It stands in the place of the closing line, so that it can be kept in a file; errors come first."""
    assert validate(["edge.yaml"], look=Look(effective=True)) == Exit.OK
    text = capsys.readouterr().out
    assert text.startswith("meshctl: 1 ")
    Path("effective.yaml").write_text(text)
    assert validate(["effective.yaml"]) == Exit.OK
    profile.write_text(GOOD.replace("to: app", "to: ap"))
    assert validate(["edge.yaml"], look=Look(effective=True)) == Exit.INVALID_PROFILE
    assert "1 error" in capsys.readouterr().out
