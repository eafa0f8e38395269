"""Where every exchange ends: the attempt, the deadline, the record, in this order."""

from __future__ import annotations

from appliance.model.exchange import Attempt, Exchange
from appliance.model.message import Request
from appliance.proxy.ending import Ending
from tests.kit.origin import Origin, reset, sized
from tests.kit.proxy import running


class Stream:
    """As much of a stream as an exchange asks for."""

    request = Request(b"GET", b"http", b"a", b"/", b"", [])


class Nobody:
    """A crowd in which nobody waits."""

    in_flight = 0
    turns = ()


class Endpoint:
    """An endpoint that only counts."""

    name = "x:1"
    in_flight = 0
    crowd = Nobody()


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


def test_without_attempt_deadline_or_log_there_is_little_to_end() -> None:
    """A refused request holds nothing."""
    ending = Ending(None, set(), lambda: 0.0)
    ending.end(Exchange("1", Stream(), "web", "::1", 0.0))
    assert ending.total == 1


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
