"""A whole worker on loopback sockets: caps, draining, and what is left when it has ended."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf

import pytest
import trio
from trio.testing import MockClock

from appliance.config.plan import ListenerLimits, Plan, ProcessPlan, Respond
from appliance.net.listen import bind
from appliance.proxy.worker import Bound, Worker
from tests.kit.plans import listener, plan, route, upstream
from tests.kit.sockets import open_descriptors

pytestmark = pytest.mark.live
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
FIXED = plan(route(Respond(200, b"fixed")))


@pytest.fixture
def autojump_clock() -> MockClock:
    """Let time pass only when the kernel, too, has been quiet for a moment."""
    return MockClock(autojump_threshold=0.001)


class Running:
    """A worker, where it listens, and clients of it."""

    def __init__(self, worker: Worker, socks: list[socket.socket]) -> None:
        self.worker = worker
        self.addresses = [sock.getsockname()[:2] for sock in socks]
        self.ended = trio.Event()

    async def client(self, index: int = 0) -> trio.SocketStream:
        return await trio.open_tcp_stream(*self.addresses[index])

    async def serve(self) -> None:
        await self.worker.run()
        self.ended.set()


@asynccontextmanager
async def working(profile: Plan, max_connections: int = 100) -> AsyncIterator[Running]:
    bound = [Bound(row, bind(row.bind, {})) for row in profile.listeners]
    worker = Worker(profile, bound, None, max_connections, trio.current_time)
    running = Running(worker, [row.sock for row in bound])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.serve)
        await trio.testing.wait_all_tasks_blocked()
        yield running
        worker.stop()
        worker.stop()
        await running.ended.wait()


Server = Callable[[trio.SocketStream], Awaitable[None]]


async def serving(origin: Server, task_status: trio.TaskStatus[int]) -> None:
    """Serve on a port of the system's choice, and start with it."""
    (sock,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    task_status.started(sock.socket.getsockname()[1])
    await trio.serve_listeners(origin, [sock])


async def read(stream: trio.SocketStream) -> bytes:
    with trio.move_on_after(0.5):
        return await stream.receive_some(65536)
    return b"(nothing)"


async def ask(stream: trio.SocketStream) -> bytes:
    await stream.send_all(GET)
    return await read(stream)


async def test_it_serves(autojump_clock: object) -> None:
    """On each of its listeners, and closes everything at its end."""
    before = open_descriptors()
    listeners = (listener("one"), listener("two"))
    async with working(replace(FIXED, listeners=listeners)) as running:
        for index in (0, 1):
            async with await running.client(index) as stream:
                for _ in range(2):
                    assert (await ask(stream)).endswith(b"fixed")
        await trio.sleep(0.1)
        assert running.worker.servers == set()
        assert running.worker.ending.total == 4
    assert open_descriptors() <= before  # fewer, when leftovers of other tests went meanwhile


async def test_it_forwards(autojump_clock: object) -> None:
    """To a real server: heads, long bodies by splice, reuse of the connection."""
    body = os.urandom(3_000_000)

    async def origin(stream: trio.SocketStream) -> None:
        while await stream.receive_some(65536):
            await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    async with trio.open_nursery() as nursery:
        port = await nursery.start(serving, origin)
        profile = plan(upstreams=(upstream("app", f"127.0.0.1:{port}"),))
        async with working(profile) as running, await running.client() as stream:
            for _ in range(2):
                await stream.send_all(GET)
                got = b""
                while not got.endswith(body[-100:]):
                    got += await stream.receive_some(1 << 20)
                assert got.partition(b"\r\n\r\n")[2] == body
        nursery.cancel_scope.cancel()


async def test_a_refused_connect_is_told(autojump_clock: object) -> None:
    """The real dialler's fault through the real stack."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    profile = plan(upstreams=(upstream("app", f"127.0.0.1:{port}"),))
    async with working(profile) as running, await running.client() as stream:
        answer = await ask(stream)
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"connect-failed" in answer


async def test_one_address_may_hold_only_so_many(autojump_clock: object) -> None:
    """Beyond ``max_per_ip`` a connection is closed at once; when one leaves another may come."""
    limited = (listener(limits=ListenerLimits(max_per_ip=2)),)
    async with working(replace(FIXED, listeners=limited)) as running:
        streams = [await running.client() for _ in range(3)]
        assert [(await ask(stream))[-5:] for stream in streams[:2]] == [b"fixed"] * 2
        assert await streams[2].receive_some(10) == b""
        await streams[0].aclose()
        await trio.sleep(0.1)
        async with await running.client() as stream:
            assert (await ask(stream)).endswith(b"fixed")
        for stream in streams:
            await stream.aclose()


@pytest.mark.parametrize("where", ["process", "listener"])
async def test_beyond_the_cap_connections_wait(where: str, autojump_clock: object) -> None:
    """They are not refused: the kernel holds them until there is room."""
    limits = ListenerLimits(max_connections=2 if where == "listener" else 100)
    profile = replace(FIXED, listeners=(listener(limits=limits, keepalive=1000),))
    async with working(profile, 2 if where == "process" else 100) as running:
        streams = [await running.client() for _ in range(3)]
        assert (await ask(streams[0])).endswith(b"fixed")
        assert (await ask(streams[1])).endswith(b"fixed")
        assert await ask(streams[2]) == b"(nothing)"
        await streams[0].aclose()
        assert (await read(streams[2])).endswith(b"fixed")
        for stream in streams:
            await stream.aclose()


def slow(seconds: float, drain: float) -> tuple[Server, Callable[[int], Plan]]:
    """Give an origin that thinks for ``seconds``, and a plan in front of it with its time to drain."""

    async def origin(stream: trio.SocketStream) -> None:
        if await stream.receive_some(65536):
            await trio.sleep(seconds)
            try:
                await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone")
            except trio.BrokenResourceError:
                return

    def profile(port: int) -> Plan:
        upstreams = (upstream("app", f"127.0.0.1:{port}", per_try=inf),)
        return replace(
            plan(route(response=inf), upstreams=upstreams), process=ProcessPlan(drain_timeout=drain)
        )

    return origin, profile


@pytest.mark.parametrize(("seconds", "drain", "cut_off"), [(1, 3, 0), (9, 3, 1)])
async def test_draining(seconds: float, drain: float, cut_off: int, autojump_clock: object) -> None:
    """Listeners and idle connections close at once; what runs may end, within the limit."""
    origin, profile = slow(seconds, drain)
    async with trio.open_nursery() as nursery:
        port = await nursery.start(serving, origin)
        async with working(profile(port)) as running:
            idle, busy = await running.client(), await running.client()
            await busy.send_all(GET)
            await trio.sleep(0.5)
            assert running.worker.in_flight == 1
            began = trio.current_time()
            running.worker.stop()
            assert await idle.receive_some(10) == b""
            with pytest.raises(OSError):
                await running.client()
            await running.ended.wait()
            assert running.worker.cut_off == cut_off
            assert trio.current_time() - began <= min(seconds, drain) + 1.2
            answer = await busy.receive_some(65536)
            assert answer.endswith(b"done") == (not cut_off)
            assert (b"connection: close" in answer) == (not cut_off)
            await idle.aclose()
            await busy.aclose()
        nursery.cancel_scope.cancel()


async def test_a_second_stop_ends_at_once(autojump_clock: object) -> None:
    """Whatever still runs is cut off, and counted."""
    origin, profile = slow(30, 3)
    async with trio.open_nursery() as nursery:
        port = await nursery.start(serving, origin)
        async with working(profile(port)) as running:
            busy = await running.client()
            await busy.send_all(GET)
            await trio.sleep(0.5)
            running.worker.stop()
            await trio.sleep(1)
            assert not running.ended.is_set()
            began = trio.current_time()
            running.worker.stop()
            await running.ended.wait()
            assert trio.current_time() - began < 0.1
            assert running.worker.cut_off == 1
            await busy.aclose()
        nursery.cancel_scope.cancel()


async def test_a_client_that_leaves_ends_its_upstream_connection(autojump_clock: object) -> None:
    """The kernel's own hangup, through the poller, while the answer is awaited."""
    left = trio.Event()

    async def origin(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        if not await stream.receive_some(65536):
            left.set()

    async with trio.open_nursery() as nursery:
        port = await nursery.start(serving, origin)
        async with working(plan(upstreams=(upstream("app", f"127.0.0.1:{port}"),))) as running:
            stream = await running.client()
            await stream.send_all(GET)
            await trio.sleep(0.1)
            await stream.aclose()
            with trio.fail_after(0.5):
                await left.wait()
        nursery.cancel_scope.cancel()
