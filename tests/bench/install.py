"""Where the peers come from: the `bench` dependency group, in an environment of its own.

Debian's nginx, HAProxy and wrk are taken from PATH; what the registry has as a Python package goes to
.venv-bench, so that the environment of the product never holds a peer.
"""

import shutil
import subprocess
import sys
import tomllib

from procs import ROOT

HOME = ROOT / ".venv-bench"


def find(program: str) -> str | None:
    """Return the path of a program, ours before the system's, or None."""
    envoy = next(HOME.glob("lib/python*/site-packages/envoy/_bin/envoy"), None)
    if program == "envoy" and envoy:
        return str(envoy)  # its entry point would only exec this
    return shutil.which(program, path=str(HOME / "bin")) or shutil.which(program)


def group() -> list[str]:
    """Return the requirements of the `bench` group."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return list(tomllib.load(file)["dependency-groups"]["bench"])


def install() -> None:
    """Make .venv-bench and fill it; a package that cannot be had is named, and the rest goes on."""
    python = HOME / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
    for package in group():
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", package]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"bench: could not install {package}: {done.stderr.strip()[-300:]}", file=sys.stderr)


if __name__ == "__main__":
    install()
