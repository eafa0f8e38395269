"""The policy ``weighted``: exact proportion over every cycle, by the earliest deadline in virtual time.

In one unit of virtual time, a cycle, an item of weight w (the weights divided by their greatest common
divisor) has w deadlines, evenly spaced, the first of them half a space after the start. Each pick takes the
item with the earliest deadline, of equals the one that comes first in the list. Nothing but deadlines
decides, and they repeat with every cycle. So any run of as many picks as the weights add up to, wherever it
begins, has each item exactly its weight times. Deadlines stand in a heap: a pick costs the logarithm of the
number of items, where ``round_robin`` with unequal weights looks at all of them.

An item that is not usable when its deadline comes is passed over and loses that turn. Its next deadline is
its own next one after the present virtual time. So it comes back without a burst for what it missed, and
the runs that begin after its return are exact again.

When weights change, each item keeps how far it was, as a fraction of its own space, on its way to its next
deadline; the rest follows from the new weights. An item that had no weight, or is new, begins with half a
space. The order is that of ``random`` made exact: an item may come twice in a row.

A deadline is a whole number of very small parts of a cycle, shifted left so that the low bits hold the
index: one number carries both, and comparing needs no tuple. The number of parts is divisible by all weights
up to 16; for others, what rounding loses in w steps is added to the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from math import gcd

from .choice import Deaf, Item, Policy, weights_of

_INDEX_BITS = 24
_INDEX = (1 << _INDEX_BITS) - 1
_CYCLE = 720_720 << (46 + _INDEX_BITS)
_WHOLE = 1 << 32


class Deadlines(Deaf):
    """Chooses whoever's deadline comes first; ``old`` is a policy whose state is carried over by name."""

    __slots__ = ("_count", "_heap", "_items", "_last", "_round", "_space", "_weights")

    def __init__(self, items: Sequence[Item], old: Policy | None = None) -> None:
        self._items = items
        self._weights = weights_of([item.weight for item in items])
        self._last = 0  # the deadline of the last pick: the present virtual time
        self._begin(old._ways() if isinstance(old, Deadlines) else {})

    def pick(
        self, usable: Callable[[int], bool] | None = None, key: bytes = b"", now: float = 0.0
    ) -> int | None:
        """Give the usable item with the earliest deadline; see Policy."""
        heap = self._heap
        if not heap:
            return None
        first = heap[0]
        index = first & _INDEX
        if usable is not None and not usable(index):
            return self._pass_over(usable)
        self._last = first
        heapreplace(heap, self._next(index, first))
        return index

    def reweigh(self) -> None:
        """Take the weights that the items have now; each keeps its way to its next deadline."""
        weights = weights_of([item.weight for item in self._items])
        if weights != self._weights:
            ways = self._ways()
            self._weights = weights
            self._begin(ways)

    def _begin(self, ways: dict[str, int]) -> None:
        """Lay out the deadlines from time zero; ``ways`` are parts of a space still to go, by name."""
        divisor = gcd(*self._weights) or 1
        self._last = 0
        self._round = [weight // divisor for weight in self._weights]
        self._space = [_CYCLE // each >> _INDEX_BITS << _INDEX_BITS if each else 0 for each in self._round]
        self._count = [0] * len(self._round)
        self._heap = []
        for index, space in enumerate(self._space):
            if space:
                way = space * ways.get(self._items[index].name, _WHOLE // 2) // _WHOLE
                self._heap.append(way & ~_INDEX | index)
        heapify(self._heap)

    def _ways(self) -> dict[str, int]:
        """Give how far each item is from its next deadline, in parts (2^-32) of its space, by name."""
        now = self._last & ~_INDEX
        ways = {}
        for deadline in self._heap:
            index = deadline & _INDEX
            way = ((deadline & ~_INDEX) - now) * _WHOLE // self._space[index]
            ways[self._items[index].name] = min(_WHOLE, max(0, way))
        return ways

    def _next(self, index: int, deadline: int) -> int:
        """Give the deadline that follows, and count it."""
        deadline += self._space[index]
        count = self._count[index] + 1
        if count == self._round[index]:
            deadline += _CYCLE - count * self._space[index]
            count = 0
        self._count[index] = count
        return deadline

    def _pass_over(self, usable: Callable[[int], bool]) -> int | None:
        """Find the first that is usable when the first of all is known not to be."""
        heap = self._heap
        passed = [heappop(heap)]
        while heap:
            index = heap[0] & _INDEX
            if usable(index):
                break
            passed.append(heappop(heap))
        else:
            self._heap = passed  # nobody was chosen, so no time has passed; ascending, so already a heap
            return None
        chosen = self._last = heap[0]
        heapreplace(heap, self._next(index, chosen))
        for deadline in passed:
            heappush(heap, self._after(deadline & _INDEX, deadline, chosen))
        return index

    def _after(self, index: int, deadline: int, moment: int) -> int:
        """Give the item's first deadline after ``moment``, whole cycles and spaces at a time."""
        whole, rest = divmod(moment - deadline, _CYCLE)
        steps = rest // self._space[index] + 1
        deadline += whole * _CYCLE + steps * self._space[index]
        count = self._count[index] + steps
        if count >= self._round[index]:
            deadline += _CYCLE - self._round[index] * self._space[index]
            count -= self._round[index]
        self._count[index] = count
        return deadline
