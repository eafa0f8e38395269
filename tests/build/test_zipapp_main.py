"""The start of the zipapp: which interpreter, which folder."""

import ast
import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "build" / "zipapp" / "main.py"


@pytest.fixture(scope="module")
def main() -> ModuleType:
    """The module, loaded without being started."""
    spec = importlib.util.spec_from_file_location("zipapp_main", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_parses_on_the_oldest_interpreter_that_gets_a_sentence() -> None:
    """The syntax is that of Python 3.7, the oldest the parser can be asked for."""
    ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_an_old_interpreter_is_told_which_one_to_use(main: ModuleType) -> None:
    """The sentence names both versions; a version that fits gets none."""
    assert "needs Python 3.11 or newer, and this is Python 3.8.2" in main.too_old((3, 8, 2))
    assert main.too_old((3, 11, 0)) is None
    assert main.too_old((4, 0, 0)) is None


def test_the_places_come_in_a_fixed_order(main: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """SHIV_ROOT, XDG_CACHE_HOME, the home, then folders shared with others."""
    monkeypatch.setenv("HOME", "/home/u")
    places = main.candidates({"SHIV_ROOT": "~/r", "XDG_CACHE_HOME": "/c", "TMPDIR": "/t"})
    private = f"meshctl-{os.geteuid()}"
    assert [path for _, path, _ in places] == [
        "/home/u/r",
        "/c/shiv",
        "/home/u/.shiv",
        f"/t/{private}",
        f"/tmp/{private}",
        f"/var/tmp/{private}",
    ]
    assert [shared for *_, shared in places] == [False, False, False, True, True, True]


def test_relative_places_are_left_out(main: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that would move with the working directory is none."""
    monkeypatch.setenv("HOME", "here")
    labels = [label for label, *_ in main.candidates({"XDG_CACHE_HOME": "cache", "TMPDIR": "t"})]
    assert labels == ["temporary", "temporary"]


def test_a_root_is_made_private(main: ModuleType, tmp_path: Path) -> None:
    """A missing root is made for its owner alone, and the probe leaves nothing behind."""
    root = tmp_path / "new"
    assert main.refusal(str(root), "") is None
    assert root.stat().st_mode & 0o777 == 0o700
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_root_open_to_others_is_refused(main: ModuleType, tmp_path: Path, mode: int) -> None:
    """Others must not be able to put code where it will be run."""
    tmp_path.chmod(mode)
    assert main.refusal(str(tmp_path), "") == "other users can write it"


def test_a_file_in_the_way_is_a_reason_not_a_traceback(main: ModuleType, tmp_path: Path) -> None:
    """What the system says becomes the reason."""
    (tmp_path / "file").touch()
    assert main.refusal(str(tmp_path / "file"), "") == "File exists"
    assert main.refusal(str(tmp_path / "file" / "below"), "") == "Not a directory"


def test_the_first_place_that_will_do_is_chosen(
    main: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The places before it are named with the reason against each."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "file").touch()
    root, refused = main.choose({"SHIV_ROOT": str(tmp_path / "file")}, "")
    assert root == str(tmp_path / "home" / ".shiv")
    assert refused == [f"SHIV_ROOT {tmp_path / 'file'}: File exists"]


def test_a_private_folder_must_be_ours_and_closed(main: ModuleType, tmp_path: Path) -> None:
    """An open folder and a link of the expected name are both refused."""
    private = tmp_path / "meshctl-0"
    assert main.refusal_of_private(str(private), "") is None
    private.chmod(0o755)
    reason = "it is not a folder of ours with mode 0700"
    assert main.refusal_of_private(str(private), "") == reason
    (tmp_path / "link").symlink_to(tmp_path)
    assert main.refusal_of_private(str(tmp_path / "link"), "") == reason


def test_a_private_folder_needs_a_parent_that_guards_it(main: ModuleType, tmp_path: Path) -> None:
    """Where everybody may rename anything, a private folder is not private."""
    tmp_path.chmod(0o777)
    assert main.refusal_of_private(str(tmp_path / "x"), "") == "other users can replace it"
    tmp_path.chmod(0o1777)
    assert main.refusal_of_private(str(tmp_path / "x"), "") is None
