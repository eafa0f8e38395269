"""The policy blocks of a profile to their part of the plan.

Most blocks are filled by name: a field of the plan takes the value of the key that is called the
same, and keeps its default where nothing is written. What is left to say here are the blocks whose
plan has another shape than what an operator writes.
"""

from __future__ import annotations

import os
from dataclasses import is_dataclass, replace
from math import ceil
from typing import Any, TypeVar

from appliance.model.address import Where

from . import schema_types as t
from .plan_policy import (
    BreakerPlan,
    CertificatePair,
    HealthPlan,
    InjectPlan,
    ListenerTls,
    MirrorPlan,
    Outcomes,
    RateLimitPlan,
    RetryPlan,
    RouteTest,
    StatsPlan,
    TracingPlan,
    UpstreamTls,
)
from .read import Value

P = TypeVar("P")


def fill(plan: P, value: Value | None) -> P:
    """Give a block of the plan with what is written put in, by the names of its fields."""
    if value is None or not isinstance(value.data, dict):
        return plan
    changes: dict[str, Any] = {}
    for name in plan.__dataclass_fields__:  # type: ignore[attr-defined]
        child = value.find(name)
        if child is None:
            continue
        current = getattr(plan, name)
        if isinstance(current, Outcomes):
            changes[name] = outcomes(child)
        elif is_dataclass(current) and not isinstance(current, type):
            changes[name] = fill(current, child)
        elif isinstance(child.data, list):
            changes[name] = tuple(item.data for item in child.data)
        elif not isinstance(child.data, dict):
            changes[name] = file_of(child) if names_file(child) else child.data
    return replace(plan, **changes)  # type: ignore[type-var]


def outcomes(value: Value) -> Outcomes:
    """Give a list of statuses, classes, ranges and words as two sets."""
    statuses: set[int] = set()
    words: set[str] = set()
    for item in value.values():
        if isinstance(item.data, str):
            words.add(item.data)
        else:
            statuses |= item.data
    return Outcomes(frozenset(statuses), frozenset(words))


def names_file(value: Value) -> bool:
    """Whether the value is the path of a file, relative to the file in which it is written."""
    if isinstance(value.type, t.Target):
        return value.data not in (None, "stdout", "stderr")
    return isinstance(value.type, t.Text) and value.type.what in ("a file", "a path")


def file_of(value: Value) -> str:
    """Give the path of a file that a profile names: relative ones begin at the naming file."""
    return os.path.join(os.path.dirname(value.span.file), value.data)


def breaker(values: tuple[Value | None, ...]) -> BreakerPlan | None:
    """Give the rules of a breaker from blocks of rising precedence; None if it is turned off."""
    plan: BreakerPlan | None = BreakerPlan()
    grows = False
    places: dict[str, Where] = {}
    for value in values:
        if value is None:
            continue
        if not isinstance(value.data, dict):
            plan, grows, places = None, False, {}
            continue
        plan = fill(plan or BreakerPlan(), value)
        grows = grows or value.find("max_open_for") is not None
        places.update((name, child.head.where) for name, child in value.items())
    if plan is None:
        return None
    longest = plan.max_open_for if grows else plan.open_for
    return replace(plan, max_open_for=longest, places=tuple(places.items()))


def retry(values: tuple[Value | None, ...]) -> RetryPlan:
    """Give the rules of retries from blocks of rising precedence."""
    plan = RetryPlan()
    for value in values:
        plan = fill(plan, value)
    return plan


def rate_limit(value: Value | None) -> RateLimitPlan | None:
    """Give a rate limit; a burst that is not written is what the rate gives in a second."""
    if value is None:
        return None
    rate = value.get("rate")
    return fill(RateLimitPlan(rate, max(1, ceil(rate))), value)


def health(value: Value | None) -> HealthPlan | None:
    """Give the checks of an upstream that asks for them."""
    return None if value is None else fill(HealthPlan(), value)


def upstream_tls(value: Value | None) -> UpstreamTls | None:
    """Give the TLS of an upstream; its presence turns it on."""
    return None if value is None else fill(UpstreamTls(), value)


def listener_tls(value: Value | None) -> ListenerTls | None:
    """Give the TLS of a listener."""
    if value is None:
        return None
    certificates = value.find("certificates")
    pairs = tuple(_pair(item) for item in (certificates.values() if certificates is not None else ()))
    rest = replace(value, data={name: child for name, child in value.items() if name != "certificates"})
    return fill(ListenerTls(pairs), rest)


def _pair(value: Value) -> CertificatePair:
    return fill(CertificatePair("", ""), value)


def mirror(value: Value | None) -> MirrorPlan | None:
    """Give where copies go."""
    return None if value is None else fill(MirrorPlan(value.get("to")), value)


def inject(value: Value | None) -> InjectPlan | None:
    """Give the faults of a drill."""
    if value is None:
        return None
    plan = InjectPlan(delay_share=value.get("delay", "share") or 0.0, delay=value.get("delay", "for") or 0.0)
    abort = value.find("abort")
    if abort is None:
        return plan
    return replace(plan, abort_share=abort.get("share"), abort_status=abort.get("status"))


def tracing(value: Value | None) -> TracingPlan:
    """Give how traces are carried on and where spans go."""
    plan = fill(TracingPlan(), value)
    export = None if value is None else value.find("export")
    return plan if export is None else fill(plan, export)


def stats(value: Value | None) -> StatsPlan:
    """Give what dashboards connect to."""
    plan = fill(StatsPlan(), value)
    pair = None if value is None else value.find("tls")
    return plan if pair is None else replace(plan, tls=_pair(pair))


def route_tests(value: Value | None) -> tuple[RouteTest, ...]:
    """Give the profile's own tests, in written order."""
    return tuple(_route_test(item) for item in (value.values() if value is not None else ()))


def _route_test(value: Value) -> RouteTest:
    headers = value.find("request", "headers")
    pairs = ((name.encode(), child.data.encode()) for name, child in headers.items()) if headers else ()
    return RouteTest(
        where=value.span.where,
        url=value.get("request", "url"),
        method=value.get("request", "method") or "GET",
        headers=tuple(pairs),
        route=value.get("expect", "route"),
        upstream=value.get("expect", "upstream"),
        status=value.get("expect", "status"),
    )
