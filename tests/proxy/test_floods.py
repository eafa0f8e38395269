"""Clients that were cut off are all counted, and told of now and then."""

from __future__ import annotations

from appliance.proxy.floods import BROKEN, PAUSE, FloodEvent, FloodLedger


def test_the_first_is_told_and_then_all_that_came_since() -> None:
    """For each listener and kind by itself."""
    now = 100.0
    told: list[FloodEvent] = []
    ledger = FloodLedger(told.append, lambda: now)
    for _ in range(50):
        ledger.ended("web", "192.0.2.7", "rapid reset", "too many streams reset")
    ledger.ended("api", "192.0.2.7", "rapid reset", "too many streams reset")
    ledger.ended("web", "192.0.2.8", "", "a frame of 20000 bytes")
    assert [(each.listener, each.kind, each.count) for each in told] == [
        ("web", "rapid reset", 1),
        ("api", "rapid reset", 1),
        ("web", BROKEN, 1),
    ]
    now += PAUSE
    ledger.ended("web", "192.0.2.9", "rapid reset", "too many streams reset")
    assert told[-1] == FloodEvent("web", "192.0.2.9", "rapid reset", "too many streams reset", 50)
    assert ledger.counts == {("web", "rapid reset"): 51, ("api", "rapid reset"): 1, ("web", BROKEN): 1}
