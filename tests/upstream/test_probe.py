"""Checks of endpoints: every reason, every limit to the second, and no connection left behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from random import Random

import pytest
import trio
import trio.testing
from hyperframe.frame import GoAwayFrame, RstStreamFrame

from appliance.config.plan_policy import HealthPlan, Outcomes
from appliance.model.address import Address
from appliance.model.fault import CONNECT_FAILED, CONNECT_TIMEOUT, DNS_FAILED, Fault
from appliance.net.park import Lot
from appliance.net.transport import PeerGone
from appliance.upstream.probe import check, check_forever
from tests.kit.h2_peer import GRPC_HEAD, OK, H2Peer, Pairs
from tests.kit.origin import head
from tests.kit.plans import address
from tests.kit.wires import Wire, pair

Script = Callable[[Wire], Awaitable[None]]
SERVER = address("10.0.0.1:80")
HTTP = HealthPlan(path="/healthz")
TCP = HealthPlan(protocol="tcp")
GRPC = HealthPlan(protocol="grpc")


class Server:
    """Dials to wires whose far ends follow a script; keeps both ends."""

    def __init__(self, nursery: trio.Nursery, script: Script) -> None:
        self.nursery = nursery
        self.script = script
        self.wires: list[Wire] = []
        self.timeouts: list[float] = []
        self.lot = Lot(trio.current_time)

    async def dial(self, to: Address, timeout: float) -> Wire:
        """Connect at once."""
        assert to == SERVER
        ours, theirs = pair(self.lot)
        self.wires.append(ours)
        self.timeouts.append(timeout)
        self.nursery.start_soon(self._serve, theirs)
        return ours

    async def _serve(self, wire: Wire) -> None:
        try:
            await self.script(wire)
        except PeerGone:
            pass


async def checked(plan: HealthPlan, script: Script) -> tuple[str, float]:
    """Check once; give the reason and the seconds it took. The connection must be closed after it."""
    async with trio.open_nursery() as nursery:
        server = Server(nursery, script)
        began = trio.current_time()
        why = await check(server.dial, SERVER, b"app.internal:80", plan)
        took = trio.current_time() - began
        assert [wire.closed for wire in server.wires] == [True]
        assert server.timeouts == [plan.timeout]
        assert not server.lot.parks - {server.wires[0].peer.rx, server.wires[0].peer.tx}
        nursery.cancel_scope.cancel()
    return why, took


def says(*pieces: bytes, pause: float = 0.0, close: bool = False, reset: bool = False) -> Script:
    """Read something, send pieces with a pause before each, then wait, or end the connection."""

    async def script(wire: Wire) -> None:
        await wire.receive()
        for piece in pieces:
            await trio.sleep(pause)
            await wire.send(piece)
        if reset:
            wire.reset()
        elif close:
            wire.shut_writing()
        await trio.sleep_forever()

    return script


def endless(piece: bytes, pause: float = 0.0) -> Script:
    """Read something, then send the same again and again."""

    async def script(wire: Wire) -> None:
        await wire.receive()
        await wire.send(b"HTTP/1.1 200 OK\r\n")
        for _ in range(1000):
            await trio.sleep(pause)
            await wire.send(piece)
        await trio.sleep_forever()

    return script


async def test_the_request_of_a_check(autojump_clock: object) -> None:
    """As little as HTTP/1.1 asks for, on a connection that is not to be kept."""
    seen = []

    async def script(wire: Wire) -> None:
        seen.append(await wire.receive())
        await wire.send(head(200))

    assert await checked(HTTP, script) == ("", 0.0)
    assert seen == [
        b"GET /healthz HTTP/1.1\r\nhost: app.internal:80\r\n"
        b"user-agent: meshctl-health\r\nconnection: close\r\n\r\n"
    ]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", b"/"),
        ("/ready/now%20", b"/ready/now%20"),
        ("/a b/é", b"/a%20b/%C3%A9"),
        ("/a HTTP/1.1\r\nX: y", b"/a%20HTTP/1.1%0D%0AX:%20y"),
    ],
)
async def test_the_path_as_it_is_asked_for(path: str, target: bytes, autojump_clock: object) -> None:
    """What cannot stand in a request line is escaped, as in routes."""
    seen = []

    async def script(wire: Wire) -> None:
        seen.append(await wire.receive())
        await wire.send(head(200))

    assert await checked(HealthPlan(path=path), script) == ("", 0.0)
    assert seen[0].startswith(b"GET %b HTTP/1.1\r\nhost: app.internal:80\r\n" % target)


@pytest.mark.parametrize("status", [200, 204, 301, 399])
async def test_statuses_that_are_expected(status: int, autojump_clock: object) -> None:
    """The head decides; what follows it is not waited for."""
    assert await checked(HTTP, says(head(status, [(b"content-length", b"1000000")]))) == ("", 0.0)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (says(head(500)), "status 500, expected 2xx, 3xx"),
        (says(head(404)), "status 404, expected 2xx, 3xx"),
        (says(head(101)), "status 101, expected 2xx, 3xx"),
        (says(head(100) + head(103), head(503)), "status 503, expected 2xx, 3xx"),
        (says(head(100) * 33), "more than 32 interim answers"),
        (says(close=True), "closed without an answer"),
        (says(b"HTTP/1.1 200 OK\r\nserver: x\r\n", close=True), "closed in the middle of the head"),
        (says(reset=True), "the connection was reset"),
        (says(b"HTTP/1.1 200", reset=True), "the connection was reset"),
        (says(b"220 mail.internal ESMTP\r\n"), "the answer is not HTTP/1"),
        (says(b"\0\0\0\4\0\0\0\0\0"), "the answer is not HTTP/1"),
        (says(b"HTTP/2 200 OK\r\n\r\n"), "a version other than HTTP/1.0 and HTTP/1.1"),
        (says(b"HTTP/1.2 200 OK\r\n\r\n"), "a version other than HTTP/1.0 and HTTP/1.1"),
        (says(b"HTTP/1.1 200 OK\r\nbad header: x\r\n\r\n"), "the response head is malformed"),
        (
            says(b"HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n"),
            "control characters or folding in the response head",
        ),
        (endless(b"x: " + b"y" * 1000 + b"\r\n"), "a response head of more than 65536 bytes"),
    ],
)
async def test_reasons_of_http(script: Script, why: str, autojump_clock: object) -> None:
    """Each is told at once, not when the time is over."""
    assert await checked(HTTP, script) == (why, 0.0)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200\r\n\r\n", ""),
        (b"HTTP/1.0 200 OK\r\n\r\n", ""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", ""),
    ],
)
async def test_answers_that_traffic_would_accept(answer: bytes, why: str, autojump_clock: object) -> None:
    """A check reads as the proxy reads, in whatever pieces."""
    pieces = [answer[at : at + 1] for at in range(len(answer))]
    assert await checked(HTTP, says(answer)) == (why, 0.0)
    assert (await checked(HTTP, says(*pieces)))[0] == why


@pytest.mark.parametrize("statuses", [{503}, range(500, 600)])
async def test_what_is_expected_is_the_profiles_business(
    statuses: set[int] | range, autojump_clock: object
) -> None:
    """An error may be the good answer."""
    plan = HealthPlan(expect=Outcomes(frozenset(statuses)))
    assert await checked(plan, says(head(503))) == ("", 0.0)
    assert (await checked(plan, says(head(200))))[0].startswith("status 200, expected 5")


@pytest.mark.parametrize("plan", [HTTP, GRPC])
@pytest.mark.parametrize("timeout", [0.25, 3.0])
async def test_a_server_that_says_nothing(plan: HealthPlan, timeout: float, autojump_clock: object) -> None:
    """It has the whole time of the check and no more."""
    plan = HealthPlan(protocol=plan.protocol, timeout=timeout)
    assert await checked(plan, says()) == (f"no answer within {timeout:g} s", timeout)


async def test_a_slow_trickle(autojump_clock: object) -> None:
    """Bytes that keep coming do not move the limit."""
    assert await checked(HTTP, endless(b"x", pause=0.1)) == ("no answer within 3 s", 3.0)


async def test_an_answer_at_the_last_moment(autojump_clock: object) -> None:
    """Just inside the time is in time."""
    assert await checked(HTTP, says(head(200), pause=2.999)) == ("", pytest.approx(2.999))
    assert await checked(HTTP, says(head(200), pause=3.001)) == ("no answer within 3 s", pytest.approx(3.0))


async def test_a_server_that_reads_nothing(autojump_clock: object) -> None:
    """The same as one that says nothing."""

    async def script(_wire: Wire) -> None:
        await trio.sleep_forever()

    assert await checked(HTTP, script) == ("no answer within 3 s", 3.0)


async def test_a_connect_is_enough_for_tcp(autojump_clock: object) -> None:
    """Nothing is sent and nothing is waited for."""
    seen = []

    async def script(wire: Wire) -> None:
        seen.append(await wire.receive())

    assert await checked(TCP, script) == ("", 0.0)
    assert seen in ([], [b""])


@pytest.mark.parametrize("plan", [HTTP, TCP, GRPC])
@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Fault(CONNECT_FAILED, "10.0.0.1:80: Connection refused"), "connection refused"),
        (Fault(CONNECT_FAILED, "10.0.0.1:80: No route to host"), "no route to host"),
        (Fault(CONNECT_FAILED), "the upstream refused a connection"),
        (Fault(DNS_FAILED, "10.0.0.1:80: Name or service not known"), "name or service not known"),
        (Fault(CONNECT_TIMEOUT, "10.0.0.1:80: no answer to connect within 3 s"), "no connection within 3 s"),
        (OSError(24, "Too many open files"), "too many open files"),
        (OSError("TLS is not to be had"), "TLS is not to be had"),
        (TimeoutError(), "TimeoutError"),
        (PeerGone("gone"), "the connection was reset"),
    ],
)
async def test_connections_that_fail(
    plan: HealthPlan, error: Exception, why: str, autojump_clock: object
) -> None:
    """The reason is the kernel's own, without the address that everybody knows."""

    async def dial(_to: Address, _timeout: float) -> Wire:
        raise error

    assert await check(dial, SERVER, b"a", plan) == why


async def test_connecting_is_part_of_the_time(autojump_clock: object) -> None:
    """A connect that never ends is cancelled when the check's time is over."""
    ended = []

    async def dial(_to: Address, _timeout: float) -> Wire:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(trio.current_time())

    assert await check(dial, SERVER, b"a", TCP) == "no connection within 3 s"
    assert ended == [3.0]


async def test_connecting_and_answering_share_the_time(autojump_clock: object) -> None:
    """Not three seconds each."""
    async with trio.open_nursery() as nursery:
        server = Server(nursery, says(head(200), pause=2))

        async def dial(to: Address, timeout: float) -> Wire:
            await trio.sleep(2)
            return await server.dial(to, timeout)

        assert await check(dial, SERVER, b"a", HTTP) == "no answer within 3 s"
        assert trio.current_time() == 3
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("plan", [HTTP, GRPC])
async def test_a_cancelled_check_closes_its_connection(plan: HealthPlan, autojump_clock: object) -> None:
    """And is cancelled: it gives no reason."""
    async with trio.open_nursery() as nursery:
        server = Server(nursery, says())
        with trio.move_on_after(1) as scope:
            await check(server.dial, SERVER, b"a", plan)
        assert scope.cancelled_caught
        assert trio.current_time() == 1
        assert server.wires[0].closed
        nursery.cancel_scope.cancel()


# gRPC


def grpc(
    body: bytes = b"", pairs: Pairs = GRPC_HEAD, trailers: Pairs = OK, raw: bytes | None = None
) -> Script:
    """Answer with one message, or with raw data."""

    async def script(wire: Wire) -> None:
        peer = H2Peer(wire)
        await peer.read()
        assert dict(peer.headers)[b":path"] == b"/grpc.health.v1.Health/Check"
        assert dict(peer.headers)[b":authority"] == b"app.internal:80"
        assert peer.body == bytes(5)
        if raw is None:
            await peer.answer(body, pairs, trailers)
        else:
            await peer.head(pairs)
            await peer.data(raw)
            await peer.head(trailers, end=True)

    return script


def only(*pairs: tuple[bytes, bytes]) -> Script:
    """Answer with one head and nothing else."""

    async def script(wire: Wire) -> None:
        peer = H2Peer(wire)
        await peer.read()
        await peer.head(pairs, end=True)

    return script


def frames(*frames: object) -> Script:
    """Answer with raw frames."""

    async def script(wire: Wire) -> None:
        peer = H2Peer(wire)
        await peer.read()
        await peer.raw(*frames)
        await trio.sleep_forever()

    return script


NOT_RESPONSE = "the answer is not a HealthCheckResponse"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (grpc(b"\x08\x01"), ""),
        (grpc(b"\x08\x02\x08\x01"), ""),  # the last value counts
        (grpc(b"\x08\x01\x10\x02"), ""),
        (grpc(b"\x08\x81\x00"), ""),  # a longer form of the same number
        (grpc(b"\x10\x05\x1a\x02hi\x25abcd\x31abcdefgh\x08\x01"), ""),  # fields of later versions
        (grpc(b"\x08\x01", [*GRPC_HEAD[:1], (b"content-type", b"application/grpc+proto")]), ""),
        (grpc(b"\x08\x02"), "health is NOT_SERVING, expected SERVING"),
        (grpc(b"\x08\x00"), "health is UNKNOWN, expected SERVING"),
        (grpc(b""), "health is UNKNOWN, expected SERVING"),
        (grpc(b"\x08\x03"), "health is SERVICE_UNKNOWN, expected SERVING"),
        (grpc(b"\x08\x07"), "health is 7, expected SERVING"),
        (grpc(b"\x08\x01", trailers=[(b"grpc-status", b"14")]), "gRPC status UNAVAILABLE, expected OK"),
        (grpc(b"\x08\x01", trailers=[(b"grpc-status", b"99")]), "gRPC status 99, expected OK"),
        (grpc(b"\x08\x01", trailers=[(b"x", b"y")]), "the answer ended without a gRPC status"),
        (grpc(b"\x08\x01", trailers=[(b"grpc-status", b"-1")]), "the answer ended without a gRPC status"),
        (grpc(b"\x08\x01", trailers=[(b"grpc-status", b"\xb2")]), "the answer ended without a gRPC status"),
        (only(*GRPC_HEAD, (b"grpc-status", b"12")), "gRPC status UNIMPLEMENTED, expected OK"),
        (only(*GRPC_HEAD, (b"grpc-status", b"5")), "gRPC status NOT_FOUND, expected OK"),
        (only(*GRPC_HEAD, (b"grpc-status", b"0")), "the answer is not one plain gRPC message"),
        (only(*GRPC_HEAD), "the answer ended without a gRPC status"),
        (only((b":status", b"200")), "the answer is not gRPC (HTTP status 200)"),
        (only((b":status", b"404"), *GRPC_HEAD[1:]), "the answer is not gRPC (HTTP status 404)"),
        (
            grpc(b"ok", [(b":status", b"200"), (b"content-type", b"text/plain")]),
            "the answer is not gRPC (HTTP status 200)",
        ),
        (grpc(raw=b""), "the answer is not one plain gRPC message"),
        (grpc(raw=b"\0\0\0\0"), "the answer is not one plain gRPC message"),
        (grpc(raw=b"\1\0\0\0\2\x08\1"), "the answer is not one plain gRPC message"),
        (grpc(raw=b"\0\0\0\0\2\x08"), "the answer is not one plain gRPC message"),
        (grpc(raw=b"\0\0\0\0\2\x08\1" * 2), "the answer is not one plain gRPC message"),
        (grpc(b"\x08"), NOT_RESPONSE),
        (grpc(b"\x08\x81"), NOT_RESPONSE),
        (grpc(b"\x08" + b"\x80" * 10 + b"\x01"), NOT_RESPONSE),
        (grpc(b"\x0b\x01"), NOT_RESPONSE),
        (grpc(b"\x12\x05ab"), NOT_RESPONSE),
        (grpc(b"\x25abc"), NOT_RESPONSE),
        (grpc(b"\x08" + b"\xff" * 16_000), NOT_RESPONSE),
        (frames(RstStreamFrame(1, error_code=7)), "the call was reset (REFUSED_STREAM)"),
        (frames(GoAwayFrame(0, last_stream_id=0)), "refused by GOAWAY (NO_ERROR)"),
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "the answer is not HTTP/2"),
        (says(close=True), "closed before the end of the answer"),
        (says(reset=True), "the connection was reset"),
    ],
)
async def test_reasons_of_grpc(script: Script, why: str, autojump_clock: object) -> None:
    """Only SERVING is good, and everything else says what it was."""
    assert await checked(GRPC, script) == (why, 0.0)


async def test_a_grpc_answer_that_stalls(autojump_clock: object) -> None:
    """A head is not yet an answer."""

    async def script(wire: Wire) -> None:
        peer = H2Peer(wire)
        await peer.read()
        await peer.head()
        await trio.sleep_forever()

    assert await checked(GRPC, script) == ("no answer within 3 s", 3.0)


# The loop


class Log:
    """When checks began, and what was told."""

    def __init__(self, *takes: float | str) -> None:
        self.takes = takes
        self.began: list[float] = []
        self.told: list[tuple[float, bool, str]] = []

    async def dial(self, _to: Address, _timeout: float) -> Wire:
        """Take so long, then succeed; or fail with a text. The last one goes on for ever."""
        self.began.append(trio.current_time())
        take = self.takes[min(len(self.began), len(self.takes)) - 1]
        if isinstance(take, str):
            raise Fault(CONNECT_FAILED, take)
        await trio.sleep(take)
        return pair(Lot(trio.current_time))[0]

    def hear(self, ok: bool, why: str) -> None:
        """Keep a result."""
        self.told.append((trio.current_time(), ok, why))

    async def run(self, seconds: float, plan: HealthPlan, chance: object) -> None:
        """Check for so many seconds."""
        with trio.move_on_after(seconds):
            await check_forever(self.dial, SERVER, b"a", plan, chance, self.hear)


class Drawn:
    """Chance that draws the least or the most, and remembers from what."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.asked: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        """Give the place between the two."""
        self.asked.append((a, b))
        return a + (b - a) * self.share


async def test_results_are_told_as_they_come(autojump_clock: object) -> None:
    """A fault is a result like any other, and the loop goes on."""
    log = Log(0.0, "Connection refused", inf, 0.5)
    await log.run(35, TCP, Drawn(0.5))
    assert log.began == [0.5, 10.5, 20.5, 30.5]
    assert log.told == [
        (0.5, True, ""),
        (10.5, False, "connection refused"),
        (23.5, False, "no connection within 3 s"),
        (31.0, True, ""),
    ]


@pytest.mark.parametrize(("interval", "most"), [(10.0, 1.0), (0.2, 0.2), (1.0, 1.0)])
async def test_the_first_check_is_soon(interval: float, most: float, autojump_clock: object) -> None:
    """Within a second, or within one interval if that is less."""
    chance = Drawn(1.0)
    log = Log(0.0)
    await log.run(most + 0.01, HealthPlan(protocol="tcp", interval=interval), chance)
    assert chance.asked[0] == (0.0, most)
    assert log.began == [most]


async def test_intervals_vary_by_a_tenth(autojump_clock: object) -> None:
    """Over many rounds they fill 0.9 to 1.1 of the interval, whatever a check takes, and never leave it."""
    log = Log(2.0)
    await log.run(20_000, TCP, Random(3))
    pauses = [after - before for before, after in zip(log.began, log.began[1:], strict=False)]
    assert len(pauses) > 1900
    assert 9.0 - 1e-6 <= min(pauses) < 9.02
    assert 10.98 < max(pauses) <= 11.0 + 1e-6
    assert abs(sum(pauses) / len(pauses) - 10) < 0.1


async def test_many_endpoints_do_not_begin_together(autojump_clock: object) -> None:
    """Their first checks are spread over the first second."""
    logs = [Log(0.0) for _ in range(200)]
    chance = Random(9)
    async with trio.open_nursery() as nursery:
        for log in logs:
            nursery.start_soon(log.run, 1.0, TCP, chance)
    began = [log.began[0] for log in logs]
    assert max(began) <= 1.0
    assert all(10 < sum(at <= each < at + 0.1 for each in began) < 35 for at in (0.0, 0.3, 0.6, 0.9))


async def test_a_check_longer_than_its_interval(autojump_clock: object) -> None:
    """The next one begins when it has ended: never two at a time."""
    log = Log(inf)
    await log.run(10, HealthPlan(protocol="tcp", interval=1.0, timeout=3.0), Drawn(0.0))
    assert log.began == [0.0, 3.0, 6.0, 9.0]


async def test_cancelling_the_loop_closes_the_connection(autojump_clock: object) -> None:
    """In the middle of a check."""
    async with trio.open_nursery() as nursery:
        server = Server(nursery, says())
        told: list[bool] = []
        with trio.move_on_after(0.5):
            await check_forever(server.dial, SERVER, b"a", HTTP, Drawn(0.0), lambda ok, _why: told.append(ok))
        assert [wire.closed for wire in server.wires] == [True]
        assert told == []
        nursery.cancel_scope.cancel()
