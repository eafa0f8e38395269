"""The larger blocks of the profile format, and those that stand in more than one place.

Breakers, retries and rate limits may be written under a route as well as under an upstream (or the
profile); one declaration serves both, so that a key never means two things.
"""

from __future__ import annotations

from typing import Final

from .schema_types import (
    AddressOf,
    Boolean,
    ByShape,
    Choice,
    Duration,
    HeaderName,
    HeaderValue,
    Host,
    Integer,
    Key,
    ListOf,
    MapOf,
    Method,
    Object,
    Rate,
    Regex,
    Selector,
    Share,
    Size,
    Status,
    Statuses,
    Target,
    Text,
    Url,
    UrlPath,
)

BALANCE: Final = ("round_robin", "least_conn", "random", "weighted", "ewma", "consistent_hash")

TEXT_RULE: Final = ByShape(
    scalar=Text("a value", empty=True),
    mapping=Object(
        {
            "exact": Key(Text("a value", empty=True), "The whole value."),
            "prefix": Key(Text("a value"), "The value begins with this."),
            "contains": Key(Text("a value"), "The value has this in it."),
            "regex": Key(Regex(), "A regular expression for the whole value."),
            "present": Key(Choice(("true",)), "There is a value, whatever it is."),
            "absent": Key(Choice(("true",)), "There is none."),
        },
        one_of=(("exact", "prefix", "contains", "regex", "present", "absent"),),
    ),
)

HEADER_EDITS: Final = Object(
    {
        "set": Key(
            MapOf(HeaderName(edit=True), HeaderValue(words=True), entry="header"),
            "Replaces the field, or adds it.",
        ),
        "add": Key(
            MapOf(HeaderName(edit=True), HeaderValue(words=True), entry="header"),
            "Adds a field beside those there are.",
        ),
        "remove": Key(ListOf(HeaderName(edit=True)), "Fields that are dropped."),
    }
)

RATE_LIMIT: Final = Object(
    {
        "rate": Key(Rate(), "Requests over time.", required=True),
        "burst": Key(Integer(1), "Requests at once after a pause. Default: what rate gives in a second."),
        "key": Key(
            Selector(("client_ip", "route", "host"), ("header",)), "Who shares a bucket.", "client_ip"
        ),
        "status": Key(Status(400), "The answer to a request that is refused.", "429"),
        "mode": Key(Choice(("enforce", "shadow")), "shadow counts and refuses nothing.", "enforce"),
    }
)

BREAKER: Final = ByShape(
    scalar=Choice(("false",)),
    mapping=Object(
        {
            "scope": Key(Choice(("endpoint", "upstream")), "What has a breaker of its own.", "endpoint"),
            "failure_threshold": Key(
                Integer(0), "Failures in a row that open it; 0 is not by this rule.", "5"
            ),
            "error_rate": Key(
                Share(), "Failed part of the window that opens it; 0% is not by this rule.", "50%"
            ),
            "min_requests": Key(Integer(1), "Requests in the window before its share counts.", "20"),
            "window": Key(Duration(zero=False), "The time over which the share is taken.", "10s"),
            "failures": Key(
                ListOf(Statuses(("connect", "reset", "timeout")), low=1),
                "What counts as a failure.",
                ["5xx", "connect", "reset", "timeout"],
            ),
            "open_for": Key(Duration(zero=False), "How long it stays open before it probes.", "30s"),
            "max_open_for": Key(
                Duration(zero=False), "Up to which open_for doubles after failed probes. Default open_for."
            ),
            "success_threshold": Key(Integer(1), "Probes in a row that close it.", "2"),
            "when_all_open": Key(
                Choice(("fail", "pass")), "When no endpoint is left: 503, or try anyway.", "fail"
            ),
        }
    ),
)

RETRY: Final = Object(
    {
        "max_retries": Key(Integer(0, 5), "Tries after the first.", "2"),
        "when": Key(
            ListOf(Statuses(("connect", "reset", "timeout", "grpc-unavailable"))),
            "What is tried again.",
            ["connect", "reset", "timeout", "502", "503", "504", "grpc-unavailable"],
        ),
        "methods": Key(
            ListOf(Method()),
            "Methods that may be sent twice; what was never sent is retried for any.",
            ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"],
        ),
        "backoff": Key(
            Object(
                {
                    "base": Key(Duration(), "Longest wait before the first retry; doubles.", "25ms"),
                    "max": Key(Duration(), "Longest wait before any.", "250ms"),
                }
            ),
            "Waits between tries, with full jitter.",
        ),
        "budget": Key(
            Object(
                {
                    "ratio": Key(Share(), "Retries as a part of the requests.", "20%"),
                    "floor": Key(Rate(zero=True), "Retries that are always allowed.", "3/s"),
                }
            ),
            "How many retries an upstream gets in all.",
        ),
        "buffer": Key(Size(0, 64 << 20), "How much of a request body is kept for a second try.", "64KiB"),
    }
)

UPSTREAM_LIMITS: Final = Object(
    {
        "max_connections": Key(Integer(1), "Connections to one endpoint.", "1024"),
        "max_requests": Key(Integer(1), "Requests in flight.", "1024"),
        "max_pending": Key(Integer(0), "Requests that wait for a connection.", "128"),
        "pending_timeout": Key(Duration(), "How long they wait.", "1s"),
    }
)

HEALTH: Final = Object(
    {
        "path": Key(UrlPath(), "What is asked for.", "/healthz"),
        "interval": Key(Duration(zero=False), "Between two checks of one endpoint.", "10s"),
        "timeout": Key(Duration(zero=False), "For one check.", "3s"),
        "healthy_after": Key(Integer(1, 100), "Good checks in a row that bring it back.", "2"),
        "unhealthy_after": Key(Integer(1, 100), "Bad checks in a row that take it out.", "3"),
        "expect": Key(ListOf(Statuses(), low=1), "Statuses of a good check.", ["200-399"]),
        "protocol": Key(Choice(("http", "grpc", "tcp")), "How it is checked.", "http"),
    }
)

HASH_ON: Final = Selector(("client_ip", "path"), ("header", "cookie", "query"))

UPSTREAM_TLS: Final = Object(
    {
        "server_name": Key(Host(), "The name asked for and checked. Default: that of the endpoint."),
        "ca": Key(Text("a file"), "Authorities, PEM. Default: those of the system."),
        "cert": Key(Text("a file"), "Our own certificate, PEM."),
        "key": Key(Text("a file"), "Its private key, PEM."),
        "verify": Key(Boolean(), "Check the certificate of the endpoint.", "true"),
    }
)

INJECT: Final = Object(
    {
        "delay": Key(
            Object(
                {
                    "share": Key(Share(), "The part of the requests that is delayed.", required=True),
                    "for": Key(Duration(zero=False), "How long.", required=True),
                }
            ),
            "Make requests wait.",
        ),
        "abort": Key(
            Object(
                {
                    "share": Key(Share(), "The part of the requests that is aborted.", required=True),
                    "status": Key(Status(400), "The answer they get.", required=True),
                }
            ),
            "Answer requests with an error.",
        ),
    }
)

ACCESS_LOG: Final = Object(
    {
        "to": Key(Target(), "A path, stdout or stderr; false writes nothing.", "stdout"),
        "format": Key(Text("a format"), "json, text, or a format string.", "json"),
        "sample": Key(Share(), "The part that is written; errors and refusals always are.", "100%"),
        "redact": Key(
            ListOf(HeaderName()),
            "Headers whose values are never written.",
            ["authorization", "cookie", "set-cookie"],
        ),
    }
)

TRACING: Final = Object(
    {
        "propagate": Key(
            ListOf(Choice(("w3c", "b3"))), "Which trace headers are read and passed on.", ["w3c", "b3"]
        ),
        "sample": Key(Share(), "The part of new traces that is recorded.", "1%"),
        "export": Key(
            Object(
                {
                    "otlp_http": Key(Url(), "An OTLP collector, JSON over HTTP."),
                    "zipkin": Key(Url(), "A Zipkin collector."),
                },
                one_of=(("otlp_http", "zipkin"),),
            ),
            "Where spans are sent.",
        ),
    }
)

STATS: Final = Object(
    {
        "socket": Key(
            Text("a path"), "The local socket. Default: NAME.sock in the run directory of the user."
        ),
        "listen": Key(AddressOf(("tcp",)), "A TCP address beside it; off unless written."),
        "token_file": Key(Text("a file"), "The token that TCP clients must show."),
        "actions": Key(Choice(("operator", "false")), "Whether dashboards may act.", "operator"),
        "tls": Key(
            Object(
                {
                    "cert": Key(Text("a file"), "Certificate chain, PEM.", required=True),
                    "key": Key(Text("a file"), "Private key, PEM.", required=True),
                }
            ),
            "TLS for the TCP address.",
        ),
        "origins": Key(ListOf(Url()), "Browser origins that may connect."),
        "hosts": Key(ListOf(Host()), "Names accepted in Host beside those of loopback."),
        "socket_group": Key(Text("a group"), "A group that may use the socket."),
        "rate": Key(Rate(), "Updates sent to each client.", "4/s"),
        "max_clients": Key(Integer(1, 1000), "Clients at once.", "8"),
        "tap": Key(
            Object(
                {
                    "max_rate": Key(Rate(), "Requests shown at most.", "100/s"),
                    "max_time": Key(Duration(zero=False), "How long one tap may run.", "5m"),
                    "headers": Key(
                        ListOf(HeaderName()),
                        "Headers that are shown.",
                        ["host", "user-agent", "content-type", "x-request-id"],
                    ),
                }
            ),
            "Bounds of live requests.",
        ),
        "recorder": Key(
            Object(
                {
                    "keep": Key(Duration(), "How far back it reaches.", "15m"),
                    "max_size": Key(Size(), "How much it may hold.", "16MiB"),
                    "tap": Key(Boolean(), "Whether requests are kept too.", "false"),
                }
            ),
            "The past that dashboards can go back to.",
        ),
    }
)
