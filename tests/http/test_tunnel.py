"""WebSocket and other upgrades through the proxy, between HTTP/1.1 and HTTP/2 in every combination."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import h2.config
import h2.connection
import h2.events
import pytest
import trio
from h2.settings import SettingCodes

from appliance.config.plan import Plan
from appliance.config.plan_policy import BreakerPlan
from appliance.http import h2_frames as f
from appliance.http.tunnel import accept_of, new_key
from appliance.net.transport import PeerGone
from appliance.policy.breaker import State
from tests.kit.h2_origin import H2Call, H2Origin, answer
from tests.kit.origin import Call, Origin, head, raw, sized, sized_bytes
from tests.kit.plans import listener, plan, route, upstream
from tests.kit.proxy import Client, Proxy, running

ADDRESS = "10.0.0.1:80"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 section 1.3, with its answer
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)
SETTINGS = {SettingCodes.ENABLE_CONNECT_PROTOCOL: 1}


def profile(protocol: str = "http1", breaker: BreakerPlan | None = None, **times: float) -> Plan:
    row = replace(upstream(per_try=5.0), protocol=protocol, breaker=breaker)
    target = (
        route(response=15.0, **times) if breaker is None else route(response=15.0, breaker=breaker, **times)
    )
    return plan(target, upstreams=(row,), listeners=(listener(write=30),))


async def echo_h1(call: Call) -> None:
    """Switch to what was asked for, and send everything back in capitals until the other side has ended."""
    await call.read()
    key = call.request.get(b"sec-websocket-key")
    fields = [(b"connection", b"Upgrade"), (b"upgrade", call.request.get(b"upgrade") or b"")]
    if key:
        fields.append((b"sec-websocket-accept", accept_of(key)))
    await call.send(head(101, fields, b"Switching Protocols"))
    data = call._reader.trailing_data[0]
    while data or (data := await call.wire.receive()):
        await call.send(data.upper())
        data = b""
    call.wire.close()


async def echo_h2(call: H2Call) -> None:
    """The same over a stream."""
    await call.head(200)
    at = 0
    while True:
        if len(call.body) > at:
            piece, at = call.body[at:], len(call.body)
            await call.data(piece.upper())
        elif call.whole:
            await call.data(b"", end=True)
            return
        elif call.reset is not None:
            return
        else:
            await call.changed.wait()


class H1Side:
    """A client of HTTP/1.1 that has switched."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.got = b""

    async def open(self) -> int:
        await self.client.send(UPGRADE + b"Sec-WebSocket-Key: %b\r\n\r\n" % KEY)
        while b"\r\n\r\n" not in self.got:
            self.got += await self.client.wire.receive()
        raw_head, _, self.got = self.got.partition(b"\r\n\r\n")
        lines = raw_head.lower().split(b"\r\n")
        assert b"connection: upgrade" in lines
        assert b"upgrade: websocket" in lines
        assert raw_head.split(b"\r\n").count(b"sec-websocket-accept: " + ACCEPT) == 1
        return int(raw_head[9:12])

    async def send(self, data: bytes) -> None:
        await self.client.send(data)

    async def receive(self, count: int) -> bytes:
        while len(self.got) < count:
            data = await self.client.wire.receive()
            assert data
            self.got += data
        data, self.got = self.got[:count], self.got[count:]
        return data

    async def finish(self) -> None:
        self.client.wire.shut_writing()

    async def at_end(self) -> bool:
        try:
            return not self.got and not await self.client.wire.receive()
        except PeerGone:
            return True  # what ends before its end is reset

    async def pause(self, seconds: float) -> None:
        await trio.sleep(seconds)


class H2Side:
    """A client of HTTP/2 with one extended CONNECT."""

    def __init__(self, client: Client) -> None:
        self.wire = client.wire
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self.status = 0
        self.got = b""
        self.ended = False
        self._raw = b""
        self.fields: list[tuple[bytes, bytes]] = []

    async def _flush(self) -> None:
        await self.wire.send(self.h2.data_to_send())

    async def _hear(self) -> None:
        data = await self.wire.receive()
        assert data
        for event in self.h2.receive_data(self._without_goaway(data)):
            if isinstance(event, h2.events.ResponseReceived):
                self.fields = [(bytes(n), bytes(v)) for n, v in event.headers]
                self.status = int(dict(self.fields)[b":status"])
            elif isinstance(event, h2.events.DataReceived):
                self.got += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, 1)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                self.ended = True
        await self._flush()

    def _without_goaway(self, data: bytes) -> bytes:
        """Leave out what would let the library give up streams that may go on (RFC 9113 section 6.8)."""
        self._raw += data
        kept = b""
        while (frame := f.unpack(self._raw, 0)) is not None:
            size = f.HEAD + len(frame[3])
            kept += b"" if frame[0] == f.GOAWAY else self._raw[:size]
            self._raw = self._raw[size:]
        return kept

    async def open(self) -> int:
        self.h2.initiate_connection()
        await self._flush()
        while not self.h2.remote_settings.enable_connect_protocol:
            await self._hear()
        head = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"http")]
        head += [(b":path", b"/chat"), (b":authority", b"a"), (b"sec-websocket-version", b"13")]
        self.h2.send_headers(1, head)
        await self._flush()
        while not self.status:
            await self._hear()
        assert not {b"sec-websocket-accept", b"upgrade", b"connection"} & {name for name, _ in self.fields}
        return self.status

    async def send(self, data: bytes) -> None:
        while data:
            room = min(len(data), self.h2.local_flow_control_window(1), 16384)
            if room:
                self.h2.send_data(1, data[:room])
                data = data[room:]
                await self._flush()
            else:
                await self._hear()

    async def receive(self, count: int) -> bytes:
        while len(self.got) < count:
            await self._hear()
        data, self.got = self.got[:count], self.got[count:]
        return data

    async def finish(self) -> None:
        self.h2.end_stream(1)
        await self._flush()

    async def at_end(self) -> bool:
        while not self.ended:
            await self._hear()
        return not self.got

    async def pause(self, seconds: float) -> None:
        """Say nothing, but answer pings."""
        with trio.move_on_after(seconds):
            while True:
                await self._hear()


BOTH = pytest.mark.parametrize("down", ["http1", "http2"])
FOUR = [pytest.mark.parametrize("up", ["http1", "http2"]), BOTH]


def four(test: object) -> object:
    for mark in FOUR:
        test = mark(test)
    return test


@asynccontextmanager
async def tunnelled(down: str, up: str, **times: float) -> AsyncIterator[tuple[Proxy, H1Side | H2Side]]:
    """Give a proxy, and a client whose tunnel is open."""
    origin = Origin(echo_h1) if up == "http1" else H2Origin(echo_h2, settings=SETTINGS)
    async with running({ADDRESS: origin}, profile(up, **times)) as proxy:
        side = H1Side(proxy.connect()) if down == "http1" else H2Side(proxy.connect())
        assert await side.open() == (101 if down == "http1" else 200)
        yield proxy, side
        await proxy.settle()
        assert proxy.in_flight == 0


@four
async def test_bytes_go_both_ways_until_the_end(down: str, up: str, autojump_clock: object) -> None:
    """In turns, in bulk, and what was said last still arrives when one side has ended."""
    async with tunnelled(down, up) as (proxy, side):
        for word in (b"hello", b"again"):
            await side.send(word)
            assert await side.receive(5) == word.upper()
        await side.send(b"last")
        await side.finish()
        assert await side.receive(4) == b"LAST"
        assert await side.at_end()
        await proxy.settle()
        (tally,) = [cell.take() for cell in proxy.worker.ending.cells.values()]
        assert tally is not None
        assert (tally.received, tally.sent) == (14, 14)
        await proxy.check_idle()


@four
async def test_bulk_is_held_back_not_kept(down: str, up: str, autojump_clock: object) -> None:
    """A megabyte each way, with the windows and buffers of every side in between."""
    async with tunnelled(down, up) as (_, side):
        data = bytes(range(97, 123)) * 40_000
        async with trio.open_nursery() as nursery:
            if isinstance(side, H1Side):
                nursery.start_soon(side.send, data)
                assert await side.receive(len(data)) == data.upper()
            else:
                for at in range(0, len(data), 30_000):
                    await side.send(data[at : at + 30_000])
                    assert await side.receive(len(data[at : at + 30_000])) == data[at : at + 30_000].upper()
        await side.finish()
        assert await side.at_end()


@four
async def test_silence_ends_it(down: str, up: str, autojump_clock: object) -> None:
    """Not a byte either way for ``idle`` seconds; a byte in either direction begins that time anew."""
    async with tunnelled(down, up, idle=100.0) as (proxy, side):
        for _ in range(3):
            await side.pause(90)
            await side.send(b"x")
            assert await side.receive(1) == b"X"
        began = trio.current_time()
        assert await side.at_end()
        assert 100 <= trio.current_time() - began <= 100.2
        await proxy.settle()
        assert proxy.journal.faults == ["tunnel-idle"]


@four
async def test_a_client_that_leaves_ends_it(down: str, up: str, autojump_clock: object) -> None:
    """Both sides are free again, and it is nobody's failure."""
    async with tunnelled(down, up) as (proxy, side):
        if isinstance(side, H2Side):
            side.h2.reset_stream(1, 8)
            await side._flush()
        else:
            side.client.wire.reset()
        await proxy.settle()
        assert proxy.journal.faults == ["client-gone"]
        assert proxy.in_flight == 0


@BOTH
async def test_an_upstream_may_decline(down: str, autojump_clock: object) -> None:
    """Then its answer passes like any other, and the client's connection goes on."""
    async with running({ADDRESS: Origin(sized(b"no", 403), sized(b"next"))}, profile()) as proxy:
        client = proxy.connect()
        if down == "http1":
            await client.send(UPGRADE + b"Sec-WebSocket-Key: %b\r\n\r\n" % KEY)
            answered = await client.answer()
            assert (answered.status, answered.body) == (403, b"no")
            assert (await client.get()).body == b"next"
        else:
            side = H2Side(client)
            assert await side.open() == 403
            assert await side.receive(2) == b"no"
            assert await side.at_end()
        await proxy.settle()
        assert proxy.in_flight == 0


async def test_an_upstream_without_tunnels_says_so(autojump_clock: object) -> None:
    """HTTP/2 servers announce it; one that does not is not asked (RFC 8441 section 3)."""
    origin = H2Origin(answer(b"never"))
    async with running({ADDRESS: origin}, profile("http2")) as proxy:
        client = proxy.connect()
        await client.send(UPGRADE + b"\r\n")
        assert (await client.answer()).status == 502
        assert origin.calls == []
        await proxy.check_idle()


@pytest.mark.parametrize(
    "fields",
    [
        [(b"connection", b"upgrade"), (b"upgrade", b"other")],
        [(b"connection", b"upgrade")],
        [(b"connection", b"upgrade"), (b"upgrade", b"websocket"), (b"sec-websocket-accept", b"wrong")],
    ],
)
async def test_a_switch_to_something_else_is_refused(
    fields: list[tuple[bytes, bytes]], autojump_clock: object
) -> None:
    """502: another protocol than was asked for, or a key that was not read."""
    async with running({ADDRESS: Origin(raw(head(101, fields)))}, profile()) as proxy:
        client = proxy.connect()
        await client.send(UPGRADE + b"\r\n")
        assert (await client.answer()).status == 502
        await proxy.check_idle()


@pytest.mark.parametrize(
    "fields", [b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", b"Upgrade: websocket, h2c2\r\n", b""]
)
async def test_what_is_no_single_upgrade_is_a_plain_request(fields: bytes, autojump_clock: object) -> None:
    """h2c is removed, and so is a choice of several."""
    origin = Origin(sized(b"plain"))
    async with running({ADDRESS: origin}, profile()) as proxy:
        client = proxy.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n%b\r\n" % fields)
        assert (await client.answer()).body == b"plain"
        assert origin.requests[0].get(b"upgrade") is None
        assert origin.requests[0].get(b"http2-settings") is None


async def test_other_protocols_pass_too(autojump_clock: object) -> None:
    """With whatever was sent behind the head."""
    async with running({ADDRESS: Origin(echo_h1)}, profile()) as proxy:
        client = proxy.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\nearly")
        got = b""
        while b"EARLY" not in got:
            got += await client.wire.receive()
        assert got.startswith(b"HTTP/1.1 101 ")
        assert b"upgrade: tcp\r\n" in got


async def test_a_breaker_counts_the_switch_and_not_the_end(autojump_clock: object) -> None:
    """A tunnel as a probe gives its place back at once, and however it ends it succeeded."""
    rules = BreakerPlan(failure_threshold=1, success_threshold=2, open_for=1.0, max_open_for=1.0)
    failing = raw(sized_bytes(b"", 503))
    async with running({ADDRESS: Origin(failing, echo_h1)}, profile("http1", rules)) as proxy:
        assert (await proxy.connect().get()).status == 503
        await trio.sleep(1.1)
        sides = []
        for _ in range(2):
            side = H1Side(proxy.connect())
            assert await side.open() == 101
            sides.append(side)
        assert proxy.shifts[-1].shift.new is State.CLOSED
        for side in sides:
            side.client.wire.reset()
        await proxy.settle()
        assert proxy.shifts[-1].shift.new is State.CLOSED


def test_keys_are_new_and_answered_as_the_rfc_says() -> None:
    """The example of RFC 6455 section 1.3."""
    assert accept_of(KEY) == ACCEPT
    assert len({new_key() for _ in range(100)}) == 100


HALF, REST = b"\x82\x04\x01\x02", b"\x03\x04"  # a frame of four bytes, in two pieces


def stop(proxy: Proxy) -> None:
    """Begin to drain."""
    for server in proxy.worker.servers:
        server.stop()


@four
async def test_who_drains_says_so_between_two_frames(down: str, up: str, autojump_clock: object) -> None:
    """The client's answer still reaches the upstream, whose own words come too late."""
    async with tunnelled(down, up) as (proxy, side):
        await side.send(HALF)
        assert await side.receive(4) == HALF
        stop(proxy)
        await side.pause(5)
        assert side.got == b""
        await side.send(REST + b"\x81\x01a")
        assert await side.receive(2 + 3 + 4) == REST + b"\x81\x01A" + b"\x88\x02\x03\xe9"
        await side.send(b"\x88\x82\0\0\0\0\x03\xe9")
        await side.finish()
        assert await side.at_end()


@four
async def test_a_silent_websocket_is_told_at_once(down: str, up: str, autojump_clock: object) -> None:
    """Once, however often the proxy is told to stop; one that has closed already is told nothing."""
    async with tunnelled(down, up) as (proxy, side):
        await side.send(HALF + REST)
        await side.receive(6)
        before = trio.current_time()
        stop(proxy)
        stop(proxy)
        assert await side.receive(4) == b"\x88\x02\x03\xe9"
        assert trio.current_time() == before
        await side.finish()
        assert await side.at_end()
    async with tunnelled(down, up) as (proxy, side):
        await side.send(b"\x88\x00")
        assert await side.receive(2) == b"\x88\x00"
        stop(proxy)
        await side.pause(1)
        await side.finish()
        assert await side.at_end()
