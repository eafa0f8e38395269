"""Exchanges and attempts: who hears of a fault, and what an attempt gives back."""

from __future__ import annotations

from math import inf

import pytest

from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import CLIENT_GONE, UPSTREAM_RESET, Fault
from appliance.model.headers import Headers
from appliance.model.message import Request, Response


class Stream:
    """The client's side, as far as an exchange looks at it."""

    refusal: Fault | None = None
    started = False
    sent = 0

    def __init__(self) -> None:
        self.request = Request(b"GET", b"http", b"a", b"/as/asked", b"", [])

    async def respond(self, response: Response) -> None: ...
    async def inform(self, status: int, headers: Headers) -> None: ...
    def reset(self, fault: Fault) -> None: ...
    def interrupt(self, fault: Fault) -> None: ...
    def watch_hangup(self, exchange: Exchange) -> None: ...


class Park:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def interrupt(self, fault: Fault) -> None:
        self.faults.append(fault)


class Connection:
    def __init__(self) -> None:
        self.released = 0

    async def send(self, exchange: Exchange, attempt: Attempt) -> Response:
        raise NotImplementedError

    def release(self) -> None:
        self.released += 1


class Nobody:
    """A crowd in which nobody waits."""

    in_flight = 0
    turns = ()


class Endpoint:
    name = "e"
    in_flight = 0
    crowd = Nobody()

    def count(self, *_: object) -> None:
        """Count nothing."""

    async def open(self, attempt: Attempt) -> Connection:
        raise NotImplementedError


def exchange() -> Exchange:
    return Exchange("id", Stream(), "listener", "192.0.2.1", 5.0)


def test_an_exchange_begins_with_what_is_known() -> None:
    """The path stays as asked when the request is rewritten; the client is the peer until trust says more."""
    x = exchange()
    x.request.path = b"/rewritten"
    assert (x.path, x.client, x.peer, x.peer_trusted) == (b"/as/asked", "192.0.2.1", "192.0.2.1", False)
    assert (x.started, x.due, x.status, x.fault, x.attempt) == (5.0, inf, 0, None, None)


def test_the_first_fault_stays_and_wakes_who_waits() -> None:
    """What comes after it is a consequence, and wakes nobody."""
    x, park = exchange(), Park()
    x.park = park
    first = Fault(CLIENT_GONE)
    x.fail(first)
    x.fail(Fault(UPSTREAM_RESET))
    assert x.fault is first
    assert park.faults == [first]


def test_a_fault_while_nobody_waits_is_kept() -> None:
    """Whoever parks next looks at it first."""
    x = exchange()
    fault = Fault(CLIENT_GONE)
    x.fail(fault)
    assert x.fault is fault


def test_an_attempt_is_in_flight_until_it_ends() -> None:
    """With a connection or without, the endpoint's count comes back; a second end changes nothing."""
    endpoint, x = Endpoint(), exchange()
    first, second = Attempt(endpoint, 1.0), Attempt(endpoint, 2.0)
    assert (endpoint.in_flight, second.began, second.sent, second.reused) == (2, 2.0, False, False)
    connection = Connection()
    first.connection = connection
    for attempt in (first, second, first):
        attempt.end(x, None, 3.0)
    assert endpoint.in_flight == 0
    assert connection.released == 1
    assert first.connection is None


def test_whoever_gave_the_ticket_hears_of_the_end_once() -> None:
    """After the connection and the count, with the fault and the time."""
    heard = []

    class Guard:
        def ended(self, *what: object) -> None:
            heard.append((endpoint.in_flight, *what))

    endpoint, x, fault = Endpoint(), exchange(), Fault(CLIENT_GONE)
    attempt = Attempt(endpoint, 1.0, Guard(), 7)
    attempt.end(x, fault, 3.0)
    attempt.end(x, None, 4.0)
    assert heard == [(0, attempt, x, fault, 3.0)]


@pytest.mark.parametrize(
    ("method", "kind", "grpc"),
    [
        (b"POST", b"application/grpc", True),
        (b"POST", b"application/grpc+proto", True),
        (b"GET", b"application/grpc", False),
        (b"POST", b"application/json", False),
    ],
)
def test_what_a_grpc_call_is(method: bytes, kind: bytes, grpc: bool) -> None:
    """A POST of that content type."""
    x = exchange()
    x.request.method, x.request.headers = method, [(b"content-type", kind)]
    assert x.grpc is grpc


def test_notes_are_kept_in_order() -> None:
    """An exchange without any has no list."""
    x = exchange()
    assert x.notes is None
    x.note("one")
    x.note("two")
    assert x.notes == ["one", "two"]
