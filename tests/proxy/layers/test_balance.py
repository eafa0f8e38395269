"""Which upstream and which endpoint: in proportion, once a try."""

from __future__ import annotations

from collections import Counter

from appliance.config.plan import Destination, Forward
from tests.kit.origin import Origin, sized
from tests.kit.plans import plan, route, upstream
from tests.kit.proxy import running


def split(*to: tuple[str, int]) -> tuple[dict[str, Origin], object]:
    origins = {"10.0.0.1:80": Origin(sized(b"blue")), "10.0.0.2:80": Origin(sized(b"green"))}
    upstreams = (upstream("blue", "10.0.0.1:80"), upstream("green", "10.0.0.2:80"))
    return origins, plan(route(Forward(tuple(Destination(*each) for each in to))), upstreams=upstreams)


async def test_a_route_shares_among_upstreams_by_weight(autojump_clock: object) -> None:
    """9 to 1 is nine and one of each ten."""
    origins, profile = split(("blue", 9), ("green", 1))
    async with running(origins, profile) as proxy:
        client = proxy.connect()
        got = Counter([(await client.get()).body for _ in range(20)])
        assert got == {b"blue": 18, b"green": 2}
        await proxy.settle()
        assert Counter(record["upstream"] for record in proxy.journal.records) == {"blue": 18, "green": 2}


async def test_an_upstream_of_weight_0_gets_nothing(autojump_clock: object) -> None:
    """It is prepared, not in use."""
    origins, profile = split(("blue", 1), ("green", 0))
    async with running(origins, profile) as proxy:
        client = proxy.connect()
        assert {(await client.get()).body for _ in range(5)} == {b"blue"}


async def test_an_exchange_knows_its_attempt(autojump_clock: object) -> None:
    """Upstream, endpoint and number of tries stand in its record; the count is back at 0."""
    async with running() as proxy:
        await proxy.connect().get()
        await proxy.check_idle()
        record = proxy.journal.records[0]
        assert (record["upstream"], record["endpoint"], record["tries"]) == ("app", "10.0.0.1:80", 1)


async def test_routes_share_an_upstream(autojump_clock: object) -> None:
    """Two routes to one upstream use one pool."""
    async with running(plan=plan(route(name="one"), route(name="two"))) as proxy:
        client = proxy.connect()
        await client.get()
        await client.get()
        assert len(proxy.endpoints) == 1
        assert len(proxy.upstream_wires) == 1
