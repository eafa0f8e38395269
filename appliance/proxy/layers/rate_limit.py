"""A token bucket for each client, route, host or value of a header: who asks too often is refused, or noted.

The one of the whole proxy stands above routing, so that a refused request costs next to nothing; one of a
route stands first in the route's own stack. A refusal says when to come back (Retry-After), and every answer
of a limit that refuses says how much is left, in the fields of draft-ietf-httpapi-ratelimit-headers-10: of
the burst (``q``, which is earned in ``w`` seconds) so much is left (``r``), and after ``t`` seconds there is
more. On a refusal ``t`` is the time of Retry-After, for the draft wants neither before the other. In
``shadow`` mode requests are counted and nobody is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from math import ceil

from appliance.config.plan_policy import RateLimitPlan
from appliance.config.secrets import is_secret_name
from appliance.model.exchange import Exchange
from appliance.model.fault import RATE_LIMITED, Fault
from appliance.model.headers import Headers, get_all
from appliance.model.message import Response, hostname
from appliance.model.network import network_of
from appliance.model.service import Layer, Service
from appliance.model.units import format_rate
from appliance.policy.bucket import Buckets
from appliance.policy.offenders import Offenders

_LONGEST_KEY = 64  # bytes of a header's value; of a longer one its digest tells it apart
_SALT = os.urandom(16)  # so that nobody can look a digest up


class Limit:
    """One limit come alive; ``name`` is that of its route, or of the proxy for the one above routing.

    ``allowed`` and ``refused`` count requests; in shadow mode ``refused`` are those that would have been.
    """

    __slots__ = ("_now", "allowed", "buckets", "name", "offenders", "plan", "refused")

    def __init__(self, plan: RateLimitPlan, name: str, now: Callable[[], float]) -> None:
        self.plan = plan
        self.name = name
        self.buckets = Buckets(plan.rate, plan.burst)
        self.offenders = Offenders()
        self.allowed = 0
        self.refused = 0
        self._now = now

    def follow(self, plan: RateLimitPlan) -> None:
        """Go by other numbers from now on; the buckets keep what they miss. The key has to be the same."""
        self.plan = plan
        self.buckets.follow(plan.rate, plan.burst, int(self._now() * 1e6))

    def take(self, key: Hashable, now: int) -> int:
        """Take a token at ``now`` (microseconds); give 0, or the microseconds until there is one."""
        wait = self.buckets.take(key, now)
        if wait:
            self.refused += 1
            self.offenders.count(key)
        else:
            self.allowed += 1
        return wait

    def sweep(self) -> None:
        """Forget buckets that are full; for a moment when there is time."""
        self.buckets.sweep(int(self._now() * 1e6))


def rate_limit(limit: Limit, plan: RateLimitPlan, now: Callable[[], float]) -> Layer:
    """Give the layer that asks ``limit`` before anything else; ``plan`` is what it goes by, or soon will."""
    take, key_of = limit.take, _key_of(plan.key)
    about = f"the limit of {limit.name}: {format_rate(plan.rate)}, burst {plan.burst}, by {plan.key}"
    reason = replace(RATE_LIMITED, status=plan.status)
    fields = _fields(limit, plan)

    def enforce(inner: Service) -> Service:
        async def serve(exchange: Exchange) -> Response:
            key = key_of(exchange)
            moment = round(now() * 1e6)
            wait = take(key, moment)
            if wait:
                told = fields(key, moment)
                told.append((b"retry-after", b"%d" % -(-wait // 1_000_000)))
                raise Fault(reason, f"over {about}", told)
            try:
                response = await inner(exchange)
            except Fault as fault:
                fault.fields = [*fault.fields, *fields(key, round(now() * 1e6))]
                raise
            response.headers += fields(key, round(now() * 1e6))
            return response

        return serve

    def watch(inner: Service) -> Service:
        async def serve(exchange: Exchange) -> Response:
            if take(key_of(exchange), round(now() * 1e6)):
                exchange.note(f"over {about} (shadow)")
            return await inner(exchange)

        return serve

    return enforce if plan.mode == "enforce" else watch


def _fields(limit: Limit, plan: RateLimitPlan) -> Callable[[Hashable, int], Headers]:
    """Give what tells, in two fields, how a key stands with ``limit`` at a moment (microseconds)."""
    full_after, name = limit.buckets.full_after, limit.name.encode()
    interval = max(1, round(1e6 / plan.rate))  # of one token, as the buckets reckon
    window = max(1, ceil(plan.burst / plan.rate))
    over = b";w=%d" % window if plan.burst >= plan.rate else b""  # less than a second cannot be said
    policy = (b"ratelimit-policy", b'"%b";q=%d%b' % (name, plan.burst, over))

    @lru_cache(maxsize=1024)
    def state(left: int, seconds: int) -> tuple[bytes, bytes]:
        return b"ratelimit", b'"%b";r=%d;t=%d' % (name, left, seconds)

    def fields(key: Hashable, moment: int) -> Headers:
        full = full_after(key, moment)
        taken = -(-full // interval)
        more = full - (taken - 1) * interval if taken else 0
        return [policy, state(max(0, plan.burst - taken), -(-more // 1_000_000))]

    return fields


def _key_of(selector: str) -> Callable[[Exchange], Hashable]:
    """Give what tells buckets apart, for ``client_ip``, ``route``, ``host`` or ``header:NAME``.

    Who has no such header shares a bucket with who has it empty.
    """
    kind, _, name = selector.partition(":")
    if kind == "client_ip":
        return lambda exchange: network_of(exchange.client)
    if kind == "route":
        return lambda exchange: exchange.route
    if kind == "host":
        return lambda exchange: _short(hostname(exchange.request.authority))
    raw, secret = name.lower().encode(), is_secret_name(name)

    def value(exchange: Exchange) -> bytes:
        text = b", ".join(get_all(exchange.request.headers, raw))
        return _digest(text) if secret and text else _short(text)

    return value


def _short(text: bytes) -> bytes:
    """Give a value itself unless it is so long that a table full of them would be large."""
    return _digest(text) if len(text) > _LONGEST_KEY else text


def _digest(text: bytes) -> bytes:
    """Give a short name for a value that is secret or long; it is another one in every process."""
    return b"#" + blake2b(text, digest_size=12, key=_SALT).hexdigest().encode()
