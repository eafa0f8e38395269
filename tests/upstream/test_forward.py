"""The innermost service: who is asked, and what is not sent at all."""

from __future__ import annotations

import pytest
import trio

from appliance.model.exchange import Exchange
from appliance.model.message import Request
from appliance.upstream.forward import forward
from tests.kit.origin import Origin
from tests.kit.plans import plan, upstream
from tests.kit.proxy import running


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
