"""When memory runs out, end what is idle first, then refuse what is new: better some answers than none.

From ``soft`` on, kept-alive connections end with their next answer; from ``hard`` on, new requests get 503
before anything else is done for them. A level is left only a little below where it was entered, so that it
does not come and go.
"""

from __future__ import annotations

from collections.abc import Awaitable

from appliance.config.plan_policy import MemoryPlan
from appliance.model.exchange import Exchange
from appliance.model.fault import SHED, Fault
from appliance.model.message import Response
from appliance.model.service import Layer, Service

_SLACK = 0.02
_WORDS = ("normal again", "kept-alive connections end", "new requests get 503")


class Pressure:
    """The level that memory has reached: 0, 1 (soft) or 2 (hard); ``refused`` counts requests."""

    __slots__ = ("_plan", "level", "refused", "share")

    def __init__(self, plan: MemoryPlan) -> None:
        self._plan = plan
        self.level = 0
        self.share = 0.0
        self.refused = 0

    def follow(self, plan: MemoryPlan) -> None:
        """Go by other marks from the next look on."""
        self._plan = plan

    def update(self, share: float | None) -> str:
        """Take the used share of memory, None if it is unknown; give a sentence if the level changes."""
        self.share = 0.0 if share is None else share
        level = 0
        for number, mark in enumerate((self._plan.soft, self._plan.hard), 1):
            if self.share >= (mark - _SLACK if self.level >= number else mark):
                level = number
        if level == self.level:
            return ""
        self.level = level
        state = "nobody says how full memory is" if share is None else f"memory is {share:.0%} full"
        return f"{state}: {_WORDS[level]}"


def shed(pressure: Pressure) -> Layer:
    """Give the layer that refuses everything while the pressure is hard."""

    def wrap(inner: Service) -> Service:
        def serve(exchange: Exchange) -> Awaitable[Response]:
            if pressure.level == 2:
                pressure.refused += 1
                raise Fault(SHED, f"memory is {pressure.share:.0%} full", [(b"retry-after", b"1")])
            return inner(exchange)

        return serve

    return wrap
