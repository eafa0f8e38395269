"""Moving about: cursor, folding, looking closer."""

from __future__ import annotations

import time

from tests.kit.tops import Desk, at_the_dashboard


def test_views_by_number() -> None:
    """One to eight."""

    async def do(desk: Desk) -> None:
        for key, word in (("2", "[2 Breakers"), ("3", "[3 Upstreams"), ("4", "[4 Routes"), ("6", "[6 Events"),
                          ("8", "[8 System"), ("1", "[1 Overview")):  # fmt: skip
            await desk.press(key)
            assert word in desk.text

    at_the_dashboard(do)


def test_the_cursor_moves_and_stays_with_its_thing() -> None:
    """Down, up, to the end and back; it holds the order for a while."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "v", "j", "j")
        assert desk.app.chosen()[0] == "search/10.0.6.12:8080"  # type: ignore[index]
        assert time.monotonic() - desk.app.ui.moved_at < 3
        await desk.press("k")
        assert desk.app.chosen()[0] == "legacy/10.0.6.11:8080"  # type: ignore[index]
        await desk.press("G")
        assert desk.app.chosen()[0].startswith("users")  # type: ignore[index]
        await desk.press("g")
        assert desk.app.chosen()[0].startswith("payments")  # type: ignore[index]
        await desk.press("pagedown", "pageup", "down", "up")
        assert desk.app.chosen()[0].startswith("payments")  # type: ignore[index]

    at_the_dashboard(do)


def test_cards_go_sideways() -> None:
    """Left and right."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "right")
        assert "▶legacy" in desk.text
        await desk.press("left")
        assert "▶payments" in desk.text

    at_the_dashboard(do)


def test_upstreams_fold() -> None:
    """Left folds, right unfolds; from an endpoint left goes to its upstream."""

    async def do(desk: Desk) -> None:
        await desk.press("3", "left")
        assert "▸ payments" in desk.text
        await desk.press("right", "down", "left")
        assert "▶▸ payments" in desk.text

    at_the_dashboard(do)


def test_looking_closer() -> None:
    """From an upstream to its endpoints, from an endpoint to its breaker and its report."""

    async def do(desk: Desk) -> None:
        await desk.press("enter")
        assert "[3 Upstreams" in desk.text
        await desk.press("down", "enter")
        assert "[2 Breakers" in desk.text
        assert "payments/10.0.8.11:8080: why it opened" in desk.text
        await desk.press("escape")
        assert "[1 Overview]" in desk.text

    at_the_dashboard(do)


def test_a_view_without_things_bears_keys() -> None:
    """Nothing happens."""

    async def do(desk: Desk) -> None:
        await desk.press("8", "down", "enter", "left", "G")
        assert "[8 System" in desk.text

    at_the_dashboard(do)


def test_the_mouse() -> None:
    """Tabs, lines, the wheel."""

    async def do(desk: Desk) -> None:
        await desk.pilot.click(offset=(20, 1))
        await desk.pilot.pause()
        assert "[2 Breakers" in desk.text
        await desk.press("v")
        await desk.pilot.click(offset=(10, 5))
        await desk.pilot.pause()
        assert desk.app.chosen()[0] == "legacy/10.0.6.11:8080"  # type: ignore[index]

    at_the_dashboard(do)


def test_a_report_may_have_all_of_its_view() -> None:
    """Enter, and back by enter, esc or another view."""

    async def do(desk: Desk) -> None:
        await desk.press("2")
        assert "⏎ full report" in desk.text
        assert "fuse " in desk.text
        for back in ("enter", "escape"):
            await desk.press("enter")
            assert "fuse " not in desk.text
            assert "why it opened" in desk.text
            await desk.press(back)
            assert "fuse " in desk.text
        await desk.press("enter", "1", "2")
        assert "fuse " in desk.text

    at_the_dashboard(do)
