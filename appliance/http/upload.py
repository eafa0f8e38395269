"""The task that sends a request's body while its answer is awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio


class Upload:
    """A task that can be stopped, so that another may read the body."""

    __slots__ = ("_ended", "_scope")

    def __init__(self) -> None:
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    async def run(self, pump: Callable[[], Awaitable[None]]) -> None:
        """Send until all is sent, something fails, or it is stopped."""
        try:
            with self._scope:
                await pump()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Stop it and wait until it no longer reads the body."""
        self._scope.cancel()
        await self._ended.wait()
