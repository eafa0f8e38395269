"""The vocabulary of the schema is data, and says what is harmless."""

from __future__ import annotations

from appliance.config.schema_types import Boolean, Duration, Key


def test_a_default_is_harmless_unless_the_key_says_otherwise() -> None:
    """Writing the default asks for nothing."""
    assert Key(Duration(), "x", "5s").harmless == ("5s",)
    assert Key(Duration(), "x").harmless == ()
    assert Key(Boolean(), "x", "true", inert=("false",)).harmless == ("false",)
