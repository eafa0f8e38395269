"""Files that travel with the package: the ready-to-run profiles."""

from __future__ import annotations

from pathlib import Path

import appliance


def profile_path(name: str) -> Path:
    """Give the path of a ready-made profile; raises FileNotFoundError.

    Installed, ``profiles/`` lies inside the package; in a checkout beside it.
    """
    package = Path(appliance.__file__).parent
    for folder in (package / "profiles", package.parent / "profiles"):
        path = folder / name
        if path.exists():
            return path
    raise FileNotFoundError(f"no profile {name} came with this meshctl")
