"""Whether what a route does makes sense: redirects that lead back, and keys that do nothing.

A redirect that changes no part of the URL sends the client to where it came from, until the client
gives up. And a route that answers by itself has no use for what is said about an upstream: such a
key is not wrong, but its author believes that it does something.
"""

from __future__ import annotations

from appliance.routing.path import prefix_key

from .compile import destinations
from .diagnostic import Diagnostics, Related
from .read import Value, owner

_FORWARDING = ("rewrite", "mirror", "retry", "breaker", "grpc_web")
_ELSEWHERE = ("host", "port", "path", "path_prefix")


def check_actions(written: Value, diagnostics: Diagnostics) -> None:
    """Tell of redirects in a circle and of keys without an effect; ``written`` is free of `defaults`."""
    listeners = written.find("listeners")
    entries = list(listeners.items()) if listeners is not None else []
    spoken = {value.known("protocol") for _, value in entries}
    for name, listener in entries:
        redirect = listener.find("redirect")
        if redirect is not None and listener.known("protocol") == "https":
            reason, advice = "it speaks https already", "remove `redirect`"
            _circle(f"listener `{name}`", redirect, reason, advice, diagnostics)
    by_method = False
    for route in written.get("routes") or ():
        redirect, respond = route.find("redirect"), route.find("respond")
        if redirect is not None and not (by_method and redirect.known("status") not in ("307", "308")):
            _redirect(route, redirect, spoken, diagnostics)
        by_method = by_method or route.find("match", "methods") is not None
        if redirect is not None or respond is not None:
            _idle(route, "redirects" if redirect is not None else "answers by itself", diagnostics)
        if respond is not None:
            _empty(route, respond, diagnostics)
        for block in (route.find("rewrite"), redirect):
            if block is not None:
                _prefix(route, block, diagnostics)
        _copies(route, diagnostics)


def _redirect(route: Value, redirect: Value, spoken: set[str | None], diagnostics: Diagnostics) -> None:
    scheme = redirect.find("scheme")
    changes = {name: redirect.find(name) for name in _ELSEWHERE if redirect.has(name)}
    if redirect.has("scheme") and (scheme is None or spoken != {scheme.data}):
        return
    if route.find("match", "methods") is not None or route.find("match", "headers") is not None:
        return  # whoever follows may ask by another method, as after a form (303), or with a cookie
    if route.find("match", "path_regex") is not None and redirect.has("path_prefix"):
        return  # it folds the slashes that a path begins with
    hosts = [host.data for host in route.get("match", "hosts") or ()]
    same = {
        "host": hosts[0] if len(hosts) == 1 else "",
        "path": route.get("match", "path"),
        "path_prefix": prefix_key(route.get("match", "path_prefix") or "/"),
    }
    for name, value in changes.items():
        to = None if value is None else value.data
        if name not in same or to is None or (prefix_key(to) if name == "path_prefix" else to) != same[name]:
            return
    reason = f"every listener speaks {scheme.data}" if scheme is not None else "it changes no part of the URL"
    advice = "write what is to be another: scheme, host, port, path or path_prefix"
    _circle(owner(route.path), redirect, reason, advice, diagnostics)


def _circle(what: str, redirect: Value, reason: str, advice: str, diagnostics: Diagnostics) -> None:
    diagnostics.error(
        "MC517",
        f"{what} redirects to the URL that was asked for: {reason}",
        redirect.head,
        label="a circle",
        help=advice,
        path=redirect.path,
    )


def _idle(route: Value, does: str, diagnostics: Diagnostics) -> None:
    for name in _FORWARDING:
        value = route.find(name)
        if value is not None and value.data not in (False, "false"):
            diagnostics.warning(
                "MC518",
                f"`{name}` does nothing in {owner(route.path)}, which {does}",
                value.head,
                help="it is about requests that go to an upstream; remove it",
                path=value.path,
            )


def _empty(route: Value, respond: Value, diagnostics: Diagnostics) -> None:
    status, body = respond.get("status"), respond.find("body")
    if body is not None and body.data and status in (204, 304):
        diagnostics.warning(
            "MC518",
            f"the body of {owner(route.path)} is never sent: an answer with status {status} has none",
            body.head,
            help="remove it, or answer with another status, such as 200",
            path=body.path,
        )


def _prefix(route: Value, block: Value, diagnostics: Diagnostics) -> None:
    value, match = block.find("path_prefix"), route.find("match")
    if value is None or match is None:
        return
    other = match.find("path")
    if other is not None:
        diagnostics.warning(
            "MC519",
            f"{owner(route.path)} matches no prefix that `path_prefix` could replace",
            value.head,
            help="it is put before the whole path; write `path`, or match by `path_prefix`",
            related=(Related("matched like this", other.head),),
            path=value.path,
        )


def _copies(route: Value, diagnostics: Diagnostics) -> None:
    """Find upstreams that are named twice, and a mirror that copies to where the request goes."""
    named: dict[str, Value] = {}
    for name, _, value in destinations(route.find("to")):
        first = named.setdefault(name, value)
        if first is not value:
            diagnostics.warning(
                "MC518",
                f"{owner(route.path)} names upstream `{name}` twice",
                value.span,
                label="again",
                help="name it once, with the sum of the weights",
                related=(Related("first here", first.span),),
                path=value.path,
            )
    copy = route.find("mirror", "to")
    if copy is not None and set(named) == {copy.data}:
        diagnostics.warning(
            "MC518",
            f"{owner(route.path)} mirrors to `{copy.data}`, where its requests go anyway",
            copy.span,
            help="mirror to another upstream, or remove `mirror`",
            path=copy.path,
        )
