"""An upstream come to life: who is chosen, and what is closed with it."""

from __future__ import annotations

from collections import Counter

import pytest

from appliance.model.fault import NO_ENDPOINT, Fault
from appliance.upstream.cluster import Cluster
from tests.kit.origin import Origin, sized
from tests.kit.plans import plan, upstream
from tests.kit.proxy import running


def chosen(count: int, *rows: tuple[str, int]) -> Counter[str]:
    cluster = Cluster(upstream("app", *rows), None)
    return Counter(cluster.choose().name for _ in range(count))


def test_endpoints_are_chosen_in_proportion_to_their_weights() -> None:
    """Over each cycle exactly, weight 0 never."""
    assert chosen(12, ("a:1", 3), ("b:1", 2), ("c:1", 1), ("d:1", 0)) == {"a:1": 6, "b:1": 4, "c:1": 2}


def test_without_a_weight_nobody_can_be_chosen() -> None:
    """All drained is a fault of ours, 503, which names the upstream for the log."""
    cluster = Cluster(upstream("app", ("a:1", 0)), None)
    with pytest.raises(Fault, match="app") as caught:
        cluster.choose()
    assert caught.value.reason is NO_ENDPOINT


async def test_a_drained_upstream_is_a_503(autojump_clock: object) -> None:
    """And the connection of the client goes on."""
    async with running(plan=plan(upstreams=(upstream("app", ("10.0.0.1:80", 0)),))) as proxy:
        client = proxy.connect()
        for _ in range(2):
            answer = await client.get()
            assert answer.status == 503
            assert b"no-endpoint" in answer.body
        await proxy.check_idle()
        assert [record["endpoint"] for record in proxy.journal.records] == [None, None]


async def test_requests_go_round(autojump_clock: object) -> None:
    """Each endpoint in its turn, over connections of its own."""
    origins = {f"10.0.0.{n}:80": Origin(sized(b"%d" % n)) for n in (1, 2, 3)}
    async with running(origins, plan(upstreams=(upstream("app", *origins),))) as proxy:
        client = proxy.connect()
        assert [(await client.get()).body for _ in range(6)] == [b"1", b"2", b"3"] * 2
        assert [len(origin.wires) for origin in origins.values()] == [1, 1, 1]
        for cluster in proxy.snapshot.clusters.values():
            cluster.close()
        await proxy.settle()
        assert [origin.open for origin in origins.values()] == [0, 0, 0]
