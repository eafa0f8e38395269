"""Copy a share of a route's requests to another upstream, and forget what it answers.

Below the rewrite, so that the copy is what the upstream is asked; beside the retries, because a copy is
sent once. The client waits for nothing of it. A copy is made of what is whole when it arrives: a body that
is on its way is not copied, nor is anything while too many copies are under way. Copies count in the breaker
and the limits of the upstream that they go to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import trio

from appliance.config.plan_policy import MirrorPlan
from appliance.model.exchange import Exchange
from appliance.model.fault import CLIENT_GONE, Fault
from appliance.model.headers import Headers
from appliance.model.message import FixedBody, Request, Response
from appliance.model.service import Layer, Service

from ..guard import guarded

MAX_COPIES = 100  # under way at once, of one route
MAX_TIME = 60.0  # seconds for one copy

Spawn = Callable[..., Any]


class Mirror:
    """The copies of one route: how many were sent, how many of those went wrong, how many were not made."""

    def __init__(
        self, plan: MirrorPlan, service: Service, spawn: Spawn, chance: Random, now: Callable[[], float]
    ) -> None:
        """``service`` sends a copy; ``spawn`` starts a task that outlives the exchange."""
        self.plan = plan
        self.sent = 0
        self.failed = 0
        self.skipped = 0
        self.under_way = 0
        self._service = service
        self._spawn = spawn
        self._chance = chance
        self._now = now

    def offer(self, exchange: Exchange) -> None:
        """Copy the request of ``exchange`` if the lot falls on it and it can be copied."""
        if self._chance.random() >= self.plan.share:
            return
        request = exchange.request
        if self.under_way >= MAX_COPIES or not (request.body.ended or request.body.at_hand()):
            self.skipped += 1
            why = f"{MAX_COPIES} copies are under way" if request.body.at_hand() else "its body streams"
            exchange.note(f"not mirrored to {self.plan.to}: {why}")
            return
        data = request.body.read_nowait()
        copy = _copy(request)
        if data:
            request.body, copy.body = FixedBody(data), FixedBody(data)
        self.sent += 1
        self.under_way += 1
        self._spawn(self._send, copy, exchange)

    async def _send(self, request: Request, of: Exchange) -> None:
        exchange = Exchange(f"{of.id}-copy", _Nobody(request), of.listener, of.client, self._now())
        exchange.route, exchange.response_limit, exchange.idle = of.route, of.response_limit, of.idle
        exchange.long_idle, exchange.patient = of.long_idle, of.patient
        try:
            if not await guarded(self._forward(exchange), lambda: f"copy of request {of.id}"):
                self.failed += 1
        finally:
            self.under_way -= 1
            if exchange.attempt is not None:
                exchange.attempt.end(exchange, exchange.fault, self._now())

    async def _forward(self, exchange: Exchange) -> None:
        with trio.move_on_after(MAX_TIME) as scope:
            try:
                response = await self._service(exchange)
                while not response.body.ended:
                    await response.body.read()
            except Fault as fault:
                exchange.fault = fault
                self.failed += 1
        if scope.cancelled_caught:  # it was well for as long as anybody listened
            exchange.fault = Fault(CLIENT_GONE, f"a copy is ended after {MAX_TIME:g} s")


def mirror(copies: Mirror) -> Layer:
    """Give the layer that offers each exchange to ``copies`` before it goes on."""

    def wrap(inner: Service) -> Service:
        def serve(exchange: Exchange) -> Awaitable[Response]:
            copies.offer(exchange)
            return inner(exchange)

        return serve

    return wrap


def _copy(request: Request) -> Request:
    copy = Request(
        request.method, request.scheme, request.authority, request.path, request.query, list(request.headers)
    )
    copy.version = request.version
    return copy


class _Nobody:
    """The stream of a copy: there is no client."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.refusal: Fault | None = None
        self.started = False
        self.sent = 0
        self.received = 0

    async def respond(self, response: Response) -> None:
        """Drop the answer."""
        response.body.abandon()

    async def inform(self, status: int, headers: Headers) -> None:
        """Drop an interim answer."""

    def reset(self, fault: Fault) -> None:
        """Do nothing."""

    def interrupt(self, fault: Fault) -> None:
        """Do nothing."""

    def watch_hangup(self, exchange: Exchange) -> None:
        """Do nothing: nobody can leave."""
