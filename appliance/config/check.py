"""Whether the parts of a profile fit together: the order of the checks, and those of upstreams.

Each check looks at the profile with `defaults` copied under, and tells what it finds at the key
that the operator would change. What was not written is checked too, since a default can clash with
something written; then the written side is pointed at. Two numbers that merely look odd are left
alone: every warning here names something that will surprise.
"""

from __future__ import annotations

from string import Formatter

from appliance.model.address import Address
from appliance.model.units import format_duration

from .check_actions import check_actions
from .check_fit import check_fit
from .check_routes import check_routes
from .check_safety import check_safety
from .compile import destinations, under
from .diagnostic import Diagnostics, Related
from .nodes import Scalar
from .plan import LOG_FIELDS
from .read import Value, owner

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

_Binds = dict[tuple[str, str, int], tuple[str, Value]]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 (compared with, not bound)


def check(written: Value, merged: Value, diagnostics: Diagnostics) -> None:
    """Tell what is wrong between the keys of a profile; ``merged`` has `defaults` copied under."""
    check_routes(merged, diagnostics)
    _listeners(merged, diagnostics)
    binds = _binds(merged)
    for name, upstream in _entries(merged, "upstreams"):
        what = f"upstream `{name}`"
        _endpoints(name, upstream, binds, diagnostics)
        _hashing(what, upstream, diagnostics)
        check_breaker(what, upstream.find("breaker"), diagnostics)
        check_retry(what, upstream.find("retry"), diagnostics)
        _health(what, upstream.find("health"), diagnostics)
    for route in merged.get("routes") or ():
        what = owner(route.path)
        for name, _, _ in destinations(route.find("to")) or [("", 0, route)]:
            common = merged.find("upstreams", name)
            check_breaker(what, _over(common, route, "breaker"), diagnostics)
            check_retry(what, _over(common, route, "retry"), diagnostics)
    _memory(merged.find("process", "memory"), diagnostics)
    _log_format(merged.find("access_log", "format"), diagnostics)
    check_fit(merged, diagnostics)
    check_actions(written, diagnostics)
    check_safety(written, merged, diagnostics)


def _entries(root: Value, name: str) -> list[tuple[str, Value]]:
    found = root.find(name)
    return list(found.items()) if found is not None else []


def _over(upstream: Value | None, route: Value, name: str) -> Value | None:
    """Give a block of a route with what its upstream says under it; None if the route has none."""
    own = route.find(name)
    common = upstream.find(name) if upstream is not None else None
    return own if own is None or common is None else under(common, own)


def _log_format(value: Value | None, diagnostics: Diagnostics) -> None:
    """A format of one's own names fields of a record in braces, and nothing else in them."""
    if value is None or value.data in ("json", "text"):
        return
    try:
        parts = list(Formatter().parse(value.data))
    except ValueError as error:
        problem = f"the format is malformed: {error}"
    else:
        named = [part for part in parts if part[1] is not None]
        unknown = [name for _, name, spec, turn in named if name not in LOG_FIELDS or spec or turn]
        if named and not unknown:
            return
        problem = f"no field is called `{unknown[0]}`" if unknown else "the format names no field"
    if isinstance(value.node, Scalar) and value.node.foreign:
        problem = f"what `{value.shown}` stands for is no format"
    fields = " ".join(f"{{{name}}}" for name in LOG_FIELDS)
    diagnostics.error(
        "MC319",
        problem,
        value.span,
        help=f"write json, text, or a text with any of {fields}",
        path=value.path,
    )


def _listeners(root: Value, diagnostics: Diagnostics) -> None:
    """Find places that two of ours would bind."""
    taken: dict[tuple[str, int | str], dict[str, Value]] = {}
    named = [(f"listener `{name}`", value.find("bind")) for name, value in _entries(root, "listeners")]
    for what, bind in (*named, ("`stats`", root.find("stats", "listen"))):
        if bind is None or (bind.data.kind == "tcp" and bind.data.port == 0):
            continue
        others = taken.setdefault((bind.data.kind, bind.data.port or bind.data.path), {})
        first = _in_the_way(bind.data.host, others)
        others.setdefault(bind.data.host, bind)
        if first is not None:
            also = "has" if bind.data == first.data else f"has as `{first.shown}`"
            diagnostics.error(
                "MC407",
                f"{what} binds `{bind.shown}`, which another listener {also}",
                bind.span,
                help="give each listener an address of its own",
                related=(Related("bound here already", first.span),),
                path=bind.path,
            )


def _in_the_way(host: str, others: dict[str, Value]) -> Value | None:
    """Give the first of the sockets on one port that one more would be in the way of.

    No host is every address of both families; a wildcard that is written is every one of its own.
    """
    if host in others:
        return others[host]
    wide = host in _EVERYWHERE or host == "localhost"
    near = list(others) if wide else [name for name in (*_EVERYWHERE, "localhost") if name in others]
    return next((others[other] for other in near if _overlap(host, other)), None)


def _overlap(one: str, other: str) -> bool:
    """Whether sockets bound to two different hosts and the same port would be in each other's way."""
    hosts = {one, other}
    if "" in hosts:
        return True
    if hosts & _EVERYWHERE:
        return bool(_families(one) & _families(other))
    return "localhost" in hosts and hosts <= _LOOPBACK


def _families(host: str) -> set[int]:
    """Give the IP versions that a host surely has; none for a name that is not looked up."""
    if host == "localhost":
        return {4, 6}
    if ":" in host:
        return {6}
    return {4} if host.replace(".", "").isdigit() else set()


def _endpoints(name: str, upstream: Value, binds: _Binds, diagnostics: Diagnostics) -> None:
    """Find repeated endpoints, endpoints that are ourselves, and an upstream that gets nothing."""
    seen: dict[Address, Value] = {}
    weights = []
    for item in upstream.get("endpoints") or ():
        mapped = isinstance(item.data, dict)
        address = item.find("address") if mapped else item
        if address is None:
            continue
        weights.append(item.known("weight") if mapped else 1)
        first = seen.setdefault(address.data, address)
        if first is not address:
            diagnostics.warning(
                "MC406",
                f"upstream `{name}` has the endpoint `{address.shown}` twice",
                address.span,
                help="for a larger part write {address: ..., weight: ...} once",
                related=(Related("first here", first.span),),
                path=address.path,
            )
        for listener, bind in _ourselves(address.data, binds):
            if _reaches(address.data, bind.data):
                diagnostics.error(
                    "MC405",
                    f"endpoint `{address.shown}` of upstream `{name}` is our own listener `{listener}`",
                    address.span,
                    label="would send requests round in a circle",
                    related=(Related("the listener", bind.span),),
                    path=address.path,
                )
    if weights and all(weight == 0 for weight in weights):
        span = upstream.get("endpoints")[0].span
        message = f"all endpoints of upstream `{name}` have weight 0, so it gets no requests"
        diagnostics.error(
            "MC506", message, span, help="give at least one a weight", path=f"upstreams.{name}.endpoints"
        )


def _ourselves(endpoint: Address, binds: _Binds) -> list[tuple[str, Value]]:
    """Give the listeners at which dialling ``endpoint`` may end."""
    hosts = dict.fromkeys((endpoint.host, *sorted(_EVERYWHERE | _LOOPBACK)))
    keys = [("tcp", host, endpoint.port) for host in hosts] if endpoint.kind != "unix" else []
    return [binds[key] for key in (*keys, ("unix", endpoint.path, 0)) if key in binds]


def _binds(root: Value) -> _Binds:
    """Give the listeners by where they listen: kind, host or path, and port."""
    found: _Binds = {}
    for name, value in _entries(root, "listeners"):
        bind = value.find("bind")
        if bind is not None:
            address: Address = bind.data
            found.setdefault((address.kind, address.host or address.path, address.port), (name, bind))
    return found


def _reaches(endpoint: Address, bind: Address) -> bool:
    """Whether dialling ``endpoint`` surely ends at ``bind``; other hosts' names are not looked up."""
    if endpoint.kind == "unix" or bind.kind != "tcp":
        return endpoint == bind
    if endpoint.port != bind.port or endpoint.port == 0:
        return False
    if endpoint.host == "localhost" and bind.host == "127.0.0.1":
        return True
    local = endpoint.host in _LOOPBACK or endpoint.host in _EVERYWHERE
    if bind.host in _EVERYWHERE:
        return local and (not bind.host or not endpoint.host or _overlap(bind.host, endpoint.host))
    return endpoint.host == bind.host or (endpoint.host in _EVERYWHERE and bind.host in _LOOPBACK)


def _hashing(what: str, upstream: Value, diagnostics: Diagnostics) -> None:
    balance, hash_on = upstream.find("balance"), upstream.find("hash_on")
    consistent = balance is not None and balance.data == "consistent_hash"
    if consistent and balance is not None and not upstream.has("hash_on"):
        diagnostics.error(
            "MC505",
            f"{what} balances by consistent_hash without `hash_on`",
            balance.span,
            help="add `hash_on`: header:NAME, cookie:NAME, query:NAME, client_ip or path",
            path=f"{upstream.path}.hash_on",
        )
    if hash_on is not None and not consistent and (balance is not None or not upstream.has("balance")):
        message = f"{what} has `hash_on`, which only `balance: consistent_hash` uses"
        diagnostics.warning("MC508", message, hash_on.head, path=hash_on.path)


def check_breaker(what: str, breaker: Value | None, diagnostics: Diagnostics) -> None:
    """Check the rules of one breaker against one another."""
    if breaker is None or not isinstance(breaker.data, dict):
        return
    run, part = breaker.find("failure_threshold"), breaker.find("error_rate")
    if run is not None and part is not None and not run.data and not part.data:
        diagnostics.error(
            "MC503",
            f"the breaker of {what} has both rules off, so it never opens",
            part.head,
            help="write `breaker: false` if it is not wanted, or give one rule a value",
            related=(Related("the other rule is off here", run.head),),
            path=part.path,
        )
    first, longest = breaker.known("open_for"), breaker.find("max_open_for")
    if longest is not None and first is not None and longest.data < first:
        diagnostics.error(
            "MC507",
            f"`max_open_for` of {what} is below `open_for`, which is {format_duration(first)}",
            longest.span,
            help="make it longer, or leave it out: then pauses do not grow",
            path=longest.path,
        )


def check_retry(what: str, retry: Value | None, diagnostics: Diagnostics) -> None:
    """Check the methods and waits of one retry rule."""
    if retry is None:
        return
    methods = retry.find("methods")
    for method in methods.values() if methods is not None else ():
        if method.data not in IDEMPOTENT:
            diagnostics.warning(
                "MC502",
                f"{what} sends a {method.data} again after a failure; the first one may have had its effect",
                method.span,
                help="only methods that may be repeated safely belong here",
                path=method.path,
            )
    base, longest = retry.find("backoff", "base"), retry.find("backoff", "max")
    at = base if base is not None else longest
    low, high = retry.known("backoff", "base"), retry.known("backoff", "max")
    if at is not None and None not in (low, high) and low > high:
        begins, most = format_duration(low), format_duration(high)
        message = f"the backoff of {what} begins at {begins}, above its max of {most}"
        diagnostics.error("MC509", message, at.span, path=at.path)


def _health(what: str, health: Value | None, diagnostics: Diagnostics) -> None:
    if health is None:
        return
    timeout, interval = health.find("timeout"), health.find("interval")
    takes, every = health.known("timeout"), health.known("interval")
    at = timeout if timeout is not None else interval
    if at is not None and None not in (takes, every) and takes >= every:
        message = f"a health check of {what} may take {format_duration(takes)}, but one begins every "
        diagnostics.warning(
            "MC504",
            message + format_duration(every),
            at.span,
            help="make `timeout` shorter than `interval`",
            path=at.path,
        )


def _memory(memory: Value | None, diagnostics: Diagnostics) -> None:
    if memory is None:
        return
    soft, hard = memory.find("soft"), memory.find("hard")
    low, high = memory.known("soft"), memory.known("hard")
    at = soft if soft is not None else hard
    if at is not None and None not in (low, high) and low > high:
        diagnostics.error("MC509", "`soft` of `memory` is above `hard`", at.span, path=at.path)
