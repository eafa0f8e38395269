"""Where every exchange ends: the attempt, the deadline, the record, in this order."""

from __future__ import annotations

import trio

from appliance.config.plan_policy import Backoff, RetryPlan
from appliance.metrics.histogram import bounds
from appliance.model.exchange import Attempt, Exchange
from appliance.model.message import Request
from appliance.proxy.ending import Ending
from tests.kit.origin import Call, Handler, Origin, reset, sized, sized_bytes
from tests.kit.plans import plan, route
from tests.kit.proxy import Proxy, running


class Stream:
    """As much of a stream as an exchange asks for."""

    request = Request(b"GET", b"http", b"a", b"/", b"", [])
    sent = 7


class Nobody:
    """A crowd in which nobody waits."""

    in_flight = 0
    turns = ()


class Endpoint:
    """An endpoint that only counts."""

    name = "x:1"
    in_flight = 0
    crowd = Nobody()

    def count(self, *_: object) -> None:
        """Count nothing."""


class Connection:
    """Notes when it is released."""

    def __init__(self, events: list[str]) -> None:
        self._events = events

    def release(self) -> None:
        self._events.append("released")


class Log:
    """Notes when it is written to, and what was true then."""

    def __init__(self, events: list[str], timed: set[Exchange]) -> None:
        self._events = events
        self._timed = timed

    def record(self, exchange: Exchange, now: float) -> None:
        self._events.append(f"recorded at {now} with {len(self._timed)} deadlines")


def test_the_order_of_an_ending() -> None:
    """The connection may serve the next request before anybody writes a line."""
    events: list[str] = []
    exchange = Exchange("1", Stream(), "web", "::1", 0.0)
    timed = {exchange}
    ending = Ending(Log(events, timed), timed, lambda: 5.0)
    exchange.attempt = Attempt(Endpoint(), 0.0)
    exchange.attempt.connection = Connection(events)
    exchange.park = object()
    ending.end(exchange)
    assert events == ["released", "recorded at 5.0 with 0 deadlines"]
    assert exchange.attempt.endpoint.in_flight == 0
    assert exchange.park is None
    assert ending.total == 1
    tally = ending.cells["web", ""].take()
    assert tally is not None
    assert (tally.total, tally.sent, tally.failed) == (1, 7, 0)


def test_without_attempt_deadline_or_log_there_is_little_to_end() -> None:
    """A refused request holds nothing."""
    ending = Ending(None, set(), lambda: 0.0)
    ending.end(Exchange("1", Stream(), "web", "::1", 0.0))
    assert ending.total == 1


def slowly(seconds: float) -> Handler:
    """Give a handler that takes its time."""

    async def handle(call: Call) -> None:
        await trio.sleep(seconds)
        await call.send(sized_bytes(b"late"))

    return handle


async def test_every_exchange_ends_once(autojump_clock: object) -> None:
    """Whether it was answered, refused, failed or left alone."""
    async with running(Origin(sized(b"1"), reset(), sized(b"3"))) as proxy:
        client = proxy.connect()
        await client.get()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer()).status == 502
        await client.send(b"nonsense\r\n\r\n")
        await client.answer()
        gone = proxy.connect()
        await gone.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        gone.wire.reset()
        await proxy.check_idle()
        assert proxy.worker.ending.total == 4
        assert proxy.journal.faults == [None, "upstream-reset", "bad-request", "client-gone"]


def counts(
    proxy: Proxy,
) -> tuple[dict[tuple[str, str], tuple[int, int, int]], list[tuple[int, int, list[int]]]]:
    """Give what was counted since the last time: total, failed and refused by cell; and by endpoint."""
    cells = {key: cell.take() for key, cell in proxy.worker.ending.cells.items()}
    endpoints = [each.cell.take() for each in proxy.endpoints]
    return (
        {key: (each.total, each.failed, each.refused) for key, each in cells.items() if each},
        [(each.total, each.failed, each.classes) for each in endpoints if each],
    )


async def test_what_ends_is_counted(autojump_clock: object) -> None:
    """Exchanges by listener and route, tries by endpoint; what a client does is nobody's failure."""
    origin = Origin(sized(b"1"), sized(b"2", 503), reset(), sized(b"4", 404), slowly(9.0), sized(b"6"))
    retried = route(retry=RetryPlan(backoff=Backoff(0.0, 0.0)))
    async with running(origin, plan(retried)) as proxy:
        client = proxy.connect()
        await client.get()
        await proxy.settle()
        assert counts(proxy) == ({("web", "all"): (1, 0, 0)}, [(1, 0, [0, 0, 1, 0, 0, 0])])
        await client.get()  # 503, a reset, and then 404
        await proxy.settle()
        assert counts(proxy) == ({("web", "all"): (1, 0, 0)}, [(3, 2, [1, 0, 0, 0, 1, 1])])
        gone = proxy.connect()
        await gone.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await trio.sleep(1)
        gone.wire.reset()
        await proxy.settle()
        assert counts(proxy) == ({("web", "all"): (1, 0, 0)}, [(1, 0, [1, 0, 0, 0, 0, 0])])
        await client.send(b"nonsense\r\n\r\n")
        await client.answer()
        await proxy.settle()
        assert counts(proxy) == ({("web", ""): (1, 0, 0)}, [])
        proxy.endpoints[0].drained = True
        assert (await proxy.connect().get()).status == 503
        await proxy.settle()
        assert counts(proxy) == ({("web", "all"): (1, 1, 1)}, [])


async def test_time_is_counted_until_the_head(autojump_clock: object) -> None:
    """A long answer is not a slow one."""

    async def long(call: Call) -> None:
        await trio.sleep(2)
        await call.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab")
        await trio.sleep(20)
        await call.send(b"cd")

    async with running(Origin(long)) as proxy:
        assert (await proxy.connect().get()).body == b"abcd"
        await proxy.settle()
        for cell in (proxy.worker.ending.cells["web", "all"], proxy.endpoints[0].cell):
            tally = cell.take()
            assert tally is not None
            (index,) = tally.times
            assert bounds(index)[0] <= 2_000_001 < bounds(index)[1] + 1000
