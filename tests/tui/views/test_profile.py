"""The profile that runs, and that on disk."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.tui.rows import plain
from appliance.tui.text import width
from appliance.tui.views import profile
from tests.kit.dashboards import DISK, edge, scene

EDGE = edge()


def drawn(cells: int = 120, count: int = 30, **more: Any) -> str:
    return "\n".join(plain(line) for line in profile.lines(scene(7, EDGE, **more), cells, count))


@pytest.mark.parametrize(("cells", "count"), [(160, 50), (120, 31), (80, 19), (60, 15), (40, 8)])
def test_it_fits(cells: int, count: int) -> None:
    """At each size."""
    lines = drawn(cells, count).split("\n")
    assert len(lines) == count
    assert {width(line) for line in lines} == {cells}


def test_what_runs_and_what_would() -> None:
    """With what a reload would change, and how to have it."""
    text = drawn()
    assert "generation 7" in text
    assert "0123456789ab   would reload: 2 changes" in text
    assert "~ upstreams.payments.breaker.open_for  30s (default) → 10s" in text
    assert "r loads it" in text


def test_what_is_wrong_with_the_file() -> None:
    """In the words of validate; nothing can be loaded."""
    wrong = {
        "ok": False,
        "text": "edge.yaml has 1 error",
        "problems": "error[MC402]: x\n  --> edge.yaml:6:21\x1b",
    }
    text = drawn(disk=wrong)
    assert "error[MC402]: x" in text
    assert "\x1b" not in text
    assert "r loads it" not in text


def test_before_it_was_read_and_when_nothing_differs() -> None:
    """Both are told."""
    assert "being read" in drawn(disk=None)
    assert "nothing" in drawn(disk={**DISK, "changes": [], "diff": ""})


def test_a_long_difference_is_moved_through() -> None:
    """No further than to its end."""
    disk = {**DISK, "diff": "\n".join(f"~ line {number}" for number in range(100))}
    text = drawn(disk=disk, offset={7: 1_000_000})
    assert "~ line 99" in text
    assert "~ line 0 " not in text
    assert "of 100" in text
