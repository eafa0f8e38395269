"""One request and all that is learned about it on its way: plain facts, written as they happen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, Protocol

from .fault import Fault
from .headers import Headers
from .message import Request, Response


class Interruptible(Protocol):
    """Something that a task may be parked on."""

    def interrupt(self, fault: Fault) -> None:
        """Wake whoever is parked here with the fault, or the next one who would park."""


class Spawner(Protocol):
    """The part of a trio nursery that an exchange with a streaming upload uses."""

    def start_soon(self, async_fn: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Start a task that ends with the exchange."""


class ServerStream(Protocol):
    """The client's side of one exchange, whatever the protocol.

    ``refusal`` is the fault of a request that could not be read; ``started`` says that an answer's head
    may have been sent, ``sent`` counts the bytes of its body.
    """

    request: Request
    refusal: Fault | None
    started: bool
    sent: int

    async def respond(self, response: Response) -> None:
        """Send head and body; raises Fault when either side fails on the way."""

    async def inform(self, status: int, headers: Headers) -> None:
        """Pass an interim answer (1xx) on; does nothing for clients that cannot take it."""

    def reset(self, fault: Fault) -> None:
        """Give up on the stream: what was sent stays, no more will come."""

    def interrupt(self, fault: Fault) -> None:
        """Raise ``fault`` in whoever waits for the client to read."""

    def watch_hangup(self, exchange: Exchange) -> None:
        """From now on, tell the exchange when the client leaves."""


class Connection(Protocol):
    """A connection of an upstream, held for one attempt."""

    async def send(self, exchange: Exchange, attempt: Attempt) -> Response:
        """Send the exchange's request and give the response head with its body still to be read."""

    def release(self) -> None:
        """Go back to the pool if another request can be served, else close; sync, once a lease."""


class Endpoint(Protocol):
    """One server of an upstream."""

    name: str
    in_flight: int

    def lease_nowait(self, attempt: Attempt) -> Connection | None:
        """Give the attempt an idle connection that is alive; None when there is none."""

    async def open(self, attempt: Attempt) -> Connection:
        """Give the attempt a new connection; raises Fault when none can be had."""


class Attempt:
    """One try at one endpoint; counted there as in flight until it ends."""

    __slots__ = ("began", "connection", "endpoint", "fault", "head_at", "reused", "sent")

    def __init__(self, endpoint: Endpoint, began: float) -> None:
        self.endpoint = endpoint
        self.began = began
        self.connection: Connection | None = None
        self.reused = False
        self.sent = False
        self.head_at = 0.0
        self.fault: Fault | None = None
        endpoint.in_flight += 1

    def end(self) -> None:
        """Hand the connection back and leave the endpoint's count; sync, once."""
        self.endpoint.in_flight -= 1
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.release()


class Exchange:
    """A request from its head to its ending.

    Times are seconds of the worker's clock. ``peer`` is who connected, ``client`` who asked: they differ
    behind a trusted proxy. ``host`` and ``path`` are as the client asked. ``park`` is what the
    exchange waits on right now, so that a deadline or a client's leaving can reach it from outside.
    ``idle`` is the route's limit for a silent stream once the answer has begun; ``response_due`` is when the
    head must be there, over all tries, once that clock runs. ``notes`` are decisions worth a word.
    """

    __slots__ = (
        "attempt",
        "client",
        "due",
        "fault",
        "head_at",
        "host",
        "id",
        "idle",
        "listener",
        "notes",
        "park",
        "path",
        "peer",
        "peer_trusted",
        "request",
        "response_due",
        "response_limit",
        "route",
        "spawner",
        "started",
        "status",
        "stream",
        "tries",
        "upstream",
    )

    def __init__(self, id: str, stream: ServerStream, listener: str, client: str, started: float) -> None:
        self.id = id
        self.stream = stream
        self.request = stream.request
        self.host = stream.request.authority
        self.path = stream.request.path
        self.listener = listener
        self.client = self.peer = client
        self.started = started
        self.peer_trusted = False
        self.route = ""
        self.upstream = ""
        self.attempt: Attempt | None = None
        self.tries = 0
        self.status = 0
        self.head_at = 0.0
        self.fault: Fault | None = None
        self.park: Interruptible | None = None
        self.spawner: Spawner | None = None
        self.due = inf
        self.response_limit = inf
        self.response_due = inf
        self.idle = 60.0
        self.notes: list[str] | None = None

    def note(self, text: str) -> None:
        """Add one decision to what the access log says of this request."""
        if self.notes is None:
            self.notes = []
        self.notes.append(text)

    def fail(self, fault: Fault) -> None:
        """Tell the exchange, from outside its task, that it cannot go on; the first fault stays."""
        if self.fault is None:
            self.fault = fault
            if self.park is not None:
                self.park.interrupt(fault)
            if self.stream.started:
                self.stream.interrupt(fault)
