"""What goes into the zipapp and how it is sealed."""

import zipfile
from pathlib import Path

import pytest

pytest.importorskip("packaging", reason="packaging comes with hatchling, which is not installed")

from build.steps import archive
from build.steps.console import StepFailed


def put(root: Path, *names: str) -> None:
    """Make empty files with their folders."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_what_differs_between_builds_is_removed(tmp_path: Path) -> None:
    """Scripts, pip's records, tests and byte code go; code, metadata and licenses stay."""
    info = "p-1.dist-info/"
    put(tmp_path, "bin/p", f"{info}RECORD", f"{info}direct_url.json", f"{info}INSTALLER", f"{info}REQUESTED")
    put(tmp_path, "p/_tests/deep/t.py", "p/tests/t.py", "p/__pycache__/a.pyc", f"{info}sboms/p.json")
    kept = ["p/a.py", "p/RECORD", f"{info}METADATA", f"{info}licenses/LICENSE"]
    put(tmp_path, *kept)
    archive.tidy(tmp_path)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) == sorted(kept)


def test_an_optional_extension_for_one_interpreter_may_travel(tmp_path: Path) -> None:
    """Others overlook its name, and its package does without it."""
    put(tmp_path, "yaml/_yaml.cpython-311-x86_64-linux-gnu.so")
    assert archive.compiled(tmp_path) == ["yaml/_yaml.cpython-311-x86_64-linux-gnu.so"]


@pytest.mark.parametrize("name", ["yaml/_yaml.abi3.so", "yaml/_yaml.so", "yaml/libyaml.so.0"])
def test_an_extension_others_would_load_ends_the_build(tmp_path: Path, name: str) -> None:
    """A name without machine and interpreter would be tried everywhere."""
    put(tmp_path, name)
    with pytest.raises(StepFailed, match="not tagged"):
        archive.compiled(tmp_path)


def test_a_compiled_dependency_ends_the_build(tmp_path: Path) -> None:
    """An extension nobody declared optional is one the program may need."""
    put(tmp_path, "core/_core.cpython-312-aarch64-linux-gnu.so")
    with pytest.raises(StepFailed, match="must run without"):
        archive.compiled(tmp_path)


def test_requirements_of_other_versions_are_found(tmp_path: Path) -> None:
    """A marker that holds on any supported Python counts; extras, other systems and older Pythons do not."""
    info = tmp_path / "p-1.dist-info"
    info.mkdir()
    lines = [
        "Metadata-Version: 2.1",
        "Name: p",
        "Version: 1",
        'Requires-Dist: early>=2; python_version < "3.12"',
        'Requires-Dist: late; python_version >= "3.13"',
        'Requires-Dist: past; python_version < "3.11"',
        'Requires-Dist: windows; platform_system == "Windows"',
        'Requires-Dist: extra; extra == "fast"',
        "Requires-Dist: P",
    ]
    (info / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert archive.missing(tmp_path) == {"early>=2", "late"}


def test_sealing_replaces_the_start_and_fixes_the_rest(tmp_path: Path) -> None:
    """Members are sorted, dated and moded alike; ``__main__`` is ours; two seals are equal."""
    packed = tmp_path / "packed"
    with zipfile.ZipFile(packed, "w") as sink:
        for name in ("site-packages/b.py", "__main__.py", "_bootstrap/__init__.py"):
            sink.writestr(name, "theirs")
    archive.seal(packed, tmp_path / "1", b"ours")
    archive.seal(packed, tmp_path / "2", b"ours")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert (tmp_path / "1").read_bytes().startswith(b"#!/usr/bin/env python3\n")
    assert (tmp_path / "1").stat().st_mode & 0o777 == 0o755
    with zipfile.ZipFile(tmp_path / "1") as sealed:
        assert sealed.namelist() == ["__main__.py", "_bootstrap/__init__.py", "site-packages/b.py"]
        assert sealed.read("__main__.py") == b"ours"
        assert {(m.date_time, m.external_attr >> 16) for m in sealed.infolist()} == {
            ((1980, 1, 1, 0, 0, 0), 0o100644)
        }
