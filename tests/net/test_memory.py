"""How full memory is, read from trees of files as kernels write them."""

from __future__ import annotations

from collections.abc import Callable
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


@pytest.mark.parametrize(
    "limit", ["max", "9223372036854771712", "1024000", "0", "-5", "none", "", "9" * 5000]
)
def test_without_a_limit_the_machine_counts(limit: str, tmp_path: Path) -> None:
    """What is not available."""
    assert tree(tmp_path, v2(limit, 700, 200)).read() == 0.75


@pytest.mark.parametrize(
    ("outer", "inner", "share"), [("1000", "max", 0.9), ("1000", "2000", 0.9), ("8000", "1000", 0.5)]
)
def test_limits_of_enclosing_groups_count(outer: str, inner: str, share: float, tmp_path: Path) -> None:
    """The fullest decides, wherever its limit is written."""
    files = {**v2(outer, 900, 0, "/system.slice"), **v2(inner, 600, 100, "/system.slice/edge.service")}
    assert tree(tmp_path, files).read() == share


def test_a_path_that_leads_out_of_the_mount_is_not_followed(tmp_path: Path) -> None:
    """The kernel writes one for a process whose group lies beside its namespace."""
    elsewhere = {f"sys/x/{name}": "900\n" for name in ("memory.max", "memory.current")}
    files = {**v2("1000", 400, 0, ""), **elsewhere, "proc/self/cgroup": "0::/../../x\n"}
    assert tree(tmp_path, files).read() == 0.4


@pytest.mark.parametrize("text", ["odd\n", "1:name=systemd:/\n", "7::/\n", "\n"])
def test_lines_that_are_not_understood_are_passed_over(text: str, tmp_path: Path) -> None:
    """Then there is no group, and the machine counts."""
    assert tree(tmp_path, {**v2("1000", 400, 0, ""), "proc/self/cgroup": text}).read() == 0.75


def test_the_machine_counts_where_groups_are_mixed(tmp_path: Path) -> None:
    """Version 2 without memory beside version 1: its line is there, its files are not."""
    folder = "sys/fs/cgroup/memory"
    files = {
        "proc/self/cgroup": "3:cpu:/\nodd\n2:memory:/\n0::/\n",
        "proc/meminfo": MEMINFO,
        f"{folder}/memory.limit_in_bytes": "9223372036854771712\n",
        f"{folder}/memory.usage_in_bytes": "1000\n",
    }
    assert tree(tmp_path, files).read() == 0.75


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


def test_more_than_all_cannot_be_free(tmp_path: Path) -> None:
    """Where the machine is only pretended, numbers need not fit."""
    assert tree(tmp_path, {"proc/meminfo": "MemTotal: 10 kB\nMemAvailable: 11 kB\n"}).read() == 0


def test_files_that_vanish_are_no_error(tmp_path: Path) -> None:
    """A group may be moved while we run."""
    gauge = tree(tmp_path, v2("1000", 700, 200))
    (tmp_path / "sys/fs/cgroup/app/memory.current").unlink()
    assert gauge.read() == 0.75


def test_what_must_not_be_read_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox may close the door at any time: what is left to read counts, at last nothing."""
    gauge = tree(tmp_path, v2("1000", 700, 200))
    closed = "sys/fs/cgroup"
    read_text, stat = Path.read_text, Path.stat

    def guarded(real: Callable[..., object]) -> Callable[..., object]:
        def access(path: Path, *args: object, **kinds: object) -> object:
            if closed in str(path):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *args, **kinds)

        return access

    monkeypatch.setattr(Path, "read_text", guarded(read_text))
    monkeypatch.setattr(Path, "stat", guarded(stat))
    assert gauge.read() == 0.75
    assert Gauge(tmp_path).read() == 0.75
    closed = "proc"
    assert Gauge(tmp_path).read() is None


def test_bytes_that_are_no_text_are_no_error(tmp_path: Path) -> None:
    """Names of groups are any bytes."""
    gauge = tree(tmp_path, v2("1000", 700, 200))
    (tmp_path / "proc/self/cgroup").write_bytes(b"0::/\xff\x00\n")
    (tmp_path / "sys/fs/cgroup/app/memory.stat").write_bytes(b"\xff\xfe\ninactive_file 200\n")
    assert Gauge(tmp_path).read() == 0.75
    assert gauge.read() == 0.5


def test_this_machine_has_memory() -> None:
    """On any Linux there is an answer between nothing and all."""
    share = Gauge().read()
    assert share is not None
    assert 0 < share < 1
