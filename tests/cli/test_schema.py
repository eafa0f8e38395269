"""``meshctl schema``: to stdout or to a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.cli.exits import Exit
from appliance.cli.schema import schema


def test_the_schema_goes_where_it_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same document either way."""
    assert schema() == Exit.OK
    printed = capsys.readouterr().out
    assert schema(str(tmp_path / "s.json")) == Exit.OK
    assert (tmp_path / "s.json").read_text() == printed
    assert json.loads(printed)["title"] == "meshctl profile"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the system's reason."""
    assert schema(str(tmp_path / "no" / "s.json")) == Exit.FAILED
    assert "No such file or directory" in capsys.readouterr().err
