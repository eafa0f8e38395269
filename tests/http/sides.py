"""Clients of both versions with one face, in front of an origin that speaks HTTP/2.

``Old`` and ``New`` let a rule be written once and hold for both. Each request is an ``ask`` that can be sent
piece by piece, left, or answered; nothing of an answer is read before somebody asks for it, so that every
client is as slow as its test.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest

from appliance.config.plan import Plan
from appliance.http.h2_frames import Code
from appliance.net.transport import PeerGone
from tests.kit.h2_client import Answer as NewAnswer
from tests.kit.h2_client import PoliteClient, polite
from tests.kit.h2_origin import H2Origin
from tests.kit.plans import listener, plan, route, upstream
from tests.kit.proxy import Answer as OldAnswer
from tests.kit.proxy import Client, Proxy
from tests.kit.wires import by

Pairs = list[tuple[bytes, bytes]]
Answer = OldAnswer | NewAnswer

LARGE = bytes(range(256)) * 1200  # 300 KiB: more than every window and buffer on its way
SMALL = b"small request body"
TRAILERS = [(b"x-sum", b"17"), (b"x-end", b"yes")]


def cut(size: int | None) -> Iterable[int] | None:
    """Give fresh cuts; after some thousand pieces they grow, or large bodies would take minutes."""
    return None if size is None else by(size, 3000, after=4093)


def patient(**timeouts: float) -> Plan:
    """Give a plan, with HTTP/2 to the upstream, in which only what a test names can time out."""
    idle = timeouts.pop("idle", 3600.0)
    slow = replace(upstream(per_try=3600.0), protocol="http2")
    web = listener(**{"body_idle": 3600.0, "write": 3600.0, "h2_ping": 3600.0, **timeouts})
    return plan(route(response=3600.0, idle=idle), upstreams=(slow,), listeners=(web,))


@dataclass(frozen=True)
class Upload:
    """A kind of request body; ``sized``: its length is said before."""

    name: str
    body: bytes | None = None
    sized: bool = False
    trailers: Pairs = field(default_factory=list)


NOTHING = Upload("none")
OPEN = Upload("open", b"")
UPLOADS = [
    NOTHING,
    Upload("empty", b""),
    Upload("sized", SMALL, sized=True),
    Upload("large-sized", LARGE, sized=True),
    Upload("unsized", SMALL),
    Upload("large-unsized", LARGE),
    Upload("trailers", SMALL, trailers=TRAILERS),
    Upload("large-trailers", LARGE, trailers=TRAILERS),
]


class OldAsk:
    """One request in HTTP/1.1, on a connection that carries no other meanwhile."""

    def __init__(self, client: Client, method: bytes, *, chunked: bool) -> None:
        self.client = client
        self.method = method
        self._chunked = chunked

    async def piece(self, data: bytes) -> None:
        """Send a piece of the body."""
        if data:
            await self.client.send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    async def finish(self, trailers: Pairs) -> None:
        """End the body."""
        if self._chunked:
            lines = b"".join(b"%b: %b\r\n" % pair for pair in trailers)
            await self.client.send(b"0\r\n" + lines + b"\r\n")

    async def answer(self) -> Answer:
        """Read the answer, whole or not."""
        return await self.client.answer(self.method)

    def holds(self, piece: bytes) -> bool:
        """Say whether a piece of the answer has come."""
        return piece in self.client.wire.incoming.data

    def leave(self, how: str) -> None:
        """End the connection, as a reset, in order, or one way only."""
        getattr(self.client.wire, how)()


class Old:
    """A client in HTTP/1.1: a connection for each request under way."""

    def __init__(self, proxy: Proxy, cutting: int | None, back: int | None) -> None:
        self.proxy, self.cutting, self.back = proxy, cutting, back

    async def ask(self, method: bytes, path: bytes = b"/", upload: Upload = NOTHING) -> OldAsk:
        """Begin a request."""
        chunked = upload.body is not None and not upload.sized
        framing = b""
        if chunked:
            framing = b"Transfer-Encoding: chunked\r\n"
        elif upload.body is not None:
            framing = b"Content-Length: %d\r\n" % len(upload.body)
        client = self.proxy.connect(cuts=cut(self.cutting), back=self.back)
        line = b"%b %b HTTP/1.1\r\nHost: a.example\r\nX-Mine: 2\r\n" % (method, path)
        await client.send(line + framing + b"\r\n")
        return OldAsk(client, method, chunked=chunked)


class NewAsk:
    """One request in HTTP/2."""

    def __init__(self, client: PoliteClient, id: int) -> None:
        self.client, self.id = client, id

    async def piece(self, data: bytes) -> None:
        """Send a piece of the body."""
        await self.client.data(self.id, data)

    async def finish(self, trailers: Pairs) -> None:
        """End the body."""
        if trailers:
            await self.client.trailers(self.id, trailers)
        else:
            await self.client.data(self.id, b"", end=True)

    async def answer(self) -> Answer:
        """Wait for the answer, whole or not; what came before has waited unread."""
        if self.id in self.client.unread:
            await self.client.read_on(self.id)
        got = await self.client.answer(self.id)
        if not got.status:
            raise PeerGone("no answer")
        return got

    def holds(self, piece: bytes) -> bool:
        """Say whether a piece of the answer has come."""
        return piece in self.client.answers[self.id].body

    async def withdraw(self) -> None:
        """Reset the stream."""
        await self.client.reset(self.id)

    def leave(self, how: str) -> None:
        """End the connection."""
        getattr(self.client.wire, how)()


class New:
    """A client in HTTP/2: all its requests share one connection, and each is read when it is asked for."""

    def __init__(self, client: PoliteClient) -> None:
        self.client = client

    async def ask(self, method: bytes, path: bytes = b"/", upload: Upload = NOTHING) -> NewAsk:
        """Begin a request."""
        fields = [(b"x-mine", b"2")]
        if upload.sized and upload.body is not None:
            fields.append((b"content-length", b"%d" % len(upload.body)))
        id = await self.client.ask(method, path, fields, end=upload.body is None)
        self.client.unread.add(id)
        return NewAsk(self.client, id)


Ask = OldAsk | NewAsk
Side = Old | New
DOWN = ["h1", "h2"]
both = pytest.mark.parametrize("down", DOWN)


async def side(proxy: Proxy, down: str, cutting: int | None = None, back: int | None = None) -> Side:
    """Give a client of either version."""
    if down == "h1":
        return Old(proxy, cutting, back)
    return New(await polite(proxy, cuts=cut(cutting), back=back))


async def send(ask: Ask, upload: Upload) -> None:
    """Send a body and its end."""
    if upload.body is not None:
        if upload.body:
            await ask.piece(upload.body)
        await ask.finish(upload.trailers)


async def exchange(proxy: Proxy, client: Side, method: bytes, upload: Upload = NOTHING) -> Answer:
    """Send one request, body and all, and give its answer."""
    ask = await client.ask(method, b"/a/b?c=d", upload)
    proxy.nursery.start_soon(send, ask, upload)
    return await ask.answer()


async def check_goes_on(proxy: Proxy, client: Side, origin: H2Origin) -> None:
    """Assert that nothing is left, and that the connection to the origin still serves."""
    await proxy.check_idle()
    before = len(origin.wires)
    assert (await exchange(proxy, client, b"GET")).body == b"again"
    assert len(origin.wires) == before
    assert not any(line.goaways for line in origin.lines)
    await proxy.check_idle()


def check_cut(got: Answer) -> None:
    """Assert that the client sees that its answer is not whole."""
    assert (got.status, got.whole) == (200, False)
    assert isinstance(got, OldAnswer) or got.reset == Code.INTERNAL_ERROR
