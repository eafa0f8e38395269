"""Programs for the live tests."""

from pathlib import Path

import pytest

from build.steps import packages


def test_missing_programs_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program counts when it is on the path and may be run."""
    monkeypatch.setattr(packages, "SYSTEM_FOLDERS", str(tmp_path / "none"))
    (tmp_path / "curl").touch(0o755)
    (tmp_path / "wrk").touch(0o644)
    assert packages.find_missing({"PATH": str(tmp_path)}) == [
        "nginx",
        "wrk",
        "h2load",
        "nghttpd",
        "node",
        "promtool",
    ]


def test_the_tests_skipped_for_a_program_are_named(tmp_path: Path) -> None:
    """A test needs a program when it names it in quotes."""
    (tmp_path / "tests" / "live").mkdir(parents=True)
    (tmp_path / "tests" / "live" / "test_a.py").write_text('which("nginx")', encoding="utf-8")
    (tmp_path / "tests" / "live" / "test_b.py").write_text("# nginx is nice", encoding="utf-8")
    assert packages.tests_needing(tmp_path, "nginx") == ["tests/live/test_a.py"]
    (line,) = packages.explain(tmp_path, ["nginx"], "apt-get may not be used here")
    assert "no nginx (apt-get may not be used here; Debian package nginx-light)" in line
    assert line.endswith("skipped: tests/live/test_a.py")


def test_the_system_can_be_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MESHCTL_APT=no keeps apt-get out, for root too."""
    monkeypatch.setenv("MESHCTL_APT", "no")
    assert packages.install(tmp_path, ["curl"], tmp_path / "log") == "apt-get may not be used here"
