"""Whether settings of one listener, upstream or route can work together at all.

Most of these are two keys that only mean something side by side: a protocol and its certificates,
a certificate and its key, gRPC and the HTTP/2 that carries it. The others ask for more than the
proxy can give: a clock finer than the one it looks at, a route before one is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator

from appliance.model.units import format_duration

from .compile import destinations
from .diagnostic import Diagnostics, Related
from .read import Value, owner

RESOLUTION = 0.05
"""Seconds between two looks at the time limits of waiting connections."""


def check_fit(merged: Value, diagnostics: Diagnostics) -> None:
    """Tell of settings that do not fit together."""
    listeners = _entries(merged, "listeners")
    speaks = any(value.get("protocol") == "https" for _, value in listeners)
    for name, listener in listeners:
        _listener_tls(f"listener `{name}`", listener, diagnostics)
        redirect = listener.find("redirect")
        if redirect is not None and not speaks:
            diagnostics.warning(
                "MC512",
                f"listener `{name}` redirects to https, but no listener speaks it",
                redirect.head,
                help="add a listener with `protocol: https`, or remove `redirect`",
                path=redirect.path,
            )
        _clocks(f"listener `{name}`", listener, diagnostics)
    upstreams = _entries(merged, "upstreams")
    known = dict(upstreams)
    for name, upstream in upstreams:
        _upstream_tls(f"upstream `{name}`", upstream, diagnostics)
        _grpc_health(f"upstream `{name}`", upstream, diagnostics)
        _clocks(f"upstream `{name}`", upstream, diagnostics)
    for route in merged.get("routes") or ():
        _clocks(owner(route.path), route, diagnostics)
        _grpc_web(route, known, diagnostics)
    _early_key(merged.find("rate_limit", "key"), diagnostics)


def _entries(root: Value, name: str) -> list[tuple[str, Value]]:
    found = root.find(name)
    return list(found.items()) if found is not None else []


def _listener_tls(what: str, listener: Value, diagnostics: Diagnostics) -> None:
    protocol, tls = listener.find("protocol"), listener.find("tls")
    secure = protocol is not None and protocol.data == "https"
    if secure and tls is None and protocol is not None and not listener.has("tls"):
        diagnostics.error(
            "MC510",
            f"{what} speaks https, but has no `tls`",
            protocol.span,
            help="add `tls: {certificates: [{cert: ..., key: ...}]}`",
            path=f"{listener.path}.tls",
        )
    if tls is None:
        return
    if not secure and not (protocol is None and listener.has("protocol")):
        diagnostics.error(
            "MC510",
            f"{what} has `tls`, but speaks plain http",
            tls.head,
            help="add `protocol: https`, or remove `tls`",
            path=tls.path,
        )
    auth, authorities = tls.find("client_auth"), tls.find("client_ca")
    asks = auth is not None and auth.data != "none"
    if asks and auth is not None and authorities is None and not tls.has("client_ca"):
        diagnostics.error(
            "MC510",
            f"{what} asks clients for certificates, but has no `client_ca` to check them against",
            auth.span,
            help="add `client_ca`: the file of the authorities that sign them",
            path=f"{tls.path}.client_ca",
        )
    if authorities is not None and not asks and not (auth is None and tls.has("client_auth")):
        diagnostics.error(
            "MC510",
            f"{what} has `client_ca`, but asks no client for a certificate",
            authorities.head,
            help="add `client_auth: require` or `optional`, or remove `client_ca`",
            path=authorities.path,
        )


def _upstream_tls(what: str, upstream: Value, diagnostics: Diagnostics) -> None:
    tls = upstream.find("tls")
    if tls is None:
        return
    for one, other in (("cert", "key"), ("key", "cert")):
        value = tls.find(one)
        if value is not None and not tls.has(other):
            diagnostics.error(
                "MC510",
                f"the `tls` of {what} has a `{one}` without its `{other}`",
                value.head,
                help=f"add `{other}`",
                path=f"{tls.path}.{other}",
            )


def _grpc_health(what: str, upstream: Value, diagnostics: Diagnostics) -> None:
    protocol, check = upstream.find("protocol"), upstream.find("health", "protocol")
    old = protocol.data == "http1" if protocol is not None else not upstream.has("protocol")
    if check is not None and check.data == "grpc" and old:
        diagnostics.error(
            "MC516",
            f"{what} is checked by gRPC, but spoken to by HTTP/1.1",
            check.span,
            help="add `protocol: http2` to the upstream, or check it by http or tcp",
            related=(Related("the protocol", protocol.span),) if protocol is not None else (),
            path=check.path,
        )


def _grpc_web(route: Value, upstreams: dict[str, Value], diagnostics: Diagnostics) -> None:
    wanted = route.find("grpc_web")
    if wanted is None or not wanted.data:
        return
    for name, _, _ in destinations(route.find("to")):
        upstream = upstreams.get(name)
        if upstream is None:
            continue
        protocol = upstream.find("protocol")
        if protocol.data == "http1" if protocol is not None else not upstream.has("protocol"):
            diagnostics.error(
                "MC516",
                f"{owner(route.path)} translates to gRPC, but upstream `{name}` is spoken to by HTTP/1.1",
                wanted.span,
                help=f"add `protocol: http2` to upstream `{name}`",
                related=(Related("this upstream", (protocol or upstream).head),),
                path=wanted.path,
            )


def _clocks(what: str, place: Value, diagnostics: Diagnostics) -> None:
    for value in _timeouts(place):
        if 0 < value.data < RESOLUTION:
            diagnostics.warning(
                "MC513",
                f"`{value.key.value if value.key else value.path}` of {what} is shorter than "
                f"{format_duration(RESOLUTION)}, at which clocks are looked at",
                value.span,
                help=f"it may last up to {format_duration(value.data + RESOLUTION)}; write at least 50ms",
                path=value.path,
            )


def _timeouts(place: Value) -> Iterator[Value]:
    found = place.find("timeouts")
    if found is not None:
        yield from (value for _, value in found.items())


def _early_key(key: Value | None, diagnostics: Diagnostics) -> None:
    if key is not None and key.data == "route":
        diagnostics.error(
            "MC515",
            "the rate limit of the whole profile cannot count by route: none is known before routing",
            key.span,
            help="count by client_ip, host or header:NAME here, or write the limit under the routes",
            path=key.path,
        )
