"""The websocket itself: handshakes that are none, frames that are too long, clients that vanish."""

from __future__ import annotations

import pytest
import trio
from trio.testing import memory_stream_pair
from trio_websocket import ConnectionClosed, ConnectionRejected, wrap_client_stream

from appliance.control.hub import converse
from appliance.wire.codec import MAX_MESSAGE, PROTOCOL
from tests.kit.desk import ROOT, Office, office


async def connect(here: Office, nursery: trio.Nursery, protocols: list[str]) -> object:
    near, far = memory_stream_pair()

    async def run() -> None:
        await converse(far, here.desk, ROOT, 5.0)
        await far.aclose()

    here.nursery.start_soon(run)
    return await wrap_client_stream(nursery, near, "x", "/v1/stream", subprotocols=protocols)  # type: ignore[arg-type]


async def test_other_protocols_are_refused(autojump_clock: trio.abc.Clock) -> None:
    """By 400 and a sentence; one that is known among others is taken."""
    async with office() as here, trio.open_nursery() as nursery:
        for protocols in ([], ["meshctl.stats.v9+json"]):
            with pytest.raises(ExceptionGroup) as caught:
                async with trio.open_nursery() as own:
                    await connect(here, own, protocols)
            (refused,) = caught.value.exceptions
            assert isinstance(refused, ConnectionRejected)
            assert refused.status_code == 400
            assert PROTOCOL in (refused.body or b"").decode()
        socket = await connect(here, nursery, ["meshctl.stats.v9+json", PROTOCOL])
        assert socket.subprotocol == PROTOCOL  # type: ignore[attr-defined]
        nursery.cancel_scope.cancel()


async def test_messages_are_bounded(autojump_clock: trio.abc.Clock) -> None:
    """The connection ends, and that alone."""
    async with office() as here, trio.open_nursery() as nursery:
        rude = await connect(here, nursery, [PROTOCOL])
        well = await connect(here, nursery, [PROTOCOL])
        await rude.get_message()  # type: ignore[attr-defined]
        await well.get_message()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionClosed):
            await rude.send_message("x" * (MAX_MESSAGE + 1))  # type: ignore[attr-defined]
            await rude.get_message()  # type: ignore[attr-defined]
        await trio.sleep(1)
        assert len(here.desk.clients) == 1
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "raw", [b"", b"GET /v1/stream HTTP/1.1\r\n", b"\x00" * 100, b"GET / HTTP/1.0\r\n\r\n"], ids=range(4)
)
async def test_handshakes_that_are_none_end(raw: bytes, autojump_clock: trio.abc.Clock) -> None:
    """Within their time, whether the client stays or goes."""
    async with office() as here:
        for leaves in (False, True):
            near, far = memory_stream_pair()
            if raw:
                await near.send_all(raw)
            if leaves:
                await near.aclose()
            with trio.fail_after(6):
                await converse(far, here.desk, ROOT, 5.0)
        assert not here.desk.clients
