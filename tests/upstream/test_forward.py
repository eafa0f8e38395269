"""The innermost service: who is asked, what is sent once more, and what is not sent at all."""

from __future__ import annotations

import pytest
import trio

from appliance.model.exchange import Exchange
from appliance.model.message import Request
from appliance.upstream.forward import forward
from tests.kit.origin import Origin, reset, sized
from tests.kit.plans import plan, upstream
from tests.kit.proxy import Answer, Proxy, running


async def lost_while_idle(proxy: Proxy, request: bytes, method: bytes = b"GET") -> Answer:
    """Warm one upstream connection, let the second request die on it unread, and give its answer."""
    client = proxy.connect()
    await client.get()
    assert proxy.pooled == 1
    await client.send(request)
    return await client.answer(method)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"PUT", b"TRACE"])
async def test_a_reused_connection_that_dies_is_replaced_once(method: bytes, autojump_clock: object) -> None:
    """The peer may close as we write: an idempotent request without a body goes out again, on a new one."""
    origin = Origin(sized(b"one"), reset(), sized(b"two"))
    async with running(origin) as proxy:
        request = b"%b /again HTTP/1.1\r\nHost: a\r\n\r\n" % method
        answer = await lost_while_idle(proxy, request, method)
        assert answer.status == 200
        assert answer.body == (b"" if method == b"HEAD" else b"two")
        assert [seen.target for seen in origin.requests] == [b"/", b"/again", b"/again"]
        assert len(origin.wires) == 2
        await proxy.check_idle()
        assert proxy.pooled == 1


@pytest.mark.parametrize(
    "request_head",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PATCH / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
    ],
)
async def test_what_may_have_had_an_effect_is_not_sent_again(
    request_head: bytes, autojump_clock: object
) -> None:
    """A method that is not idempotent, or a body that is spent, makes the loss a 502."""
    origin = Origin(sized(b"one"), reset(), sized(b"two"))
    async with running(origin) as proxy:
        answer = await lost_while_idle(proxy, request_head, b"POST")
        assert answer.status == 502
        assert proxy.journal.faults == [None, "upstream-reset"]
        assert len(origin.requests) == 2
        await proxy.check_idle()


async def test_a_fresh_connection_that_dies_is_not_replaced(autojump_clock: object) -> None:
    """Without the excuse of idleness the loss is the upstream's answer to this request."""
    origin = Origin(reset(), sized(b"two"))
    async with running(origin) as proxy:
        assert (await proxy.connect().get()).status == 502
        assert len(origin.requests) == 1


async def test_the_second_loss_is_final(autojump_clock: object) -> None:
    """The replacement is a fresh connection, so its loss is told to the client."""
    origin = Origin(sized(b"one"), reset(), reset(), sized(b"never"))
    async with running(origin) as proxy:
        answer = await lost_while_idle(proxy, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.status == 502
        assert len(origin.requests) == 3
        await proxy.check_idle()


async def test_a_loss_in_the_middle_of_the_head_is_final(autojump_clock: object) -> None:
    """Once a byte of the answer has come the upstream has seen the request."""
    origin = Origin(sized(b"one"), reset(b"HTTP/1.1 2"), sized(b"never"))
    async with running(origin) as proxy:
        answer = await lost_while_idle(proxy, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.status == 502
        assert len(origin.requests) == 2


async def test_nothing_is_sent_for_a_client_that_leaves_while_we_connect(autojump_clock: object) -> None:
    """The attempt to connect ends at once, too, and nothing is left of it."""
    origin = Origin()
    origin.connect_time = 1.0
    async with running(origin, plan(upstreams=(upstream(connect=2, pool_idle=60),))) as proxy:
        client = proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
        await proxy.settle()
        client.wire.close()
        await proxy.settle()
        assert trio.current_time() < 1
        await proxy.check_idle()
        assert proxy.journal.faults == ["client-gone"]
        assert origin.requests == []
        assert proxy.pooled == 0
        assert (await proxy.connect().get()).body == b"hello"


async def test_forward_needs_an_attempt() -> None:
    """Without a layer that chooses, there is nobody to ask: that is a bug, and says so."""

    class Stream:
        request = Request(b"GET", b"http", b"a", b"/", b"", [])

    with pytest.raises(RuntimeError, match="balance"):
        await forward(Exchange("1", Stream(), "web", "::1", 0.0))
