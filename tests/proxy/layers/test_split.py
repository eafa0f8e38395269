"""Shares of a route's upstreams: exact over every cycle, and none without a weight."""

from __future__ import annotations

from collections import Counter
from math import gcd

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.plan import Destination, Forward
from appliance.config.plan_policy import RetryPlan
from appliance.model.exchange import Exchange
from appliance.model.fault import UPSTREAM_RESET, Fault
from appliance.model.message import Request, Response
from appliance.model.service import Service
from appliance.proxy.layers.split import split
from tests.kit.origin import Origin, sized
from tests.kit.plans import plan, route, upstream
from tests.kit.proxy import running


class Stream:
    """As much of a client as an exchange asks for."""

    request = Request(b"GET", b"http", b"a", b"/", b"", [])


def exchange() -> Exchange:
    """Give an exchange."""
    return Exchange("1", Stream(), "web", "::1", 0.0)


def services(count: int, seen: list[int]) -> list[Service]:
    """Give services that note their number and answer with it."""

    def make(number: int) -> Service:
        async def serve(_: Exchange) -> Response:
            seen.append(number)
            return Response(200 + number, [])

        return serve

    return [make(number) for number in range(count)]


def run(weights: list[int], requests: int) -> list[int]:
    """Give who was asked, one request after the other."""
    seen: list[int] = []

    async def main() -> None:
        service = split(services(len(weights), seen), weights)
        for _ in range(requests):
            assert (await service(exchange())).status == 200 + (seen[-1])

    trio.run(main)
    return seen


@given(st.lists(st.integers(0, 12), min_size=1, max_size=5).filter(any), st.integers(0, 40))
def test_every_cycle_holds_the_shares_exactly(weights: list[int], skipped: int) -> None:
    """Any stretch as long as the reduced weights add up to asks each upstream just as often as it weighs."""
    parts = gcd(*weights)
    cycle = sum(weights) // parts
    seen = run(weights, skipped + 2 * cycle)
    for start in (0, cycle, skipped):
        counts = Counter(seen[start : start + cycle])
        assert [counts[item] for item in range(len(weights))] == [weight // parts for weight in weights]


@pytest.mark.parametrize(("weights", "only"), [([0, 1], 1), ([1, 0], 0), ([0, 0, 100], 2), ([7], 0)])
def test_weight_zero_gets_nothing(weights: list[int], only: int) -> None:
    """Not even the first request."""
    assert set(run(weights, 300)) == {only}


def test_a_canary_is_spread_over_the_cycle() -> None:
    """Five percent is one in each twenty, not five at the end of a hundred."""
    seen = run([95, 5], 100)
    assert all(seen[start : start + 20].count(1) == 1 for start in range(0, 100, 20))


async def test_shares_hold_however_long_requests_take(autojump_clock: object) -> None:
    """They count requests as they come, not as they end."""
    seen: list[int] = []

    def make(number: int) -> Service:
        async def serve(_: Exchange) -> Response:
            seen.append(number)
            await trio.sleep(60 * number)
            return Response(200, [])

        return serve

    service = split([make(0), make(1)], [3, 1])
    async with trio.open_nursery() as nursery:
        for _ in range(40):
            nursery.start_soon(service, exchange())
    assert Counter(seen) == {0: 30, 1: 10}


async def test_a_request_that_fails_counts_as_well() -> None:
    """Its fault passes, and the share goes on from there."""
    seen: list[int] = []

    async def broken(_: Exchange) -> Response:
        seen.append(9)
        raise Fault(UPSTREAM_RESET)

    service = split([services(1, seen)[0], broken], [1, 1])
    for _ in range(3):
        await service(exchange())
        with pytest.raises(Fault):
            await service(exchange())
    assert seen == [0, 9] * 3


async def test_two_routes_have_shares_of_their_own() -> None:
    """Each ``split`` begins its own cycle."""
    seen: list[int] = []
    one, two = (split(services(2, seen), [1, 1]) for _ in range(2))
    for service in (one, two, one, two):
        await service(exchange())
    assert seen == [0, 0, 1, 1]


async def test_a_retry_stays_within_its_share(autojump_clock: object) -> None:
    """A further try goes to the upstream that was drawn: its share is of requests, not of tries."""
    blue, green = "10.0.0.1:80", "10.0.0.2:80"
    origins = {blue: Origin(sized(b"", 503)), green: Origin(sized(b"green"))}
    once = RetryPlan(max_retries=1)
    shares = Forward((Destination("blue", 1, retry=once), Destination("green", 1, retry=once)))
    profile = plan(route(shares), upstreams=(upstream("blue", blue), upstream("green", green)))
    async with running(origins, profile) as proxy:
        client = proxy.connect()
        assert sorted([(await client.get()).status for _ in range(4)]) == [200, 200, 503, 503]
        assert [len(origin.requests) for origin in origins.values()] == [4, 2]
