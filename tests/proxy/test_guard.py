"""The guard: a bug ends here, is told with its trace, and whom it met; cancellation passes."""

from __future__ import annotations

import logging

import pytest
import trio

from appliance.proxy.guard import guarded


async def works() -> None:
    """Do nothing wrong."""


async def fails() -> None:
    """Have a bug."""
    raise ZeroDivisionError("a bug")


async def waits() -> None:
    """Wait for ever."""
    await trio.sleep_forever()


async def test_what_works_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """And nothing is said."""
    assert await guarded(works(), lambda: "request 1")
    assert not caplog.records


async def test_a_bug_ends_here(caplog: pytest.LogCaptureFixture) -> None:
    """With its trace in the log."""
    with caplog.at_level(logging.ERROR):
        assert not await guarded(fails(), lambda: "request 1")
    assert caplog.messages == ["request 1: a bug in meshctl"]
    assert "ZeroDivisionError: a bug" in caplog.text


async def test_cancellation_passes(autojump_clock: object) -> None:
    """It is no bug."""
    with trio.move_on_after(1) as scope:
        await guarded(waits(), lambda: "request 1")
        raise AssertionError("unreachable")
    assert scope.cancelled_caught
