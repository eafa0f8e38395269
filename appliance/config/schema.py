"""The profile format, declared once: every key, its type, its default and what it does.

Reader, checks and whatever describes the format take it from here, so they cannot disagree. The
tree is plain data; ``PROFILE`` at the end is its root. Parts that both a route and an upstream may
carry, and the larger blocks of an upstream, live in ``schema_parts``; the listeners in
``schema_listener``.

Defaults stand as an operator would write them. Those of a plan are fields of ``plan``; a test
holds the two together.
"""

from __future__ import annotations

from typing import Final

from .schema_listener import LISTENER, PROCESS
from .schema_parts import (
    ACCESS_LOG,
    BALANCE,
    BREAKER,
    HASH_ON,
    HEADER_EDITS,
    HEALTH,
    INJECT,
    RATE_LIMIT,
    RETRY,
    STATS,
    TEXT_RULE,
    TRACING,
    UPSTREAM_LIMITS,
    UPSTREAM_TLS,
)
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
    Name,
    Object,
    Regex,
    Share,
    Status,
    Text,
    Type,
    Url,
    UrlPath,
    Version,
)

MATCH: Final = Object(
    {
        "hosts": Key(ListOf(Host(wildcard=True), low=1), "Exact names, or *.example.com for all below it."),
        "path": Key(UrlPath(), "The whole path."),
        "path_prefix": Key(UrlPath(), "The first segments of the path."),
        "path_regex": Key(Regex(), "A regular expression for the whole path."),
        "methods": Key(ListOf(Method(), low=1), "Any of these methods."),
        "headers": Key(
            MapOf(HeaderName(read=True), TEXT_RULE, low=1, entry="header"), "How header values must look."
        ),
        "query": Key(
            MapOf(Text("a parameter"), TEXT_RULE, low=1, entry="parameter"),
            "How query parameters must look; of one that is repeated the first counts.",
        ),
    },
    exclusive=(("path", "path_prefix", "path_regex"),),
)

_ROUTE_COMMON: Final[dict[str, Key]] = {
    "headers": Key(
        Object(
            {
                "request": Key(HEADER_EDITS, "On the way to the upstream."),
                "response": Key(HEADER_EDITS, "On the way to the client."),
            }
        ),
        "What is changed in the headers: removed, then set, then added.",
    ),
    "timeouts": Key(
        Object(
            {
                "request": Key(Duration(), "For the whole exchange with all tries; 0 is none.", "0"),
                "response": Key(Duration(), "From the last byte of the request to the response head.", "15s"),
                "idle": Key(
                    Duration(), "Without a byte either way. Default 60s; 300s for gRPC, SSE and WebSocket."
                ),
            }
        ),
        "How long an exchange may take.",
    ),
    "rate_limit": Key(RATE_LIMIT, "Requests per client, or per whatever key says."),
    "breaker": Key(
        BREAKER,
        "Breakers of the route's own; the keys written replace those of the upstream.",
    ),
    "retry": Key(RETRY, "Replaces these keys of the upstream's retry."),
    "grpc_web": Key(Boolean(), "Translate gRPC-Web to gRPC.", "false"),
}

WEIGHTED: Final = Object(
    {
        "upstream": Key(Name(), "Where to send.", required=True),
        "weight": Key(Integer(0, 1_000_000), "Its part, in proportion to the others.", "100"),
    }
)

REDIRECT: Final = Object(
    {
        "status": Key(Choice(("301", "302", "303", "307", "308")), "The kind of redirect.", "308"),
        "scheme": Key(Choice(("http", "https")), "Replaces the scheme."),
        "host": Key(Host(), "Replaces the host."),
        "port": Key(Integer(1, 65535), "Replaces the port."),
        "path": Key(UrlPath(), "Replaces the whole path."),
        "path_prefix": Key(UrlPath(), "Replaces the prefix that the route matched."),
    },
    exclusive=(("path", "path_prefix"),),
)

ROUTE: Final = Object(
    {
        "name": Key(Name(), "Unique; the row in the dashboard and the logs.", required=True),
        "match": Key(MATCH, "What a request must look like; all keys together. None matches everything."),
        "to": Key(
            ByShape(scalar=Name(), listing=ListOf(ByShape(scalar=Name(), mapping=WEIGHTED), low=1)),
            "The upstream, or a list of them with weights.",
        ),
        "respond": Key(
            Object(
                {
                    "status": Key(Status(), "The status.", required=True),
                    "body": Key(Text("a body", empty=True), "The body, as UTF-8."),
                    "headers": Key(
                        MapOf(HeaderName(edit=True), HeaderValue(), entry="header"), "Header fields."
                    ),
                }
            ),
            "Answer at once.",
        ),
        "redirect": Key(REDIRECT, "Answer with a redirect."),
        "rewrite": Key(
            Object(
                {
                    "path": Key(UrlPath(), "Replaces the whole path."),
                    "path_prefix": Key(UrlPath(), "Replaces the prefix that the route matched."),
                    "host": Key(Host(port=True), "Replaces the Host header."),
                },
                exclusive=(("path", "path_prefix"),),
            ),
            "What the upstream sees in place of what the client asked for.",
        ),
        **_ROUTE_COMMON,
        "mirror": Key(
            Object(
                {
                    "to": Key(Name(), "The upstream that gets the copies.", required=True),
                    "share": Key(Share(), "The part of the requests that is copied.", "100%"),
                }
            ),
            "Send copies of requests to another upstream and drop its answers.",
        ),
        "inject": Key(INJECT, "Faults for drills."),
    },
    one_of=(("to", "respond", "redirect"),),
)

_UPSTREAM_COMMON: Final[dict[str, Key]] = {
    "balance": Key(Choice(BALANCE), "How an endpoint is chosen.", "round_robin"),
    "protocol": Key(
        Choice(("http1", "http2", "auto")),
        "What the endpoints speak; auto asks by ALPN.",
        "http1",
    ),
    "timeouts": Key(
        Object(
            {
                "connect": Key(Duration(), "For a connection.", "2s"),
                "per_try": Key(Duration(), "From the last byte of the request to the head of one try.", "5s"),
                "pool_idle": Key(Duration(), "How long an unused connection is kept.", "4s"),
            }
        ),
        "How long endpoints may take; 0 is no limit.",
    ),
    "hash_on": Key(HASH_ON, "What consistent_hash hashes; required for it."),
    "tls": Key(UPSTREAM_TLS, "Its presence turns TLS on."),
    "breaker": Key(BREAKER, "When endpoints are left alone; false turns it off."),
    "retry": Key(RETRY, "When a request is tried again."),
    "limits": Key(UPSTREAM_LIMITS, "How much is sent at once."),
    "health": Key(HEALTH, "Regular checks of every endpoint."),
    "slow_start": Key(Duration(), "How long a returning endpoint takes to its full share.", "0s"),
}

ENDPOINT_ADDRESS: Final = AddressOf(("tcp", "unix", "dns"))

ENDPOINT: Final = Object(
    {
        "address": Key(ENDPOINT_ADDRESS, "host:port, unix:/path, or dns:host:port.", required=True),
        "weight": Key(
            Integer(0, 1_000_000), "Its part, in proportion to the others; 0 gets no new requests.", "100"
        ),
    }
)

UPSTREAM: Final = Object(
    {
        "endpoints": Key(
            ListOf(ByShape(scalar=ENDPOINT_ADDRESS, mapping=ENDPOINT), low=1), "The servers.", required=True
        ),
        **_UPSTREAM_COMMON,
    }
)

DEFAULTS: Final = Object(
    {
        "upstream": Key(Object(_UPSTREAM_COMMON), "Copied under every upstream that does not say otherwise."),
        "route": Key(Object(_ROUTE_COMMON), "Copied under every route that does not say otherwise."),
    }
)

TEST: Final = Object(
    {
        "request": Key(
            Object(
                {
                    "method": Key(Method(), "The method.", "GET"),
                    "url": Key(Url(), "The whole URL, as a client would ask for it.", required=True),
                    "headers": Key(MapOf(HeaderName(), HeaderValue(), entry="header"), "Header fields."),
                }
            ),
            "A request that is not sent.",
            required=True,
        ),
        "expect": Key(
            Object(
                {
                    "route": Key(Name(), "The route that takes it."),
                    "upstream": Key(Name(), "An upstream that the route sends to."),
                    "status": Key(Status(), "The status of a route that answers itself."),
                }
            ),
            "What becomes of it.",
            required=True,
        ),
    }
)

PROFILE: Final = Object(
    {
        "meshctl": Key(Version(), "Version of the profile format: 1.", required=True),
        "name": Key(Name(), "Name of this proxy. Default: the first label of the host name."),
        "include": Key(
            ByShape(scalar=Text("a file or pattern"), listing=ListOf(Text("a file or pattern"))),
            "More files, as patterns relative to this one.",
        ),
        "vars": Key(
            MapOf(Name(variable=True), Text(empty=True)),
            "Values of ${NAME} that the environment may replace.",
        ),
        "process": Key(PROCESS, "Bounds of the whole process."),
        "defaults": Key(DEFAULTS, "What upstreams and routes have in common."),
        "listeners": Key(
            MapOf(Name(), LISTENER, low=1, entry="listener"), "Where clients connect.", required=True
        ),
        "routes": Key(
            ListOf(ROUTE, low=1, named=True), "Which request goes where; the first match wins.", required=True
        ),
        "rate_limit": Key(RATE_LIMIT, "Before routing, for all requests."),
        "upstreams": Key(MapOf(Name(), UPSTREAM, entry="upstream"), "The services behind this proxy."),
        "access_log": Key(ACCESS_LOG, "One record for each exchange."),
        "tracing": Key(TRACING, "Spans, and the headers that carry them on.", built=False),
        "stats": Key(STATS, "What dashboards and scrapers connect to."),
        "tests": Key(ListOf(TEST), "Requests with the route they must take, run offline."),
    }
)
"""The root of the format."""


def key_at(path: tuple[str, ...]) -> Key | None:
    """Find the declaration of a key by its path; any step stands for a name or an index."""
    here: Type | None = PROFILE
    found: Key | None = None
    for step in path:
        if isinstance(here, ByShape):
            here = here.mapping or here.listing
        if isinstance(here, Object):
            found = here.keys.get(step)
            here = found.type if found else None
        elif isinstance(here, MapOf):
            here = here.value
        elif isinstance(here, ListOf):
            here = here.item
        else:
            return None
    return found
