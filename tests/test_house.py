"""The house checks itself: floors, doors, file sizes, a test file for every module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "appliance"

# Imports go downwards only; packages of one floor do not import each other.
FLOORS = {
    "model": 0,
    "policy": 1,
    "routing": 1,
    "metrics": 1,
    "wire": 1,
    "config": 2,
    "net": 3,
    "http": 4,
    "upstream": 5,
    "proxy": 6,
    "control": 7,
    "tui": 7,
    "cli": 8,
}
# Whoever is named by a floor's number may also be imported by the dashboard: it knows the wire and no more.
TUI_MAY = {"model", "wire", "tui"}

# Each third-party package (or sharp standard one) has one door.
DOORS = {
    "h2": ("http/h2",),
    "hyperframe": ("http/h2",),
    "hpack": ("http/h2",),
    "h11": ("http/h1", "control/"),
    "yaml": ("config/source.py",),
    "textual": ("tui/",),
    "rich": ("tui/",),
    "typer": ("cli/",),
    "trio_websocket": ("control/hub.py", "tui/feed.py"),
    "prometheus_client": ("control/",),
    "ssl": ("net/", "config/"),
    "socket": ("net/", "config/", "cli/service.py", "cli/demo", "cli/machine.py"),
    "select": ("net/",),
    "outcome": ("net/park.py",),
}
PURE = ("model", "policy", "routing", "metrics", "wire", "config")
MAX_LINES = 400
# Floors of traffic: one blanket except among them, the guard in proxy/connection.
DATA_PATH = ("net", "http", "upstream", "proxy")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def inside(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Give the absolute name of everything that ``path`` imports, with its line."""
    here = ["appliance", *path.relative_to(PACKAGE).with_suffix("").parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*here[: -node.level], *([base] if base else [])])
            yield base, node.lineno


@pytest.mark.parametrize("path", modules(), ids=inside)
def test_imports_go_downwards(path: Path) -> None:
    """No module imports a package of its own floor or of a higher one, its own package excepted."""
    package = path.relative_to(PACKAGE).parts[0]
    if package not in FLOORS:
        return
    wrong = []
    for name, line in imports(path):
        parts = name.split(".")
        if parts[0] != "appliance" or len(parts) < 2 or parts[1] not in FLOORS or parts[1] == package:
            continue
        if package == "tui" and parts[1] not in TUI_MAY:
            wrong.append(f"line {line}: the dashboard knows only the wire, not {name}")
        elif FLOORS[parts[1]] >= FLOORS[package]:
            wrong.append(f"line {line}: {package} may not import {name}")
    assert not wrong


@pytest.mark.parametrize("path", modules(), ids=inside)
def test_each_third_party_package_has_its_door(path: Path) -> None:
    """A library is imported only where the table of doors says."""
    wrong = []
    for name, line in imports(path):
        doors = DOORS.get(name.split(".")[0])
        if doors is not None and not inside(path).startswith(doors):
            wrong.append(f"line {line}: {name} is imported only in {', '.join(doors)}")
    assert not wrong


@pytest.mark.parametrize("path", modules(), ids=inside)
def test_pure_floors_have_no_clock_and_no_dice(path: Path) -> None:
    """Below the network time and chance are arguments: no call into ``time`` or the ``random`` module."""
    if path.relative_to(PACKAGE).parts[0] not in PURE:
        return
    wrong = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in ("time", "random") and node.func.attr != "Random":
                wrong.append(f"line {node.lineno}: {owner.id}.{node.func.attr}()")
        elif isinstance(node, ast.ImportFrom) and node.module in ("time", "random"):
            wrong.append(f"line {node.lineno}: from {node.module}")
    names = {name.split(".")[0] for name, _ in imports(path)}
    assert not wrong
    assert not names & {"trio", "socket", "select", "threading"} or inside(path).startswith("config/")


@pytest.mark.parametrize("path", modules(), ids=inside)
def test_modules_are_short_and_say_what_they_are_for(path: Path) -> None:
    """At most 400 lines, and a docstring first."""
    text = path.read_text()
    assert text.count("\n") <= MAX_LINES
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", [path for path in modules() if not path.name.startswith("__")], ids=inside)
def test_every_module_has_a_test_file(path: Path) -> None:
    """``appliance/x/y.py`` is tested in ``tests/x/test_y.py``."""
    relative = path.relative_to(PACKAGE)
    assert (ROOT / "tests" / relative.parent / f"test_{relative.name}").exists()


def test_the_data_path_has_one_guard() -> None:
    """Exactly one blanket ``except`` stands between the network and the stack, in proxy/guard."""
    found = []
    for package in DATA_PATH:
        for path in (PACKAGE / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.ExceptHandler):
                    continue
                blanket = node.type is None or (
                    isinstance(node.type, ast.Name) and node.type.id == "Exception"
                )
                if blanket:
                    found.append(inside(path))
    assert found == ["proxy/guard.py"]


def test_tests_are_short_too() -> None:
    """No test file grows beyond what a reader can hold: 600 lines."""
    long = [path.name for path in (ROOT / "tests").rglob("*.py") if path.read_text().count("\n") > 600]
    assert not long


def test_the_repository_names_no_machine() -> None:
    """No path of a developer's machine and no package index stands in any text file."""
    words = ("/" + "work/", "index" + "-url", "/" + "farm/")
    wrong = []
    for folder in ("appliance", "build", "docs", "profiles", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in (".py", ".md", ".yaml", ".sh", ".toml", ""):
                text = path.read_text(errors="replace")
                wrong += [f"{path.name}: {word}" for word in words if word in text]
    assert not wrong
