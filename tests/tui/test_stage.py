"""What comes is taken and drawn: hellos, frames, links, reports of trips, a clock of its own."""

from __future__ import annotations

import os
import pty
import time

from appliance.tui.stage import hung_up
from tests.kit.dashboards import DAY, breaker, hello, snap
from tests.kit.tops import Desk, at_the_dashboard


def test_it_shows_what_came() -> None:
    """And stops the link at the end."""

    async def do(desk: Desk) -> None:
        assert desk.line.started
        assert "edge-01" in desk.text
        assert "OPEN" in desk.text
        desk.hear(
            snap(DAY + 250, 101) | {"br": {"new/x": breaker("new", st="open", since=DAY, until=DAY + 9000)}}
        )
        await desk.press("2")
        assert "new/x" in desk.text

    assert at_the_dashboard(do).stopped


def test_reports_are_fetched_when_a_breaker_names_one() -> None:
    """Once each."""

    async def do(desk: Desk) -> None:
        desk.hear(snap(DAY + 250, 101))
        assert "tr-000003" in desk.app.trips
        asked = [more["trip"] for what, more in desk.line.asked if what == "trip"]
        assert sorted(asked) == ["tr-000002"] or sorted(set(asked)) == ["tr-000002", "tr-000003"]
        desk.hear(snap(DAY + 500, 102))
        assert len([what for what, _ in desk.line.asked if what == "trip"]) == len(asked)

    at_the_dashboard(do)


def test_a_lost_link_shows() -> None:
    """With the reason; r tries at once; nothing can be done meanwhile."""

    async def do(desk: Desk) -> None:
        now = time.monotonic()
        desk.hear(status="disconnected", text="refused: /run/x.sock", attempt=3, next_at=now + 9)
        assert "DISCONNECTED" in desk.text
        assert "refused: /run/x.sock" in desk.text
        await desk.press("r")
        assert desk.line.hurried == 1
        await desk.press("2", "o")
        assert "actions are off" in desk.text
        desk.hear(hello(), snap(DAY + 250, 101), status="live", heard=now + 1000)
        assert "LIVE" in desk.text

    at_the_dashboard(do)


def test_countdowns_go_on_between_frames() -> None:
    """By this machine's clock, never far beyond what was told."""

    async def do(desk: Desk) -> None:
        desk.hear(snap(DAY, 101))
        first = desk.app.scene().m
        desk.app._offset = (desk.app._offset or 0) - 1.0
        assert 900 <= desk.app.scene().m - first <= 1200
        desk.app._offset -= 100
        assert desk.app.scene().m == DAY + 3000

    at_the_dashboard(do)


def test_another_size_is_drawn_anew() -> None:
    """At once."""

    async def do(desk: Desk) -> None:
        await desk.pilot.resize_terminal(80, 24)
        await desk.pilot.pause()
        desk.app.tick()
        assert len(desk.text.split("\n")) == 24
        assert "[1 Over]" in desk.text

    at_the_dashboard(do)


def test_low_bandwidth_draws_once_a_second() -> None:
    """With another theme and fewer signs if that is asked for."""

    async def do(desk: Desk) -> None:
        assert "╭" not in desk.text

    at_the_dashboard(do, low=True, theme="ansi", ascii=True)


def test_a_terminal_that_is_gone() -> None:
    """Is seen without reading from it."""
    master, slave = pty.openpty()
    with open(slave) as terminal:
        assert not hung_up(terminal)
        os.close(master)
        assert hung_up(terminal)
    assert hung_up(terminal)
    assert hung_up(None)
