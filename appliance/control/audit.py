"""What is kept of commands: who gave them and what came of it, what the same id had, and how many came.

Each command is an event and a line of the log. Refusals that come many at once are counted and told now and
then, or whoever may do nothing could push all other events out of the ring.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from hashlib import sha256
from math import inf
from typing import Any, Final

from appliance.model.text import PRINTABLE
from appliance.proxy.bulletin import Bulletin

from .command import Order, Result

REMEMBERED: Final = 300.0
"""Seconds for which the same id has the same result."""
RATE: Final = 20.0
"""Commands a second of one peer; it may save up as many."""
_MOST: Final = 1000
_OP: Final = 50  # characters
_SUBJECT: Final = 100
_log = logging.getLogger("meshctl")

Key = tuple[object, str]


class Audit:
    """Remembers commands."""

    def __init__(self, bulletin: Bulletin, now: Callable[[], float]) -> None:
        self._bulletin = bulletin
        self._now = now
        self._done: dict[Key, tuple[float, bytes, Result]] = {}
        self._pace: dict[object, tuple[float, float]] = {}
        self._refused_at = -inf
        self._refused = 0

    def in_pace(self, who: object) -> bool:
        """Take a place in the rate of a peer, if there is one."""
        now = self._now()
        left, filled = self._pace.pop(who, (RATE, now))
        left = min(RATE, left + (now - filled) * RATE)
        while len(self._pace) >= _MOST:
            del self._pace[next(iter(self._pace))]
        self._pace[who] = (left - 1 if left >= 1 else left, now)
        return left >= 1

    def result_of(self, key: Key, asked: Mapping[str, Any]) -> Result | None:
        """Give what the same command had before, None for a new one."""
        found = self._done.get(key)
        if found is None or found[0] <= self._now():
            return None
        return (
            found[2] if found[1] == _mark(asked) else Result("invalid", "this id was that of another command")
        )

    def remember(self, key: Key, asked: Mapping[str, Any], result: Result) -> None:
        """Keep a result for those who ask again."""
        now = self._now()
        self._done = {old: row for old, row in self._done.items() if row[0] > now}
        while len(self._done) >= _MOST:
            del self._done[next(iter(self._done))]
        self._done[key] = (now + REMEMBERED, _mark(asked), result)

    def refuse(self, op: str, order: Order, result: Result) -> None:
        """Tell of a command that was refused whatever it is: one a second, and how many came besides."""
        now = self._now()
        if now - self._refused_at < 1.0:
            self._refused += 1
            return
        more, self._refused_at, self._refused = self._refused, now, 0
        self.tell(op, order, result, f"; {more} more such before" if more else "")

    def tell(self, op: str, order: Order, result: Result, more: str = "") -> None:
        """Tell of a command and its result."""
        peer, reason = order.peer, order.reason
        op = op[:_OP].translate(PRINTABLE)
        why = f' "{reason}"' if reason else ""
        outcome = "" if result.ok else f" ({result.code})"
        text = f"{peer.label}: {op}{outcome}: {result.text}{why}{more}".translate(PRINTABLE)
        _log.info("%s", text)
        told = {"op": op, "code": result.code, "uid": peer.uid, "user": peer.user, "reason": reason}
        if peer.address:
            told["peer"] = peer.address
        self._bulletin.add("audit", "info" if result.ok else "warning", _subject(order), text, **told)


def _mark(asked: Mapping[str, Any]) -> bytes:
    """Give what tells a command from others; its arguments may be large, and are not kept."""
    return sha256(json.dumps(asked, sort_keys=True).encode()).digest()


def _subject(order: Order) -> str:
    for name in ("breaker", "endpoint", "rid"):
        value = order.args.get(name)
        if isinstance(value, str) and value:
            return value[:_SUBJECT].translate(PRINTABLE)
    return "proxy"
