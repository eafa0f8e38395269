"""The limit for a whole exchange: it knows no phases."""

from __future__ import annotations

from math import inf

import pytest
import trio

from appliance.config.plan import Plan
from tests.kit.origin import Handler, Origin, head, raw, silent, sized, sized_bytes
from tests.kit.plans import listener, plan, route, upstream
from tests.kit.proxy import running

TICK = 0.101  # the housekeeper's tick, and a hair


def limited(seconds: float) -> Plan:
    """Give a plan in which nothing but ``request`` ends an exchange."""
    return plan(
        route(request=seconds, response=inf, idle=inf),
        upstreams=(upstream(per_try=inf, connect=60),),
        listeners=(listener(body_idle=3600, write=3600),),
    )


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (silent(), 504),
        (silent(head(103, reason=b"Early Hints")), 504),
        (silent(head(200, [(b"content-length", b"10")])), None),
        (raw(sized_bytes(b"x" * 1000), by=1, pause=0.1), None),
    ],
    ids=["no-head", "hints", "no-body", "drip"],
)
async def test_the_whole_exchange_is_bounded(
    handler: Handler, told: int | None, autojump_clock: object
) -> None:
    """Before its head the client is told 504, after it the answer is cut, however lively it was."""
    async with running(Origin(handler, sized(b"next")), limited(5)) as proxy:
        answer = await proxy.connect().get()
        assert 5 <= trio.current_time() <= 5 + TICK
        assert (answer.status, answer.whole) == ((told, True) if told else (200, False))
        await proxy.check_idle()
        assert proxy.journal.faults == ["request-timeout"]
        assert (await proxy.connect().get()).body == b"next"


async def test_a_slow_upload_is_bounded_too(autojump_clock: object) -> None:
    """A client that sends for ever is told 504, for the route allows no longer."""
    async with running(plan=limited(5)) as proxy:
        client = proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")

        async def drip() -> None:
            for _ in range(20):
                await trio.sleep(1)
                await client.send(b"x")

        proxy.nursery.start_soon(drip)
        assert (await client.answer()).status == 504
        assert trio.current_time() <= 5 + TICK
        await proxy.check_idle()


async def test_connecting_counts(autojump_clock: object) -> None:
    """An exchange whose time ends while we connect is not sent at all."""
    origin = Origin()
    origin.connect_time = 7
    async with running(origin, limited(5)) as proxy:
        assert (await proxy.connect().get()).status == 504
        assert origin.requests == []
        await proxy.check_idle()


async def test_an_exchange_in_time_leaves_no_deadline(autojump_clock: object) -> None:
    """The ending forgets it, and nothing rings later."""
    async with running(plan=limited(5)) as proxy:
        client = proxy.connect()
        assert (await client.get()).status == 200
        await proxy.check_idle()
        await trio.sleep(10)
        assert (await client.get()).status == 200
        assert proxy.journal.faults == [None, None] or proxy.journal.faults == [None]


async def test_a_client_that_does_not_read_is_bounded_too(autojump_clock: object) -> None:
    """While an answer waits for its client the time runs on, and the upstream is let go when it is over."""
    async with running(Origin(sized(b"x" * 3_000_000)), limited(5)) as proxy:
        client = proxy.connect(back=1000)
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await trio.sleep(5 + TICK)
        await proxy.check_idle()
        assert proxy.journal.faults == ["request-timeout"]
        assert trio.current_time() <= 5 + 3 * TICK
