"""Which route an exchange takes, and what it knows of it afterwards."""

from __future__ import annotations

from math import inf

import pytest

from appliance.config.plan import Respond, RoutePlan
from appliance.routing.match import Match, TextRule
from tests.kit.plans import plan, route
from tests.kit.proxy import running


def says(name: str, match: Match) -> RoutePlan:
    return route(Respond(200, name.encode()), match, name=name)


ROUTES = plan(
    says("host", Match(hosts=("b.example", "[::1]"))),
    says("any-host", Match(hosts=("*.wild.example",))),
    says("path", Match(path="/exact")),
    says("prefix", Match(path_prefix="/pre")),
    says("method", Match(path="/m", methods=("POST",))),
    says("header", Match(headers=(("x-tier", TextRule("exact", "gold")),))),
    says("query", Match(query=(("beta", TextRule("present")),))),
)


@pytest.mark.parametrize(
    ("line", "host", "extra", "name"),
    [
        (b"GET /", b"b.example", b"", b"host"),
        (b"GET /", b"B.Example:8080", b"", b"host"),
        (b"GET /", b"b.example.", b"", b"host"),
        (b"GET /", b"[::1]:8080", b"", b"host"),
        (b"GET http://b.example/", b"b.example", b"", b"host"),
        (b"GET /", b"x.wild.example", b"", b"any-host"),
        (b"GET /exact", b"a", b"", b"path"),
        (b"GET /%65xact", b"a", b"", b"path"),
        (b"GET /x/../exact", b"a", b"", b"path"),
        (b"GET /exact?a=b", b"a", b"", b"path"),
        (b"GET /pre/x/y", b"a", b"", b"prefix"),
        (b"POST /m", b"a", b"", b"method"),
        (b"GET /", b"a", b"X-Tier: gold\r\n", b"header"),
        (b"GET /?beta", b"a", b"", b"query"),
        (b"GET /prefix", b"a", b"", None),
        (b"GET /m", b"a", b"", None),
        (b"GET /", b"wild.example", b"", None),
        (b"GET /", b"a", b"", None),
    ],
)
async def test_the_first_route_that_matches_answers(
    line: bytes, host: bytes, extra: bytes, name: bytes | None, autojump_clock: object
) -> None:
    """By host without port, normalised path, method, headers and query; 404 when there is none."""
    async with running(plan=ROUTES) as proxy:
        client = proxy.connect()
        await client.send(line + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + extra + b"\r\n")
        answer = await client.answer()
        await proxy.settle()
        if name is None:
            assert answer.status == 404
            assert proxy.journal.faults == ["no-route"]
            assert proxy.journal.exchanges[0].route == ""
        else:
            assert answer.body == name
            assert proxy.journal.exchanges[0].route == name.decode()


async def test_after_a_404_the_connection_goes_on(autojump_clock: object) -> None:
    """A request that matches nothing is a request like any other."""
    async with running(plan=ROUTES) as proxy:
        client = proxy.connect()
        assert (await client.get(b"/none")).status == 404
        assert (await client.get(b"/exact")).status == 200


@pytest.mark.parametrize(("idle", "expected"), [(None, 60.0), (7.0, 7.0), (inf, inf)])
async def test_the_exchange_learns_its_routes_limits(
    idle: float | None, expected: float, autojump_clock: object
) -> None:
    """Unset is the default, 0 is no limit."""
    async with running(plan=plan(route(idle=idle, response=3, name="r"))) as proxy:
        await proxy.connect().get()
        exchange = (await settled(proxy))[0]
        assert (exchange.route, exchange.idle, exchange.response_limit) == ("r", expected, 3)


async def settled(proxy: object) -> list[object]:
    await proxy.settle()
    return proxy.journal.exchanges
