"""How the process itself is: CPU, memory, descriptors, garbage collection, and how late its loop is."""

from __future__ import annotations

import gc
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from appliance.metrics.flow import Meter

_SAMPLES: Final = 120
_SELDOM: Final = 5.0  # seconds between looks at what costs more to see
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Vitals:
    """Samples of the process; ``start`` listens to the collector until ``stop``.

    ``lateness`` is how much later than asked (seconds) the loop came back, sample by sample.
    """

    def __init__(self, now: float, cpu: Callable[[], float] = time.process_time) -> None:
        self._cpu = cpu
        self._cpu_rate = Meter(now, cpu())
        self._gc_rate = Meter(now)
        self._gc_began = 0.0
        self._gc_spent = 0.0
        self._looked = -_SELDOM
        self._fds = 0
        self.lateness: deque[float] = deque(maxlen=_SAMPLES)

    @property
    def cpu_seconds(self) -> float:
        """Give the CPU time of the process."""
        return self._cpu()

    def start(self) -> None:
        """Begin to time the collector."""
        gc.callbacks.append(self._collected)

    def stop(self) -> None:
        """End it."""
        gc.callbacks.remove(self._collected)

    def sample(self, now: float) -> dict[str, Any]:
        """Give ``cpu`` (cores), ``rss`` (bytes), ``fds``, ``gc`` (ms/s), ``lag50`` and ``lag99`` (ms)."""
        if now - self._looked >= _SELDOM:
            self._looked = now
            self._fds = _count_fds()
        late = sorted(self.lateness)
        return {
            "cpu": round(self._cpu_rate.tick(now, self._cpu()), 2),
            "rss": _rss() >> 20 << 20,
            "fds": self._fds,
            "gc": round(self._gc_rate.tick(now, self._gc_spent) * 1000, 1),
            "lag50": _ms(late, 0.5),
            "lag99": _ms(late, 0.99),
        }

    def _collected(self, phase: str, _info: object) -> None:
        if phase == "start":
            self._gc_began = time.perf_counter()
        else:
            self._gc_spent += time.perf_counter() - self._gc_began


def _ms(rows: list[float], share: float) -> float | None:
    return round(rows[min(len(rows) - 1, int(len(rows) * share))] * 1000, 1) if rows else None


def _rss() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _count_fds() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0
