"""What is told of each thing: of a breaker, an endpoint, an upstream, a route, a listener.

Numbers are rounded to what a screen shows before anybody compares them, so that most things do not change
from one tick to the next. Rates are per second, shares 0 to 1, times of requests milliseconds; moments are
milliseconds since the start, whatever the wall clock does. None means that there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from appliance.config.plan import Forward, Respond, RoutePlan
from appliance.metrics.flow import Flow
from appliance.model.address import Where
from appliance.policy.breaker import State
from appliance.proxy.door import Door
from appliance.routing.match import Match
from appliance.upstream.breakers import Fuse
from appliance.upstream.cluster import Cluster
from appliance.upstream.endpoint import Endpoint

Fields = dict[str, Any]
Moment = Callable[[float], int]
_CLASSES = ("rej", "1xx", "2xx", "3xx", "4xx", "5xx")


def digits(value: float | None, most: int = 3) -> float | int | None:
    """Round to so many significant digits."""
    if not value:
        return None if value is None else 0
    rounded = float(f"{value:.{most}g}")
    return int(rounded) if rounded == int(rounded) else rounded


def flowing(flow: Flow) -> Fields:
    """Give rate, share of failures and times of a flow."""
    half, nine, hundred, _ = flow.lately()
    return {
        "rps": digits(flow.rate),
        "err": digits(flow.errors),
        "p50": _ms(half),
        "p90": _ms(nine),
        "p99": _ms(hundred),
        "tot": flow.total.total,
    }


def longest(flow: Flow) -> float | int | None:
    """Give the longest time of a flow."""
    return _ms(flow.lately()[3])


def _ms(us: float | None) -> float | int | None:
    return None if us is None else digits(us / 1000, 2)


def state_word(fuse: Fuse, now: float) -> str:
    """Give the state of a breaker: closed, open, half_open, forced_open, forced_closed."""
    forced = fuse.breaker.forced
    if forced is not None and now < forced.until:
        return "forced_open" if forced.open else "forced_closed"
    return fuse.breaker.state.value


def breaker(fuse: Fuse, upstream: str, rates: tuple[float, float], now: float, moment: Moment) -> Fields:
    """Give what is told of a breaker; ``rates`` are requests sent and refused per second."""
    own, rules = fuse.breaker, fuse.rules
    failed, total = own.share(now)
    forced = own.forced if own.forced is not None and now < own.forced.until else None
    place = dict(rules.places).get("failure_threshold")
    sent, refused = rates
    return {
        "up": upstream,
        "st": state_word(fuse, now),
        "since": moment(own.since),
        "until": moment(own.until) if own.state is State.OPEN else None,
        "try": own.openings,
        "cf": own.run,
        "cf_max": rules.failure_threshold,
        "er": digits(failed / total, 2) if total else None,
        "er_max": rules.error_rate,
        "n": min(total, 1000),
        "n_min": rules.min_requests,
        "window": rules.window,
        "sent": digits(sent),
        "rej": digits(refused),
        "ask": digits(sent + refused),
        "rej_tot": fuse.refused,
        "last": own.history(),
        "probe": {"ok": own.successes, "need": rules.success_threshold}
        if own.state is State.HALF_OPEN
        else None,
        "forced": None
        if forced is None
        else {
            "by": forced.by,
            "reason": forced.reason,
            "until": None if forced.until == inf else moment(forced.until),
        },
        "src": _src(place),
    }


def endpoint(each: Endpoint, cluster: Cluster, flow: Flow, now: float) -> Fields:
    """Give what is told of an endpoint."""
    fuse = cluster.fuses.of(each.name)
    health, shared = each.health, each.shared
    conns = len(each.idle) + each.in_flight if shared is None else len(shared.connections)
    return {
        "up": cluster.name,
        "addr": each.name,
        "state": endpoint_state(each, fuse, now),
        "weight": each.full_weight,
        "share": digits(each.weight / each.full_weight / _unit(cluster), 2) if each.full_weight else 0,
        "health": None
        if health is None
        else {"ok": health.healthy, "why": health.why, "streak": health.streak},
        "act": each.in_flight,
        "max": cluster.plan.limits.max_connections,
        "conns": conns,
        **flowing(flow),
    }


def _unit(cluster: Cluster) -> int:
    return 100 if cluster.plan.slow_start else 1


def endpoint_state(each: Endpoint, fuse: Fuse | None, now: float) -> str:
    """Give the word for what an endpoint may do: up, down, open, draining, drained."""
    if each.drained:
        return "draining" if each.in_flight else "drained"
    if each.health is not None and not each.health.healthy:
        return "down"
    if fuse is not None and state_word(fuse, now) in ("open", "forced_open"):
        return "open"
    return "up"


def upstream(cluster: Cluster, flow: Flow, now: float) -> Fields:
    """Give what is told of an upstream."""
    words = [endpoint_state(each, cluster.fuses.of(each.name), now) for each in cluster.endpoints]
    crowd = cluster.crowd
    rules = cluster.plan.breaker
    return {
        "lb": cluster.plan.balance,
        "proto": cluster.plan.protocol,
        "eps": len(words),
        "up_n": words.count("up"),
        "down_n": words.count("down"),
        "open_n": words.count("open"),
        "drain_n": words.count("drained") + words.count("draining"),
        "pass": rules is not None and rules.when_all_open == "pass",
        "act": crowd.in_flight,
        "max": crowd.limits.max_requests,
        "pend": crowd.waiting,
        "full_tot": crowd.refused,
        **flowing(flow),
    }


def route(plan: RoutePlan, flow: Flow, limited: int, last: int | None) -> Fields:
    """Give what is told of a route; ``limited`` counts what its rate limit refused."""
    mix = flow.mix
    return {
        "match": match_text(plan.match),
        "to": _target(plan),
        **flowing(flow),
        "rej": digits(flow.refusals),
        "retry_s": digits(flow.retries, 2),
        "try_err": digits(flow.errors_by_try),
        "rl_rej": limited,
        "mix": None
        if mix is None
        else {word: digits(share, 2) for word, share in zip(_CLASSES, mix, strict=True) if share},
        "last_hit": last,
        "src": _src(plan.where),
    }


def listener(door: Door, flow: Flow, rates: tuple[float, float]) -> Fields:
    """Give what is told of a listener; ``rates`` are connections and handshakes per second."""
    tls = door.settings.tls
    accepted, secured = rates
    whole = sum(door.secured.values())
    return {
        "bind": str(door.plan.bind),
        "proto": door.plan.protocol,
        "conns": door.open,
        "max": door.plan.limits.max_connections,
        "state": "closing" if door.closing else "open",
        "tls": tls is not None,
        "tls_ver": {word: digits(n / whole, 2) for word, n in sorted(door.secured.items())},
        "cert_until": None if tls is None or tls.ends is None else round(tls.ends * 1000),
        "alpn": None if tls is None else "h2, http/1.1" if door.plan.http2 else "http/1.1",
        "accept_s": digits(accepted),
        "tls_s": digits(secured),
        **flowing(flow),
    }


def match_text(match: Match) -> str:
    """Give what a route takes, in one line: methods, hosts, path."""
    path = match.path or (f"{match.path_prefix.rstrip('/')}/*" if match.path_prefix else "") or "/*"
    if match.path_regex:
        path = f"~{match.path_regex}"
    host = match.hosts[0] if match.hosts else "*"
    more = "+" if len(match.hosts or ()) > 1 or match.headers or match.query else ""
    return f"{','.join(match.methods or ()) or '*'} {host}{path}{more}"


def _target(plan: RoutePlan) -> str:
    action = plan.action
    if isinstance(action, Forward):
        return ", ".join(each.upstream for each in action.to)
    return f"{'answer' if isinstance(action, Respond) else 'redirect'} {action.status}"


def _src(place: Where | None) -> str | None:
    return None if place is None else f"{place.file}:{place.line}"
