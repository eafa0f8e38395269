"""Environments from pyproject.toml."""

import json
import sys
from pathlib import Path

import pytest

from build.steps import environment
from build.steps.console import StepFailed

ROOT = Path(__file__).resolve().parents[2]


def test_a_group_brings_the_groups_it_includes() -> None:
    """Dependency groups nest, in the order written."""
    project = {"dependency-groups": {"a": ["x", {"include-group": "b"}, "z"], "b": ["y>=1"]}}
    assert environment.group(project, "a") == ["x", "y>=1", "z"]


def test_groups_that_include_each_other_are_named() -> None:
    """A circle is an error that shows it."""
    project = {"dependency-groups": {"a": [{"include-group": "b"}], "b": [{"include-group": "a"}]}}
    with pytest.raises(StepFailed, match="a -> b -> a"):
        environment.group(project, "a")


def test_an_unknown_group_is_told_the_known_ones() -> None:
    """The message lists what there is."""
    with pytest.raises(StepFailed, match="no dependency group 'tset'; it has test, bench"):
        environment.group({"dependency-groups": {"test": [], "bench": []}}, "tset")


def test_each_purpose_gets_what_it_needs() -> None:
    """Building takes the backend and shiv; tests take the dependencies of the program too."""
    project = environment.read_project(ROOT)
    build, test = (environment.requirements(project, purpose) for purpose in ("build", "test"))
    assert [entry.split(">=")[0] for entry in build] == ["hatchling", "shiv"]
    assert set(project["project"]["dependencies"]) < set(test)


def test_the_place_of_the_test_environment_can_be_chosen(tmp_path: Path) -> None:
    """MESHCTL_VENV moves the test environment and no other."""
    chosen = {"MESHCTL_VENV": str(tmp_path / "v")}
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert environment.place(ROOT, "test", chosen) == tmp_path / "v"
    assert environment.place(ROOT, "build", chosen) == ROOT / f".venv-build-{version}"
    assert environment.place(ROOT, "test", {}) == ROOT / f".venv-test-{version}"


def test_an_environment_is_made_once(tmp_path: Path) -> None:
    """A finished one is reused until other requirements are asked for."""
    venv, log = tmp_path / ".venv", tmp_path / "logs" / "log"
    assert environment.prepare(tmp_path, venv, ["pip"], log)
    assert not environment.prepare(tmp_path, venv, ["pip"], log)
    assert not environment.is_ready(venv, ["pip", "other"])
    environment.python_of(venv).unlink()
    assert not environment.is_ready(venv, ["pip"])


def test_a_broken_stamp_is_no_stamp(tmp_path: Path) -> None:
    """Half a file, or none, means the environment was not finished."""
    assert not environment.is_ready(tmp_path, [])
    (tmp_path / environment.STAMP).write_text(json.dumps({})[:1], encoding="utf-8")
    assert not environment.is_ready(tmp_path, [])


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """MESHCTL_VENV naming a folder full of other things is an error, and the things stay."""
    other = tmp_path / "photos"
    other.mkdir()
    (other / "cat.jpg").touch()
    with pytest.raises(StepFailed, match="is not a virtual environment"):
        environment.prepare(tmp_path / "root", other, [], tmp_path / "log")
    assert (other / "cat.jpg").exists()


def test_a_failing_pip_says_where_its_output_is(tmp_path: Path) -> None:
    """The step ends with the log; the environment does not count as finished."""
    venv, log = tmp_path / ".venv", tmp_path / "log"
    with pytest.raises(StepFailed, match="failed with status") as caught:
        environment.prepare(tmp_path, venv, [str(tmp_path / "no-such-package")], log)
    assert str(log) in caught.value.explain()
    assert "no-such-package" in log.read_text(encoding="utf-8")
    assert not environment.is_ready(venv, [str(tmp_path / "no-such-package")])
