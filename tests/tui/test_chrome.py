"""Header, tabs and keys at each width."""

from __future__ import annotations

import pytest

from appliance.tui.chrome import echo, header, keys, state_cell, tabs
from appliance.tui.rows import plain
from appliance.tui.text import width
from tests.kit.dashboards import edge, scene

EDGE = edge()


@pytest.mark.parametrize("cells", [40, 59, 60, 79, 80, 109, 110, 160])
def test_each_line_fits(cells: int) -> None:
    """And says at least who and how."""
    for line in (header(scene(1, EDGE), cells), tabs(scene(1, EDGE), cells), keys(scene(1, EDGE), cells)):
        assert width(plain(line)) == cells
    assert plain(header(scene(1, EDGE), cells)).split()[:1] == (["meshctl"] if cells >= 110 else ["edge-01"])
    assert "LIVE" in plain(header(scene(1, EDGE), cells))


def test_tabs_tell_of_trouble_and_news() -> None:
    """Open breakers, upstreams in trouble, events that nobody has seen and that are no good news."""
    line = plain(tabs(scene(2, EDGE), 120))
    assert "[2 Breakers !1]" in line
    assert "3 Upstreams !3" in line
    assert "6 Events •4" in line
    assert "6 Events " in plain(tabs(scene(2, EDGE, seen_event=7), 120))
    assert "•" not in plain(tabs(scene(2, EDGE, seen_event=7), 120))


def test_tabs_can_be_clicked() -> None:
    """Where they stand."""
    line = tabs(scene(1, EDGE), 120)
    text = plain(line)
    for begin, end, pane, key in line.hits:
        assert pane == "tab"
        assert key in text[begin:end]
    assert [key for *_, key in line.hits] == [str(number) for number in range(1, 9)]


def test_what_was_said_last_is_shown() -> None:
    """And is harmless."""
    assert plain(echo(scene(1, EDGE, echo="✓ done \x1b[31m"), 40)).startswith(" ✓ done \\x1b[31m")


def test_a_state_has_a_picture_and_a_word() -> None:
    """Also one that nobody knows."""
    assert "".join(text for text, _ in state_cell("half_open", scene(1, EDGE))) == "━┅━  HALF"
    assert "".join(text for text, _ in state_cell("weird\x1b", scene(1, EDGE))).endswith("weird\\x1b")


def test_a_proxy_that_drains_says_so() -> None:
    """Before all else."""
    known = edge()
    known.state["proxy"][""]["drain"] = True
    assert "DRAINING" in plain(header(scene(1, known), 80))
