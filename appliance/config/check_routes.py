"""Whether routes have names of their own, lead somewhere, and leave their upstreams time.

Whether they can be reached is a question of its own: ``check_reach``.
"""

from __future__ import annotations

import math

from appliance.model.units import format_duration

from .check_patterns import check_patterns
from .check_reach import check_reach
from .compile import destinations
from .diagnostic import Diagnostics, Edit, Related
from .read import Value, owner
from .read_scalar import nearest

MAX_COMPARED = 20_000
"""Names looked through in search of what was meant; in a flood nobody reads the advice."""


def check_routes(root: Value, diagnostics: Diagnostics) -> None:
    """Tell of routes with a wrong name, target, place or time."""
    routes: list[Value] = root.get("routes") or []
    upstreams = dict(root.find("upstreams").data) if root.find("upstreams") is not None else {}  # type: ignore[union-attr]
    _names(routes, diagnostics)
    check_reach(routes, diagnostics)
    check_patterns(routes, diagnostics)
    late: set[tuple[str, str]] = set()
    for route in routes:
        _targets(route, upstreams, diagnostics)
        _times(route, upstreams, late, diagnostics)
    _unused(routes, upstreams, diagnostics)
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
    close = nearest(value.data, list(upstreams)) if len(diagnostics) * len(upstreams) < MAX_COMPARED else None
    related: tuple[Related, ...] = ()
    fix: tuple[Edit, ...] = ()
    if close is not None:
        related = (Related("did you mean this one?", upstreams[close].head),)
        fix = (Edit(value.span, close),)
    advice = ""
    if close is None:
        advice = (
            f"the upstreams are {', '.join(list(upstreams)[:20])}"
            if upstreams
            else "declare it under `upstreams`"
        )
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


def _unused(routes: list[Value], upstreams: dict[str, Value], diagnostics: Diagnostics) -> None:
    """Find upstreams that no route names; where a route could not be read, nobody can know."""
    named = {name for route in routes for name, _, _ in destinations(route.find("to"))}
    named |= {route.get("mirror", "to") for route in routes}
    if diagnostics.errors:
        return
    for name, upstream in upstreams.items():
        if name not in named:
            diagnostics.warning(
                "MC410",
                f"upstream `{name}` gets no requests: no route names it",
                upstream.head,
                help="name it in the `to` of a route, or remove it",
                path=upstream.path,
            )


def _times(
    route: Value, upstreams: dict[str, Value], late: set[tuple[str, str]], diagnostics: Diagnostics
) -> None:
    """Compare the time of the route with what its upstreams may take for their tries.

    ``late`` holds the places and upstreams that were told already: `defaults` hold for many routes.
    """
    response = route.find("timeouts", "response")
    limit = route.known("timeouts", "response")
    if not limit:
        return
    name = owner(route.path)
    for upstream, _, _ in destinations(route.find("to")):
        value = upstreams.get(upstream)
        if value is None:
            continue
        per_try = value.find("timeouts", "per_try")
        one = value.known("timeouts", "per_try")
        if one is None:
            continue
        own = route.find("retry")
        holder = route if own is not None and own.has("max_retries") else value
        retries = holder.find("retry", "max_retries")
        count = 0 if retries is None else retries.data
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
            if (str(where.span), upstream) in late:
                continue
            late.add((str(where.span), upstream))
            noun = "retry" if count == 1 else "retries"
            diagnostics.warning(
                "MC511",
                f"tries cannot fit: (1 + {count} {noun}) x per_try {format_duration(one)} = "
                f"{format_duration((count + 1) * one)}, but {name} stops at {format_duration(limit)}",
                where.span,
                help=f"the last ones are cut off; make `per_try` of `{upstream}` at most "
                f"{format_duration(max(1, math.floor(limit * 1000 / (count + 1))) / 1000)}, or allow fewer",
                path=where.path,
            )


def _tests(root: Value, routes: list[Value], upstreams: dict[str, Value], diagnostics: Diagnostics) -> None:
    names = dict.fromkeys(name for route in routes if (name := route.get("name")) is not None)
    tests = root.find("tests")
    for test in tests.values() if tests is not None else ():
        for kind, known in (("route", names), ("upstream", upstreams)):
            wanted = test.find("expect", kind)
            if wanted is not None and wanted.data not in known:
                close = (
                    nearest(wanted.data, list(known))
                    if len(diagnostics) * len(known) < MAX_COMPARED
                    else None
                )
                diagnostics.error(
                    "MC408",
                    f"the test expects {kind} `{wanted.shown}`, which does not exist",
                    wanted.span,
                    help=f"did you mean `{close}`?" if close else "",
                    fix=(Edit(wanted.span, close),) if close else (),
                    path=wanted.path,
                )
