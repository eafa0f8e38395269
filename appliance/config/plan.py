"""A profile, read and checked: frozen, pure, and all that the commands before ``run`` need.

Durations are seconds, sizes bytes, shares numbers from 0 to 1. A time limit that is switched off, with
0 in the profile, is infinite here. ``run`` brings a plan to life as a snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from math import inf
from typing import Final, Literal

from appliance.model.address import Address, Where
from appliance.model.headers import HeaderEdits
from appliance.routing.match import Match
from appliance.routing.rewrite import Redirect, Rewrite

from .plan_policy import (
    BreakerPlan,
    HealthPlan,
    InjectPlan,
    ListenerTls,
    MemoryPlan,
    MirrorPlan,
    RateLimitPlan,
    RetryPlan,
    RouteTest,
    StatsPlan,
    TracingPlan,
    UpstreamLimits,
    UpstreamTls,
)

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """Bounds of one listener; ``max_body_size`` 0 means unlimited."""

    max_connections: int = 10_000
    max_per_ip: int = 1000
    max_header_size: int = 32 * 1024
    max_headers: int = 100
    max_body_size: int = 0
    max_streams: int = 100


@dataclass(frozen=True, slots=True)
class ListenerTimeouts:
    """Seconds that a client may take at each phase."""

    handshake: float = 10.0
    header: float = 10.0
    body_idle: float = 60.0
    keepalive: float = 60.0
    write: float = 30.0
    h2_ping: float = 30.0


@dataclass(frozen=True, slots=True)
class ListenerPlan:
    """One place where clients connect."""

    name: str
    bind: Address
    where: Where
    protocol: Literal["http", "https"] = "http"
    http2: bool = True
    redirect_https: bool = False
    limits: ListenerLimits = ListenerLimits()
    timeouts: ListenerTimeouts = ListenerTimeouts()
    trust_forwarded: tuple[Network, ...] = ()
    proxy_protocol: tuple[Network, ...] = ()
    tls: ListenerTls | None = None


@dataclass(frozen=True, slots=True)
class RouteTimeouts:
    """Seconds: the whole exchange, until the response head, and without a byte either way.

    ``idle`` None means the default: 60 s, and 300 s for gRPC, server-sent events and WebSocket.
    """

    request: float = inf
    response: float = 15.0
    idle: float | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """One upstream that a route sends to, and the rules for what this route sends there.

    They are the upstream's, with the keys that the route writes put over them. ``own_breaker``:
    the route wrote some, and so has breakers apart from everybody else's. No breaker is None.
    """

    upstream: str
    weight: int = 100
    breaker: BreakerPlan | None = BreakerPlan()
    own_breaker: bool = False
    retry: RetryPlan = RetryPlan()


@dataclass(frozen=True, slots=True)
class Forward:
    """Send to one of these upstreams, in proportion to the weights."""

    to: tuple[Destination, ...]


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer at once without an upstream."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """One row of the routing table."""

    name: str
    match: Match
    action: Forward | Respond | Redirect
    where: Where
    rewrite: Rewrite = Rewrite()
    request_headers: HeaderEdits = HeaderEdits()
    response_headers: HeaderEdits = HeaderEdits()
    timeouts: RouteTimeouts = RouteTimeouts()
    rate_limit: RateLimitPlan | None = None
    mirror: MirrorPlan | None = None
    inject: InjectPlan | None = None
    grpc_web: bool = False


@dataclass(frozen=True, slots=True)
class EndpointPlan:
    """One server of an upstream; weight 0 receives no new requests."""

    address: Address
    weight: int
    where: Where


@dataclass(frozen=True, slots=True)
class UpstreamTimeouts:
    """Seconds for dialling, for one try until its response head, and for an idle pooled connection."""

    connect: float = 2.0
    per_try: float = 5.0
    pool_idle: float = 4.0


@dataclass(frozen=True, slots=True)
class UpstreamPlan:
    """A named group of endpoints."""

    name: str
    endpoints: tuple[EndpointPlan, ...]
    where: Where
    balance: str = "round_robin"
    protocol: Literal["http1", "http2", "auto"] = "http1"
    timeouts: UpstreamTimeouts = UpstreamTimeouts()
    hash_on: str | None = None
    tls: UpstreamTls | None = None
    breaker: BreakerPlan | None = BreakerPlan()
    retry: RetryPlan = RetryPlan()
    limits: UpstreamLimits = UpstreamLimits()
    health: HealthPlan | None = None
    slow_start: float = 0.0


LOG_FIELDS: Final = (
    "time",
    "id",
    "listener",
    "client",
    "subject",
    "method",
    "host",
    "path",
    "protocol",
    "status",
    "grpc_status",
    "route",
    "upstream",
    "endpoint",
    "tries",
    "bytes",
    "ms",
    "head_ms",
    "fault",
    "why",
    "notes",
)


@dataclass(frozen=True, slots=True)
class AccessLogPlan:
    """Where the record of each exchange goes: a path, ``stdout``, ``stderr``, or None for nowhere.

    ``format`` is ``json``, ``text`` or a format string over ``LOG_FIELDS``; ``sample`` never drops errors
    and refusals;
    ``redact`` holds lower-case header names.
    """

    to: str | None = "stdout"
    format: str = "json"
    sample: float = 1.0
    redact: tuple[str, ...] = ("authorization", "cookie", "set-cookie")


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """Bounds of the whole process.

    ``workers`` 0 means one per core; ``max_connections`` 0 the default, min(10000, RLIMIT_NOFILE/2).
    """

    workers: int = 1
    drain_timeout: float = 30.0
    max_connections: int = 0
    memory: MemoryPlan = MemoryPlan()


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """A key that the profile sets and this version does not act on."""

    path: str
    where: Where


@dataclass(frozen=True, slots=True)
class Plan:
    """One whole profile. ``digest`` is the first 12 hex digits of the SHA-256 of all files read."""

    name: str
    file: str
    digest: str
    listeners: tuple[ListenerPlan, ...]
    routes: tuple[RoutePlan, ...]
    upstreams: tuple[UpstreamPlan, ...]
    process: ProcessPlan = ProcessPlan()
    access_log: AccessLogPlan = AccessLogPlan()
    rate_limit: RateLimitPlan | None = None
    tracing: TracingPlan = TracingPlan()
    stats: StatsPlan = StatsPlan()
    tests: tuple[RouteTest, ...] = ()
    unbuilt: tuple[Unbuilt, ...] = ()
