"""Nothing of an exchange waits for the collector of cycles: a flood would make it wait with much memory."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from appliance.http.h2_client import H2Call
from appliance.http.h2_reply import H2Stream
from appliance.http.h2_stream import Stream
from appliance.model.exchange import Attempt, Exchange
from appliance.model.message import Request
from tests.kit.h2_client import polite
from tests.kit.h2_origin import H2Origin, answer
from tests.kit.origin import Origin, sized
from tests.kit.plans import plan, route, upstream
from tests.kit.proxy import ORIGIN, Client, Proxy, running

OURS = (Attempt, Exchange, H2Call, H2Stream, Request, Stream)
NEW = plan(route(), upstreams=(replace(upstream(), protocol="http2"),))
BODY = b"x" * 300_000  # more than fits at once, so that it takes a task of its own


@contextmanager
def uncollected() -> Iterator[Counter[str]]:
    """Give, at the end, what of an exchange only the collector could free."""
    found: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found.update(type(each).__name__ for each in gc.garbage if isinstance(each, OURS))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def old_get(proxy: Proxy) -> None:
    """Ask in HTTP/1.1."""
    client = proxy.connect()
    for _ in range(3):
        assert (await client.get()).status == 200


async def old_refused(proxy: Proxy) -> None:
    """Ask for what is refused."""
    client: Client = proxy.connect()
    await client.send(b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await client.answer()).status == 400


async def new_refused(proxy: Proxy) -> None:
    """Ask in HTTP/2 with more fields than may be."""
    client = await polite(proxy)
    assert (await client.get(b"/", *[(b"x-%d" % n, b"1") for n in range(200)])).status == 431


async def new_get(proxy: Proxy) -> None:
    """Ask in HTTP/2."""
    client = await polite(proxy)
    for _ in range(3):
        assert (await client.get(b"/")).status == 200


async def new_post(proxy: Proxy) -> None:
    """Send a large body in HTTP/2."""
    client = await polite(proxy)
    assert (await client.post(BODY)).status == 200


@pytest.mark.parametrize("ask", [old_get, old_refused, new_get, new_post, new_refused])
@pytest.mark.parametrize("upstream_speaks", ["http1", "http2"])
async def test_an_exchange_is_freed_at_its_end(
    upstream_speaks: str, ask: Callable[[Proxy], Awaitable[None]], autojump_clock: object
) -> None:
    """By counting references alone."""
    new = upstream_speaks == "http2"
    origin = H2Origin(*[answer(b"hello")] * 4) if new else Origin(*[sized(b"hello")] * 4)
    async with running({ORIGIN: origin}, NEW if new else plan(route(), upstreams=(upstream(),))) as proxy:
        proxy.journal.record = lambda *_: None  # type: ignore[method-assign]
        with uncollected() as found:
            await ask(proxy)
            await proxy.settle()
        assert found == {}
