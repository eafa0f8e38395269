"""When requests of one HTTP/2 connection begin: behind what came with them, and a few at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from appliance.http import h2_frames as f
from appliance.http.h2_frames import Code
from appliance.http.h2_reply import H2Stream
from appliance.http.h2_server import H2Server
from appliance.net.park import Lot
from tests.kit.h2_client import RawClient, raw, request
from tests.kit.origin import Origin, silent
from tests.kit.plans import listener
from tests.kit.proxy import running
from tests.kit.wires import pair


class Serving:
    """A connection whose requests are noted and reset: ``whole`` says of each whether all of it was there."""

    def __init__(self, server: H2Server, client: RawClient) -> None:
        self.server = server
        self.client = client
        self.whole: list[bool] = []

    async def note(self, stream: H2Stream) -> None:
        """Take a request."""
        self.whole.append(stream.request.body.at_hand())

    async def send(self, *frames: bytes) -> None:
        """Let the connection take frames that arrive in one piece."""
        await self.client.send(f.PREFACE + f.settings({}) + b"".join(frames))
        await self.client.hear()


@asynccontextmanager
async def serving(*, begun: bool = True) -> AsyncIterator[Serving]:
    """Give a connection, which has begun to read or not."""
    lot = Lot(trio.current_time)
    near, far = pair(lot)
    with trio.fail_after(900):
        async with trio.open_nursery() as nursery:
            server = H2Server(far, listener(), lambda: True)
            serving = Serving(server, RawClient(near))
            if begun:
                nursery.start_soon(server.serve, serving.note)
            yield serving
            nursery.cancel_scope.cancel()


def post(client: RawClient, id: int) -> bytes:
    return client.head(id, request(b"POST"), end=False)


IDS = range(1, 81, 2)


async def test_a_request_begins_behind_its_body(autojump_clock: object) -> None:
    """Of what came in one piece the bodies are there, too, even where all heads came first."""
    async with serving() as one:
        heads = [post(one.client, id) for id in IDS]
        await one.send(*heads, *[f.pack(f.DATA, f.END_STREAM, id, b"body") for id in IDS])
        assert one.whole == [True] * len(IDS)


async def test_a_request_does_not_wait_for_its_body(autojump_clock: object) -> None:
    """A head whose body has not come begins all the same."""
    async with serving() as one:
        await one.send(post(one.client, 1))
        assert one.whole == [False]


@pytest.mark.parametrize(("whole", "most"), [(True, 8), (False, 4)])
async def test_a_few_begin_at_once(
    whole: bool, most: int, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    """Eight requests begin before others have their turn, four if their bodies are to come."""
    async with serving() as one:
        await one.send(f.window_update(0, 1))
        begun: list[int] = [0]

        def spawn(*_: object) -> None:
            begun[-1] += 1

        async def checkpoint() -> None:
            begun.append(0)

        one.server.spawn = spawn
        monkeypatch.setattr(trio.lowlevel, "checkpoint", checkpoint)
        await one.server.take(
            b"".join(one.client.head(id) if whole else post(one.client, id) for id in IDS[:20])
        )
        monkeypatch.undo()
        assert max(begun) == most
        assert sum(begun) == 20


async def test_withdrawn_requests_make_room_for_others(autojump_clock: object) -> None:
    """Twice as many as there may be, each withdrawn at once, come in one piece: none is refused."""
    async with running(Origin(silent())) as proxy:
        client = await raw(proxy)
        pairs = [post(client, id) + f.reset(id, Code.CANCEL) for id in range(1, 361, 2)]
        await client.send(b"".join(pairs))
        assert await client.alive()
        assert not client.answers
        assert proxy.journal.faults == ["client-gone"] * 180


async def test_each_request_has_a_record(autojump_clock: object) -> None:
    """Requests that come in one piece with what ends their connection are written down."""
    async with running(Origin(silent())) as proxy:
        client = await raw(proxy)
        await client.send(*[client.head(id) for id in IDS], f.pack(f.PING, 0, 1, bytes(8)))
        await client.hear()
        assert [code for _, code in client.goaways] == [Code.PROTOCOL_ERROR]
        await proxy.check_idle()
        assert proxy.journal.faults == ["client-gone"] * len(IDS)


async def test_each_request_has_a_record_when_all_is_cancelled(autojump_clock: object) -> None:
    """Whoever ends the connection's task between two requests of one piece loses none of them."""
    async with serving(begun=False) as one:
        with trio.CancelScope() as scope:

            async def note(stream: H2Stream) -> None:
                one.whole.append(stream.request.body.at_hand())
                scope.cancel()

            heads = [one.client.head(id) for id in IDS[:20]]
            one.server.buffered = b"".join((f.PREFACE, f.settings({}), *heads))
            await one.server.serve(note)
        assert one.whole == [True] * 20
