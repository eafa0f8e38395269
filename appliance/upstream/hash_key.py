"""What ``consistent_hash`` hashes: a header, a cookie, a parameter, the client's address or the path.

Headers, cookies and parameters are read as the upstream is sent them, after the route's own edits; parameters
are decoded as in routing. What is absent is empty: all such requests go to one endpoint.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.model.exchange import Exchange
from appliance.model.headers import get, get_all
from appliance.routing.table import query_pairs


def key_of(selector: str) -> Callable[[Exchange], bytes]:
    """Give the function for ``header:NAME``, ``cookie:NAME``, ``query:NAME``, ``client_ip`` or ``path``."""
    kind, _, text = selector.partition(":")
    name = text.encode()
    if kind == "header":
        return lambda exchange: get(exchange.request.headers, name.lower()) or b""
    if kind == "cookie":
        return lambda exchange: _cookie(exchange, name)
    if kind == "query":
        return lambda exchange: query_pairs(exchange.request.query).get(name, b"")
    if kind == "client_ip":
        return lambda exchange: exchange.client.encode()
    return lambda exchange: exchange.path


def _cookie(exchange: Exchange, name: bytes) -> bytes:
    """Give the first cookie of that name (RFC 6265 section 4.2.1)."""
    for line in get_all(exchange.request.headers, b"cookie"):
        for pair in line.split(b";"):
            key, _, value = pair.strip(b" \t").partition(b"=")
            if key == name:
                return value
    return b""
