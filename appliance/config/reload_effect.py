"""What a reload does about one changed key, in one sentence: a table, read from the top.

A reload brings the new profile to life beside the old one and swaps the two at once. What it can
carry over it carries over by identity: a listener by its name and socket, an endpoint by its address
with its breaker and its pool, a bucket by its route and key. So for most keys the answer is the same
(requests from then on), and the table names those where an operator has reason to ask. A few
things are settled when the process starts; they need a restart.

A pattern is a path in which `*` stands for one step; it also covers everything below. The first row
that fits the path and the kind of change counts, so rows for one key stand before those for its
block. The last row of each section takes what is left, hence every key has an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["added", "removed", "changed", "moved"]
When = Literal["reload", "restart", "never"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What becomes of a change: by a reload, only by a restart, or never while it runs."""

    sentence: str
    when: When = "reload"


_ANY: Final[tuple[Kind, ...]] = ("added", "removed", "changed", "moved")
_REQUESTS: Final = Effect("counts for requests from then on; those in flight keep the old rules")
_CONNECTIONS: Final = Effect("counts for connections accepted from then on")
_DASHBOARDS: Final = Effect("counts for dashboards that connect from then on")
_LINES: Final = Effect("counts for log lines from then on")
_RULES: Final = Effect("the breakers keep their state; the new rules count from then on")
_BUCKETS: Final = Effect("the buckets keep what they hold; the new limit counts from then on")
_FULL: Final = Effect("begins with full buckets")
_EMPTIED: Final = Effect("its buckets are dropped; nothing is refused for it any more")
_RESTART: Final = Effect("needs a restart", "restart")

EFFECTS: Final[tuple[tuple[str, tuple[Kind, ...], Effect], ...]] = (
    ("listeners.*.bind", _ANY, Effect("listens at the new place; the old socket drains up to drain_timeout")),
    ("listeners.*.tls", _ANY, Effect("counts for TLS handshakes from then on; connections that stand stay")),
    ("listeners.*.*", _ANY, _CONNECTIONS),
    ("listeners", ("added",), Effect("starts listening")),
    ("listeners", ("removed",), Effect("stops accepting; its connections drain up to drain_timeout")),
    ("routes.*.rate_limit.*", _ANY, _BUCKETS),
    ("routes.*.rate_limit", ("added",), _FULL),
    ("routes.*.rate_limit", ("removed",), _EMPTIED),
    ("routes.*.breaker.*", _ANY, _RULES),
    ("routes.*.breaker", ("removed",), Effect("the route's own breakers go; those of its upstreams count")),
    ("routes.*.breaker", _ANY, Effect("the route gets breakers of its own, which begin closed")),
    ("routes", _ANY, _REQUESTS),
    ("rate_limit.*", _ANY, _BUCKETS),
    ("rate_limit", ("added",), _FULL),
    ("rate_limit", ("removed",), _EMPTIED),
    ("upstreams.*.endpoints.*.weight", _ANY, Effect("the next choices of an endpoint follow the new weight")),
    ("upstreams.*.endpoints", ("added",), Effect("gets its share of the requests from then on")),
    (
        "upstreams.*.endpoints",
        ("removed",),
        Effect("gets no new requests; finishes those it has, then closes"),
    ),
    ("upstreams.*.breaker.*", _ANY, _RULES),
    (
        "upstreams.*.breaker",
        _ANY,
        Effect("breakers that come begin closed; those that go let everything pass"),
    ),
    (
        "upstreams.*.health.*",
        _ANY,
        Effect("endpoints keep their verdict; the next check follows the new rule"),
    ),
    (
        "upstreams.*.health",
        ("added",),
        Effect("checks begin; endpoints count as healthy until one fails them"),
    ),
    ("upstreams.*.health", ("removed",), Effect("checks end; every endpoint counts as healthy")),
    ("upstreams.*.tls", _ANY, Effect("counts for new connections to endpoints; pooled ones are closed")),
    ("upstreams.*.protocol", _ANY, Effect("counts for new connections to endpoints; pooled ones are closed")),
    ("upstreams.*.*", _ANY, _REQUESTS),
    ("upstreams", ("added",), Effect("is there for the routes that send to it")),
    ("upstreams", ("removed",), Effect("closes when its last request has ended")),
    ("access_log.to", _ANY, Effect("the log is opened at the new place; lines from then on go there")),
    ("access_log", _ANY, _LINES),
    ("tracing", _ANY, _REQUESTS),
    ("stats.socket", _ANY, _RESTART),
    ("stats.socket_group", _ANY, _RESTART),
    ("stats.listen", _ANY, _RESTART),
    ("stats", _ANY, _DASHBOARDS),
    ("process.drain_timeout", _ANY, Effect("counts for drains that begin from then on")),
    ("process.workers", _ANY, _RESTART),
    ("process", _ANY, Effect("counts from then on; nothing that stands is closed for it")),
    ("tests", _ANY, Effect("only `meshctl test` looks at it", "never")),
    ("name", _ANY, _RESTART),
)


def effect_of(kind: Kind, steps: tuple[str, ...]) -> Effect:
    """Give what a reload does about a change of this kind at this path; KeyError for no path of a profile."""
    for pattern, kinds, effect in EFFECTS:
        parts = pattern.split(".")
        if kind in kinds and len(parts) <= len(steps) and all(map(_fits, parts, steps)):
            return effect
    raise KeyError(".".join(steps))


def _fits(part: str, step: str) -> bool:
    return part in ("*", step)
