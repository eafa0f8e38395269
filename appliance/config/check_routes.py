"""Whether routes lead somewhere, can be reached, and leave each other time.

A route that no request can reach is an error: its author believes in a rule that is not there. One
route hides another if it asks for less: each of its conditions is absent or follows from a
condition of the later one. That is decided for a pair, by part:

    hosts      the later one's are among the earlier one's, or below one of its wildcards
    path       equal; or under the earlier one's prefix, by whole segments
    methods    the later one's are among the earlier one's
    headers    every rule of the earlier one stands in the later one, word for word

Several routes that only together hide a later one are not found, nor is what a regular expression
covers beyond one that is equal; so an error is always right. Candidates are looked up by path, not
tried in pairs, since a profile may have thousands of routes.
"""

from __future__ import annotations

from appliance.model.units import format_duration
from appliance.routing.match import Match
from appliance.routing.path import normalise, prefix_key, written

from .compile import destinations, match_of
from .diagnostic import Diagnostics, Edit, Related
from .nodes import Listing, Mapping
from .read import Value, owner
from .read_scalar import nearest

Keyed = tuple[str, bytes]


def check_routes(root: Value, diagnostics: Diagnostics) -> None:
    """Tell of routes with a wrong name, target, place or time."""
    routes: list[Value] = root.get("routes") or []
    upstreams = dict(root.find("upstreams").data) if root.find("upstreams") is not None else {}  # type: ignore[union-attr]
    _names(routes, diagnostics)
    _reachable(routes, diagnostics)
    for route in routes:
        _targets(route, upstreams, diagnostics)
        _times(route, upstreams, diagnostics)
    _tests(root, routes, upstreams, diagnostics)


def _names(routes: list[Value], diagnostics: Diagnostics) -> None:
    seen: dict[str, Value] = {}
    for route in routes:
        name = route.find("name")
        if name is None:
            continue
        first = seen.setdefault(name.data, name)
        if first is not name:
            diagnostics.error(
                "MC401",
                f"two routes have the name `{name.shown}`",
                name.span,
                label="again",
                help="names tell routes apart in the dashboard and the logs: choose another",
                related=(Related("first here", first.span),),
                path=name.path,
            )


def _targets(route: Value, upstreams: dict[str, Value], diagnostics: Diagnostics) -> None:
    found = destinations(route.find("to"))
    for name, _, value in found:
        if name not in upstreams:
            message = f"{owner(route.path)} sends to upstream `{value.shown}`, which does not exist"
            _no_upstream(message, value, upstreams, diagnostics)
    mirror = route.find("mirror", "to")
    if mirror is not None and mirror.data not in upstreams:
        message = f"{owner(route.path)} mirrors to upstream `{mirror.shown}`, which does not exist"
        _no_upstream(message, mirror, upstreams, diagnostics)
    if found and not any(weight for _, weight, _ in found):
        diagnostics.error(
            "MC506",
            f"all weights of {owner(route.path)} are 0, so it sends nowhere",
            found[0][2].span,
            help="give at least one a weight",
            path=f"{route.path}.to",
        )


def _no_upstream(message: str, value: Value, upstreams: dict[str, Value], diagnostics: Diagnostics) -> None:
    close = nearest(value.data, list(upstreams))
    related: tuple[Related, ...] = ()
    fix: tuple[Edit, ...] = ()
    if close is not None:
        related = (Related("did you mean this one?", upstreams[close].head),)
        fix = (Edit(value.span, close),)
    advice = ""
    if close is None:
        advice = f"the upstreams are {', '.join(upstreams)}" if upstreams else "declare it under `upstreams`"
    diagnostics.error(
        "MC402",
        message,
        value.span,
        label="no such upstream",
        help=advice,
        related=related,
        fix=fix,
        path=value.path,
    )


def _times(route: Value, upstreams: dict[str, Value], diagnostics: Diagnostics) -> None:
    """Compare the time of the route with what its upstreams may take for their tries."""
    response = route.find("timeouts", "response")
    limit = 15.0 if response is None else response.data
    if not limit:
        return
    name = owner(route.path)
    for upstream, _, _ in destinations(route.find("to")):
        value = upstreams.get(upstream)
        if value is None:
            continue
        per_try = value.find("timeouts", "per_try")
        one = 5.0 if per_try is None else per_try.data
        retries = route.find("retry", "max_retries") or value.find("retry", "max_retries")
        count = 2 if retries is None else retries.data
        at = response or per_try
        if one >= limit and at is not None:
            diagnostics.warning(
                "MC501",
                f"one try may take {format_duration(one)} (`per_try` of upstream `{upstream}`), "
                f"but {name} stops at {format_duration(limit)}",
                at.span,
                help=f"a try that hangs leaves no time for another; make `per_try` of `{upstream}` shorter",
                related=(Related("`per_try` is here", per_try.span),) if per_try and at is response else (),
                path=at.path,
            )
        elif retries is not None and count and (count + 1) * one > limit:
            where = response or retries
            noun = "retry" if count == 1 else "retries"
            diagnostics.warning(
                "MC511",
                f"tries cannot fit: (1 + {count} {noun}) x per_try {format_duration(one)} = "
                f"{format_duration((count + 1) * one)}, but {name} stops at {format_duration(limit)}",
                where.span,
                path=where.path,
            )


def _tests(root: Value, routes: list[Value], upstreams: dict[str, Value], diagnostics: Diagnostics) -> None:
    names = [name for route in routes if (name := route.get("name")) is not None]
    tests = root.find("tests")
    for test in tests.values() if tests is not None else ():
        for kind, known in (("route", names), ("upstream", list(upstreams))):
            wanted = test.find("expect", kind)
            if wanted is not None and wanted.data not in known:
                close = nearest(wanted.data, known)
                diagnostics.error(
                    "MC408",
                    f"the test expects {kind} `{wanted.shown}`, which does not exist",
                    wanted.span,
                    help=f"did you mean `{close}`?" if close else "",
                    fix=(Edit(wanted.span, close),) if close else (),
                    path=wanted.path,
                )


def _reachable(routes: list[Value], diagnostics: Diagnostics) -> None:
    by_path: dict[Keyed, list[tuple[Match, Value]]] = {}
    for route in routes:
        block = route.find("match")
        if not _whole(route, block):
            continue  # part of it could not be read, so it looks wider than it is
        match = match_of(block)
        above = next(
            (
                earlier
                for key in _places(match)
                for other, earlier in by_path.get(key, ())
                if covers(other, match)
            ),
            None,
        )
        if above is None:
            by_path.setdefault(_own_place(match), []).append((match, route))
            continue
        diagnostics.error(
            "MC403",
            f"{owner(route.path)} can never be reached: {owner(above.path)} above takes all its requests",
            (route.find("name") or route).span,
            label="never reached",
            help="the first match wins: move it up, or make the route above ask for more",
            related=(Related("takes them all", (above.find("name") or above).span),),
            path=route.path,
        )


def _whole(route: Value, block: Value | None) -> bool:
    """Whether everything that the route's `match` says has been read."""
    if block is None:
        return isinstance(route.node, Mapping) and route.node.get("match") is None
    return _all_read(block)


def _all_read(value: Value) -> bool:
    if isinstance(value.data, dict):
        complete = isinstance(value.node, Mapping) and len(value.node.entries) == len(value.data)
        return complete and all(_all_read(child) for child in value.data.values())
    if isinstance(value.data, list):
        complete = isinstance(value.node, Listing) and len(value.node.items) == len(value.data)
        return complete and all(_all_read(child) for child in value.data)
    return True


def _own_place(match: Match) -> Keyed:
    """Give the key under which a match is filed: its kind of path, and the path."""
    if match.path is not None:
        return "path", normalise(written(match.path))
    if match.path_regex is not None:
        return "regex", match.path_regex.encode()
    return "prefix", prefix_key(match.path_prefix or "/")


def _places(match: Match) -> list[Keyed]:
    """Give the keys under which something that covers the match could be filed."""
    kind, path = own = _own_place(match)
    if kind == "regex":
        return [own, ("prefix", b"")]
    slashes = [index for index, octet in enumerate(path) if octet == 0x2F]
    return [own, ("prefix", path), *(("prefix", path[:index]) for index in slashes)]


def covers(wide: Match, narrow: Match) -> bool:
    """Whether hosts, methods, headers and query of ``wide`` hold wherever those of ``narrow`` do."""
    if wide.hosts and not (narrow.hosts and all(_host_covered(host, wide.hosts) for host in narrow.hosts)):
        return False
    if wide.methods and not (narrow.methods and set(narrow.methods) <= set(wide.methods)):
        return False
    return set(wide.headers) <= set(narrow.headers) and set(wide.query) <= set(narrow.query)


def _host_covered(host: str, hosts: tuple[str, ...]) -> bool:
    return any(
        host == other
        or (other.startswith("*.") and host.removeprefix("*").endswith(other[1:]) and host != other[2:])
        for other in hosts
    )
