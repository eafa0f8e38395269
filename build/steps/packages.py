"""Programs the live tests talk to, from Debian where that is allowed.

Nothing here fails: a machine that may not install gets the names of the tests that will be skipped.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from .console import run

PACKAGES = {
    "nginx": "nginx-light",
    "curl": "curl",
    "wrk": "wrk",
    "h2load": "nghttp2-client",
    "nghttpd": "nghttp2-server",
    "node": "nodejs",
    "promtool": "prometheus",
}
SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"
APT_TIMEOUT = 300.0  # seconds for one call of apt-get
APT_OPTIONS = ("-y", "-q", "-o", "DPkg::Lock::Timeout=60")


def find_missing(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The commands that are not installed; servers are looked for in the system's folders too."""
    path = f"{environ.get('PATH', os.defpath)}:{SYSTEM_FOLDERS}"
    return [command for command in PACKAGES if shutil.which(command, path=path) is None]


def privilege(root: Path, log: Path) -> list[str] | None:
    """The words that let apt-get install: none for root, sudo if it asks no password, None if neither."""
    if os.environ.get("MESHCTL_APT") == "no" or shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and run(["sudo", "-n", "true"], cwd=root, log=log, timeout=10) == 0:
        return ["sudo", "-n"]
    return None


def install(root: Path, commands: Sequence[str], log: Path) -> str:
    """Install what is missing; returns why that did not work, or nothing."""
    log.unlink(missing_ok=True)
    words = privilege(root, log)
    if words is None:
        return "apt-get may not be used here"
    apt = [*words, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *APT_OPTIONS]
    packages = [PACKAGES[command] for command in commands]
    run([*apt, "update"], cwd=root, log=log, timeout=APT_TIMEOUT)  # a stale list may still do
    if run([*apt, "install", "--no-install-recommends", *packages], cwd=root, log=log, timeout=APT_TIMEOUT):
        return f"apt-get failed, see {log}"
    return ""


def tests_needing(root: Path, command: str) -> list[str]:
    """The test files that name this program in quotes."""
    spellings = (f'"{command}"', f"'{command}'")
    live = root / "tests"
    return sorted(
        str(path.relative_to(root))
        for path in live.rglob("test_*.py")
        if "build" not in path.relative_to(live).parts
        and any(spelling in path.read_text(encoding="utf-8") for spelling in spellings)
    )


def explain(root: Path, commands: Sequence[str], why: str) -> list[str]:
    """One line per program that stays missing, with the tests that are skipped for it."""
    lines = []
    for command in commands:
        tests = ", ".join(tests_needing(root, command)) or "no test names it"
        lines.append(f"      no {command} ({why}; Debian package {PACKAGES[command]}), skipped: {tests}")
    return lines
