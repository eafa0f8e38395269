"""Whole messages, spoilt at random, against the whole stack: an answer or a close, and nothing else.

The choices are seeded: a failure is the same failure the next time.
"""

from __future__ import annotations

import logging
from random import Random

import pytest
import trio

from appliance.net.transport import PeerGone
from tests.kit.h1gen import Entropy, request_head, response_head, spoil
from tests.kit.origin import Origin, raw, sized
from tests.kit.plans import listener, plan, route
from tests.kit.proxy import Client, running

BODIES = (
    b"",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5;x\r\nhello\r\n0\r\nT: 1\r\n\r\n",
    b"ffffffffffffffff1\r\n",
    b"\0" * 9,
)
IMPATIENT = plan(route(idle=2), listeners=(listener(header=1, body_idle=1, keepalive=0.5),))
LONGEST = 30.0  # virtual seconds; the sum of all limits that can follow each other is less


async def everything(client: Client) -> bytes:
    """Give all that comes until the connection ends; a proxy that hangs fails the test."""
    got = b""
    with trio.fail_after(LONGEST):
        try:
            while data := await client.wire.receive():
                got += data
        except PeerGone:
            pass
    return got


@pytest.mark.parametrize("seed", range(4))
async def test_spoilt_requests_end(
    seed: int, caplog: pytest.LogCaptureFixture, autojump_clock: object
) -> None:
    """Each gets answers or nothing, then an end; none shows a bug, and the next client is served."""
    random = Random(seed)
    statuses = set()
    async with running(Origin(sized(b"fine")), IMPATIENT) as proxy:
        for _ in range(150):
            entropy = Entropy(random.randbytes(64))
            client = proxy.connect()
            await client.send(spoil(entropy, request_head(entropy)) + random.choice(BODIES))
            got = await everything(client)
            assert not got or got.startswith(b"HTTP/1.1 ")
            statuses.add(got[9:12])
        assert (await proxy.connect().get()).body == b"fine"
        await proxy.check_idle()
        assert "internal" not in proxy.journal.faults
    assert {b"200", b"400"} <= statuses
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("seed", range(4))
async def test_spoilt_answers_end(
    seed: int, caplog: pytest.LogCaptureFixture, autojump_clock: object
) -> None:
    """An upstream's nonsense is a 502, or cuts what had begun; the client never waits for ever."""
    random = Random(seed)
    statuses = set()
    for _ in range(120):
        entropy = Entropy(random.randbytes(64))
        answer = spoil(entropy, response_head(entropy)) + random.choice(BODIES)
        async with running(Origin(raw(answer), sized(b"fine")), IMPATIENT) as proxy:
            client = proxy.connect()
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            statuses.add((await everything(client))[9:12])
            await proxy.check_idle()
            assert "internal" not in proxy.journal.faults
    assert {b"200", b"502"} <= statuses
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
