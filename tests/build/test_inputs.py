"""When the archive is built anew."""

from pathlib import Path

import pytest

from build.steps import inputs


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with one file of each kind."""
    for name in ("pyproject.toml", "appliance/a.py", "profiles/p.yaml", "build/zipapp/main.py", "tests/t.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "appliance/a.py", "profiles/p.yaml", "build/zipapp/main.py"]
)
def test_every_input_counts(tree: Path, name: str) -> None:
    """A changed input changes the digest."""
    before = inputs.digest(tree)
    (tree / name).write_text("changed", encoding="utf-8")
    assert inputs.digest(tree) != before


def test_a_renamed_input_counts(tree: Path) -> None:
    """The same contents under another name are other inputs."""
    before = inputs.digest(tree)
    (tree / "appliance" / "a.py").rename(tree / "appliance" / "b.py")
    assert inputs.digest(tree) != before


def test_what_does_not_travel_does_not_count(tree: Path) -> None:
    """Tests and byte code leave the digest alone."""
    before = inputs.digest(tree)
    (tree / "tests" / "t.py").write_text("changed", encoding="utf-8")
    (tree / "appliance" / "__pycache__").mkdir()
    (tree / "appliance" / "__pycache__" / "a.pyc").touch()
    assert inputs.digest(tree) == before


def test_the_stamp_knows_inputs_and_output(tmp_path: Path) -> None:
    """Current means built from these inputs and not touched since."""
    pyz = tmp_path / "m.pyz"
    assert not inputs.is_current(pyz, "abc")
    pyz.write_bytes(b"zip")
    inputs.remember(pyz, "abc")
    assert inputs.is_current(pyz, "abc")
    assert not inputs.is_current(pyz, "abd")
    pyz.write_bytes(b"zap")
    assert not inputs.is_current(pyz, "abc")
