"""Virtual environments made from pyproject.toml alone.

An environment is remembered by a stamp inside it: what was asked for and which interpreter made it. While
both stay the same it is used as it is. Dependency groups are read here because the pip that comes with an
interpreter may be too old to know them.
"""

import fcntl
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .console import StepFailed, must

STAMP = "meshctl-environment.json"


def read_project(root: Path) -> dict[str, Any]:
    """The tables of pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def group(project: Mapping[str, Any], name: str, *, seen: tuple[str, ...] = ()) -> list[str]:
    """The requirements of a dependency group with the groups it includes (PEP 735)."""
    groups: dict[str, list[str | dict[str, str]]] = project.get("dependency-groups", {})
    if name in seen:
        raise StepFailed(f"Dependency groups include each other: {' -> '.join((*seen, name))}.")
    if name not in groups:
        raise StepFailed(
            f"pyproject.toml has no dependency group {name!r}; it has {', '.join(groups) or 'none'}."
        )
    found: list[str] = []
    for entry in groups[name]:
        if isinstance(entry, str):
            found.append(entry)
        else:
            found.extend(group(project, entry["include-group"], seen=(*seen, name)))
    return found


def requirements(project: Mapping[str, Any], purpose: str) -> list[str]:
    """What an environment to ``build``, to ``test`` or for ``pictures`` holds; the project is not in it."""
    test = group(project, "test")
    if purpose == "build":
        shiv = [entry for entry in test if re.match(r"shiv\b", entry)]
        return [*project["build-system"]["requires"], *shiv]
    if purpose == "pictures":
        return [*project["project"]["dependencies"], *group(project, "pictures")]
    return [*project["project"]["dependencies"], *test]


def place(root: Path, purpose: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where an environment lives: MESHCTL_VENV for tests, else beside the sources, one per version."""
    named = environ.get("MESHCTL_VENV")
    if named and purpose == "test":
        return Path(named).expanduser().absolute()
    return root / f".venv-{purpose}-{sys.version_info.major}.{sys.version_info.minor}"


def python_of(venv: Path) -> Path:
    """The interpreter of an environment."""
    return venv / "bin" / "python"


def is_ready(venv: Path, wanted: Sequence[str]) -> bool:
    """True when the environment was finished for just these requirements and its interpreter still exists."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return stamp == _stamp(wanted) and python_of(venv).exists()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep a second build out of the same place until this one is done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def prepare(root: Path, venv: Path, wanted: Sequence[str], log: Path) -> bool:
    """Make the environment fit; False when it already did.

    An environment somebody else made (MESHCTL_VENV) is added to, never emptied.
    """
    with locked(log.parent / f"{venv.name}.lock"):
        if is_ready(venv, wanted):
            return False
        log.unlink(missing_ok=True)
        if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").exists():
            raise StepFailed(f"{venv} exists and is not a virtual environment; name another place.")
        (venv / STAMP).unlink(missing_ok=True)
        ours = venv.parent == root
        if ours or not python_of(venv).exists():
            clear = ["--clear"] if ours else []
            must(
                [sys.executable, "-I", "-m", "venv", *clear, venv],
                "Making the environment",
                cwd=root,
                log=log,
            )
        pip: list[str | Path] = [
            python_of(venv),
            "-I",
            "-m",
            "pip",
            "--disable-pip-version-check",
            "install",
            "--progress-bar=off",
        ]
        must([*pip, *wanted], "Installing what the environment needs", cwd=root, log=log)
        (venv / STAMP).write_text(json.dumps(_stamp(wanted), indent=1), encoding="utf-8")
        return True


def _stamp(wanted: Sequence[str]) -> dict[str, Any]:
    return {"wanted": list(wanted), "python": sys.version, "executable": os.path.realpath(sys.executable)}
