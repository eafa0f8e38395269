"""Drawing lots: an item at random, each as likely as its weight says.

The weights are added up once; a draw is one random number and a binary search. Where the drawn item is not
usable, another draw is made, which is right because a refused draw says nothing about the next. That is
quick while most of the weight is usable. After a few draws in vain the usable ones are listed and the lot is
drawn among them. Both ways give each usable item its weight's share of what is usable, and so does any
mixture of the two.

Two distinct items are drawn likewise, the second among all but the first. Policies that compare two random
items keep the first where they find no difference, so that what is left to chance follows the weights.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

from .choice import Chance, Deaf, Item, weights_of

_DRAWS: Final = 4
"""Draws before the usable ones are listed: enough, nearly always, while half of the weight is usable."""


class Lots:
    """The lots in the urn, as many for each item as its weight."""

    __slots__ = ("_chance", "_last", "_sums", "_total", "indices", "weights")

    def __init__(self, weights: list[int], chance: Chance) -> None:
        self.weights = weights_of(weights)
        self.indices = [index for index, weight in enumerate(weights) if weight]
        self._sums = list(accumulate(weights[index] for index in self.indices))
        self._last = len(self._sums) - 1
        self._total = self._sums[-1] if self._sums else 0
        self._chance = chance

    def one(self, usable: Callable[[int], bool] | None) -> int | None:
        """Draw one that is usable, or give None where none is."""
        last = self._last
        if last < 0:
            return None
        drawn = self.indices[bisect(self._sums, self._chance.random() * self._total, 0, last)]
        if usable is None or usable(drawn):
            return drawn
        refused = {drawn}
        again = self._draw(usable, refused, _DRAWS - 1)
        return self.among(self._others(usable, refused)) if again is None else again

    def two(self, usable: Callable[[int], bool] | None) -> tuple[int, int] | None:
        """Draw two distinct usable ones; the only one twice, None where there is none."""
        indices, last = self.indices, self._last
        if last < 0:
            return None
        random, sums, total = self._chance.random, self._sums, self._total
        one = indices[bisect(sums, random() * total, 0, last)]
        if usable is not None and not usable(one):
            return self._two_of_few({one}, usable)
        other = indices[bisect(sums, random() * total, 0, last)]
        if other == one:
            refused = {one}
        elif usable is None or usable(other):
            return one, other
        else:
            refused = {one, other}
        second = self._draw(usable, refused, _DRAWS - 1)
        if second is None:
            second = self.among(self._others(usable, refused))
        return one, one if second is None else second

    def _two_of_few(self, refused: set[int], usable: Callable[[int], bool]) -> tuple[int, int] | None:
        """Draw two distinct usable ones as above, where those refused are known not to be usable."""
        second: int | None
        first = self._draw(usable, refused, _DRAWS - 1)
        if first is None:
            rest = self._others(usable, refused)
            first = self.among(rest)
            if first is None:
                return None
            rest.remove(first)
            second = self.among(rest)
        else:
            refused.add(first)
            second = self._draw(usable, refused, _DRAWS)
            if second is None:
                second = self.among(self._others(usable, refused))
        return first, first if second is None else second

    def among(self, indices: list[int]) -> int | None:
        """Draw one of these by weight, or give None where there are none."""
        if len(indices) <= 1:
            return indices[0] if indices else None
        weights = self.weights
        left = self._chance.random() * sum([weights[index] for index in indices])
        for index in indices:
            left -= weights[index]
            if left < 0:
                return index
        return indices[-1]

    def _draw(self, usable: Callable[[int], bool] | None, refused: set[int], draws: int) -> int | None:
        """Draw one that is not refused, asking about each once; what is not usable becomes refused."""
        indices, sums, total, last = self.indices, self._sums, self._total, self._last
        random = self._chance.random
        for _ in range(draws):
            drawn = indices[bisect(sums, random() * total, 0, last)]
            if drawn in refused:
                continue
            if usable is None or usable(drawn):
                return drawn
            refused.add(drawn)
        return None

    def _others(self, usable: Callable[[int], bool] | None, refused: set[int]) -> list[int]:
        return [index for index in self.indices if index not in refused and (usable is None or usable(index))]


class ByLot(Deaf):
    """The policy ``random``: each request goes where the lot falls."""

    __slots__ = ("_chance", "_items", "_lots")

    def __init__(self, items: Sequence[Item], chance: Chance) -> None:
        self._items = items
        self._chance = chance
        self.reweigh()

    def pick(
        self, usable: Callable[[int], bool] | None = None, key: bytes = b"", now: float = 0.0
    ) -> int | None:
        """Draw one of the usable items; see Policy."""
        return self._lots.one(usable)

    def reweigh(self) -> None:
        """Take the weights that the items have now; draws have no memory to keep."""
        self._lots = Lots([item.weight for item in self._items], self._chance)
