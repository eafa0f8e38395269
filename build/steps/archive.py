"""Makes the zipapp: stage, tidy, pack with shiv, seal. Runs inside the build environment.

Same inputs, same bytes. What would differ from one build to the next is removed or fixed: pip's records (they
hold hashes of scripts whose first line names the build environment, and the path the project was installed
from), the scripts themselves, times, file modes (they follow the umask), the order of members.

Pure Python, with one exception: an extension module may travel when its name is tagged for one interpreter on
one machine, because every other interpreter then overlooks it, and only when its package does without it.
"""

import importlib.metadata
import os
import re
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .console import StepFailed, must

ENTRY_POINT = "appliance.cli.main:main"
SHEBANG = "#!/usr/bin/env python3\n"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EPOCH = "315532800"  # 1980-01-01, the first moment a zip file can tell
EPOCH_IN_ZIP = (1980, 1, 1, 0, 0, 0)
RECORDS = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
TEST_FOLDERS = frozenset({"tests", "_tests", "__pycache__", "sboms"})
OPTIONAL_EXTENSIONS = ("yaml/_yaml",)
TAGGED = re.compile(r"\.cpython-3\d+-[a-z0-9_]+-linux-(gnu|musl)\.so$")


def build(root: Path, pyz: Path) -> list[str]:
    """Write the archive and return the extension modules that travel in it; pip and shiv print as they go."""
    pyz.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="meshctl-pyz-") as scratch:
        staging, packed = Path(scratch, "staging"), Path(scratch, "packed.pyz")
        install(root, staging, [str(root)])
        for _ in range(5):
            lacking = sorted(missing(staging))
            if not lacking:
                break
            install(root, staging, [*lacking, "--no-deps"])
        tidy(staging)
        extensions = compiled(staging)
        shiv = [sys.executable, "-I", "-m", "shiv", "--reproducible", "--compile-pyc"]
        must(
            [*shiv, "--site-packages", str(staging), "-e", ENTRY_POINT, "-o", str(packed)],
            "Packing with shiv",
            cwd=root,
            env={"SOURCE_DATE_EPOCH": EPOCH},
        )
        sealed = pyz.with_name(f".{pyz.name}.{os.getpid()}")
        try:
            seal(packed, sealed, (root / "build" / "zipapp" / "main.py").read_bytes())
            sealed.replace(pyz)
        finally:
            sealed.unlink(missing_ok=True)
    return extensions


def install(root: Path, staging: Path, wanted: list[str]) -> None:
    """Let pip resolve and unpack into the staging folder; our own wheel comes from the hatchling at hand."""
    pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "install", "--progress-bar=off"]
    how = ["--no-compile", "--no-build-isolation", "--no-warn-conflicts", "--target", str(staging)]
    must(
        [*pip, *how, *wanted],
        "Installing the dependencies",
        cwd=root,
        env={"SOURCE_DATE_EPOCH": EPOCH},
    )


def missing(staging: Path) -> set[str]:
    """Requirements that another Python version has and the one building has not.

    pip weighs markers such as ``python_version < "3.13"`` for the interpreter it runs under, whereas the
    archive is for all of them.
    """
    distributions = list(importlib.metadata.distributions(path=[str(staging)]))
    present = {canonicalize_name(distribution.metadata["Name"]) for distribution in distributions}
    lacking: set[str] = set()
    for distribution in distributions:
        for text in distribution.requires or ():
            requirement = Requirement(text)
            if canonicalize_name(requirement.name) not in present and _applies(requirement):
                lacking.add(f"{requirement.name}{requirement.specifier}")
    return lacking


def _applies(requirement: Requirement) -> bool:
    if requirement.marker is None:
        return True
    base = {key: str(value) for key, value in default_environment().items()}
    return any(
        requirement.marker.evaluate(
            {**base, "extra": "", "python_version": version, "python_full_version": f"{version}.0"}
        )
        for version in PYTHONS
    )


def tidy(staging: Path) -> None:
    """Remove what a running program never reads and what differs between two builds."""
    shutil.rmtree(staging / "bin", ignore_errors=True)
    for path in sorted(staging.rglob("*"), reverse=True):
        if path.is_dir() and path.name in TEST_FOLDERS:
            shutil.rmtree(path)
        elif path.is_file() and path.parent.name.endswith(".dist-info") and path.name in RECORDS:
            path.unlink()


def compiled(staging: Path) -> list[str]:
    """The extension modules staged; one the program could not do without ends the build."""
    found = sorted(str(path.relative_to(staging)) for path in staging.rglob("*.so*"))
    for name in found:
        if not TAGGED.search(name):
            raise StepFailed(
                f"{name} is not tagged for one interpreter and machine, so others would try to load it."
            )
        if TAGGED.sub("", name) not in OPTIONAL_EXTENSIONS:
            raise StepFailed(
                f"{name} is compiled; the archive must run without. Pin a pure release of its package."
            )
    return found


def seal(packed: Path, pyz: Path, main: bytes) -> None:
    """Copy shiv's archive with our own ``__main__``; modes and times tell nothing of this machine."""
    with zipfile.ZipFile(packed) as source, pyz.open("wb") as target:
        target.write(SHEBANG.encode())
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as sink:
            for name, content in _members(source, main):
                member = zipfile.ZipInfo(name, EPOCH_IN_ZIP)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.create_system = 3  # Unix, so that the mode counts
                member.external_attr = (stat.S_IFREG | 0o644) << 16
                sink.writestr(member, content, compresslevel=9)
    pyz.chmod(0o755)


def _members(source: zipfile.ZipFile, main: bytes) -> Iterator[tuple[str, bytes]]:
    for name in sorted(source.namelist()):
        yield name, main if name == "__main__.py" else source.read(name)
