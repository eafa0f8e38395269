"""What every load-balancing policy is given and what it gives back.

A policy chooses among items that it knows by index, in the order of the list it was made with. It sees
their names, weights and requests under way, and nothing else. Whether an item may be chosen at all
(healthy, not drained, its breaker ready) the caller answers each time, since that changes from one request
to the next. Time and chance are arguments, so that a test can repeat any run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Item(Protocol):
    """What a policy sees of an endpoint: a living object whose fields change.

    ``name`` is unique and stays. ``weight`` is 0 or more, 0 for one that is never chosen; whoever changes it
    calls ``reweigh`` before the next pick. ``in_flight`` changes at any time.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def weight(self) -> int: ...  # noqa: D102

    @property
    def in_flight(self) -> int: ...  # noqa: D102


class Chance(Protocol):
    """Where random numbers come from, such as ``random.Random``."""

    def random(self) -> float:
        """Give a number from 0 up to, but not including, 1."""
        ...


class Policy(Protocol):
    """A way to choose among a fixed list of items."""

    def pick(
        self, usable: Callable[[int], bool] | None = None, key: bytes = b"", now: float = 0.0
    ) -> int | None:
        """Give the index of the chosen item, or None where no item of positive weight is usable.

        ``usable`` None means that all are. It is asked at most once for each item per pick, and not
        necessarily for all of them. ``key`` is what consistent hashing goes by, ``now`` (seconds) is for
        policies that forget with time; the others look at neither.
        """
        ...

    def reweigh(self) -> None:
        """Take the weights that the items have now, and stay as fair as can be to what went before."""
        ...

    def heard(self, index: int, seconds: float, failed: bool, now: float) -> None:
        """Learn that an item took so long to answer, or to fail."""
        ...


class Deaf:
    """For policies that do not care how long anything took."""

    __slots__ = ()

    def heard(self, index: int, seconds: float, failed: bool, now: float) -> None:
        """Do nothing."""


def weights_of(weights: list[int]) -> list[int]:
    """Give the weights back, or raise ValueError where one is negative."""
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight is a whole number, 0 or more")
    return weights
