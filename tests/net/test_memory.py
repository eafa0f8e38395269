"""How full memory is, read from trees of files as kernels write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.net.memory import Gauge

MEMINFO = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    250 kB\n"


def tree(root: Path, files: dict[str, str]) -> Gauge:
    """Write files under ``root`` and give a gauge that reads them."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Gauge(root)


def v2(limit: str, used: int, cache: int, group: str = "/app") -> dict[str, str]:
    """Give the files of a control group of version 2."""
    folder = f"sys/fs/cgroup{group}"
    return {
        "proc/self/cgroup": f"0::{group}\n",
        "proc/meminfo": MEMINFO,
        f"{folder}/memory.max": f"{limit}\n",
        f"{folder}/memory.current": f"{used}\n",
        f"{folder}/memory.stat": f"anon 1\ninactive_file {cache}\nactive_file 9\n",
    }


def test_a_group_with_a_limit_counts(tmp_path: Path) -> None:
    """What it uses without the cache that can go at once."""
    assert tree(tmp_path, v2("1000", 700, 200)).read() == 0.5


def test_a_group_as_seen_from_inside_a_container(tmp_path: Path) -> None:
    """The path of the group is that of the host; its files are at the root of the mount."""
    files = {**v2("1000", 800, 0, ""), "proc/self/cgroup": "0::/docker/abc\n"}
    assert tree(tmp_path, files).read() == 0.8


@pytest.mark.parametrize("limit", ["max", "9223372036854771712", "0", "none"])
def test_without_a_limit_the_machine_counts(limit: str, tmp_path: Path) -> None:
    """What is not available."""
    assert tree(tmp_path, v2(limit, 700, 200)).read() == 0.75


def test_the_older_version_of_groups(tmp_path: Path) -> None:
    """One line for each kind of resource, other names, the same meaning."""
    folder = "sys/fs/cgroup/memory/app"
    files = {
        "proc/self/cgroup": "5:cpu,cpuacct:/app\n4:memory:/app\n",
        "proc/meminfo": MEMINFO,
        f"{folder}/memory.limit_in_bytes": "2000\n",
        f"{folder}/memory.usage_in_bytes": "1000\n",
        f"{folder}/memory.stat": "cache 5\ntotal_inactive_file 200\n",
    }
    assert tree(tmp_path, files).read() == 0.4


@pytest.mark.parametrize("text", ["", "MemTotal: x kB\nMemAvailable: 1 kB\n", "MemTotal: 0 kB\n"])
def test_where_nobody_says_it_is_unknown(text: str, tmp_path: Path) -> None:
    """No share, and so no shedding."""
    assert tree(tmp_path, {"proc/meminfo": text}).read() is None
    assert Gauge(tmp_path / "nothing").read() is None


def test_files_that_vanish_are_no_error(tmp_path: Path) -> None:
    """A group may be moved while we run."""
    gauge = tree(tmp_path, v2("1000", 700, 200))
    (tmp_path / "sys/fs/cgroup/app/memory.current").unlink()
    assert gauge.read() == 0.75


def test_this_machine_has_memory() -> None:
    """On any Linux there is an answer between nothing and all."""
    share = Gauge().read()
    assert share is not None
    assert 0 < share < 1
