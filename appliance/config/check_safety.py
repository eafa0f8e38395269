"""Whether a profile opens a door that its author may not have meant to open.

Errors are what nobody can mean: numbers and switches of the proxy for everyone on the network.
Warnings are what is sometimes meant, and then worth a look: certificates that are not checked,
addresses of clients that anyone can invent, a secret that everyone sees who sees the profile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from appliance.model.address import Address

from . import schema_types as t
from .diagnostic import Diagnostics
from .nodes import Scalar
from .read import Value

_SECRET_HEADERS = re.compile(
    r"authorization|proxy-authorization|cookie|.*(?:api-?key|token|secret|password).*"
)


def check_safety(written: Value, merged: Value, diagnostics: Diagnostics) -> None:
    """Tell of everything in a profile that weakens what is around it."""
    for name, upstream in _entries(merged, "upstreams"):
        verify = upstream.find("tls", "verify")
        if verify is not None and verify.data is False:
            diagnostics.warning(
                "MC701",
                f"upstream `{name}` does not verify certificates: anyone on the way can be it",
                verify.span,
                help="name its authority with `ca` instead",
                path=verify.path,
            )
    for name, listener in _entries(merged, "listeners"):
        for block in (listener.find("trust_forwarded"), listener.find("proxy_protocol", "from")):
            for network in block.values() if block is not None else ():
                if network.data.prefixlen == 0:
                    diagnostics.warning(
                        "MC702",
                        f"listener `{name}` believes everybody about where a request comes from",
                        network.span,
                        help="name the networks of your own proxies",
                        path=network.path,
                    )
    _stats(merged.find("stats"), diagnostics)
    for value in _header_values(written):
        _secret(value, diagnostics)


def _entries(root: Value, name: str) -> list[tuple[str, Value]]:
    found = root.find(name)
    return list(found.items()) if found is not None else []


def _stats(stats: Value | None, diagnostics: Diagnostics) -> None:
    listen = stats.find("listen") if stats is not None else None
    if stats is None or listen is None:
        return
    if stats.find("token_file") is None:
        diagnostics.error(
            "MC703",
            "the stats listener has no token, so whoever reaches the port may use it",
            listen.span,
            help="add `token_file`, or leave `listen` out and use the socket",
            path="stats.token_file",
        )
    if stats.find("tls") is None and not _loopback(listen.data):
        diagnostics.error(
            "MC705",
            "the stats listener is open to the network without TLS, so its token can be read on the way",
            listen.span,
            help="add `tls`, or listen on 127.0.0.1",
            path="stats.tls",
        )


def _loopback(address: Address) -> bool:
    if address.host == "localhost":
        return True
    try:
        return ip_address(address.host).is_loopback
    except ValueError:
        return False


def _header_values(value: Value) -> Iterator[Value]:
    if isinstance(value.type, t.HeaderValue):
        yield value
    elif isinstance(value.data, dict):
        for child in value.data.values():
            yield from _header_values(child)
    elif isinstance(value.data, list):
        for child in value.data:
            yield from _header_values(child)


def _secret(value: Value, diagnostics: Diagnostics) -> None:
    """Warn of a header that carries a credential spelled out in the profile; tests may have them."""
    key, node = value.key, value.node
    if key is None or not isinstance(node, Scalar) or value.path.startswith("tests["):
        return
    literal = node.value and "${" not in node.written and "%" not in node.value
    if literal and _SECRET_HEADERS.fullmatch(key.value.lower()):
        diagnostics.warning(
            "MC704",
            f"the value of `{key.value.lower()}` is written in the profile, for all to read who see the file",
            key.span,
            help="keep it in a file or the environment: ${file:/run/secrets/x} or ${NAME}",
            path=value.path,
        )
