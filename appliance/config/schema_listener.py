"""The profile format's front side: the process as a whole, and the listeners where clients connect."""

from __future__ import annotations

from typing import Final

from .schema_types import (
    AddressOf,
    Boolean,
    Choice,
    Duration,
    Integer,
    Key,
    ListOf,
    Network,
    Object,
    Share,
    Size,
    Text,
)

PROCESS: Final = Object(
    {
        "workers": Key(
            Integer(1, 256, words=("auto",)), "Worker processes; auto is one per core.", "1", built=False
        ),
        "drain_timeout": Key(Duration(), "How long a stop waits for what is in flight.", "30s"),
        "max_connections": Key(
            Integer(1),
            "Client connections at once; accepting pauses beyond. Default min(10000, RLIMIT_NOFILE/2).",
        ),
        "memory": Key(
            Object(
                {
                    "soft": Key(Share(), "From here kept-alive connections are ended.", "80%"),
                    "hard": Key(Share(), "From here new requests are refused with 503.", "90%"),
                }
            ),
            "Shares of the memory of the cgroup or machine at which load is shed.",
        ),
    }
)

LISTENER_TLS: Final = Object(
    {
        "certificates": Key(
            ListOf(
                Object(
                    {
                        "cert": Key(Text("a file"), "Certificate chain, PEM.", required=True),
                        "key": Key(Text("a file"), "Private key, PEM.", required=True),
                    }
                ),
                low=1,
            ),
            "The first is the default, the others are chosen by server name.",
            required=True,
        ),
        "min_version": Key(Choice(("1.2", "1.3")), "Oldest TLS version that is spoken.", "1.2"),
        "unknown_sni": Key(
            Choice(("default", "reject")), "What a server name without a certificate gets.", "default"
        ),
        "client_auth": Key(
            Choice(("none", "optional", "require")),
            "Whether clients show a certificate.",
            "none",
        ),
        "client_ca": Key(Text("a file"), "Authorities that client certificates are checked against, PEM."),
    }
)

LISTENER: Final = Object(
    {
        "bind": Key(
            AddressOf(("tcp", "unix", "fd"), bind=True),
            "Where to listen: host:port, :port, unix:/path, or fd:NAME from socket activation.",
            required=True,
        ),
        "protocol": Key(Choice(("http", "https")), "Whether clients speak TLS.", "http"),
        "http2": Key(
            Boolean(),
            "HTTP/2 beside HTTP/1.1: by ALPN on https, by prior knowledge on http.",
            "true",
        ),
        "proxy_protocol": Key(
            Object({"from": Key(ListOf(Network(), low=1), "Peers that may send the header.", required=True)}),
            "Read the PROXY header, v1 or v2, from these peers.",
        ),
        "tls": Key(LISTENER_TLS, "Certificates and what goes with them."),
        "limits": Key(
            Object(
                {
                    "max_connections": Key(Integer(1), "Connections at once.", "10000"),
                    "max_per_ip": Key(Integer(1), "Connections at once from one address.", "1000"),
                    "max_header_size": Key(Size(1024, 1 << 20), "Bytes of one header section.", "32KiB"),
                    "max_headers": Key(Integer(1, 10_000), "Fields of one header section.", "100"),
                    "max_body_size": Key(Size(), "Bytes of one request body; 0 is unlimited.", "0"),
                    "max_streams": Key(Integer(1, 10_000), "HTTP/2 streams of one connection.", "100"),
                }
            ),
            "Bounds on what clients may use.",
        ),
        "timeouts": Key(
            Object(
                {
                    "handshake": Key(Duration(), "For the TLS handshake.", "10s"),
                    "header": Key(Duration(), "For a whole request head.", "10s"),
                    "body_idle": Key(Duration(), "Between two pieces of a request body.", "60s"),
                    "keepalive": Key(Duration(), "Between two requests of a connection.", "60s"),
                    "write": Key(Duration(), "For a client that does not read.", "30s"),
                    "h2_ping": Key(Duration(), "Between two HTTP/2 pings.", "30s"),
                }
            ),
            "How long clients may take; 0 is no limit.",
        ),
        "trust_forwarded": Key(
            ListOf(Network()), "Peers whose X-Forwarded-* and Forwarded headers are believed."
        ),
        "redirect": Key(Choice(("https",)), "Answer every request with a redirect to https."),
    }
)
