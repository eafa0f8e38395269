"""Dialogs."""

from __future__ import annotations

from appliance.tui.modals import Choice, Help
from tests.kit.tops import Desk, at_the_dashboard


def test_help_tells_of_all_keys() -> None:
    """And goes away by itself's key."""

    async def do(desk: Desk) -> None:
        await desk.press("question_mark")
        assert isinstance(desk.app.screen, Help)
        text = str(desk.app.screen.query_one("#help").render())
        for words in ("force a breaker open", "hold the picture", "quit", "/ "):
            assert words in text
        await desk.press("escape")
        assert not isinstance(desk.app.screen, Help)

    at_the_dashboard(do)


def test_an_order_is_chosen() -> None:
    """By the menu; esc leaves it; S turns it round."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "v", "s")
        assert isinstance(desk.app.screen, Choice)
        await desk.press("down", "enter")
        assert desk.app.ui.sort[2] == ("name", False)
        assert desk.app.items()[0][0].startswith("catalog")
        await desk.press("S")
        assert desk.app.items()[0][0].startswith("users")
        await desk.press("s", "escape")
        assert desk.app.ui.sort[2] == ("name", True)

    at_the_dashboard(do)


def test_dialogs_fit_small_terminals() -> None:
    """80 by 24."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "o")
        box = desk.app.screen.query_one("#box").region
        assert box.right <= 80
        await desk.press("escape", "question_mark", "escape")

    at_the_dashboard(do, (80, 24))
