"""A token bucket for each client, route, host or value of a header: who asks too often is refused, or noted.

The one of the whole proxy stands above routing, so that a refused request costs next to nothing; one of a
route stands first in the route's own stack. A refusal says when to come back (Retry-After), and every answer
of a limit that refuses says how much is left, in the fields of draft-ietf-httpapi-ratelimit-headers. In
``shadow`` mode requests are counted and nobody is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from math import ceil

from appliance.config.plan_policy import RateLimitPlan
from appliance.model.exchange import Exchange
from appliance.model.fault import RATE_LIMITED, Fault
from appliance.model.headers import Headers, get_all
from appliance.model.message import Response, hostname
from appliance.model.network import network_of
from appliance.model.service import Layer, Service
from appliance.model.units import format_rate
from appliance.policy.bucket import Buckets
from appliance.policy.offenders import Offenders

_LONGEST_KEY = 256  # bytes of a header's value that tell keys apart


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


def rate_limit(limit: Limit, now: Callable[[], float]) -> Layer:
    """Give the layer that asks ``limit`` before anything else."""
    plan, take, key_of = limit.plan, limit.take, _key_of(limit.plan.key)
    enforced = plan.mode == "enforce"
    about = f"the limit of {limit.name}: {format_rate(plan.rate)}, burst {plan.burst}, by {plan.key}"
    reason = replace(RATE_LIMITED, status=plan.status)
    policy = (
        b"ratelimit-policy",
        f'"{limit.name}";q={plan.burst};w={max(1, ceil(plan.burst / plan.rate))}'.encode(),
    )
    name = limit.name.encode()

    def fields(key: Hashable, moment: int) -> Headers:
        left = limit.buckets.left(key, moment)
        full = -(-limit.buckets.full_after(key, moment) // 1_000_000)
        return [policy, (b"ratelimit", b'"%b";r=%d;t=%d' % (name, left, full))]

    def wrap(inner: Service) -> Service:
        async def serve(exchange: Exchange) -> Response:
            key = key_of(exchange)
            moment = int(now() * 1e6)
            wait = take(key, moment)
            if not wait:
                if not enforced:
                    return await inner(exchange)
                try:
                    response = await inner(exchange)
                except Fault as fault:
                    fault.fields = [*fault.fields, *fields(key, int(now() * 1e6))]
                    raise
                response.headers += fields(key, int(now() * 1e6))
                return response
            if not enforced:
                exchange.note(f"over {about} (shadow)")
                return await inner(exchange)
            seconds = -(-wait // 1_000_000)
            told: Headers = [(b"retry-after", b"%d" % seconds), *fields(key, moment)]
            raise Fault(reason, f"over {about}", told)

        return serve

    return wrap


def _key_of(selector: str) -> Callable[[Exchange], Hashable]:
    """Give what tells buckets apart, for ``client_ip``, ``route``, ``host`` or ``header:NAME``."""
    kind, _, text = selector.partition(":")
    if kind == "client_ip":
        return lambda exchange: network_of(exchange.client)
    if kind == "route":
        return lambda exchange: exchange.route
    if kind == "host":
        return lambda exchange: hostname(exchange.request.authority)
    name = text.lower().encode()
    return lambda exchange: b", ".join(get_all(exchange.request.headers, name))[:_LONGEST_KEY]
