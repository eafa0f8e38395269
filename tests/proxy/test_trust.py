"""Whose address counts as the client's."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from appliance.proxy.trust import client_of, trusts

NETWORKS = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.1.2.3", True),
        ("11.0.0.1", False),
        ("2001:db8::17", True),
        ("2001:db9::17", False),
        ("unix", False),
        ("", False),
        ("10.0.0.1:80", False),
    ],
)
def test_trust_is_membership(address: str, trusted: bool) -> None:
    """What is no address is in no network."""
    assert trusts(NETWORKS, address) is trusted
    assert not trusts((), address)


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ([], "10.0.0.1"),
        ([b"203.0.113.9"], "203.0.113.9"),
        ([b"198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        ([b"198.51.100.1", b"203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ([b"203.0.113.9,10.0.0.2,10.0.0.3"], "203.0.113.9"),
        ([b"10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        ([b"2001:db9::1, 2001:db8::1"], "2001:db9::1"),
        ([b"[2001:DB9::1]"], "2001:db9::1"),
        ([b"203.0.113.9, unknown"], "10.0.0.1"),
        ([b"203.0.113.9, , 10.0.0.2"], "10.0.0.2"),
        ([b"\xff\xfe"], "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_hop_that_is_not_trusted(chain: list[bytes], client: str) -> None:
    """Read from the right, for the left is whatever the client wrote; nonsense ends the walk."""
    headers = [(b"x-other", b"1"), *((b"x-forwarded-for", value) for value in chain)]
    assert client_of("10.0.0.1", headers, NETWORKS) == client
