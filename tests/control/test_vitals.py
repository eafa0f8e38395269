"""What the process says of itself."""

from __future__ import annotations

import gc

from appliance.control.vitals import Vitals


def test_the_process_is_measured() -> None:
    """CPU by the time it took, memory, descriptors, how late the loop was."""
    spent = [0.0]
    vitals = Vitals(100.0, lambda: spent[0])
    first = vitals.sample(100.0)
    assert (first["cpu"], first["lag50"], first["lag99"]) == (0.0, None, None)
    assert first["rss"] > 1 << 20
    assert first["fds"] > 2
    spent[0] = 0.5
    vitals.lateness.extend([0.001] * 98 + [0.050] * 2)
    second = vitals.sample(101.0)
    assert (second["cpu"], second["lag50"], second["lag99"]) == (0.5, 1.0, 50.0)
    assert vitals.cpu_seconds == 0.5


def test_collections_are_timed() -> None:
    """While it listens, and not after."""
    vitals = Vitals(0.0)
    before = len(gc.callbacks)
    vitals.start()
    try:
        gc.collect()
        assert vitals._gc_spent > 0
    finally:
        vitals.stop()
    assert len(gc.callbacks) == before
