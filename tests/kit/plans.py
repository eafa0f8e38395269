"""Build plans by hand, short: what a test does not name has the value that a profile would give it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from math import inf

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
from appliance.model.address import Address, Where
from appliance.model.headers import HeaderEdits
from appliance.routing.match import Match
from appliance.routing.rewrite import Redirect

WHERE = Where("profile.yaml", 1, 1)
ORIGIN = "10.0.0.1:80"

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
    """Give an upstream; an endpoint is an address, or an address and its weight."""
    rows = [(row, 1) if isinstance(row, str) else row for row in endpoints or (ORIGIN,)]
    plans = tuple(EndpointPlan(address(text), weight, WHERE) for text, weight in rows)
    return UpstreamPlan(name, plans, WHERE, timeouts=UpstreamTimeouts(**timeouts))


def route(
    action: str | Forward | Respond | Redirect = "app",
    match: Match = _ALL,
    *,
    name: str = "all",
    idle: float | None = None,
    request: float = inf,
    response: float = 15.0,
    **rest: object,
) -> RoutePlan:
    """Give a route; an action that is a name forwards there."""
    action = Forward((Destination(action),)) if isinstance(action, str) else action
    timeouts = RouteTimeouts(request=request, response=response, idle=idle)
    return replace(RoutePlan(name, match, action, WHERE, timeouts=timeouts), **rest)


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
