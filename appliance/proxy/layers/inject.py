"""Faults for drills: a share of a route's requests waits, a share is answered with an error.

First in the route, below its deadline, so that a drill is bounded like anything else. Whatever was done to a
request stands in its answer (``Proxy-Status``) and in the access log: a drill that looks like an outage
would be one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random

from appliance.config.plan_policy import InjectPlan
from appliance.model.exchange import Exchange
from appliance.model.fault import INJECTED, Fault
from appliance.model.message import Response
from appliance.model.service import Layer, Service
from appliance.model.units import format_duration

from ..reply import item

Sleep = Callable[[Exchange, float], Awaitable[None]]


def inject(plan: InjectPlan, name: str, chance: Random, sleep: Sleep) -> Layer:
    """Give the layer for the proxy called ``name``; ``sleep`` raises a Fault when the client leaves."""
    reason = replace(INJECTED, status=plan.abort_status)
    mark = (b"proxy-status", f'{item(name)}; details="injected delay"'.encode())
    delayed = f"a delay of {format_duration(plan.delay)} was injected"
    aborted = f"an answer of {plan.abort_status} was injected"

    def wrap(inner: Service) -> Service:
        async def serve(exchange: Exchange) -> Response:
            late = plan.delay_share > chance.random()
            if not late:
                return await pass_on(exchange)
            exchange.note(delayed)
            exchange.stream.watch_hangup(exchange)
            try:
                await sleep(exchange, plan.delay)
                response = await pass_on(exchange)
            except Fault as fault:  # perhaps for want of the time that the drill took
                fault.fields = [*fault.fields, mark]
                raise
            response.headers.append(mark)
            return response

        async def pass_on(exchange: Exchange) -> Response:
            if plan.abort_share > chance.random():
                exchange.note(aborted)
                raise Fault(reason, aborted)
            return await inner(exchange)

        return serve

    return wrap
