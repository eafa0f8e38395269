"""The demo's servers behave as their mood says."""

from __future__ import annotations

import pytest
import trio

from appliance.cli.demo_origin import Mood, Origin

ASK = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


async def ask(stream: trio.SocketStream) -> bytes:
    await stream.send_all(ASK)
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith((b"hello\n", b"order")):
        more = await stream.receive_some()
        if not more:
            return data
        data += more
    return data


@pytest.mark.parametrize(
    ("mood", "answer"), [(Mood.WELL, b"HTTP/1.1 200"), (Mood.FAILING, b"HTTP/1.1 503"), (Mood.REFUSING, b"")]
)
async def test_moods(nursery: trio.Nursery, mood: Mood, answer: bytes) -> None:
    """Well answers 200, failing 503, refusing closes without a word."""
    origin = Origin("alpha")
    await nursery.start(origin.run)
    origin.mood = mood
    with trio.fail_after(5):
        async with await trio.open_tcp_stream("127.0.0.1", origin.port) as stream:
            try:
                got = await ask(stream)
            except trio.BrokenResourceError:
                got = b""
    assert got[:12] == answer
    assert origin.served == (0 if mood is Mood.REFUSING else 1)


async def test_a_connection_serves_many_requests(nursery: trio.Nursery) -> None:
    """Keep-alive, as the pool of a proxy expects it."""
    origin = Origin("alpha")
    await nursery.start(origin.run)
    with trio.fail_after(5):
        async with await trio.open_tcp_stream("127.0.0.1", origin.port) as stream:
            for _ in range(3):
                assert b"alpha says hello" in await ask(stream)
    assert origin.served == 3
