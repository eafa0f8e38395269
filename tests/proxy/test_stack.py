"""The order of the stack, and that nothing stands in it which a route did not ask for."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import inf

import pytest
import trio

from appliance.config.plan import Respond, RoutePlan
from appliance.model.exchange import Exchange
from appliance.model.headers import HeaderEdits
from appliance.model.message import Response
from appliance.model.service import Layer, Service
from appliance.proxy import stack
from appliance.routing.match import Match
from appliance.routing.rewrite import Redirect, Rewrite
from tests.kit.origin import Origin
from tests.kit.plans import plan, route
from tests.kit.proxy import running

LAYERS = ("deadline", "headers", "rewrite", "balance")
FULL = route(request=5, rewrite=Rewrite(path="/new"), request_headers=HeaderEdits(set=((b"x", b"1"),)))


def watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let each layer, and the innermost service, write its name down as an exchange enters it."""
    entered: list[str] = []

    def watched(name: str, make: Callable[..., Layer]) -> Callable[..., Layer]:
        def build(*args: object) -> Layer:
            layer = make(*args)

            def wrap(inner: Service) -> Service:
                service = layer(inner)

                async def serve(exchange: Exchange) -> Response:
                    entered.append(name)
                    return await service(exchange)

                return serve

            return wrap

        return build

    for name in LAYERS:
        monkeypatch.setattr(stack, name, watched(name, getattr(stack, name)))
    forward = stack.forward

    async def forwarding(exchange: Exchange) -> Response:
        entered.append("forward")
        return await forward(exchange)

    monkeypatch.setattr(stack, "forward", forwarding)
    return entered


def written() -> list[str]:
    """Give the order as the module's docstring tells it."""
    return re.findall(r"^ {4,}(\w+)  +\w", stack.__doc__ or "", re.MULTILINE)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (FULL, ["deadline", "headers", "rewrite", "balance", "forward"]),
        (route(), ["deadline", "headers", "balance", "forward"]),
        (route(Respond(200), request=5), ["deadline"]),
        (route(Respond(200)), []),
        (route(Redirect(path="/b")), []),
    ],
)
async def test_the_order(
    row: RoutePlan, expected: list[str], monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    """As the module says it, and a layer that is not configured is not there."""
    entered = watch(monkeypatch)
    async with running(plan=plan(row)) as proxy:
        await proxy.connect().get()
        assert entered == expected
    assert [name for name in written() if name in (*LAYERS, "forward")] == [*LAYERS, "forward"]


async def test_the_upstream_sees_the_clients_host_in_front_of_a_rewritten_one(autojump_clock: object) -> None:
    """Forwarding fields are made before the rewrite, which is why they enclose it."""
    origin = Origin()
    async with running(origin, plan(route(rewrite=Rewrite(host="inner")))) as proxy:
        await proxy.connect().get()
        seen = origin.requests[0]
        assert (seen.get(b"host"), seen.get(b"x-forwarded-host")) == (b"inner", b"a.example")


async def test_each_route_has_a_stack_of_its_own(autojump_clock: object) -> None:
    """What one route configures is nothing to another."""
    origin = Origin()
    short = route(match=Match(path="/short"), request=1, response=inf)
    async with running(origin, plan(short, route(response=inf))) as proxy:
        origin.connect_time = 1.5
        one, two = proxy.connect(), proxy.connect()
        assert (await one.get(b"/short")).status == 504
        assert (await two.get(b"/long")).status == 200
        assert trio.current_time() < 4
