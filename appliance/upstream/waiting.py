"""Waits of an exchange that are no park: a client that leaves, or a time that is over, ends them at once.

Dialling, a place in a queue and the pause before a retry may each wait on several things, so they have a
cancel scope; the exchange knows it as it knows a park. These are the slow paths: a request that finds its
connection and its place at once never comes here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

import trio

from appliance.model.exchange import Exchange
from appliance.model.fault import Fault


class _Scope:
    """A cancel scope in the place of a park."""

    __slots__ = ("_scope",)

    def __init__(self, scope: trio.CancelScope) -> None:
        self._scope = scope

    def interrupt(self, _fault: Fault) -> None:
        """End the wait; the fault itself stands in the exchange."""
        self._scope.cancel()


@contextmanager
def interruptible(exchange: Exchange, seconds: float = inf) -> Iterator[None]:
    """Let the block wait for at most ``seconds``; raises the Fault of the exchange if it has one by then.

    Being out of time, even before the wait, raises nothing: the caller sees that nothing has come of it.
    """
    if exchange.fault is not None:
        raise exchange.fault
    try:
        with trio.move_on_after(max(0.0, seconds)) as scope:
            exchange.park = _Scope(scope)
            yield
    finally:
        exchange.park = None
    if exchange.fault is not None:
        raise exchange.fault


async def sleep(exchange: Exchange, seconds: float) -> None:
    """Wait for ``seconds``, or until the exchange has a Fault, which is raised."""
    with interruptible(exchange, seconds):
        await trio.sleep_forever()
