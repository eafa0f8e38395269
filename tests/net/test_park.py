"""Where tasks wait: waking and interrupting are remembered; deadlines ring once, for who is there."""

from __future__ import annotations

from math import inf

import pytest
import trio

from appliance.model.fault import CLIENT_GONE, HEADER_TIMEOUT, Fault
from appliance.net.park import TICK, Lot, Park


async def outcome(park: Park) -> str:
    """Wait, and say how that ended."""
    try:
        await park.wait()
    except Fault as fault:
        return fault.reason.id
    return "woken"


async def parked(park: Park, nursery: trio.Nursery) -> list[str]:
    """Park a task and give the list that its outcome will be written to."""
    outcomes: list[str] = []

    async def wait() -> None:
        outcomes.append(await outcome(park))

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    return outcomes


async def test_a_parked_task_is_woken(nursery: trio.Nursery) -> None:
    """Exactly once, and the park is free for the next."""
    park = Park()
    outcomes = await parked(park, nursery)
    assert park.occupied
    park.wake()
    assert not park.occupied
    await trio.testing.wait_all_tasks_blocked()
    assert outcomes == ["woken"]
    assert park.ready


async def test_waking_is_remembered() -> None:
    """Who comes later passes; to clear ``ready`` is for whoever found that there is nothing."""
    park = Park()
    park.wake()
    assert [await outcome(park) for _ in range(2)] == ["woken", "woken"]
    assert park.ready


async def test_a_parked_task_is_interrupted(nursery: trio.Nursery) -> None:
    """It raises the fault, which is used up."""
    park = Park()
    outcomes = await parked(park, nursery)
    park.interrupt(Fault(CLIENT_GONE))
    await trio.testing.wait_all_tasks_blocked()
    assert outcomes == ["client-gone"]
    assert park.fault is None


async def test_an_interruption_is_remembered_before_readiness() -> None:
    """A fault that found nobody is raised at the next wait, once, even if there is something to read."""
    park = Park()
    park.interrupt(Fault(CLIENT_GONE))
    park.wake()
    assert [await outcome(park) for _ in range(2)] == ["client-gone", "woken"]


async def test_interrupt_after_wake_is_not_lost(nursery: trio.Nursery) -> None:
    """The task was already on its way: the fault meets it at its next wait."""
    park = Park()
    outcomes = await parked(park, nursery)
    park.wake()
    park.interrupt(Fault(CLIENT_GONE))
    await trio.testing.wait_all_tasks_blocked()
    assert outcomes == ["woken"]
    assert await outcome(park) == "client-gone"


async def test_one_task_at_a_time(nursery: trio.Nursery) -> None:
    """A second task on a park is a bug, and told as one."""
    park = Park()
    await parked(park, nursery)
    with pytest.raises(trio.BusyResourceError):
        await park.wait()
    park.wake()


async def test_cancellation_frees_the_park() -> None:
    """The next task finds it empty."""
    park = Park()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            await parked(park, nursery)
            scope.cancel()
    assert not park.occupied
    park.wake()
    assert await outcome(park) == "woken"


async def test_a_deadline_rings_for_who_is_parked(nursery: trio.Nursery) -> None:
    """At its time and not before, and once."""
    now = 100.0
    lot, park = Lot(lambda: now), Park()
    lot.parks.add(park)
    park.due, park.why = 105.0, HEADER_TIMEOUT
    outcomes = await parked(park, nursery)
    lot.sweep()
    now = 104.999
    lot.sweep()
    await trio.testing.wait_all_tasks_blocked()
    assert outcomes == []
    now = 105.0
    lot.sweep()
    await trio.testing.wait_all_tasks_blocked()
    assert outcomes == ["header-timeout"]
    assert park.due == inf


async def test_a_deadline_waits_for_somebody_to_park(nursery: trio.Nursery) -> None:
    """A task that is busy is not interrupted; when it parks after its time, the next sweep finds it."""
    lot, park = Lot(lambda: 10.0), Park()
    lot.parks.add(park)
    park.due, park.why = 5.0, HEADER_TIMEOUT
    lot.sweep()
    assert park.fault is None
    outcomes = await parked(park, nursery)
    lot.sweep()
    await trio.testing.wait_all_tasks_blocked()
    assert outcomes == ["header-timeout"]


async def test_a_park_that_is_not_in_the_lot_has_no_deadline(nursery: trio.Nursery) -> None:
    """Closing a transport takes its parks out."""
    lot, park = Lot(lambda: 10.0), Park()
    park.due, park.why = 5.0, HEADER_TIMEOUT
    outcomes = await parked(park, nursery)
    lot.sweep()
    await trio.testing.wait_all_tasks_blocked()
    assert outcomes == []
    park.wake()


async def test_the_sweep_comes_every_tick(nursery: trio.Nursery, autojump_clock: object) -> None:
    """So a deadline rings at most a tick late, never early."""
    lot, park = Lot(trio.current_time), Park()
    lot.parks.add(park)
    nursery.start_soon(lot.run)
    for limit in (0.01, 0.05, 1.0, 7.77):
        began = trio.current_time()
        park.due, park.why = began + limit, HEADER_TIMEOUT
        assert await outcome(park) == "header-timeout"
        assert limit <= trio.current_time() - began <= limit + TICK + 1e-6
    nursery.cancel_scope.cancel()
