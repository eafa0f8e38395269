"""How many connections may be open, in all, of one listener and of one peer."""

from __future__ import annotations

import trio

from appliance.proxy.worker import Both, Cap, Worker
from tests.kit.plans import plan
from tests.kit.proxy import running


async def test_a_cap_counts_connections_and_peers() -> None:
    """Who waits for room is woken by each connection that leaves."""
    cap = Cap(2)
    for peer in ("a", "b"):
        assert cap.has_room()
        cap.enter(peer)
    assert not cap.has_room()
    assert cap.peers == {"a": 1, "b": 1}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cap.wait_room)
        nursery.start_soon(Both(Cap(5), cap).wait_room)
        nursery.start_soon(Both(cap, Cap(5)).wait_room)
        await trio.testing.wait_all_tasks_blocked()
        cap.leave("a")
    assert cap.has_room()
    assert cap.peers == {"b": 1}
    assert not Both(cap, Cap(0)).has_room()
    assert Both(cap, Cap(1)).has_room()


async def test_in_flight_counts_connections_with_a_request(autojump_clock: object) -> None:
    """A connection between its requests is open and not in flight."""
    async with running() as proxy:
        worker = Worker(plan(), [], None, 10, trio.current_time)
        worker.servers = proxy.servers
        client = proxy.connect()
        await client.get()
        await proxy.settle()
        assert (len(worker.servers), worker.in_flight) == (1, 0)
        proxy.origins["10.0.0.1:80"].connect_time = 1
        proxy.endpoints[0].close()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await proxy.settle()
        assert worker.in_flight == 1
