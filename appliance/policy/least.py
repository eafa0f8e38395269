"""The policy ``least_conn``: the item with the fewest requests under way for its weight.

Up to eight items all are looked at, and the smallest ``in_flight / weight`` wins. Items that are level are
drawn by lot, by weight: taking the first of them would send everything to it while little is going on, and
going round would favour whoever comes after a busy one.

With more items a look at all of them costs more than it gains, and several workers that all see the same
emptiest item would all run to it. So the better of two random ones is taken, which keeps the longest queue
nearly as short as looking at all (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing",
2001). They are drawn by weight; where they are level the first drawn stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from .choice import Chance, Deaf, Item
from .lots import Lots

FULL_SCAN: Final = 8
"""Up to so many items of positive weight are all looked at."""


class LeastBusy(Deaf):
    """Chooses by requests under way over weight."""

    __slots__ = ("_chance", "_items", "_lots")

    def __init__(self, items: Sequence[Item], chance: Chance) -> None:
        self._items = items
        self._chance = chance
        self.reweigh()

    def pick(
        self, usable: Callable[[int], bool] | None = None, key: bytes = b"", now: float = 0.0
    ) -> int | None:
        """Give the least busy of the usable items, or of two of them; see Policy."""
        lots = self._lots
        if len(lots.indices) <= FULL_SCAN:
            return self._of_all(lots, usable)
        two = lots.two(usable)
        if two is None:
            return None
        first, second = two
        items, weights = self._items, lots.weights
        # Whole numbers multiplied across: exact, and cheaper than dividing.
        if items[second].in_flight * weights[first] < items[first].in_flight * weights[second]:
            return second
        return first

    def _of_all(self, lots: Lots, usable: Callable[[int], bool] | None) -> int | None:
        items, weights = self._items, lots.weights
        least = -1.0
        level: list[int] = []
        for index in lots.indices:
            if usable is not None and not usable(index):
                continue
            load = items[index].in_flight / weights[index]
            if load == least:
                level.append(index)
            elif load < least or not level:
                least = load
                level = [index]
        return lots.among(level)

    def reweigh(self) -> None:
        """Take the weights that the items have now; what is under way is seen at each pick anyway."""
        self._lots = Lots([item.weight for item in self._items], self._chance)
