"""The past of one proxy, as frames: any moment of it can be worked out again by the reducer. Pure.

Every half minute a whole model is kept, so that going back costs little. What a recorder or a file knows of
earlier times is put in front.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from appliance.wire.codec import Frame

from .numbers import is_number
from .state import Model, reduce

KEEP: Final = 15 * 60_000
"""Milliseconds that are kept."""
_APART: Final = 30_000


@dataclass(frozen=True, slots=True)
class _Mark:
    """The model before the frame with a number, at a moment."""

    m: int
    number: int
    model: Model


class Past:
    """Frames of one life of a proxy in their order."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._frames: list[Frame] = []
        self._marks: list[_Mark] = []
        self.reaches_back = False
        """Whether what the proxy remembers has been put in front."""

    def __bool__(self) -> bool:
        return bool(self._frames)

    @property
    def first(self) -> int:
        """The earliest moment that is known."""
        return self._times[0] if self._times else 0

    @property
    def last(self) -> int:
        """The latest."""
        return self._times[-1] if self._times else 0

    def add(self, frame: Frame, before: Model) -> None:
        """Keep a frame; ``before`` is the model that it was applied to."""
        if frame.get("k") not in ("snap", "delta", "events"):
            return
        m = _moment(frame, self.last)
        if self._times and m < self._times[-1]:
            m = self._times[-1]  # events tell of a little earlier
        if not self._marks or (frame.get("k") != "events" and m - self._marks[-1].m >= _APART):
            self._marks.append(_Mark(m, len(self._frames), before))
        self._times.append(m)
        self._frames.append(frame)
        if self._times[-1] - self._times[0] > KEEP + 2 * _APART:
            self._forget()

    def _forget(self) -> None:
        """Drop what is too old, up to a mark."""
        oldest = self._times[-1] - KEEP
        place = max(1, bisect_right([mark.m for mark in self._marks], oldest) - 1)
        if place >= len(self._marks):
            return
        cut = self._marks[place].number
        del self._times[:cut], self._frames[:cut]
        self._marks = [_Mark(mark.m, mark.number - cut, mark.model) for mark in self._marks[place:]]

    def put_in_front(self, frames: Iterable[Frame], start: Model) -> None:
        """Take what was before the first frame; ``start`` knows who the proxy is and nothing else."""
        self.reaches_back = True
        earlier = Past()
        model = start
        for frame in frames:
            if self._times and _moment(frame, earlier.last) >= self.first:
                break
            earlier.add(frame, model)
            model = reduce(model, frame)
        count = len(earlier._frames)
        self._times = earlier._times + self._times
        self._frames = earlier._frames + self._frames
        shifted = [_Mark(mark.m, mark.number + count, mark.model) for mark in self._marks]
        self._marks = earlier._marks + shifted

    def at(self, m: int) -> Model | None:
        """Give the model of a moment, the earliest one for what was before; None if nothing is known."""
        if not self._marks:
            return None
        place = max(0, bisect_right([mark.m for mark in self._marks], m) - 1)
        mark = self._marks[place]
        model = mark.model
        end = max(mark.number + 1, bisect_right(self._times, m))
        for frame in self._frames[mark.number : end]:
            model = reduce(model, frame)
        return model

    def frame_before(self, m: int) -> int:
        """Give the moment of the frame before a moment."""
        place = bisect_left(self._times, m) - 1
        return self._times[max(0, place)] if self._times else m


def _moment(frame: Frame, usual: int) -> int:
    m = frame.get("m")
    if frame.get("k") == "events":
        items = frame.get("items")
        last = items[-1] if isinstance(items, list) and items else None
        m = last.get("m") if isinstance(last, dict) else None
    return int(m) if is_number(m) else usual
