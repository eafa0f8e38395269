"""Build plans by hand, short: what a test does not name has the value that a profile would give it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from random import Random

from appliance.config.plan import (
    AccessLogPlan,
    Destination,
    EndpointPlan,
    Forward,
    ListenerLimits,
    ListenerPlan,
    ListenerTimeouts,
    Plan,
    Respond,
    RoutePlan,
    RouteTimeouts,
    UpstreamPlan,
    UpstreamTimeouts,
)
from appliance.config.plan_policy import BreakerPlan, RetryPlan
from appliance.model.address import Address, Where
from appliance.model.headers import HeaderEdits
from appliance.net.transport import Transport
from appliance.routing.match import Match
from appliance.routing.rewrite import Redirect
from appliance.upstream.cluster import Outside
from appliance.upstream.endpoint import Dial

WHERE = Where("profile.yaml", 1, 1)
ORIGIN = "10.0.0.1:80"

NO_RETRY = RetryPlan(max_retries=0)

_LIMITS = ListenerLimits()
_ALL = Match()
_NO_LOG = AccessLogPlan(to=None)


def address(text: str) -> Address:
    """Give the address that ``host:port`` or ``unix:/path`` names."""
    if text.startswith("unix:"):
        return Address("unix", path=text[5:])
    host, _, port = text.rpartition(":")
    return Address("tcp", host=host, port=int(port))


def listener(
    name: str = "web",
    *,
    limits: ListenerLimits = _LIMITS,
    trust: tuple[str, ...] = (),
    redirect_https: bool = False,
    bind: str = "127.0.0.1:0",
    **timeouts: float,
) -> ListenerPlan:
    """Give a plain listener; keywords that are not its own are timeouts."""
    return ListenerPlan(
        name,
        address(bind),
        WHERE,
        limits=limits,
        timeouts=ListenerTimeouts(**timeouts),
        trust_forwarded=tuple(ip_network(net) for net in trust),
        redirect_https=redirect_https,
    )


def upstream(name: str = "app", *endpoints: str | tuple[str, int], **timeouts: float) -> UpstreamPlan:
    """Give an upstream; an endpoint is an address, or an address and its weight.

    It has no health checks; ``dataclasses.replace`` gives it other rules.
    """
    rows = [(row, 1) if isinstance(row, str) else row for row in endpoints or (ORIGIN,)]
    plans = tuple(EndpointPlan(address(text), weight, WHERE) for text, weight in rows)
    return UpstreamPlan(name, plans, WHERE, timeouts=UpstreamTimeouts(**timeouts))


def route(
    action: str | Forward | Respond | Redirect = "app",
    match: Match = _ALL,
    *,
    name: str = "all",
    retry: RetryPlan = NO_RETRY,
    breaker: BreakerPlan | None = None,
    **rest: object,
) -> RoutePlan:
    """Give a route; an action that is a name forwards there, by default with one try and no breaker.

    Keywords that are not its own are timeouts, and else fields of the plan.
    """
    if isinstance(action, str):
        action = Forward((Destination(action, breaker=breaker, own_breaker=True, retry=retry),))
    limits = {key: rest.pop(key) for key in ("request", "response", "idle") if key in rest}
    return replace(RoutePlan(name, match, action, WHERE, timeouts=RouteTimeouts(**limits)), **rest)


def edits(**parts: tuple[object, ...]) -> HeaderEdits:
    """Give header edits: ``remove``, ``set`` and ``add`` as in the model."""
    return HeaderEdits(**parts)


def plan(
    *routes: RoutePlan,
    upstreams: tuple[UpstreamPlan, ...] | None = None,
    listeners: tuple[ListenerPlan, ...] | None = None,
    access_log: AccessLogPlan = _NO_LOG,
) -> Plan:
    """Give a plan; without anything named, one listener in front of one origin."""
    return Plan(
        "edge",
        "profile.yaml",
        "0" * 12,
        (listener(),) if listeners is None else listeners,
        routes or (route(),),
        (upstream(),) if upstreams is None else upstreams,
        access_log=access_log,
    )


def outside(
    dial: Dial | None = None,
    now: Callable[[], float] = lambda: 0.0,
    told: Callable[[object], None] = lambda _: None,
) -> Outside:
    """Give what an upstream needs from outside: by default no connections, no time, and chance by a seed."""
    return Outside(dial or _no_dial, now, Random(1), told, _no_task)


def _no_task(*_: object) -> None:
    raise AssertionError("no task is to be started here")


async def _no_dial(*_: object) -> Transport:
    raise AssertionError("nothing is to be dialled here")
