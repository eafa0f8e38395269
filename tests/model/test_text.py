"""Words for numbers of things."""

from __future__ import annotations

from appliance.model.text import counted


def test_numbers_have_their_noun() -> None:
    """One is one, all others are many."""
    assert [counted(number, "route") for number in (0, 1, 2)] == ["0 routes", "1 route", "2 routes"]
