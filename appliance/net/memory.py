"""How full memory is: of the control group that this process lives in, or of the machine.

A group is as full as the fullest of those that enclose it: the limit is often written on a slice or a pod
above. A limit of more than the machine has is none. What the kernel would give back at once (unused page
cache) does not count as used, neither here nor there. Files that are missing, odd or forbidden are passed
over, for a proxy that cannot see its memory must serve all the same.
"""

from __future__ import annotations

from pathlib import Path

_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")

_DIGITS = 20  # of a number; the kernel's have no more

_Names = tuple[str, str, str]  # of the file of the limit, the file of what is used, and the line of the cache


class Gauge:
    """Reads a few small files; ``root`` is where the file systems are mounted."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._meminfo = root / "proc" / "meminfo"
        self._groups, self._names = _groups(root)

    def read(self) -> float | None:
        """Give the used share, about 0 to 1, or None where nobody says."""
        machine = _fields(self._meminfo, "MemTotal:", "MemAvailable:")
        total = machine.get("MemTotal:", 0) * 1024
        shares = [_share(group, self._names, total) for group in self._groups]
        known = [share for share in shares if share is not None]
        if known:
            return max(known)
        if not total or "MemAvailable:" not in machine:
            return None
        return max(0.0, 1.0 - machine["MemAvailable:"] * 1024 / total)


def _share(group: Path, names: _Names, total: int) -> float | None:
    """Give the used share of a group; None without a limit below ``total`` (0: unknown)."""
    limit = _number(group / names[0])
    if not limit or (total and limit >= total):
        return None
    used = _number(group / names[1])
    if used is None:
        return None
    cache = _fields(group / "memory.stat", names[2]).get(names[2], 0)
    return max(0, used - cache) / limit


def _groups(root: Path) -> tuple[list[Path], _Names]:
    """Give the groups that hold this process, innermost first, and how their files are named.

    Inside a container the path is often that of the host, where nothing is mounted: then the mount's own
    root is the group.
    """
    mounted = root / "sys" / "fs" / "cgroup"
    for line in _lines(root / "proc" / "self" / "cgroup"):
        number, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        if "memory" in kinds.split(","):
            mount, names = mounted / "memory", _V1
        elif (number, kinds) == ("0", "") and rest:
            mount, names = mounted, _V2
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        chain = [mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
        found = [group for group in chain if _lines(group / names[1])]
        if found:
            return found, names
    return [], _V2


def _number(path: Path) -> int | None:
    """Give the number that a file consists of, if it does."""
    lines = _lines(path)
    text = lines[0].strip() if lines else ""
    return _whole(text)


def _fields(path: Path, *names: str) -> dict[str, int]:
    """Give the numbers after these names at the beginnings of lines, as far as there are any."""
    found: dict[str, int] = {}
    for line in _lines(path):
        words = line.split(None, 2)
        number = _whole(words[1]) if len(words) > 1 and words[0] in names else None
        if number is not None:
            found[words[0]] = number
    return found


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def _lines(path: Path) -> list[str]:
    """Give the lines of a file; none if it cannot be read."""
    try:
        return path.read_text("ascii", "replace").splitlines()
    except (OSError, ValueError):
        return []
