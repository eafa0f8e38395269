"""Waits that a fault of the exchange ends: before, during and at the moment when they end by themselves."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from appliance.model.exchange import Exchange
from appliance.model.fault import CLIENT_GONE, CONNECT_FAILED, REQUEST_TIMEOUT, Fault
from appliance.model.message import Request
from appliance.upstream.waiting import interruptible, sleep

GONE = Fault(CLIENT_GONE)


class Stream:
    """As much of a client as an exchange asks for."""

    started = False
    request = Request(b"GET", b"http", b"a", b"/", b"", [])


@pytest.fixture
def exchange() -> Exchange:
    """Give an exchange with nothing under way."""
    return Exchange("1", Stream(), "web", "::1", 0.0)


async def test_sleep_ends_on_time(exchange: Exchange, autojump_clock: object) -> None:
    """Neither early nor late, and nothing is left behind in the exchange."""
    for seconds in (0.0, 0.001, 0.7, 86_400.0):
        began = trio.current_time()
        await sleep(exchange, seconds)
        assert trio.current_time() == began + seconds
        assert (exchange.park, exchange.fault) == (None, None)


async def test_a_fault_that_is_there_already_is_raised_at_once(
    exchange: Exchange, autojump_clock: object
) -> None:
    """No time passes, the block does not run, and nobody seems to wait."""
    exchange.fail(GONE)
    with pytest.raises(Fault) as caught:
        await sleep(exchange, 5)
    assert caught.value is GONE
    with pytest.raises(Fault), interruptible(exchange):
        raise AssertionError("the block ran")
    assert (trio.current_time(), exchange.park) == (0, None)


async def test_a_fault_that_comes_meanwhile_ends_the_wait(exchange: Exchange, autojump_clock: object) -> None:
    """At once, and it is that fault which is raised."""

    async def leave() -> None:
        await trio.sleep(2)
        exchange.fail(GONE)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave)
        with pytest.raises(Fault) as caught:
            await sleep(exchange, 5)
    assert caught.value is GONE
    assert (trio.current_time(), exchange.park) == (2, None)


async def test_a_fault_at_the_moment_the_wait_ends_is_not_lost(
    exchange: Exchange, autojump_clock: object
) -> None:
    """What the wait was for is there, and its task has not run yet: the fault counts."""
    ready = trio.Event()
    seen: list[Fault] = []

    async def wait() -> None:
        try:
            with interruptible(exchange, 5):
                await ready.wait()
        except Fault as fault:
            seen.append(fault)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        ready.set()
        exchange.fail(GONE)
    assert (seen, exchange.park, trio.current_time()) == ([GONE], None, 0)


async def test_a_fault_as_the_time_runs_out_is_raised_or_comes_later(autojump_clock: object) -> None:
    """Whichever task runs first at that moment: the wait never ends early or late, the fault is kept."""
    raised = 0
    for _ in range(30):  # the order of tasks within a moment is drawn
        exchange = Exchange("1", Stream(), "web", "::1", 0.0)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def leave(exchange: Exchange = exchange) -> None:
                await trio.sleep(1)
                exchange.fail(GONE)

            nursery.start_soon(leave)
            try:
                await sleep(exchange, 1)
            except Fault as fault:
                assert fault is GONE
                raised += 1
        assert trio.current_time() == began + 1
        assert (exchange.park, exchange.fault) == (None, GONE)
    assert 0 < raised < 30


async def test_a_fault_in_the_last_step_of_the_block_is_raised(exchange: Exchange) -> None:
    """Nothing was waited for after it: the end of the block looks once more."""
    with pytest.raises(Fault) as caught, interruptible(exchange):
        exchange.fail(GONE)
    assert caught.value is GONE
    assert exchange.park is None


async def test_the_first_fault_is_the_one(exchange: Exchange, autojump_clock: object) -> None:
    """A second one that comes before the waiter has run changes nothing."""
    seen: list[Fault] = []

    async def wait() -> None:
        with pytest.raises(Fault) as caught:
            await sleep(exchange, 5)
        seen.append(caught.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        exchange.fail(GONE)
        exchange.fail(Fault(REQUEST_TIMEOUT))
    assert seen == [GONE]


async def test_being_out_of_time_raises_nothing(exchange: Exchange, autojump_clock: object) -> None:
    """The block is left where it waited; what comes after the ``with`` runs."""
    with interruptible(exchange, 3):
        await trio.sleep_forever()
    assert (trio.current_time(), exchange.park) == (3, None)


async def test_without_a_limit_the_wait_has_none(exchange: Exchange, autojump_clock: object) -> None:
    """A day is not too long."""
    with interruptible(exchange):
        await trio.sleep(86_400)
    assert trio.current_time() == 86_400


async def test_a_cancellation_from_outside_passes(exchange: Exchange, autojump_clock: object) -> None:
    """It is not taken for the end of the wait, and raises no fault."""
    after = False
    with trio.move_on_after(1) as scope:
        await sleep(exchange, 5)
        after = True
    assert scope.cancelled_caught
    assert not after
    assert trio.current_time() == 1


async def test_nobody_seems_to_wait_after_a_cancellation(exchange: Exchange, autojump_clock: object) -> None:
    """What was cancelled from outside is parked nowhere."""
    with trio.move_on_after(1):
        await sleep(exchange, 5)
    assert exchange.park is None


async def test_nobody_seems_to_wait_after_a_failure(exchange: Exchange) -> None:
    """A dial that fails ends the wait, too: the next deadline has nothing to interrupt there."""
    with pytest.raises(Fault, match="connect-failed"), interruptible(exchange):
        raise Fault(CONNECT_FAILED)
    assert exchange.park is None


async def test_what_the_block_raises_passes(exchange: Exchange) -> None:
    """The failure of what was waited for is raised as it is, also when the client has left meanwhile."""
    failure = Fault(CONNECT_FAILED)
    with pytest.raises(Fault) as caught, interruptible(exchange):
        exchange.fail(GONE)
        raise failure
    assert caught.value is failure


async def test_waits_follow_each_other(exchange: Exchange, autojump_clock: object) -> None:
    """A fault between two waits is raised at the second."""
    await sleep(exchange, 1)
    exchange.fail(GONE)
    with pytest.raises(Fault):
        await sleep(exchange, 1)
    assert trio.current_time() == 1
