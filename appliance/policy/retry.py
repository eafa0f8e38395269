"""Whether a request may be sent again, when, and how many may be at once.

How safe that is depends on how far the first try came:

    UNSENT   nothing reached the endpoint: any method may go again
    SENT     it may have had its effect: only methods that may be repeated
    BEGUN    the client has part of an answer: never

A budget keeps retries from feeding an outage: in any ten seconds an upstream gets no more of them
than a part of its requests, or a floor that is always allowed. Waits are drawn from zero up to a
bound that doubles ("full jitter": M. Brooker, Exponential Backoff And Jitter), so that those that
failed together do not come back together.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Final, Protocol

from .window import Window

BUDGET_WINDOW: Final = 10.0
"""Seconds over which retries are held against requests."""


class Chance(Protocol):
    """What draws numbers, such as a ``random.Random``."""

    def uniform(self, a: float, b: float) -> float:
        """Give a number from ``a`` to ``b``, each as likely as any other."""


class Progress(Enum):
    """How far a try came before it failed."""

    UNSENT = "unsent"
    SENT = "sent"
    BEGUN = "begun"


def objection(
    progress: Progress, cause: str, method: str, causes: Collection[str], methods: Collection[str]
) -> str:
    """Give the reason why a failed try is not made again, empty if it may be.

    ``cause`` is what went wrong, as a word or a status; ``causes`` and ``methods`` are what the profile
    allows.
    """
    if progress is Progress.BEGUN:
        return "the answer had begun"
    if cause not in causes:
        return f"{cause} is not retried"
    if progress is Progress.SENT and method not in methods:
        return f"{method} may not be repeated"
    return ""


def pause(retry: int, base: float, most: float, chance: Chance) -> float:
    """Give the seconds to wait before a retry, the first being 0: from zero to a bound that doubles."""
    return chance.uniform(0.0, min(most, base * 2.0 ** min(retry, 60)))


class Budget:
    """The retries that one upstream may have: ``ratio`` of its requests, but ``floor`` a second always."""

    __slots__ = ("_floor", "_ratio", "_window")

    def __init__(self, ratio: float, floor: float) -> None:
        self.follow(ratio, floor)
        self._window = Window(BUDGET_WINDOW)

    def follow(self, ratio: float, floor: float) -> None:
        """Allow another part from now on; what was counted stays."""
        self._ratio = ratio
        self._floor = floor * BUDGET_WINDOW

    def deposit(self, now: float) -> None:
        """Count one request that is no retry."""
        window = self._window
        if now < window.until:
            window.total += 1
        else:
            window.add(False, now)

    def withdraw(self, now: float) -> bool:
        """Take one retry; False if there is none left."""
        window = self._window
        window.advance(now)
        spent = window.failed
        if spent + 1 > max(self._floor, self._ratio * (window.total - spent)):
            return False
        window.add(True, now)
        return True
