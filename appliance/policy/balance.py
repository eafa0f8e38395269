"""Which endpoint takes the next request: a choice among n items, known here only by index.

A policy holds what it needs to be fair and nothing about endpoints. Whether an item is usable
(healthy, not drained, its breaker ready) is for the caller to say each time, because that changes
from one request to the next; the policy merely never answers with one that is not. Choosing is
synchronous and takes no clock: a policy that wants time or chance is to take them as arguments.

Smooth weighted round robin, as nginx does it: every item has a credit, all zero at first. Each
pick pays every usable item its weight, chooses the item with the most credit (of equals the
first), and takes from it what was just paid out. So the sum of all credits stays zero, and after
as many picks as the weights add up to (divided by their greatest common divisor) every credit is
zero again and each item was chosen exactly its weight times. Weights 5, 1, 1 give
``0 0 1 0 2 0 0``, not ``0 0 0 0 0 1 2``.

How smooth that is should not be overstated. An item with no more than half of the weight may come
twice in a row, where one cycle meets the next (2, 1, 1, 1 gives ``0 1 2 3 0 | 0 1 2 3 0``) and with
awkward weights also within one; the tests hold it to never three times.

An item that is not usable keeps its credit, about a round's worth at most, so it comes back to its
share and not to a burst. With equal weights all this comes down to going round the circle, which
costs the same however many items there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd
from typing import Protocol


class Policy(Protocol):
    """A way to choose among a fixed number of items."""

    def pick(self, usable: Callable[[int], bool] | None = None) -> int | None:
        """Give the index of the chosen item, or None where no item of positive weight is usable.

        ``usable`` None means that all are. It is asked at most once for each item per pick, and
        not necessarily for all of them.
        """
        ...


class RoundRobin:
    """Smooth weighted round robin; the weights are non-negative integers, one for each item.

    An item of weight 0 is never chosen. Raises ValueError for a negative weight.
    """

    __slots__ = ("_credits", "_equal", "_items", "_next", "_weights")

    def __init__(self, weights: Sequence[int]) -> None:
        if any(weight < 0 for weight in weights):
            raise ValueError("a weight is a whole number, 0 or more")
        divisor = gcd(*weights) or 1
        self._items = [item for item, weight in enumerate(weights) if weight]
        self._weights = [weight // divisor for weight in weights]
        self._credits = [0] * len(weights)
        self._equal = len({weights[item] for item in self._items}) <= 1
        self._next = 0  # with equal weights: whose turn it is, as a position in _items

    def pick(self, usable: Callable[[int], bool] | None = None) -> int | None:
        """Give the item whose turn it is among the usable ones; see Policy."""
        return self._by_turn(usable) if self._equal else self._by_credit(usable)

    def _by_turn(self, usable: Callable[[int], bool] | None) -> int | None:
        items = self._items
        for _ in items:
            turn = self._next
            self._next = turn + 1 if turn + 1 < len(items) else 0
            if usable is None or usable(items[turn]):
                return items[turn]
        return None

    def _by_credit(self, usable: Callable[[int], bool] | None) -> int | None:
        credit, weights = self._credits, self._weights
        chosen: int | None = None
        most = paid = 0
        for item in self._items:
            if usable is not None and not usable(item):
                continue
            credit[item] += weights[item]
            paid += weights[item]
            if chosen is None or credit[item] > most:
                chosen, most = item, credit[item]
        if chosen is not None:
            credit[chosen] -= paid
        return chosen
