"""Whether dist/meshctl.pyz still matches what it was made from.

The stamp beside the file holds two digests: of the inputs and of the file. Both must agree, so a file changed
by hand is built anew too. Dependencies are not looked up: their versions move with the index, not with this
tree, and ``build/pyz --force`` fetches what is newest.
"""

import hashlib
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

TREES = ("appliance", "profiles", "build/steps", "build/zipapp")
FILES = ("pyproject.toml", "README.md", "LICENSE")


def walk(root: Path) -> Iterator[Path]:
    """Every file that can change the archive, in a fixed order; caches of Python are none."""
    for name in FILES:
        if (root / name).is_file():
            yield root / name
    for tree in TREES:
        for path in sorted((root / tree).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def digest(root: Path) -> str:
    """One SHA-256 over names and contents, the Python version and the machine (both choose wheels)."""
    total = hashlib.sha256(f"{sys.version_info[:2]} {platform.machine()}".encode())
    for path in walk(root):
        content = path.read_bytes()
        total.update(f"\0{path.relative_to(root)}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def _stamp_of(pyz: Path) -> Path:
    return pyz.with_name(pyz.name + ".inputs")


def is_current(pyz: Path, wanted: str) -> bool:
    """True when the archive was built from inputs with this digest and is still the file that was built."""
    try:
        built_from, built = _stamp_of(pyz).read_text(encoding="ascii").split()
        return built_from == wanted and built == hashlib.sha256(pyz.read_bytes()).hexdigest()
    except (OSError, ValueError):
        return False


def remember(pyz: Path, wanted: str) -> None:
    """Note what the archive was built from."""
    built = hashlib.sha256(pyz.read_bytes()).hexdigest()
    _stamp_of(pyz).write_text(f"{wanted} {built}\n", encoding="ascii")
