"""Keys: each does one thing, has an id, and is one that terminals pass on."""

from __future__ import annotations

from collections import Counter

from appliance.tui.app import Top
from appliance.tui.keys import BINDINGS, GROUPS


def test_no_key_does_two_things() -> None:
    """Nor has an id two keys."""
    keys = Counter(key for each in BINDINGS for key in each.key.split(","))
    assert [key for key, count in keys.items() if count > 1] == []
    ids = Counter(each.id for each in BINDINGS)
    assert [name for name, count in ids.items() if count > 1] == []


def test_no_key_is_one_that_terminals_keep() -> None:
    """No function keys, no alt, no flow control."""
    for each in BINDINGS:
        for key in each.key.split(","):
            assert not key.startswith(("f1", "f2", "alt+")), key
            assert key not in ("ctrl+s", "ctrl+q", "ctrl+z")


def test_every_key_leads_somewhere() -> None:
    """And every group is told of in the help."""
    for each in BINDINGS:
        name = each.action.partition("(")[0]
        assert hasattr(Top, f"action_{name}"), each.action
    assert sum(len(group) for _, group in GROUPS) + 9 == len(BINDINGS)
