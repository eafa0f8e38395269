"""The answering half: one write for small answers, framing by version, limits for who does not read."""

from __future__ import annotations

import pytest
import trio

from appliance.config.plan import Plan, Respond
from tests.kit.origin import Origin, head, raw, sized, sized_bytes, until_close
from tests.kit.plans import listener, plan, route
from tests.kit.proxy import running

TICK = 0.051
READ = 256 * 1024
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE = b"0123456789abcdef" * 200_000  # 3 MB


def timed(**timeouts: float) -> Plan:
    return plan(listeners=(listener(**timeouts),))


async def test_a_client_that_does_not_read_is_cut(autojump_clock: object) -> None:
    """After ``write`` seconds without progress both connections end; nobody is told, for nobody listens."""
    origin = Origin(sized(LARGE))
    async with running(origin, timed(write=5)) as proxy:
        client = proxy.connect()
        await client.send(GET)
        await trio.sleep(4.9)
        assert proxy.open_clients == 1
        await trio.sleep(0.2)
        await proxy.check_idle()
        assert proxy.open_clients == 0
        assert origin.open == 0
        assert proxy.journal.faults == ["client-slow"]
        assert not (await client.answer()).whole


async def test_a_client_that_reads_slowly_is_served(autojump_clock: object) -> None:
    """The limit is for progress, not for the whole."""
    async with running(Origin(sized(LARGE[:1_000_000])), timed(write=5)) as proxy:
        client = proxy.connect(back=10_000)
        await client.send(GET)
        got = b""
        while len(got) < 900_000:
            await trio.sleep(3)
            got += await client.wire.receive()
        assert proxy.open_clients == 1
        assert trio.current_time() > 200


async def test_an_answer_that_fits_nowhere_is_cut_too(autojump_clock: object) -> None:
    """Even a small answer is waited for until it is gone, and not for ever."""
    async with running(Origin(sized(b"x" * 500)), timed(write=5)) as proxy:
        client = proxy.connect(back=100)
        await client.send(GET)
        await trio.sleep(5 + TICK)
        await proxy.check_idle()
        assert proxy.journal.faults == ["client-slow"]


@pytest.mark.parametrize("framed", ["sized", "chunked", "until-close"])
async def test_an_answer_is_held_back_by_a_slow_client(framed: str, autojump_clock: object) -> None:
    """The proxy holds at most 64 KiB and one read of a body that its client does not take."""
    answer = {
        "sized": sized_bytes(LARGE),
        "chunked": head(200, [(b"transfer-encoding", b"chunked")]) + b"%x\r\n%b\r\n" % (len(LARGE), LARGE),
        "until-close": head(200) + LARGE,
    }[framed]
    origin = Origin(raw(answer))
    origin.capacity = 1_000_000
    async with running(origin) as proxy:
        client = proxy.connect(back=1000)
        await client.send(GET)
        await proxy.settle()
        taken = proxy.upstream_wires[0].taken
        held = taken - client.wire.taken - len(client.wire.incoming.data)
        assert 50_000 < held <= 64 * 1024 + READ + 64 * 1024
        assert origin.wires[0].unsent > 1_000_000


async def test_a_small_answer_leaves_in_one_write(autojump_clock: object) -> None:
    """Head and body are joined, so that a small answer is one segment."""
    writes: list[bytes] = []
    async with running() as proxy:
        client = proxy.connect()
        await proxy.settle()
        far = client.wire.peer
        write = far.write
        far.write = lambda data: (writes.append(data), write(data))
        await client.get()
        assert len(writes) == 1
        assert writes[0].endswith(b"\r\n\r\nhello")


async def test_a_small_chunked_answer_leaves_in_one_write(autojump_clock: object) -> None:
    """Its last chunk included."""
    writes: list[bytes] = []
    answer = head(200, [(b"transfer-encoding", b"chunked")]) + b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
    async with running(Origin(raw(answer))) as proxy:
        client = proxy.connect()
        await proxy.settle()
        far = client.wire.peer
        write = far.write
        far.write = lambda data: (writes.append(data), write(data))
        await client.get()
        assert len(writes) == 1
        assert writes[0].endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")


async def test_reasons_are_passed_on(autojump_clock: object) -> None:
    """An upstream's own words stand; known ones are not changed, unknown codes have none."""
    answers = [head(200, [(b"content-length", b"0")], b"Fine"), b"HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n"]
    async with running(Origin(*(raw(answer) for answer in answers))) as proxy:
        client = proxy.connect()
        await client.send(GET)
        assert (await client.wire.receive()).startswith(b"HTTP/1.1 200 Fine\r\n")
        await client.send(GET)
        assert (await client.wire.receive()).startswith(b"HTTP/1.1 299 \r\n")


async def test_a_length_that_nobody_knows_is_framed_by_version(autojump_clock: object) -> None:
    """HTTP/1.1 gets chunks; HTTP/1.0 gets the end of the connection, whatever it asked for."""
    async with running(Origin(until_close(b"body"))) as proxy:
        new, old = proxy.connect(), proxy.connect()
        answer = await new.get()
        assert (answer.body, answer.get(b"transfer-encoding")) == (b"body", b"chunked")
        await old.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = await old.answer()
        assert (answer.body, answer.get(b"connection")) == (b"body", b"close")
        assert answer.get(b"transfer-encoding") is None


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("status", [200, 204, 304])
async def test_answers_without_a_body_send_none(method: bytes, status: int, autojump_clock: object) -> None:
    """HEAD, 204 and 304 have no body even when whoever answers has one, and the connection goes on."""
    with_body = plan(route(Respond(status, b"surplus")))
    async with running(plan=with_body) as proxy:
        client = proxy.connect()
        for _ in range(2):
            await client.send(b"%b / HTTP/1.1\r\nHost: a\r\n\r\n" % method)
            answer = await client.answer(method)
            assert answer.status == status
            assert answer.body == (b"surplus" if method == b"GET" and status == 200 else b"")
            if method == b"HEAD" and status == 200:
                assert answer.get(b"content-length") == b"7"


async def test_a_client_that_breaks_while_it_is_answered_is_gone(autojump_clock: object) -> None:
    """A reset in the middle of the body ends the upstream connection at once."""
    origin = Origin(sized(LARGE))
    async with running(origin) as proxy:
        client = proxy.connect()
        await client.send(GET)
        await client.wire.receive(1000)
        client.wire.reset()
        await proxy.check_idle()
        assert trio.current_time() == 0
        assert proxy.journal.faults == ["client-gone"]
        assert proxy.journal.records[0]["status"] == 200
        assert origin.open == 0


async def test_the_record_counts_the_bytes_of_the_body(autojump_clock: object) -> None:
    """Of what was handed to the kernel, framing not counted."""
    chunked = raw(head(200, [(b"transfer-encoding", b"chunked")]) + b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")
    async with running(Origin(sized(b"12345"), chunked, sized(LARGE))) as proxy:
        client = proxy.connect()
        for _ in range(3):
            await client.get()
        await proxy.settle()
        assert [record["bytes"] for record in proxy.journal.records] == [5, 3, len(LARGE)]
