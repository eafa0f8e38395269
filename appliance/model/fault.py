"""What can go wrong with an exchange: one table, and the one exception that carries a row of it.

A fault knows whose side failed, what the client is told, and whether a breaker or a retry may care.
It is raised once, where the trouble is seen, and rendered once, in ``proxy/reply``; nobody in between
searches its text. The ids are stable: they stand in answers, logs and metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from .headers import Headers


class Side(Enum):
    """Whose fault it is; only ``UPSTREAM`` says anything about a backend's health."""

    CLIENT = "client"
    PROXY = "proxy"
    UPSTREAM = "upstream"


class Grpc:
    """The gRPC status codes that the proxy itself answers with."""

    CANCELLED: Final = 1
    INVALID_ARGUMENT: Final = 3
    DEADLINE_EXCEEDED: Final = 4
    RESOURCE_EXHAUSTED: Final = 8
    UNIMPLEMENTED: Final = 12
    INTERNAL: Final = 13
    UNAVAILABLE: Final = 14


@dataclass(frozen=True, slots=True)
class Reason:
    """A row of the fault table.

    ``status`` is the HTTP status of the answer, ``grpc`` the gRPC status, ``error`` the error type of
    ``Proxy-Status`` (RFC 9209 section 2.3), ``sentence`` what the client reads.
    """

    id: str
    side: Side
    status: int
    grpc: int
    error: str
    sentence: str


class Fault(Exception):
    """An exchange cannot go on as hoped; ``detail`` is for the log and never holds header values.

    ``fields`` go into the answer, such as ``Retry-After``.
    """

    def __init__(self, reason: Reason, detail: str = "", fields: Headers | None = None) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.fields: Headers = fields or []

    def __str__(self) -> str:
        return f"{self.reason.id}: {self.detail or self.reason.sentence}"


def _client(id: str, status: int, sentence: str, grpc: int = Grpc.INTERNAL) -> Reason:
    return Reason(id, Side.CLIENT, status, grpc, "http_request_error", sentence)


def _proxy(id: str, status: int, error: str, sentence: str, grpc: int = Grpc.UNAVAILABLE) -> Reason:
    return Reason(id, Side.PROXY, status, grpc, error, sentence)


def _upstream(id: str, status: int, error: str, sentence: str, grpc: int = Grpc.UNAVAILABLE) -> Reason:
    return Reason(id, Side.UPSTREAM, status, grpc, error, sentence)


# What a client sent wrong. Each row closes its connection: after it, message borders are guesses.
BAD_REQUEST = _client("bad-request", 400, "The request head is not valid HTTP/1.1.")
BAD_VERSION = _client("bad-version", 505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.")
BAD_TARGET = _client("bad-target", 400, "The request target is not a valid path or URL.")
BAD_PATH = _client("bad-path", 400, "The path holds an encoding that is not accepted.")
BAD_HOST = _client("bad-host", 400, "The Host header is missing, repeated or not valid.")
HOST_MISMATCH = _client("host-mismatch", 400, "The Host header differs from the authority of the request.")
BAD_LENGTH = _client("bad-length", 400, "The Content-Length header is not a single plain number.")
BAD_FRAMING = _client("bad-framing", 400, "Transfer-Encoding and Content-Length contradict each other.")
BAD_CODING = _client("bad-coding", 501, "The only Transfer-Encoding understood here is chunked.")
BAD_CHUNK = _client("bad-chunk", 400, "The chunked body is malformed.")
BAD_TRAILER = _client("bad-trailer", 400, "The trailer section is malformed.")
BAD_GRPC_WEB = _client("bad-grpc-web", 400, "The body is not base64, as its content type says.")
CUT_SHORT = _client("cut-short", 400, "The connection ended before the request was complete.")
HEAD_TOO_LARGE = _client("head-too-large", 431, "The request head is larger than allowed.")
TOO_MANY_HEADERS = _client("too-many-headers", 431, "The request has more header lines than allowed.")
BODY_TOO_LARGE = _client("body-too-large", 413, "The request body is larger than allowed.")
NO_CONNECT = _client("no-connect", 405, "CONNECT is not offered here.", Grpc.UNIMPLEMENTED)
HEADER_TIMEOUT = _client("header-timeout", 408, "The request head did not arrive in time.")
BODY_TIMEOUT = _client("body-timeout", 408, "The request body stopped arriving.")
CLIENT_GONE = _client("client-gone", 499, "The client left before its answer.", Grpc.CANCELLED)
CLIENT_SLOW = _client("client-slow", 499, "The client stopped reading its answer.", Grpc.CANCELLED)
GRPC_TIMEOUT = _client(
    "grpc-timeout", 408, "The time that the client gave its call is over.", Grpc.DEADLINE_EXCEEDED
)
HANDSHAKE_TIMEOUT = _client("handshake-timeout", 408, "The TLS handshake took too long.")  # never sent
KEEPALIVE_OVER = _client("keepalive-over", 408, "No further request came.")  # never sent, closes quietly

# What the proxy decides by itself.
NO_ROUTE = _proxy(
    "no-route", 404, "destination_not_found", "No route matches this request.", Grpc.UNIMPLEMENTED
)
NO_ENDPOINT = _proxy("no-endpoint", 503, "destination_unavailable", "No endpoint can take this request.")
RATE_LIMITED = _proxy(
    "rate-limited", 429, "http_request_denied", "Too many requests; slow down.", Grpc.RESOURCE_EXHAUSTED
)
UPSTREAM_FULL = _proxy(
    "upstream-full", 503, "connection_limit_reached", "The upstream has as many requests as it may have."
)
SHED = _proxy("shed", 503, "proxy_internal_response", "The proxy is short of memory.")
INJECTED = _proxy("injected", 503, "proxy_internal_response", "This is a drill: the fault is injected.")
REQUEST_TIMEOUT = _proxy(
    "request-timeout",
    504,
    "http_response_timeout",
    "The request took longer than its route allows.",
    Grpc.DEADLINE_EXCEEDED,
)
CANCELLED = _proxy("cancelled", 503, "http_request_denied", "An operator has ended this request.")
TUNNEL_IDLE = _proxy("tunnel-idle", 504, "connection_read_timeout", "Nothing went through for too long.")
STOPPING = _proxy("stopping", 503, "proxy_internal_response", "The proxy is shutting down.")
INTERNAL = _proxy(
    "internal", 500, "proxy_internal_error", "The proxy failed; its log says more.", Grpc.INTERNAL
)

# What an upstream did.
CONNECT_FAILED = _upstream("connect-failed", 502, "connection_refused", "The upstream refused a connection.")
CONNECT_TIMEOUT = _upstream(
    "connect-timeout", 504, "connection_timeout", "The upstream did not accept a connection in time."
)
DNS_FAILED = _upstream("dns-failed", 502, "dns_error", "The upstream's name could not be resolved.")
UPSTREAM_TLS = _upstream(
    "upstream-tls", 502, "tls_protocol_error", "No TLS connection to the upstream could be made."
)
UPSTREAM_CERT = _upstream(
    "upstream-cert", 502, "tls_certificate_error", "The upstream's certificate was not accepted."
)
UPSTREAM_REFUSED = _upstream(
    "upstream-refused", 502, "connection_terminated", "The upstream took no more requests on its connection."
)
UPSTREAM_RESET = _upstream(
    "upstream-reset", 502, "connection_terminated", "The upstream ended the connection without an answer."
)
UPSTREAM_CUT = _upstream(
    "upstream-cut", 502, "http_response_incomplete", "The upstream ended in the middle of its answer."
)
UPSTREAM_BAD = _upstream(
    "upstream-bad", 502, "http_protocol_error", "The upstream's answer is not valid HTTP.", Grpc.INTERNAL
)
RESPONSE_TIMEOUT = _upstream(
    "response-timeout",
    504,
    "http_response_timeout",
    "The upstream did not answer in time.",
    Grpc.DEADLINE_EXCEEDED,
)
TRY_TIMEOUT = _upstream(
    "try-timeout",
    504,
    "http_response_timeout",
    "The upstream did not answer one try in time.",
    Grpc.DEADLINE_EXCEEDED,
)
UPSTREAM_IDLE = _upstream(
    "upstream-idle", 504, "http_response_timeout", "The upstream stopped sending its answer."
)
UPSTREAM_SLOW = _upstream(
    "upstream-slow", 504, "connection_write_timeout", "The upstream stopped reading the request."
)

REASONS: dict[str, Reason] = {row.id: row for row in list(globals().values()) if isinstance(row, Reason)}
