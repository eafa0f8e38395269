"""Which endpoint takes the next request: the policies by name, and the first of them, ``round_robin``.

Each policy is a module of its own; what they have in common stands in ``choice``. Weights count in all.

=================== ============================================== ===================================
policy              chooses                                        keeps, when the list changes
=================== ============================================== ===================================
``round_robin``     in turn, evenly interleaved                    credits
``weighted``        by deadline, exact over every run of a cycle   the way to the next deadline
``random``          by lot                                         nothing
``least_conn``      the fewest requests under way                  nothing
``ewma``            the lower latency times load, of two           what was heard
``consistent_hash`` by key                                         nothing: it follows from the names
=================== ============================================== ===================================

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
share and not to a burst. When it leaves, rounds pay out less, and the others' credits are cut to what a
round pays then: they are debts of another currency, and would buy an item of little weight many turns in
a row. With equal weights all this comes down to going round the circle, which costs the same however many
items there are.

When weights change, or items come and go, each that stays keeps its credit as a part of what a round
pays out. It is kept in proportion because a weight may become a hundredth of what it was, and a credit
of the old size would then buy a hundred turns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .choice import Chance, Deaf, Item, Policy, weights_of
from .ewma import PeakEwma
from .least import LeastBusy
from .lots import ByLot
from .rendezvous import Rendezvous
from .weighted import Deadlines


class RoundRobin(Deaf):
    """Smooth weighted round robin; the weights are non-negative integers, one for each item.

    An item of weight 0 is never chosen. Raises ValueError for a negative weight.
    """

    __slots__ = ("_credits", "_equal", "_items", "_next", "_paid", "_weights")

    def __init__(self, weights: Sequence[int]) -> None:
        self._begin(list(weights), {})

    def pick(
        self, usable: Callable[[int], bool] | None = None, key: bytes = b"", now: float = 0.0
    ) -> int | None:
        """Give the item whose turn it is among the usable ones; see Policy."""
        return self._by_turn(usable) if self._equal else self._by_credit(usable)

    def reweigh(self) -> None:
        """Do nothing: these weights are fixed."""

    def _begin(self, weights: list[int], parts: dict[int, float]) -> None:
        """Begin with these weights, and with credits given as parts of what a round pays out."""
        self._weights = weights_of(weights)
        self._items = [item for item, weight in enumerate(weights) if weight]
        total = sum(weights)
        self._credits = [round(parts.get(item, 0.0) * total) for item in range(len(weights))]
        self._equal = len({weights[item] for item in self._items}) <= 1
        self._paid = 0  # what the last pick by credit paid out
        self._next = 0  # with equal weights: whose turn it is, as a position in _items
        if self._equal and self._items:
            credits = [self._credits[item] for item in self._items]
            self._next = credits.index(max(credits))

    def _parts(self) -> dict[int, float]:
        """Give the credits as parts of what a round pays out, those of items with weight."""
        if self._equal:
            # So often was each paid since the circle began; whoever had a turn has paid a round for it.
            paid = self._next / (len(self._items) or 1)
            return {item: paid - (turn < self._next) for turn, item in enumerate(self._items)}
        total = sum(self._weights)
        return {item: self._credits[item] / total for item in self._items}

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
        able = self._items if usable is None else [item for item in self._items if usable(item)]
        paid = sum([weights[item] for item in able])
        if paid != self._paid:
            self._paid = paid
            for item in able:
                credit[item] = max(-paid, min(paid, credit[item]))
        chosen: int | None = None
        most = 0
        for item in able:
            credit[item] += weights[item]
            if chosen is None or credit[item] > most:
                chosen, most = item, credit[item]
        if chosen is not None:
            credit[chosen] -= paid
        return chosen


class Turns(RoundRobin):
    """The policy ``round_robin``; ``old`` is a policy whose credits are carried over by name."""

    __slots__ = ("_of",)

    def __init__(self, items: Sequence[Item], old: Policy | None = None) -> None:
        self._of = items
        parts: dict[int, float] = {}
        if isinstance(old, Turns):
            before = {old._of[index].name: part for index, part in old._parts().items()}
            parts = {index: before[item.name] for index, item in enumerate(items) if item.name in before}
        self._begin([item.weight for item in items], parts)

    def reweigh(self) -> None:
        """Take the weights that the items have now; credits stay in proportion."""
        weights = [item.weight for item in self._of]
        if weights != self._weights:
            self._begin(weights, self._parts())


def make(kind: str, items: Sequence[Item], chance: Chance, old: Policy | None = None) -> Policy:
    """Give the policy of that name, as it stands in a profile, over these items.

    ``old`` is the policy that it takes over from after items came or went; what that one knows of items
    is carried over by name, if it is of the same kind. Raises ValueError for a name that is no policy.
    """
    match kind:
        case "round_robin":
            return Turns(items, old)
        case "weighted":
            return Deadlines(items, old)
        case "random":
            return ByLot(items, chance)
        case "least_conn":
            return LeastBusy(items, chance)
        case "ewma":
            return PeakEwma(items, chance, old)
        case "consistent_hash":
            return Rendezvous(items)
    raise ValueError(f"{kind!r} is no way to balance")


def shares(weights: Sequence[int]) -> RoundRobin:
    """Give a split in fixed proportions, such as that of a route among upstreams."""
    return RoundRobin(weights)
