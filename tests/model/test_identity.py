"""An identity is a plain value."""

from __future__ import annotations

from appliance.model.identity import Identity


def test_the_same_certificate_is_the_same_identity() -> None:
    """It can be compared and be a key."""
    one = Identity("CN=a", ("a.example",), ("spiffe://x/a",), "ab" * 32)
    assert one == Identity("CN=a", ("a.example",), ("spiffe://x/a",), "ab" * 32)
    assert len({one, Identity("CN=b", (), (), "cd" * 32)}) == 2
