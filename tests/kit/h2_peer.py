"""The far end of one HTTP/2 connection, by hand: the h2 library as a server on a wire.

It does what a test says, frame by frame. What h2 refuses to send goes out raw, from hyperframe.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from hyperframe.frame import Frame

from appliance.net.transport import PeerGone
from tests.kit.wires import Wire

Pairs = Sequence[tuple[bytes, bytes]]

GRPC_HEAD: Pairs = [(b":status", b"200"), (b"content-type", b"application/grpc")]
OK: Pairs = [(b"grpc-status", b"0")]


def message(body: bytes) -> bytes:
    """Give a gRPC message with its prefix."""
    return b"\0" + len(body).to_bytes(4, "big") + body


class H2Peer:
    """A server with one call: its request as it was read, and ways to answer it."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.whole = False
        self.heard: list[events.Event] = []
        self.h2 = H2Connection(
            H2Configuration(client_side=False, header_encoding=None, validate_outbound_headers=False)
        )
        self.h2.initiate_connection()

    async def listen(self) -> bool:
        """Take what has arrived; False at the end."""
        try:
            data = await self.wire.receive()
        except PeerGone:
            return False
        if not data:
            return False
        for event in self.h2.receive_data(data):
            self.heard.append(event)
            if isinstance(event, events.RequestReceived):
                self.headers = [(bytes(name), bytes(value)) for name, value in event.headers]
            elif isinstance(event, events.DataReceived):
                self.body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, 1)
            elif isinstance(event, events.StreamEnded):
                self.whole = True
        with suppress(PeerGone):
            await self.flush()
        return True

    async def read(self) -> None:
        """Read the whole request."""
        await self.flush()
        while not self.whole:
            assert await self.listen()

    async def hear(self, kind: type[events.Event]) -> None:
        """Listen until an event of this kind has come."""
        while not any(isinstance(event, kind) for event in self.heard):
            assert await self.listen()

    async def flush(self) -> None:
        """Send what h2 has to say."""
        await self.wire.send(self.h2.data_to_send())

    async def head(self, pairs: Pairs = GRPC_HEAD, *, end: bool = False) -> None:
        """Send a head, or trailers."""
        self.h2.send_headers(1, list(pairs), end_stream=end)
        await self.flush()

    async def data(self, data: bytes, *, end: bool = False, padding: int | None = None) -> None:
        """Send data, waiting for the window if need be."""
        while self.h2.local_flow_control_window(1) < len(data) + (padding or 0) + 1:
            assert await self.listen()
        self.h2.send_data(1, data, end_stream=end, pad_length=padding)
        await self.flush()

    async def raw(self, *frames: Frame) -> None:
        """Send frames as they are."""
        await self.flush()
        await self.wire.send(b"".join(frame.serialize() for frame in frames))

    async def answer(self, body: bytes, head: Pairs = GRPC_HEAD, trailers: Pairs = OK) -> None:
        """Give a whole answer with one gRPC message."""
        await self.head(head)
        await self.data(message(body))
        await self.head(trailers, end=True)
