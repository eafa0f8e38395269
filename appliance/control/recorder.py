"""The flight recorder: the frames of the last minutes in memory, so that the past is there when it is needed.

It holds what a client with all sets would have been sent: a whole state every half minute, and differences
and events in between. What lies around a trip is kept aside for longer than the rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Final

from appliance.config.plan_policy import RecorderPlan

KEYFRAME: Final = 30.0
"""Seconds between two whole states."""
FROZEN: Final = 5
"""Trips of which the surroundings are kept."""
_BEFORE, _AFTER = 120.0, 60.0
_CHUNK: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame as it was: when (seconds), whether it is a whole state, and its JSON."""

    at: float
    whole: bool
    text: str


@dataclass(slots=True)
class _Frozen:
    """What lies around a trip; it grows until a moment."""

    until: float
    rows: list[Taken]
    size: int


class Recorder:
    """Keeps frames, the oldest go first."""

    def __init__(self, plan: Callable[[], RecorderPlan]) -> None:
        self._plan = plan
        self._frames: deque[Taken] = deque()
        self._whole_at = -KEYFRAME
        self._frozen: dict[str, _Frozen] = {}
        self.size = 0

    def wants_whole(self, now: float) -> bool:
        """Say whether the next frame is to be a whole state."""
        return now - self._whole_at >= KEYFRAME

    def add(self, now: float, text: str, *, whole: bool = False) -> None:
        """Keep a frame."""
        if whole:
            self._whole_at = now
        taken = Taken(now, whole, text)
        self._frames.append(taken)
        self.size += len(text)
        plan = self._plan()
        while self._frames and (self.size > plan.max_size or self._frames[0].at < now - plan.keep):
            self.size -= len(self._frames.popleft().text)
        for kept in self._frozen.values():
            if now <= kept.until:
                kept.rows.append(taken)
                kept.size += len(text)
        self._thaw()

    def freeze(self, trip: str, now: float) -> None:
        """Keep aside what there is of the last two minutes, and what comes in the next one."""
        rows = self._since(now - _BEFORE)
        self._frozen[trip] = _Frozen(now + _AFTER, rows, sum(len(row.text) for row in rows))
        self._thaw()

    def _thaw(self) -> None:
        """Let the oldest go while they are too many, or larger together than all the rest may be.

        The last one stays; it only grows no more.
        """
        frozen = self._frozen
        while len(frozen) > FROZEN:
            del frozen[next(iter(frozen))]
        most = self._plan().max_size
        while sum(each.size for each in frozen.values()) > most and self._kept() > most:
            if len(frozen) == 1:
                (last,) = frozen.values()
                last.until = -inf
                return
            del frozen[next(iter(frozen))]

    def _kept(self) -> int:
        """Give the characters kept aside; what lies around several trips is there once."""
        rows = {id(row): row for each in self._frozen.values() for row in each.rows}
        return sum(len(row.text) for row in rows.values())

    @property
    def oldest(self) -> float | None:
        """Give when the oldest frame was taken (seconds), None if there is none."""
        return self._frames[0].at if self._frames else None

    def history(self, begin: float, end: float) -> list[str]:
        """Give the frames of a time (seconds), from a whole state at or before its beginning on."""
        return [row.text for row in self._since(begin) if row.at <= end]

    def around(self, trip: str) -> list[str] | None:
        """Give what lies around a trip, None if it is not kept."""
        kept = self._frozen.get(trip)
        return None if kept is None else [row.text for row in kept.rows]

    def _since(self, begin: float) -> list[Taken]:
        rows = list(self._frames)
        wholes = [index for index, row in enumerate(rows) if row.whole]
        if not wholes:
            return []
        return rows[max((index for index in wholes if rows[index].at <= begin), default=wholes[0]) :]


def chunks(frames: list[str]) -> Iterator[list[str]]:
    """Cut frames into messages of a size that a client takes; one empty one if there are none."""
    chunk: list[str] = []
    size = 0
    for text in frames:
        if chunk and size + len(text) > _CHUNK:
            yield chunk
            chunk, size = [], 0
        chunk.append(text)
        size += len(text)
    yield chunk
