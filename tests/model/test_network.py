"""The network that a client is counted by."""

from __future__ import annotations

import pytest

from appliance.model.network import network_of


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:0:192.0.2.7", "::/64"),
        ("2001:DB8::7", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("192.0.2.07", "192.0.2.07"),
        ("unix", "unix"),
        ("", ""),
    ],
)
def test_a_client_is_counted_by_its_network(client: str, network: str) -> None:
    """IPv4 by address, IPv6 by what one subscriber has, anything else by its name."""
    assert network_of(client) == network
