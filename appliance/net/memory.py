"""How full memory is: of the control group that this process lives in, or of the machine.

What the kernel would give back at once (unused page cache) does not count as used, neither here nor there.
"""

from __future__ import annotations

from pathlib import Path

_UNLIMITED = 1 << 60  # cgroup v1 writes a number like this where v2 writes "max"


class Gauge:
    """Reads a few small files; ``root`` is where the file systems are mounted."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._meminfo = root / "proc" / "meminfo"
        self._group = _group(root)

    def read(self) -> float | None:
        """Give the used share, 0 to 1, or None where nobody says."""
        share = self._of_group()
        return self._of_machine() if share is None else share

    def _of_group(self) -> float | None:
        if self._group is None:
            return None
        limit_file, used_file, inactive = self._group
        try:
            text = limit_file.read_text().strip()
            limit = _UNLIMITED if text == "max" else int(text)
            if not 0 < limit < _UNLIMITED:
                return None
            cache = _field(limit_file.parent / "memory.stat", inactive) or 0
            return max(0, int(used_file.read_text()) - cache) / limit
        except (OSError, ValueError):
            return None

    def _of_machine(self) -> float | None:
        total, available = _field(self._meminfo, "MemTotal:"), _field(self._meminfo, "MemAvailable:")
        return None if not total or available is None else 1.0 - available / total


def _group(root: Path) -> tuple[Path, Path, str] | None:
    """Give the files of the control group: its limit, what it uses, and the name of its unused cache."""
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return None
    mounted = root / "sys" / "fs" / "cgroup"
    for line in lines:
        _, kinds, path = (line.split(":", 2) + ["", ""])[:3]
        if kinds == "":
            names = ("memory.max", "memory.current", "inactive_file")
            places = [mounted / path.lstrip("/"), mounted]
        elif "memory" in kinds.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            places = [mounted / "memory" / path.lstrip("/"), mounted / "memory"]
        else:
            continue
        for place in places:
            if (place / names[0]).is_file():
                return place / names[0], place / names[1], names[2]
    return None


def _field(path: Path, name: str) -> int | None:
    """Give the number after ``name`` at the beginning of a line."""
    try:
        for line in path.read_text().splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == name:
                return int(words[1])
    except (OSError, ValueError):
        return None
    return None
