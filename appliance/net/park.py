"""Where tasks wait: a park holds at most one task, and a deadline that is a plain number.

A trio cancel scope costs 8 to 13 microseconds, a store to ``due`` a few hundredths of one. So nothing
on the data path arms a scope: it writes ``due`` and ``why``, and one sweep every ``TICK`` seconds
interrupts the parks that are past due. Timeouts therefore come up to ``TICK`` late, never early.

Interrupting is sticky: a fault that finds nobody parked is raised at the next wait, so a deadline
cannot be lost between two waits. Waking is sticky too (``ready``), as with an event.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from math import inf

import trio
from outcome import Error
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

from appliance.model.fault import Fault, Reason

TICK = 0.05


class _Pass:
    """What is awaited when there is nothing to wait for."""

    __slots__ = ()

    def __await__(self) -> Generator[object, None, None]:
        yield from ()


_PASS = _Pass()


class Park:
    """One place where one task waits for one thing."""

    __slots__ = ("_task", "due", "fault", "ready", "why")

    def __init__(self) -> None:
        self._task: Task | None = None
        self.due = inf
        self.why: Reason | None = None
        self.fault: Fault | None = None
        self.ready = False

    @property
    def occupied(self) -> bool:
        """Say whether a task is parked here now."""
        return self._task is not None

    def wake(self) -> None:
        """Let the parked task go on, or the next one pass without parking."""
        self.ready = True
        task = self._task
        if task is not None:
            self._task = None
            reschedule(task)

    def interrupt(self, fault: Fault) -> None:
        """Raise ``fault`` in the parked task, or in the next one to wait here."""
        task = self._task
        if task is None:
            self.fault = fault
        else:
            self._task = None
            reschedule(task, Error(fault))

    def wait(self) -> Awaitable[object]:
        """Park until woken; passes at once when ``ready``, which is left for the caller to clear.

        To be awaited where it is called (it is no coroutine, to spare each wait a frame). Raises the
        Fault of an interruption. Not always a checkpoint. Two tasks on one park are a bug in the caller
        and raise trio.BusyResourceError.
        """
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        if self.ready:
            return _PASS
        if self._task is not None:
            raise trio.BusyResourceError("another task is parked here")
        self._task = current_task()
        return wait_task_rescheduled(self._left)  # noqa: ASYNC105 (awaited by the caller)

    def _left(self, _raise_cancel: object) -> Abort:
        self._task = None
        return Abort.SUCCEEDED


class Lot:
    """All parks whose deadlines are watched, and the clock they are read against."""

    __slots__ = ("now", "parks")

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.parks: set[Park] = set()

    def sweep(self) -> None:
        """Interrupt every parked task whose deadline has passed."""
        now = self.now()
        for park in [park for park in self.parks if park.due <= now]:
            if park.occupied and park.why is not None:
                park.due = inf
                park.interrupt(Fault(park.why))

    async def run(self) -> None:
        """Sweep every ``TICK`` seconds until cancelled."""
        while True:
            await trio.sleep(TICK)
            self.sweep()
