"""The guard: the one blanket ``except`` of the data path. A bug costs what it met; its trace is logged."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

_log = logging.getLogger("meshctl")


async def guarded(work: Awaitable[None], who: Callable[[], str]) -> bool:
    """Await ``work``; True if it ended well. A bug in it is logged, with whom it met, and ends here."""
    try:
        await work
    except Exception:
        _log.exception("%s: a bug in meshctl", who())
        return False
    return True
