"""Values to the frozen plan: defaults are copied under, names worked out, text becomes bytes.

Only a profile without errors comes this far, so nothing here can fail. What is not written takes
the default of the plan's own field; a test holds those fields to the schema.
"""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_network
from math import inf
from typing import Any, TypeVar

from appliance.model.headers import HeaderEdits
from appliance.routing.match import Match, TextRule
from appliance.routing.rewrite import Redirect, Rewrite

from . import compile_policy as policy
from .compile_policy import fill
from .nodes import Scalar
from .plan import (
    AccessLogPlan,
    Destination,
    EndpointPlan,
    Forward,
    ListenerLimits,
    ListenerPlan,
    ListenerTimeouts,
    Network,
    Plan,
    ProcessPlan,
    Respond,
    RoutePlan,
    RouteTimeouts,
    UpstreamPlan,
    UpstreamTimeouts,
)
from .plan_policy import MemoryPlan, UpstreamLimits
from .read import Value
from .unbuilt import unbuilt

DEFAULT_WEIGHT = 100

T = TypeVar("T", ListenerTimeouts, RouteTimeouts, UpstreamTimeouts)


def compile_plan(written: Value, merged: Value, file: str, digest: str, hostname: str) -> Plan:
    """Build the plan of a profile without errors.

    ``written`` is the profile as it stands, ``merged`` the same with ``defaults`` copied under.
    """
    upstreams = dict(_entries(merged, "upstreams"))
    return Plan(
        name=merged.get("name") or default_name(hostname),
        file=file,
        digest=digest,
        listeners=tuple(_listener(name, value) for name, value in _entries(merged, "listeners")),
        routes=tuple(_route(value, upstreams) for value in merged.get("routes") or ()),
        upstreams=tuple(_upstream(name, value) for name, value in upstreams.items()),
        process=_process(merged.find("process")),
        access_log=_access_log(merged.find("access_log")),
        rate_limit=policy.rate_limit(merged.find("rate_limit")),
        tracing=policy.tracing(merged.find("tracing")),
        stats=policy.stats(merged.find("stats")),
        tests=policy.route_tests(merged.find("tests")),
        unbuilt=unbuilt(written),
    )


def default_name(hostname: str) -> str:
    """Give the name of a proxy that was not given one: the host's first label, made a name."""
    label = re.sub(r"[^a-z0-9-]", "-", hostname.partition(".")[0].lower()).lstrip("-")[:63]
    return label or "meshctl"


def with_defaults(root: Value) -> Value:
    """Give the profile with `defaults` copied under every upstream and route."""
    fields = dict(root.data)
    for kind, place in (("upstream", "upstreams"), ("route", "routes")):
        common, value = root.find("defaults", kind), root.find(place)
        if common is None or value is None:
            continue
        if isinstance(value.data, dict):
            data: Any = {name: under(common, own) for name, own in value.data.items()}
        else:
            data = [under(common, own) for own in value.data]
        fields[place] = replace(value, data=data)
    return replace(root, data=fields)


def under(common: Value, own: Value) -> Value:
    """Join two maps key by key; where both say something that is not a map, ``own`` wins, even unread."""
    if not isinstance(common.data, dict) or not isinstance(own.data, dict):
        return own
    data = {name: value for name, value in common.data.items() if not own.has(name)}
    for name, value in own.data.items():
        data[name] = under(common.data[name], value) if name in common.data else value
    return replace(own, data=data)


def _entries(root: Value, name: str) -> list[tuple[str, Value]]:
    found = root.find(name)
    return list(found.items()) if found is not None else []


def _timeouts(plan: T, value: Value | None) -> T:
    """The same for a group of timeouts, where a written 0 means: no limit."""
    filled = fill(plan, value)
    off = {name: inf for name in type(plan).__dataclass_fields__ if getattr(filled, name) == 0}
    return replace(filled, **off)


def _listener(name: str, value: Value) -> ListenerPlan:
    http2 = value.get("http2")
    return ListenerPlan(
        name=name,
        bind=value.get("bind"),
        where=value.head.where,
        protocol=value.get("protocol") or "http",
        http2=True if http2 is None else http2,
        redirect_https=value.get("redirect") is not None,
        limits=fill(ListenerLimits(), value.find("limits")),
        timeouts=_timeouts(ListenerTimeouts(), value.find("timeouts")),
        trust_forwarded=_networks(value.find("trust_forwarded")),
        proxy_protocol=_networks(value.find("proxy_protocol", "from")),
        tls=policy.listener_tls(value.find("tls")),
    )


def _networks(value: Value | None) -> tuple[Network, ...]:
    return tuple(ip_network(child.data) for child in (value.values() if value is not None else ()))


def _route(value: Value, upstreams: dict[str, Value]) -> RoutePlan:
    return RoutePlan(
        name=value.get("name"),
        match=match_of(value.find("match")),
        action=_action(value, upstreams),
        where=value.span.where,
        rewrite=Rewrite(**_texts(value.find("rewrite"))),
        request_headers=_edits(value.find("headers", "request")),
        response_headers=_edits(value.find("headers", "response")),
        timeouts=_timeouts(RouteTimeouts(), value.find("timeouts")),
        rate_limit=policy.rate_limit(value.find("rate_limit")),
        mirror=policy.mirror(value.find("mirror")),
        inject=policy.inject(value.find("inject")),
        grpc_web=bool(value.get("grpc_web")),
    )


def _action(value: Value, upstreams: dict[str, Value]) -> Forward | Respond | Redirect:
    respond, redirect = value.find("respond"), value.find("redirect")
    if respond is not None:
        return Respond(
            status=respond.get("status"),
            body=(respond.get("body") or "").encode(),
            headers=_pairs(respond.find("headers")),
        )
    if redirect is not None:
        fields = _texts(redirect)
        return Redirect(**{**fields, "status": int(fields.get("status", 308))})
    return Forward(
        tuple(
            _destination(name, weight, value, upstreams[name])
            for name, weight, _ in destinations(value.find("to"))
        )
    )


def _destination(name: str, weight: int, route: Value, upstream: Value) -> Destination:
    own = route.find("breaker")
    return Destination(
        upstream=name,
        weight=weight,
        breaker=policy.breaker((upstream.find("breaker"), own)),
        own_breaker=own is not None,
        retry=policy.retry((upstream.find("retry"), route.find("retry"))),
    )


def destinations(to: Value | None) -> list[tuple[str, int, Value]]:
    """Give the upstreams of a `to` with their weights and where each name is written."""
    if to is None:
        return []
    if not isinstance(to.data, list):
        return [(to.data, DEFAULT_WEIGHT, to)]
    found = []
    for item in to.data:
        name = item.find("upstream") if isinstance(item.data, dict) else item
        if name is not None:
            weight = item.get("weight")
            found.append((name.data, DEFAULT_WEIGHT if weight is None else weight, name))
    return found


def match_of(value: Value | None) -> Match:
    """Give what a `match` block asks for; everything if there is none."""
    if value is None:
        return Match()
    return Match(
        hosts=_listed(value.find("hosts")),
        path=value.get("path"),
        path_prefix=value.get("path_prefix"),
        path_regex=value.get("path_regex"),
        methods=_listed(value.find("methods")),
        headers=_rules(value.find("headers")),
        query=_rules(value.find("query")),
    )


def _rules(value: Value | None) -> tuple[tuple[str, TextRule], ...]:
    return tuple((name, _rule(child)) for name, child in value.items()) if value is not None else ()


def _foreign(value: Value) -> bool:
    return isinstance(value.node, Scalar) and value.node.foreign


def _rule(value: Value) -> TextRule:
    if not isinstance(value.data, dict):
        return TextRule("exact", value.data, _foreign(value))
    for kind, child in value.data.items():
        return TextRule(kind, "" if kind in ("present", "absent") else child.data, _foreign(child))
    return TextRule("present")


def _listed(value: Value | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(child.data for child in value.values())) if value is not None else ()


def _texts(value: Value | None) -> dict[str, Any]:
    return {name: child.data for name, child in value.items()} if value is not None else {}


def _pairs(value: Value | None) -> tuple[tuple[bytes, bytes], ...]:
    if value is None:
        return ()
    return tuple((name.encode(), child.data.encode()) for name, child in value.items())


def _edits(value: Value | None) -> HeaderEdits:
    if value is None:
        return HeaderEdits()
    return HeaderEdits(
        remove=tuple(name.encode() for name in _listed(value.find("remove"))),
        set=_pairs(value.find("set")),
        add=_pairs(value.find("add")),
    )


def endpoints(value: Value) -> list[EndpointPlan]:
    """Give the endpoints of an upstream in written order."""
    found = []
    for item in value.get("endpoints") or ():
        address = item.find("address") if isinstance(item.data, dict) else item
        if address is not None:
            weight = item.get("weight")
            where = item.span.where
            found.append(EndpointPlan(address.data, DEFAULT_WEIGHT if weight is None else weight, where))
    return found


def _upstream(name: str, value: Value) -> UpstreamPlan:
    return UpstreamPlan(
        name=name,
        endpoints=tuple(endpoints(value)),
        where=value.head.where,
        balance=value.get("balance") or "round_robin",
        protocol=value.get("protocol") or "http1",
        timeouts=_timeouts(UpstreamTimeouts(), value.find("timeouts")),
        hash_on=value.get("hash_on"),
        tls=policy.upstream_tls(value.find("tls")),
        breaker=policy.breaker((value.find("breaker"),)),
        retry=policy.retry((value.find("retry"),)),
        limits=fill(UpstreamLimits(), value.find("limits")),
        health=policy.health(value.find("health")),
        slow_start=value.get("slow_start") or 0.0,
    )


def _process(value: Value | None) -> ProcessPlan:
    if value is None:
        return ProcessPlan()
    workers, drain = value.get("workers"), value.get("drain_timeout")
    return ProcessPlan(
        workers=workers if isinstance(workers, int) else 0 if workers == "auto" else 1,
        drain_timeout=ProcessPlan().drain_timeout if drain is None else drain,
        max_connections=value.get("max_connections") or 0,
        memory=fill(MemoryPlan(), value.find("memory")),
    )


def _access_log(value: Value | None) -> AccessLogPlan:
    if value is None:
        return AccessLogPlan()
    log = AccessLogPlan()
    to, redact = value.find("to"), value.find("redact")
    sample = value.get("sample")
    return AccessLogPlan(
        to=log.to if to is None else policy.file_of(to) if policy.names_file(to) else to.data,
        format=value.get("format") or log.format,
        sample=log.sample if sample is None else sample,
        redact=log.redact if redact is None else _listed(redact),
    )
