"""Who opens a shared connection, who waits for it, and when it is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import trio
import trio.lowlevel
from h2.settings import SettingCodes

from appliance.http.h2_client import H2Client
from appliance.model.exchange import Attempt
from appliance.model.fault import CONNECT_FAILED, UPSTREAM_BAD, Fault
from appliance.net.park import Lot
from appliance.net.transport import Transport
from appliance.upstream.shared import Shared
from tests.kit.h2_origin import H2Origin
from tests.kit.wires import Wire, pair


class World:
    """An endpoint's connections with an origin behind them."""

    def __init__(self, nursery: trio.Nursery, most: int = 8) -> None:
        self.origin = H2Origin()
        self.lot = Lot(trio.current_time)
        self.nursery = nursery
        self.dialled = 0
        self.dialling = trio.Event()
        self.pause = 0.0
        self.fault: Fault | None = None
        self.shared = Shared(self.make, nursery.start_soon, most)

    def make(self, transport: Transport) -> H2Client:
        return H2Client(transport, b"h", 5.0)

    async def dial(self) -> Transport:
        self.dialled += 1
        self.dialling.set()
        await trio.sleep(self.pause)
        if self.fault is not None:
            raise self.fault
        ours, theirs = pair(self.lot)
        self.nursery.start_soon(self.origin.serve, theirs)
        return ours

    async def get(self, limit: float = 5.0) -> Attempt:
        attempt = Attempt(_Endpoint(), 0.0)
        if self.shared.lease_nowait(attempt) is None:
            await self.shared.open(attempt, self.dial, limit)
        return attempt


class _Crowd:
    in_flight = 0
    turns = ()

    def offer(self) -> None:
        raise AssertionError


class _Endpoint:
    name = "10.0.0.1:80"
    in_flight = 0
    crowd = _Crowd()
    lease_nowait: Callable[..., None]
    open: Callable[..., None]
    count: Callable[..., None]


@pytest.fixture
async def world(nursery: trio.Nursery) -> World:
    """Give a world whose tasks end with the test."""
    return World(nursery)


async def test_the_first_opens_and_all_others_join(world: World, autojump_clock: object) -> None:
    """One dial for any number of requests that come together; only later ones count as reusing."""
    world.pause = 1.0
    got: list[Attempt] = []

    async def one() -> None:
        got.append(await world.get())

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(one)
    assert (world.dialled, len(world.shared.connections)) == (1, 1)
    assert not any(attempt.reused for attempt in got)


async def test_a_dialler_that_leaves_hands_on_its_task(world: World, autojump_clock: object) -> None:
    """Its client has gone; one of those that wait dials anew."""
    world.pause = 1.0
    scope = trio.CancelScope()
    got: list[Attempt] = []

    async def leaver() -> None:
        with scope:
            await world.get()

    async def other() -> None:
        got.append(await world.get())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leaver)
        await trio.sleep(0.5)
        nursery.start_soon(other)
        nursery.start_soon(other)
        await trio.sleep(0.1)
        scope.cancel()
    assert (len(got), world.dialled, trio.current_time()) == (2, 2, 1.6)


async def test_a_failure_is_shared(world: World, autojump_clock: object) -> None:
    """Each gets a fault of its own with the same reason, and the next request dials again."""
    world.pause, world.fault = 1.0, Fault(CONNECT_FAILED, "no")
    faults: list[Fault] = []

    async def one() -> None:
        try:
            await world.get()
        except Fault as fault:
            faults.append(fault)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(one)
    assert [str(fault) for fault in faults] == ["connect-failed: no"] * 3
    assert len({id(fault) for fault in faults}) == 3
    world.fault = None
    await world.get()
    assert world.dialled == 2


async def test_waiting_for_another_has_its_limit_too(world: World, autojump_clock: object) -> None:
    """A connection that takes long to open costs nobody more than its own time to connect."""
    world.pause = 10.0
    world.nursery.start_soon(world.get)
    await world.dialling.wait()
    with pytest.raises(Fault, match="connect-timeout"):
        await world.get(limit=2.0)
    assert trio.current_time() == 2


async def test_a_full_connection_makes_room_for_another(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    """Up to the most there may be; beyond that the upstream is full."""
    world = World(nursery, most=2)
    for _ in range(2):
        first = await world.get()
        connection = world.shared.connections[-1]
        connection.peer_streams = 1
        assert first.connection is not None
    assert (world.dialled, world.shared.full) == (2, True)
    with pytest.raises(Fault, match="upstream-full"):
        await world.get()


async def test_the_first_place_is_for_who_opened_it(nursery: trio.Nursery, autojump_clock: object) -> None:
    """Where there is but one, nobody else has it, however early they look."""

    async def look(world: World) -> None:
        while not world.shared.connections:
            await trio.lowlevel.checkpoint()
        await world.shared.connections[0].settled.wait()
        assert world.shared.lease_nowait(Attempt(_Endpoint(), 0.0)) is None

    for _ in range(20):  # the order in which tasks wake is by chance
        world = World(nursery)
        world.origin = H2Origin(settings={SettingCodes.MAX_CONCURRENT_STREAMS: 1})
        async with trio.open_nursery() as both:
            both.start_soon(look, world)
            attempt = await world.get()
        assert attempt.connection is not None
        attempt.connection.release()
        assert not world.shared.connections[0].busy


async def test_who_gives_up_leaves_its_place(world: World, autojump_clock: object) -> None:
    """Before the peer's settings came; the connection is there for others then."""

    async def late() -> Transport:
        ours, theirs = pair(world.lot)

        async def begin() -> None:
            await trio.sleep(2)
            await world.origin.serve(theirs)

        world.nursery.start_soon(begin)
        return ours

    with trio.move_on_after(1):
        await world.shared.open(Attempt(_Endpoint(), 0.0), late, 9.0)
    await trio.sleep(2)
    assert not world.shared.connections[0].busy
    assert (await world.get()).reused is False
    assert len(world.shared.connections) == 1


async def test_what_ends_is_forgotten(world: World, autojump_clock: object) -> None:
    """A connection whose peer closes is offered to nobody."""
    attempt = await world.get()
    assert attempt.connection is not None
    attempt.connection.release()
    await trio.testing.wait_all_tasks_blocked()
    world.origin.wires[0].close()
    await trio.testing.wait_all_tasks_blocked()
    assert world.shared.connections == []
    await world.get()
    assert world.dialled == 2


async def test_idle_ones_expire_and_busy_ones_stay(world: World, autojump_clock: object) -> None:
    """However long a call takes."""
    attempt = await world.get()
    await trio.sleep(100)
    world.shared.expire(50)
    assert len(world.shared.connections) == 1
    assert attempt.connection is not None
    attempt.connection.release()
    world.shared.expire(99)
    await trio.testing.wait_all_tasks_blocked()
    assert len(world.shared.connections) == 1
    world.shared.expire(100)
    await trio.testing.wait_all_tasks_blocked()
    assert world.shared.connections == []


async def test_closing_lets_calls_finish(world: World, autojump_clock: object) -> None:
    """No new ones begin; the connection closes when the last has ended."""
    attempt = await world.get()
    world.shared.close()
    await trio.testing.wait_all_tasks_blocked()
    assert len(world.shared.connections) == 1
    assert world.shared.lease_nowait(Attempt(_Endpoint(), 0.0)) is None
    assert attempt.connection is not None
    attempt.connection.release()
    await trio.testing.wait_all_tasks_blocked()
    assert world.shared.connections == []


async def test_a_connection_is_open_when_its_settings_are_there(world: World, autojump_clock: object) -> None:
    """A crowd that comes before them waits, and then no connection gets more than its peer takes."""
    world.shared = Shared(world.make, world.nursery.start_soon, 20)
    world.origin.settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 3}
    world.origin.greets_after = 0.2
    got: list[Attempt] = []

    async def ask() -> None:
        got.append(await world.get())

    async with trio.open_nursery() as asking:
        for _ in range(30):
            asking.start_soon(ask)
    assert Counter(id(each.connection.connection) for each in got).most_common(1)[0][1] == 3
    assert world.dialled == 10


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not begin as HTTP/2 does"),
        (b"", "no settings within 5 s"),
    ],
)
async def test_who_speaks_no_http2_is_told_apart(
    said: bytes, why: str, world: World, autojump_clock: object
) -> None:
    """Before anything of a request is sent, so that any may go elsewhere."""

    async def serve(wire: Wire) -> None:
        await wire.send(said)
        await trio.sleep_forever()

    world.origin.serve = serve
    with pytest.raises(Fault, match=why) as caught:
        await world.get()
    assert caught.value.reason is UPSTREAM_BAD
    assert not world.shared.connections or world.shared.connections[0].closing
    assert trio.current_time() <= 5
