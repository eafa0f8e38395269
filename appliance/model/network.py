"""The network that a client is counted by: its address, or what one subscriber is given."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network


@lru_cache(maxsize=65_536)
def network_of(client: str) -> str:
    """Give IPv4 as it is, IPv6 as its /64, mapped IPv4 as IPv4, other text as it is."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
