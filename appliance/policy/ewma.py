"""The policy ``ewma``: the better of two random items, by latency times load.

The measure is that of Finagle's load balancer (twitter/finagle, ``PeakEwma``): an average that forgets with
time and takes peaks whole. A sample slower than the estimate becomes the estimate at once; a faster one is
averaged in with weight ``1 - exp(-t / TAU)``, t being the time since the sample before. So the policy flees
at the first sign of trouble and returns with care. The cost of an item is its estimate times
``1 + in_flight * mean weight / weight``. With equal weights that is Finagle's ``in_flight + 1``; with unequal
ones what is under way follows the weights, and yet an idle item is not dearer for being small. Two items
are drawn by weight, and where they cost the same the first drawn stays: so weights hold where nothing
else differs, under much load and under hardly any.

An item that was abandoned must be tried again, or nobody would learn that it has recovered. So while nothing
is heard of it, its estimate as read fades with the same time constant, down to the typical latency of all
and no further, so that being idle never makes an item the better of two equals. Being chosen sets the
fading back to its beginning. So a slow item that looks good for having been silent is tried with one
request, not with all that arrive before that one is answered. An item never heard of costs nothing until it
is first chosen, and from then until its first answer as much as one that has failed: tried soon, and not
flooded.

Fast failures are the trap of this policy: whoever refuses everything in a millisecond has the shortest
latency and never anything under way. So a failure (429 included, which says that the item has enough) counts
as a sample of at least a second, or of ten times what good answers typically cost, load included, whichever
is more, and never lowers the estimate. A second, because few services that care for latency are that slow
and yet well; ten times the cost, because siblings that are slow or busy must not make a failing item look
good. Ten fades to one in 23 seconds, which is how often such an item is tried beside busy siblings. Beside
idle ones that answer in 10 ms it is 46 seconds. Where all fail alike, all are penalised alike, and load
decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, inf
from typing import Final

from .choice import Chance, Item, Policy
from .lots import Lots

TAU: Final = 10.0
"""Seconds in which all but 37 % of a faster past is forgotten; Finagle's default decay time."""
_SHORT: Final = TAU / 100
"""Seconds of silence that make no difference worth a look."""
PENALTY: Final = 1.0
"""The least that a failure counts as, in seconds."""
PENALTY_RATIO: Final = 10.0
"""The least that a failure counts as, in typical costs of good answers."""


class Memory:
    """What is known of one item: its estimate, when it was heard last, and when heard or chosen last."""

    __slots__ = ("estimate", "heard", "touched")

    def __init__(self) -> None:
        self.estimate = PENALTY
        self.heard = self.touched = -inf


class PeakEwma:
    """Chooses by latency times load; ``old`` is a policy whose memory is carried over by name."""

    __slots__ = (
        "_chance",
        "_items",
        "_lots",
        "_memories",
        "_scale",
        "_typical",
        "_typical_at",
        "_typical_cost",
    )

    def __init__(self, items: Sequence[Item], chance: Chance, old: Policy | None = None) -> None:
        self._items = items
        self._chance = chance
        self._typical = self._typical_cost = 0.0
        self._typical_at = -inf
        known: dict[str, Memory] = {}
        if isinstance(old, PeakEwma):
            known = {item.name: memory for item, memory in zip(old._items, old._memories, strict=False)}
            self._typical, self._typical_cost = old._typical, old._typical_cost
            self._typical_at = old._typical_at
        self._memories: list[Memory] = [known.get(item.name) or Memory() for item in items]
        self.reweigh()

    def pick(
        self, usable: Callable[[int], bool] | None = None, key: bytes = b"", now: float = 0.0
    ) -> int | None:
        """Give the cheaper of two usable items drawn by weight; see Policy."""
        two = self._lots.two(usable)
        if two is None:
            return None
        chosen, second = two
        if chosen != second and self.cost(second, now) < self.cost(chosen, now):
            chosen = second
        memory = self._memories[chosen]
        memory.touched = max(now, memory.touched)
        return chosen

    def cost(self, index: int, now: float) -> float:
        """Give what a request to this item would cost now: seconds times load."""
        return self.reading(index, now) * (1 + self._items[index].in_flight * self._scale[index])

    def reading(self, index: int, now: float) -> float:
        """Give the latency (seconds) that is expected of an item, faded by silence; 0 for one never tried."""
        memory = self._memories[index]
        silence = now - memory.touched
        if silence <= _SHORT:
            return memory.estimate
        if silence == inf:
            return 0.0
        faded = memory.estimate * exp(-silence / TAU)
        return faded if faded > self._typical else min(memory.estimate, self._typical)

    def reweigh(self) -> None:
        """Take the weights that the items have now; what was heard stays."""
        self._lots = lots = Lots([item.weight for item in self._items], self._chance)
        mean = sum(lots.weights) / (len(lots.indices) or 1)
        self._scale = [mean / weight if weight else 0.0 for weight in lots.weights]

    def heard(self, index: int, seconds: float, failed: bool, now: float) -> None:
        """Take a sample: ``seconds`` until the item answered, or failed."""
        memory = self._memories[index]
        if failed:
            penalty = max(PENALTY, PENALTY_RATIO * self._typical_cost)
            memory.estimate = max(memory.estimate, seconds, penalty)
        else:
            if seconds > memory.estimate:
                memory.estimate = seconds
            else:
                left = exp(min(0.0, memory.heard - now) / TAU)
                memory.estimate = seconds + (memory.estimate - seconds) * left
            left = exp(min(0.0, self._typical_at - now) / TAU)
            cost = seconds * (1 + self._items[index].in_flight * self._scale[index])
            self._typical = seconds + (self._typical - seconds) * left
            self._typical_cost = cost + (self._typical_cost - cost) * left
            self._typical_at = max(now, self._typical_at)
        memory.heard = max(now, memory.heard)
        memory.touched = max(now, memory.touched)
