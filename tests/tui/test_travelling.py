"""Going back in time and on again."""

from __future__ import annotations

import time
from typing import Any

import pytest

from appliance.tui.past import Past
from appliance.tui.travelling import parse
from tests.kit.dashboards import BORN, DAY, edge, snap, story
from tests.kit.tops import Desk, FakeLine, at_the_dashboard


def shown(desk: Desk) -> int:
    return desk.app.scene().m


def test_back_and_on_by_steps() -> None:
    """Five seconds each; at the end it is now again; what came meanwhile is not lost."""

    async def do(desk: Desk) -> None:
        await desk.press("left_square_bracket", "left_square_bracket", "left_square_bracket")
        assert shown(desk) == DAY - 15_000
        assert "PAUSED" in desk.text
        assert "15s behind" in desk.text
        assert "5 failures in a row" not in desk.text  # the trip of 11.6 s ago has not happened yet
        await desk.press("right_square_bracket")
        assert "5 failures in a row" in desk.text
        desk.hear(snap(DAY + 1000, 101))
        assert shown(desk) == DAY - 10_000
        await desk.press("full_stop")
        assert "LIVE" in desk.text
        assert desk.app.at is None

    at_the_dashboard(do)


def test_by_events_and_frames() -> None:
    """To the one before, to the next, one frame back."""

    async def do(desk: Desk) -> None:
        await desk.press("left_curly_bracket")
        assert shown(desk) == DAY - 11_600
        await desk.press("left_curly_bracket")
        assert shown(desk) == DAY - 17_000
        await desk.press("right_curly_bracket")
        assert shown(desk) == DAY - 11_600
        await desk.press("comma")
        assert shown(desk) == DAY - 12_000
        await desk.press("right_curly_bracket", "right_curly_bracket")
        assert desk.app.at is None

    at_the_dashboard(do)


class Remembering(FakeLine):
    """A proxy that remembers ten minutes."""

    async def history(self, **more: Any) -> list[dict[str, Any]]:
        self.asked.append(("history", more))
        return [snap(DAY - second * 1000, 10) for second in range(600, 0, -5)]


def test_the_proxy_remembers_what_nobody_watched() -> None:
    """It is asked once."""
    line = Remembering()

    async def do(desk: Desk) -> None:
        desk.app.goto("-5m")
        await desk.pilot.pause()
        assert shown(desk) == DAY - 300_000
        assert "the past reaches back 10 min" in desk.text
        desk.app.goto("-20m")
        assert shown(desk) == DAY - 600_000

    at_the_dashboard(do, line=line)
    assert [what for what, _ in line.asked].count("history") == 1


def test_a_moment_is_written() -> None:
    """In a field of its own; what cannot be read is told."""

    async def do(desk: Desk) -> None:
        await desk.press("at", *"-30s", "enter")
        assert shown(desk) == DAY - 30_000
        await desk.press("at", *"trip payments", "enter")
        assert shown(desk) == DAY - 11_600
        await desk.press("at", *"soon", "enter")
        assert "write a time such as" in desk.text
        await desk.press("at", "escape")
        assert desk.app.canvas.has_focus

    at_the_dashboard(do)


def test_the_past_runs_at_a_speed() -> None:
    """Until it is now."""

    async def do(desk: Desk) -> None:
        await desk.press("left_square_bracket", "space")
        assert desk.app.speed == 1.0
        desk.app._played -= 2.0
        desk.app.tick()
        assert DAY - 3_000 <= shown(desk) <= DAY - 1_000
        await desk.press("plus", "plus")
        assert desk.app.speed == 4.0
        assert "4 times as fast" in desk.text
        desk.app._played -= 2.0
        desk.app.tick()
        assert desk.app.at is None
        await desk.press("plus")
        assert desk.app.speed == 0.0

    at_the_dashboard(do)


def test_a_recording_is_played() -> None:
    """It begins at its beginning and runs; nothing can be done in it; its end is not now."""

    async def do(desk: Desk) -> None:
        app = desk.app
        app.load("incident.meshrec", story())
        app.tick()
        assert "REPLAY incident.meshrec x1" in desk.text
        assert shown(desk) - (DAY - 90_000) < 2000
        await desk.press("p")
        assert "REPLAY incident.meshrec held" in desk.text
        await desk.press("full_stop")
        assert shown(desk) == DAY
        assert "REPLAY" in desk.text
        await desk.press("2", "o")
        assert "this is the past" in desk.text or "recording" in desk.text
        await desk.press("left_square_bracket", "right_square_bracket")
        assert "REPLAY" in desk.text

    at_the_dashboard(do)


def test_another_life_has_another_past() -> None:
    """Nobody is left in the old one."""

    async def do(desk: Desk) -> None:
        from tests.kit.dashboards import hello

        await desk.press("left_square_bracket")
        desk.hear(hello(boot="other"), snap(5000, 1))
        assert desk.app.at is None
        assert desk.app.past.first == 5000

    at_the_dashboard(do)


@pytest.mark.parametrize("text", ["25:00", "12:61:00", "-", "-5", "trip nobody", "trip ", ""])
def test_what_is_no_moment(text: str) -> None:
    """Is none."""
    assert parse(text, edge(), Past()) is None


def test_times_of_day_are_in_the_past() -> None:
    """The last time that it was so late."""
    known = edge()
    local = time.localtime((BORN + DAY - 7_200_000) / 1000)
    m = parse(f"{local.tm_hour:02}:{local.tm_min:02}:{local.tm_sec:02}", known, Past())
    assert m == DAY - 7_200_000
    later = time.localtime((BORN + DAY + 3_600_000) / 1000)
    m = parse(f"{later.tm_hour:02}:{later.tm_min:02}", known, Past())
    assert m is not None
    assert abs(m - (DAY + 3_600_000 - 86_400_000)) <= 60_000
