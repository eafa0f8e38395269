"""The front side of the format."""

from __future__ import annotations

from appliance.config.load import load
from appliance.config.schema_listener import LISTENER, PROCESS


def test_only_the_address_of_a_listener_is_required() -> None:
    """Everything else has a default."""
    assert [name for name, key in LISTENER.keys.items() if key.required] == ["bind"]
    assert not any(key.required for key in PROCESS.keys.values())


def test_a_bound_that_would_stop_everything_is_refused() -> None:
    """No connections, no headers: nobody means that."""
    limits = b"{max_connections: 0, max_headers: 0, max_header_size: 1B}"
    text = b'meshctl: 1\nlisteners: {web: {bind: ":1", limits: %s}}\n' % limits
    _, found = load("a.yaml", text=text, env={})
    assert [d.code for d in found if d.path.startswith("listeners")] == ["MC302", "MC302", "MC304"]
