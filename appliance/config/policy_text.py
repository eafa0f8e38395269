"""What a route does with a request once it has it, in words: one line for each policy in effect.

The words come from the plan alone, so they say what the proxy will go by, defaults and overrides
worked out, and not what somebody wrote. A policy that is off is left out, except breakers, whose
lack is worth knowing. Where a route sends to several upstreams, what they have in common is said once.
Of headers only names are given, since values may be secret.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isinf

from appliance.model.headers import HeaderEdits
from appliance.model.units import format_duration, format_rate, format_share, format_size, format_statuses

from .plan import Destination, Forward, Plan, Respond, RoutePlan, UpstreamPlan
from .plan_policy import (
    BreakerPlan,
    HealthPlan,
    InjectPlan,
    Outcomes,
    RateLimitPlan,
    RetryPlan,
    UpstreamLimits,
)

IDLE = 60.0
IDLE_STREAMING = 300.0


@dataclass(frozen=True, slots=True)
class Line:
    """One policy: what it is called, and what it says."""

    label: str
    text: str


def policy_lines(plan: Plan, route: RoutePlan, method: str) -> list[Line]:
    """Give the policies that a request with ``method`` meets on ``route``, in the order it meets them."""
    lines = [
        *(
            [Line("rate limit", f"{rate_limit_text(plan.rate_limit)}, before routing")]
            if plan.rate_limit
            else []
        ),
        *([Line("rate limit", rate_limit_text(route.rate_limit))] if route.rate_limit else []),
    ]
    action = route.action
    if isinstance(action, Forward):
        lines += _forward(plan, route, action, method)
    elif isinstance(action, Respond):
        body = f"a body of {format_size(len(action.body))}" if action.body else "no body"
        lines.append(Line("answer", f"{action.status} with {body}, from the proxy itself"))
    else:
        lines.append(Line("answer", f"{action.status}, a redirect from the proxy itself"))
    lines += _edits(route)
    return lines


def rate_limit_text(limit: RateLimitPlan) -> str:
    """Give a rate limit as ``100/s burst 200 by client_ip``, and what is unusual about it."""
    text = f"{format_rate(limit.rate)} burst {limit.burst} by {limit.key}"
    if limit.mode == "shadow":
        return f"{text}; counts only, refuses nothing (shadow)"
    return text if limit.status == 429 else f"{text}, answers {limit.status}"


def _forward(plan: Plan, route: RoutePlan, action: Forward, method: str) -> list[Line]:
    upstreams = {upstream.name: upstream for upstream in plan.upstreams}
    total = sum(to.weight for to in action.to)
    lines = []
    for to in action.to:
        part = f" gets {format_share(_rounded(to.weight / total))}" if len(action.to) > 1 and total else ""
        lines.append(Line("upstream", f"{to.upstream}{part}, {_balance(upstreams[to.upstream])}"))

    def each(label: str, text: Callable[[Destination, UpstreamPlan], str]) -> list[Line]:
        return [Line(label, said) for said in _shared(action.to, lambda to: text(to, upstreams[to.upstream]))]

    lines += each("tries", lambda to, _: tries_text(to.retry, method))
    lines += each("retry budget", lambda to, _: _budget(to.retry))
    lines += each("timeouts", lambda _, upstream: _timeouts(route, upstream))
    lines += each("breaker", breaker_text)
    lines += each("limits", lambda _, upstream: _limits(upstream.limits))
    lines += each("health", lambda _, upstream: _health(upstream.health))
    if route.grpc_web:
        lines.append(Line("grpc-web", "translated to gRPC"))
    if route.mirror is not None:
        lines.append(
            Line("mirror", f"{format_share(route.mirror.share)} of requests copied to {route.mirror.to}")
        )
    if route.inject is not None and _inject(route.inject):
        lines.append(Line("drill", _inject(route.inject)))
    return lines


def _shared(to: tuple[Destination, ...], text: Callable[[Destination], str]) -> list[str]:
    """Give what is said of each destination: once if it is the same, else with the upstream's name."""
    said = [text(each) for each in to]
    if len(set(said)) == 1:
        return said[:1] if said[0] else []
    return [f"{each.upstream}: {line}" for each, line in zip(to, said, strict=True) if line]


def _balance(upstream: UpstreamPlan) -> str:
    count = len(upstream.endpoints)
    how = upstream.balance
    if upstream.balance == "consistent_hash" and upstream.hash_on:
        how = f"consistent_hash on {upstream.hash_on}"
    text = f"{how} over {count} endpoint{'' if count == 1 else 's'}"
    if upstream.protocol != "http1":
        text += ", HTTP/2" if upstream.protocol == "http2" else ", HTTP/1 or HTTP/2"
    if upstream.tls is not None:
        text += ", TLS" if upstream.tls.verify else ", TLS that verifies nothing"
    if upstream.slow_start:
        text += f", slow start {format_duration(upstream.slow_start)}"
    return text


def tries_text(retry: RetryPlan, method: str) -> str:
    """Give how often a request with ``method`` is tried, after what, and with which waits."""
    if not retry.max_retries:
        return "1 (retry.max_retries: 0)"
    most = retry.max_retries + 1
    if method not in retry.methods:
        return f"1, as {method} is not repeated; up to {most} if nothing was sent yet"
    first, longest = format_duration(retry.backoff.base), format_duration(retry.backoff.max)
    return f"up to {most}, after {_outcomes(retry.when)}; waits {first} to {longest}"


def _budget(retry: RetryPlan) -> str:
    if not retry.max_retries:
        return ""
    ratio, floor = format_share(retry.budget.ratio), format_rate(retry.budget.floor)
    return f"{ratio} of requests, and always {floor}; bodies up to {format_size(retry.buffer)} are kept"


def _timeouts(route: RoutePlan, upstream: UpstreamPlan) -> str:
    times = route.timeouts
    idle = f"{_time(IDLE)} (streams {_time(IDLE_STREAMING)})" if times.idle is None else _time(times.idle)
    parts = [
        *([] if isinf(times.request) else [f"request {_time(times.request)}"]),
        f"response {_time(times.response)}",
        f"idle {idle}",
        f"connect {_time(upstream.timeouts.connect)}",
        f"per try {_time(upstream.timeouts.per_try)}",
    ]
    return " · ".join(parts)


def _time(seconds: float) -> str:
    """Give a duration; a whole number of seconds up to two minutes stays in seconds."""
    if isinf(seconds):
        return "none"
    return f"{int(seconds)}s" if seconds <= 120 and seconds == int(seconds) else format_duration(seconds)


def breaker_text(to: Destination, _upstream: UpstreamPlan) -> str:
    """Give whose the breaker is, what opens it, and how it closes."""
    breaker = to.breaker
    if breaker is None:
        return "off"
    whose = "its own" if to.own_breaker else "the upstream's"
    where = "on each endpoint" if breaker.scope == "endpoint" else "one for the whole upstream"
    text = f"{whose}, {where}: {_opens(breaker)}; {_closes(breaker)}"
    if breaker.failures != BreakerPlan().failures:
        text += f"; failures are {_outcomes(breaker.failures)}"
    return text + ("; with all open, tries anyway" if breaker.when_all_open == "pass" else "")


def _opens(breaker: BreakerPlan) -> str:
    rules = []
    if breaker.failure_threshold:
        rules.append(f"{breaker.failure_threshold} failures in a row")
    if breaker.error_rate:
        share, window = format_share(breaker.error_rate), _time(breaker.window)
        rules.append(f"{share} of >= {breaker.min_requests} in {window}")
    return ", or ".join(rules) or "never opens"


def _closes(breaker: BreakerPlan) -> str:
    longer = f" up to {_time(breaker.max_open_for)}" if breaker.max_open_for > breaker.open_for else ""
    probes = breaker.success_threshold
    return f"open {_time(breaker.open_for)}{longer}, then {probes} probe{'' if probes == 1 else 's'}"


def _limits(limits: UpstreamLimits) -> str:
    if limits == UpstreamLimits():
        return ""
    return (
        f"{limits.max_connections} connections, {limits.max_requests} requests; "
        f"{limits.max_pending} wait up to {_time(limits.pending_timeout)}"
    )


def _health(health: HealthPlan | None) -> str:
    if health is None:
        return ""
    what = f"GET {health.path}" if health.protocol == "http" else health.protocol
    return (
        f"{what} every {_time(health.interval)}, within {_time(health.timeout)}; "
        f"down after {health.unhealthy_after}, up after {health.healthy_after}"
    )


def _inject(inject: InjectPlan) -> str:
    parts = []
    if inject.delay_share:
        parts.append(f"{format_share(inject.delay_share)} wait {_time(inject.delay)}")
    if inject.abort_share:
        parts.append(f"{format_share(inject.abort_share)} get {inject.abort_status}")
    return " · ".join(parts)


def _edits(route: RoutePlan) -> list[Line]:
    lines = []
    for side, edits in (("request", route.request_headers), ("response", route.response_headers)):
        if edits and not (side == "request" and not isinstance(route.action, Forward)):
            lines.append(Line("headers", f"{side}: {_edit(edits)}"))
    return lines


def _edit(edits: HeaderEdits) -> str:
    parts = []
    for verb, names in (
        ("remove", edits.remove),
        ("set", tuple(name for name, _ in edits.set)),
        ("add", tuple(name for name, _ in edits.add)),
    ):
        if names:
            parts.append(f"{verb} {', '.join(name.decode('latin-1') for name in dict.fromkeys(names))}")
    return " · ".join(parts)


def _outcomes(outcomes: Outcomes) -> str:
    statuses = [format_statuses(outcomes.statuses)] if outcomes.statuses else []
    return ", ".join([*sorted(outcomes.words), *statuses]) or "nothing"


def _rounded(part: float) -> float:
    return round(part, 3)
