"""Whose address counts as the client's, behind proxies that the listener trusts."""

from __future__ import annotations

from ipaddress import ip_address

from appliance.config.plan import Network
from appliance.model.headers import Headers, get_all


def trusts(networks: tuple[Network, ...], address: str) -> bool:
    """Say whether ``address`` lies in one of ``networks``; what is no address is in none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def client_of(peer: str, headers: Headers, networks: tuple[Network, ...]) -> str:
    """Give the right-most hop of X-Forwarded-For that is not trusted; ``peer`` must be a trusted one.

    A hop that is no address ends the walk: the last one that was an address is given.
    """
    client = peer
    hops = [hop.strip() for value in get_all(headers, b"x-forwarded-for") for hop in value.split(b",")]
    for hop in reversed(hops):
        text = hop.decode("latin-1").strip("[]")
        try:
            client = str(ip_address(text))
        except ValueError:
            return client
        if not trusts(networks, client):
            return client
    return client
