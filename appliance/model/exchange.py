"""One request and all that is learned about it on its way: plain facts, written as they happen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sized
from math import inf
from typing import Any, Protocol

from .fault import GRPC_TIMEOUT, REQUEST_TIMEOUT, Fault
from .grpc import is_call
from .headers import Headers, get
from .identity import Identity
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

    @property
    def received(self) -> int:
        """Give how many bytes of the request's body have been read."""

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
        """Send the request; give the response, its body still to be read, to attempt and caller."""

    async def stop_upload(self) -> None:
        """End the task that still sends the request's body, if there is one: another may then read it."""

    def release(self) -> None:
        """Go back to the pool if another request can be served, else close; sync, once a lease."""


class Crowd(Protocol):
    """The requests of one upstream: in flight, and in turn for a place."""

    in_flight: int

    @property
    def turns(self) -> Sized:
        """Who waits."""

    def offer(self) -> None:
        """Give a place that has become free to whoever waits for it."""


class Endpoint(Protocol):
    """One server of an upstream; what is in flight there counts in the upstream's crowd, too."""

    name: str
    in_flight: int

    @property
    def crowd(self) -> Crowd:
        """Who shares the upstream."""

    def count(self, attempt: Attempt, exchange: Exchange, fault: Fault | None, now: float) -> None:
        """Count an attempt that has ended."""

    def lease_nowait(self, attempt: Attempt) -> Connection | None:
        """Give the attempt an idle connection that is alive; None when there is none."""

    async def open(self, attempt: Attempt, limit: float) -> Connection:
        """Give the attempt a new connection within ``limit`` seconds; raises Fault when none can be had."""


class Guard(Protocol):
    """What gave an attempt its ticket and hears how it ended: a breaker with its rules."""

    def probing(self, attempt: Attempt, exchange: Exchange) -> None:
        """Hear that a probe begins."""

    def head(self, attempt: Attempt, exchange: Exchange, now: float) -> None:
        """Hear that the head of a probe's answer is there."""

    def ended(self, attempt: Attempt, exchange: Exchange, fault: Fault | None, now: float) -> None:
        """Judge an attempt that has ended, ``fault`` being what went wrong with it; once."""


class Attempt:
    """One try at one endpoint; counted there as in flight until it ends.

    ``sent``: some of the request may have reached the endpoint. ``begun``: something of its answer, were it
    an interim one, has been passed on. ``response`` is its answer once the head is there, at ``head_at``.
    """

    __slots__ = (
        "began",
        "begun",
        "connection",
        "ended",
        "endpoint",
        "fault",
        "guard",
        "head_at",
        "response",
        "reused",
        "sent",
        "ticket",
    )

    def __init__(self, endpoint: Endpoint, began: float, guard: Guard | None = None, ticket: int = 0) -> None:
        self.endpoint = endpoint
        self.began = began
        self.guard = guard
        self.ticket = ticket
        self.connection: Connection | None = None
        self.reused = False
        self.sent = False
        self.begun = False
        self.ended = False
        self.response: Response | None = None
        self.fault: Fault | None = None
        self.head_at = 0.0
        endpoint.in_flight += 1
        endpoint.crowd.in_flight += 1

    def end(self, exchange: Exchange, fault: Fault | None, now: float) -> None:
        """Hand the connection back, leave the endpoint's count, be judged: at the first call only."""
        if self.ended:
            return
        self.ended = True
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.release()
        endpoint = self.endpoint
        crowd = endpoint.crowd
        endpoint.in_flight -= 1
        crowd.in_flight -= 1
        endpoint.count(self, exchange, fault, now)
        if self.guard is not None:
            self.guard.ended(self, exchange, fault, now)
        if crowd.turns:
            crowd.offer()  # only now: whoever waits must see what the breaker has made of this one


class Exchange:
    """A request from its head to its ending.

    Times are seconds of the worker's clock. ``peer`` is who connected, ``client`` who asked: they differ
    behind a trusted proxy. ``identity`` is what the certificate of who connected says. ``host`` and ``path``
    are as the client asked. ``park`` is what the exchange waits on right now, so that a deadline or a
    client's leaving can reach it from outside. ``idle`` is the route's limit for a silent answer once it has
    begun, ``long_idle`` that for streams which may well be silent (gRPC, server-sent events, tunnels).
    ``patient``: the head has no time of its own, since a stream begins when it likes. ``due`` is when all of
    it must be over, ``call_due`` when the client of a gRPC call wants that, ``response_due`` when the head
    must be there, over all tries, once that clock runs. ``tried`` are endpoints of earlier tries, ``fresh``
    asks for a new connection for the next. ``answer_kind`` is the content type that a translated client
    expects of gRPC answers. ``notes`` are decisions worth a word.
    """

    __slots__ = (
        "answer_kind",
        "attempt",
        "call_due",
        "client",
        "due",
        "fault",
        "fresh",
        "head_at",
        "host",
        "id",
        "identity",
        "idle",
        "listener",
        "long_idle",
        "notes",
        "park",
        "path",
        "patient",
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
        "tried",
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
        self.identity: Identity | None = None
        self.route = ""
        self.upstream = ""
        self.attempt: Attempt | None = None
        self.tried: tuple[Endpoint, ...] = ()
        self.tries = 0
        self.status = 0
        self.head_at = 0.0
        self.fault: Fault | None = None
        self.fresh = False
        self.park: Interruptible | None = None
        self.spawner: Spawner | None = None
        self.due = self.call_due = inf
        self.response_limit = inf
        self.response_due = inf
        self.idle = self.long_idle = 60.0
        self.patient = False
        self.answer_kind = b""
        self.notes: list[str] | None = None

    @property
    def grpc(self) -> bool:
        """Say whether this is a gRPC call."""
        request = self.request
        return request.method == b"POST" and is_call(get(request.headers, b"content-type") or b"")

    def wait_patiently(self) -> None:
        """Give the head of the answer all the time, and silence that of streams, as for calls."""
        self.response_limit = inf
        self.idle = self.long_idle
        self.patient = True

    def note(self, text: str) -> None:
        """Add one decision to what the access log says of this request."""
        if self.notes is None:
            self.notes = []
        self.notes.append(text)

    def overdue(self) -> None:
        """Tell the exchange that its time is over, by its client's word or its route's."""
        self.fail(Fault(GRPC_TIMEOUT if self.call_due <= self.due else REQUEST_TIMEOUT))

    def fail(self, fault: Fault) -> None:
        """Tell the exchange, from outside its task, that it cannot go on; the first fault stays."""
        if self.fault is None:
            self.fault = fault
            if self.park is not None:
                self.park.interrupt(fault)
            if self.stream.started:
                self.stream.interrupt(fault)
