"""The demo's three servers: small HTTP/1.1 servers whose mood the story changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import trio

_OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n%b"
_BROKEN = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 12\r\n\r\nout of order"
)
SLOW = 0.4  # seconds
_ILL = (0, 2)  # of five answers of one that ails; never enough in a row to open a breaker


class Mood(Enum):
    """How a server behaves."""

    WELL = "well"
    SLOW = "slow"
    AILING = "ailing"
    FAILING = "failing"
    REFUSING = "refusing"


@dataclass
class Origin:
    """One server; ``served`` counts the requests it has seen."""

    name: str
    port: int = 0
    mood: Mood = Mood.WELL
    served: int = 0

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Listen on a port of the kernel's choice and serve until cancelled."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, self._serve, listeners)
            task_status.started()

    async def _serve(self, stream: trio.SocketStream) -> None:
        if self.mood is Mood.REFUSING:
            await stream.aclose()
            return
        try:
            await self._converse(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            with trio.CancelScope(shield=True):
                await stream.aclose()

    async def _converse(self, stream: trio.SocketStream) -> None:
        data = b""
        while self.mood is not Mood.REFUSING:
            while b"\r\n\r\n" not in data:
                more = await stream.receive_some()
                if not more:
                    return
                data += more
            _, _, data = data.partition(b"\r\n\r\n")
            self.served += 1
            if self.mood is Mood.SLOW:
                await trio.sleep(SLOW)
            ails = self.mood is Mood.AILING and self.served % 5 in _ILL
            if ails or self.mood is Mood.FAILING:
                await stream.send_all(_BROKEN)
            else:
                body = f"{self.name} says hello\n".encode()
                await stream.send_all(_OK % (len(body), body))
