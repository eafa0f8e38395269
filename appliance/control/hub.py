"""The websocket of the stats socket: carries the messages of sessions, and nothing else."""

from __future__ import annotations

import trio
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, wrap_server_stream
from wsproto.utilities import LocalProtocolError

from appliance.wire.codec import MAX_MESSAGE, PROTOCOL

from .desk import Desk
from .roles import Peer
from .session import ChannelClosed, Session

_UNKNOWN = f"this proxy speaks {PROTOCOL}; ask for it in Sec-WebSocket-Protocol\n".encode()


class _Socket:
    """A websocket as a session's channel."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        try:
            await self._socket.send_message(text)
        except ConnectionClosed:
            raise ChannelClosed from None

    async def receive(self) -> str | bytes:
        try:
            return await self._socket.get_message()
        except ConnectionClosed:
            raise ChannelClosed from None

    async def close(self, code: int, text: str) -> None:
        await self._socket.aclose(code, text[:100])


async def converse(stream: trio.abc.Stream, desk: Desk, peer: Peer, within: float) -> None:
    """Serve a websocket, whose opening request is still to be read; raises only cancellation."""
    try:
        async with trio.open_nursery() as nursery:
            await _serve(nursery, stream, desk, peer, within)
            nursery.cancel_scope.cancel()
    except ExceptionGroup as group:  # it left while it was told why, or spoke on after the goodbye
        if group.split((ConnectionClosed, HandshakeError, LocalProtocolError))[1] is not None:
            raise


async def _serve(
    nursery: trio.Nursery, stream: trio.abc.Stream, desk: Desk, peer: Peer, within: float
) -> None:
    try:
        with trio.fail_after(within):
            request = await wrap_server_stream(nursery, stream, 2, MAX_MESSAGE)
            if PROTOCOL not in request.proposed_subprotocols:
                await request.reject(400, body=_UNKNOWN)
                return
            socket = await request.accept(subprotocol=PROTOCOL)
    except (HandshakeError, ConnectionClosed, trio.TooSlowError):
        return
    await Session(desk, peer).converse(_Socket(socket))
