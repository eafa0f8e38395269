"""Blocks that stand in more than one place mean the same in each."""

from __future__ import annotations

from appliance.config.schema import key_at
from appliance.config.schema_parts import BREAKER, RATE_LIMIT, RETRY


def test_one_declaration_serves_every_place() -> None:
    """A breaker of a route has the keys of a breaker of an upstream."""
    for name, block in (("breaker", BREAKER), ("retry", RETRY)):
        for place in (("upstreams", "*"), ("routes", "*"), ("defaults", "upstream"), ("defaults", "route")):
            found = key_at((*place, name))
            assert found is not None
            assert found.type is block
    for path in (("rate_limit",), ("routes", "*", "rate_limit")):
        found = key_at(path)
        assert found is not None
        assert found.type is RATE_LIMIT
