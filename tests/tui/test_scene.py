"""When something is old, and when nothing may be done."""

from __future__ import annotations

from dataclasses import replace

from appliance.tui.scene import Link
from appliance.tui.state import Model, reduce_all
from tests.kit.dashboards import hello, scene, snap


def test_what_is_old() -> None:
    """Three seconds without a frame, or no connection; a recording is never old."""
    assert not scene().stale
    assert scene(link=Link("live", heard=96.9)).stale
    assert scene(link=Link("disconnected", heard=100)).stale
    assert not scene(link=Link("replay")).stale


def test_why_nothing_can_be_done() -> None:
    """The past, a recording, what is old, a role, a wish of one's own."""
    assert scene().acting == ""
    assert "past" in scene(paused=1).acting
    assert "recording" in scene(link=Link("replay")).acting
    assert "old" in scene(link=Link("live", heard=0.0)).acting
    assert "read-only" in scene(read_only=True).acting
    guest = reduce_all(Model(), [hello(role="observer"), snap()])
    assert "observer" in replace(scene(), model=guest).acting
