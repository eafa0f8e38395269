"""The rules by which requests are admitted, tried again, checked and measured: the policy part of a plan.

Each class is one block of the profile, field for key, so that reading fills it by name (``fill``)
and its defaults are those of the schema (a test holds the two together). Durations are seconds,
rates are per second, shares 0 to 1; paths of files are relative to the working directory, as the
profile's own directory has been put in front of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from appliance.model.address import Address, Where

SERVER_ERRORS = frozenset(range(500, 600))
IDEMPOTENT = ("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE")


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How a try may end: HTTP statuses, and words such as ``connect``, ``reset`` and ``timeout``."""

    statuses: frozenset[int] = frozenset()
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BreakerPlan:
    """When endpoints are left alone. ``max_open_for`` equals ``open_for`` unless pauses may grow.

    ``places`` tells where the keys stand that are written: a trip names the setting behind it.
    """

    scope: Literal["endpoint", "upstream"] = "endpoint"
    failure_threshold: int = 5
    error_rate: float = 0.5
    min_requests: int = 20
    window: float = 10.0
    failures: Outcomes = Outcomes(SERVER_ERRORS, frozenset({"connect", "reset", "timeout"}))
    open_for: float = 30.0
    max_open_for: float = 30.0
    success_threshold: int = 2
    when_all_open: Literal["fail", "pass"] = "fail"
    places: tuple[tuple[str, Where], ...] = ()


@dataclass(frozen=True, slots=True)
class Backoff:
    """Longest waits before the first retry and before any; the real ones are drawn below them."""

    base: float = 0.025
    max: float = 0.25


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How many retries an upstream gets: a part of its requests, and a rate that is always allowed."""

    ratio: float = 0.2
    floor: float = 3.0


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """What is tried again, how often, and how much of a request body is kept for it (bytes)."""

    max_retries: int = 2
    when: Outcomes = Outcomes(
        frozenset({502, 503, 504}), frozenset({"connect", "reset", "timeout", "grpc-unavailable"})
    )
    methods: tuple[str, ...] = IDEMPOTENT
    backoff: Backoff = Backoff()
    budget: RetryBudget = RetryBudget()
    buffer: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class RateLimitPlan:
    """A token bucket for each key: ``client_ip``, ``route``, ``host`` or ``header:NAME``."""

    rate: float
    burst: int
    key: str = "client_ip"
    status: int = 429
    mode: Literal["enforce", "shadow"] = "enforce"


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """How much is sent to an upstream at once, and how many requests wait how long for a place."""

    max_connections: int = 1024
    max_requests: int = 1024
    max_pending: int = 128
    pending_timeout: float = 1.0


@dataclass(frozen=True, slots=True)
class HealthPlan:
    """How every endpoint is checked."""

    path: str = "/healthz"
    interval: float = 10.0
    timeout: float = 3.0
    healthy_after: int = 2
    unhealthy_after: int = 3
    expect: Outcomes = Outcomes(frozenset(range(200, 400)))
    protocol: Literal["http", "grpc", "tcp"] = "http"


@dataclass(frozen=True, slots=True)
class UpstreamTls:
    """TLS towards endpoints; files are paths of PEM files, None where the default counts."""

    server_name: str | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class MirrorPlan:
    """Copies of a part of the requests go to another upstream."""

    to: str
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class InjectPlan:
    """Faults for drills: a share of requests waits so long, a share is answered with this status."""

    delay_share: float = 0.0
    delay: float = 0.0
    abort_share: float = 0.0
    abort_status: int = 503


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate chain and its private key, both PEM files."""

    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class ListenerTls:
    """TLS towards clients; the first certificate is the default, the others go by server name."""

    certificates: tuple[CertificatePair, ...]
    min_version: Literal["1.2", "1.3"] = "1.2"
    unknown_sni: Literal["default", "reject"] = "default"
    client_auth: Literal["none", "optional", "require"] = "none"
    client_ca: str | None = None


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Shares of the memory at which kept-alive connections end, and at which requests are refused."""

    soft: float = 0.8
    hard: float = 0.9


@dataclass(frozen=True, slots=True)
class TracingPlan:
    """Which trace headers are carried on, and where spans go, if anywhere."""

    propagate: tuple[str, ...] = ("w3c", "b3")
    sample: float = 0.01
    otlp_http: str | None = None
    zipkin: str | None = None


@dataclass(frozen=True, slots=True)
class TapPlan:
    """Bounds of showing live requests."""

    max_rate: float = 100.0
    max_time: float = 300.0
    headers: tuple[str, ...] = ("host", "user-agent", "content-type", "x-request-id")


@dataclass(frozen=True, slots=True)
class RecorderPlan:
    """How far back the flight recorder reaches, in seconds and in bytes."""

    keep: float = 900.0
    max_size: int = 16 << 20
    tap: bool = False


@dataclass(frozen=True, slots=True)
class StatsPlan:
    """What dashboards and scrapers connect to; ``socket`` None means the standard place."""

    socket: str | None = None
    listen: Address | None = None
    token_file: str | None = None
    actions: Literal["operator", "false"] = "operator"
    tls: CertificatePair | None = None
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    socket_group: str | None = None
    rate: float = 4.0
    max_clients: int = 8
    tap: TapPlan = TapPlan()
    recorder: RecorderPlan = RecorderPlan()


@dataclass(frozen=True, slots=True)
class RouteTest:
    """A request that is routed but not sent, and what is expected of it; None is not looked at."""

    where: Where
    url: str
    method: str = "GET"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    route: str | None = None
    upstream: str | None = None
    status: int | None = None
