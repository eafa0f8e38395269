"""How many connections may be open, in all, of one listener and of one peer."""

from __future__ import annotations

import trio

from appliance.proxy.caps import Both, Cap


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
