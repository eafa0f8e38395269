"""From a key to the proxy and back."""

from __future__ import annotations

from textual.widgets import Button, Input

from appliance.tui.modals import Choice, Confirm
from tests.kit.dashboards import DAY, breaker, snap
from tests.kit.tops import Desk, FakeLine, at_the_dashboard

OPEN = "payments/10.0.8.11:8080"


def test_forcing_asks_and_does_what_was_asked() -> None:
    """With time and reason; the command that does the same is shown before and after."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "o")
        dialog = desk.app.screen
        assert isinstance(dialog, Confirm)
        dialog.query_one("#reason", Input).value = "INC-7"
        assert dialog.settled().command().endswith("--for 10m --reason INC-7")
        await desk.press("y")
        assert "breaker open payments/10.0.8.11:8080 --for 10m --reason INC-7" in desk.text
        assert "done" in desk.text

    line = at_the_dashboard(do)
    args = {"breaker": OPEN, "state": "open", "ttl": 600_000, "reason": "INC-7"}
    assert [row for row in line.asked if row[0] == "breaker.force"] == [("breaker.force", args)]


def test_enter_does_nothing_dangerous() -> None:
    """The focus is on cancel."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "o", "enter")
        assert not isinstance(desk.app.screen, Confirm)

    assert not [row for row in at_the_dashboard(do).asked if row[0].startswith("breaker")]


def test_what_changed_meanwhile_cannot_be_done() -> None:
    """The dialog says so, and its button is off."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "o")
        closed = snap(DAY + 250, 101)
        closed["br"][OPEN] = breaker("payments")
        desk.hear(closed)
        dialog = desk.app.screen
        assert isinstance(dialog, Confirm)
        dialog.check()
        assert "CLOSED now" in dialog.obstacle()
        assert dialog.query_one("#do", Button).disabled
        await desk.press("y")
        assert isinstance(desk.app.screen, Confirm)
        await desk.press("escape")

    assert not [row for row in at_the_dashboard(do).asked if row[0].startswith("breaker")]


def test_taking_protection_away_wants_the_name() -> None:
    """Typed in full."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "c")
        dialog = desk.app.screen
        assert isinstance(dialog, Confirm)
        assert "type its name" in dialog.obstacle()
        dialog.query_one("#name", Input).value = OPEN
        assert dialog.obstacle() == ""
        dialog.check()
        await desk.pilot.click("#do")
        await desk.pilot.pause()

    assert ("breaker.force", OPEN) in [(op, args.get("breaker")) for op, args in at_the_dashboard(do).asked]


def test_small_things_want_the_key_twice() -> None:
    """Within three seconds."""

    async def do(desk: Desk) -> None:
        await desk.press("3")
        desk.app.ui.cursor[3] = "legacy/10.0.6.12:8080"
        await desk.press("u")
        assert "the same key again does it" in desk.text
        assert not [row for row in desk.line.asked if row[0].startswith("endpoint")]
        await desk.press("u")
        assert "✓ meshctl undrain legacy/10.0.6.12:8080" in desk.text

    line = at_the_dashboard(do)
    assert ("endpoint.undrain", {"endpoint": "legacy/10.0.6.12:8080"}) in line.asked


def test_a_refusal_of_the_proxy_is_told() -> None:
    """In its words."""
    refused = FakeLine({"ok": False, "code": "conflict", "text": "it changed 0.4s ago"})

    async def do(desk: Desk) -> None:
        await desk.press("2", "R", "y")
        await desk.pilot.pause()
        assert "✗ meshctl breaker reset" in desk.text
        assert "it changed 0.4s ago" in desk.text

    at_the_dashboard(do, line=refused)


def test_keys_without_something_to_act_on() -> None:
    """Say what they are for."""

    async def do(desk: Desk) -> None:
        await desk.press("3", "o")
        assert "this is for a breaker" in desk.text
        await desk.press("4", "d")
        assert "this is for an endpoint" in desk.text

    at_the_dashboard(do)


def test_nothing_is_done_read_only() -> None:
    """Nor in the past."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "o")
        assert "only looks" in desk.text

    at_the_dashboard(do, read_only=True)

    async def paused(desk: Desk) -> None:
        await desk.press("p", "2", "o")
        assert "this is the past" in desk.text

    at_the_dashboard(paused)


def test_what_can_be_done_is_listed() -> None:
    """By the menu, of the thing that the cursor is on."""

    async def do(desk: Desk) -> None:
        await desk.press("2", "a")
        assert isinstance(desk.app.screen, Choice)
        await desk.press("enter")
        assert isinstance(desk.app.screen, Confirm)
        await desk.press("escape", "4", "a")
        assert "nothing can be done" in desk.text

    at_the_dashboard(do)


def test_a_weight_is_asked_for() -> None:
    """A whole number; the command has it."""

    async def do(desk: Desk) -> None:
        await desk.press("3")
        desk.app.ui.cursor[3] = "users/10.0.5.11:8080"
        await desk.press("w")
        dialog = desk.app.screen
        assert isinstance(dialog, Confirm)
        field = dialog.query_one("#number", Input)
        assert field.value == "100"
        field.value = ""
        assert "whole number" in dialog.obstacle()
        field.value = "30"
        assert dialog.settled().command() == "meshctl endpoint weight users/10.0.5.11:8080 30"
        await desk.press("y")

    line = at_the_dashboard(do)
    args = {"endpoint": "users/10.0.5.11:8080", "weight": 30, "reason": ""}
    assert ("endpoint.weight", args) in line.asked
