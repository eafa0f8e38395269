"""What keys mean."""

from __future__ import annotations

import pytest
from textual.command import CommandPalette

from tests.kit.dashboards import DAY, snap
from tests.kit.tops import Desk, at_the_dashboard


def test_a_filter_is_typed_and_tried_at_once() -> None:
    """A wrong one says where; escape takes it away, enter keeps it."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "v", "slash", *"state=open")
        assert len(desk.app.items()) == 1
        await desk.press("enter")
        assert desk.app.ui.filters[2] == "state=open"
        assert desk.app.canvas.has_focus
        await desk.press("slash", *" and st>")
        assert "column" in desk.text
        await desk.press("escape")
        assert 2 not in desk.app.ui.filters
        assert len(desk.app.items()) == 22

    at_the_dashboard(do)


def test_escape_clears_a_filter_first() -> None:
    """Then it goes back."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "slash", *"name=legacy*", "enter", "escape")
        assert "the filter is gone" in desk.text
        assert desk.app.ui.view == 2
        await desk.press("escape")
        assert desk.app.ui.view == 1

    at_the_dashboard(do)


def test_only_trouble() -> None:
    """And everything again."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "exclamation_mark")
        assert "catalog" not in desk.text
        await desk.press("exclamation_mark")
        assert "catalog" in desk.text

    at_the_dashboard(do)


def test_paused_the_picture_stands_and_nothing_is_lost() -> None:
    """What came meanwhile is there afterwards."""

    async def do(desk: Desk) -> None:
        await desk.press("p")
        assert "PAUSED" in desk.text
        frame = snap(DAY + 1000, 101)
        frame["proxy"]["rps"] = 77
        desk.hear(frame)
        assert "1284" in desk.text
        await desk.press("full_stop")
        assert "PAUSED" not in desk.text
        assert "now    77" in desk.text or "now  77" in desk.text

    at_the_dashboard(do)


def test_the_order_can_be_frozen() -> None:
    """Until it is let go."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "v", "F")
        before = [key for key, _ in desk.app.items()]
        frame = snap(DAY + 250, 101)
        frame["br"]["users/10.0.5.13:8080"]["st"] = "open"
        desk.hear(frame)
        assert [key for key, _ in desk.app.items()] == before
        await desk.press("F")
        assert desk.app.items()[0][0] != before[0] or desk.app.items()[1][0] == "users/10.0.5.13:8080"

    at_the_dashboard(do)


@pytest.mark.parametrize(("key", "kept"), [("q", False), ("Q", True), ("ctrl+c", False)])
def test_leaving(key: str, kept: bool) -> None:
    """Q leaves the last picture behind."""
    found = []

    async def do(desk: Desk) -> None:
        await desk.press(key)
        assert desk.app._exit
        found.append(desk.app.kept)

    at_the_dashboard(do)
    assert ("edge-01" in found[0]) == kept


def test_it_begins_where_it_was_asked_to() -> None:
    """View and filter."""

    async def do(desk: Desk) -> None:
        assert "[2 Breakers" in desk.text
        assert len(desk.app.items()) == 2

    at_the_dashboard(do, view=2, filter="name=legacy*")


def test_seen_events_are_no_news() -> None:
    """Once their view was open."""

    async def do(desk: Desk) -> None:
        assert "6 Events •4" in desk.text
        await desk.press("6", "1")
        assert "•4" not in desk.text

    at_the_dashboard(do)


def test_what_the_keys_do_can_be_called_by_name() -> None:
    """In the command palette; what is chosen is done."""

    async def do(desk: Desk) -> None:
        await desk.press("ctrl+p")
        assert isinstance(desk.app.screen, CommandPalette)
        await desk.press("escape", "colon", *"hold the order", "enter")
        await desk.pilot.pause(0.5)
        await desk.press("enter")
        await desk.pilot.pause(0.5)
        assert desk.app.ui.frozen
        titles = [each.title for each in desk.app.get_system_commands(desk.app.screen)]
        assert {"view Profile", "force a breaker open", "quit"} <= set(titles)
        assert len(titles) == len(set(titles))

    at_the_dashboard(do)
