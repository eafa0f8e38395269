"""What one peer may do too often on an HTTP/2 connection, counted; beyond it the connection ends.

    rapid reset      requests that are withdrawn at once (CVE-2023-44487): 200, then 20 a second
    returned         streams of ours that an upstream resets: each of them once or twice, and 100
    provoked resets  streams that we must reset because the peer broke a rule (CVE-2025-8671): 100
    control          PING, SETTINGS, PRIORITY and others that carry nothing: 200, then 100 a second
    window           WINDOW_UPDATE: ten for each DATA frame that we sent and each stream, and 200

Each answer is GOAWAY with ENHANCE_YOUR_CALM. A browser or a gRPC client in full swing stays an order of
magnitude below.
"""

from __future__ import annotations

from typing import Final

from .h2_frames import Code, H2ConnectionError

RESETS: Final = (200.0, 20.0)  # at once, and per second
CONTROLS: Final = (200.0, 100.0)
PROVOKED: Final = 100
WINDOWS: Final = (200, 10)  # at first, and for each DATA frame or stream


class Floods:
    """The counts of one connection."""

    __slots__ = ("_at", "_controls", "_provoked", "_resets", "_returned", "_windows")

    def __init__(self, now: float) -> None:
        self._at = now
        self._resets = RESETS[0]
        self._returned = 0
        self._controls = CONTROLS[0]
        self._provoked = PROVOKED
        self._windows = WINDOWS[0]

    def reset(self, now: float) -> None:
        """Count a stream that the peer has withdrawn; raises H2ConnectionError when it was one too many."""
        self._refill(now)
        self._resets -= 1
        if self._resets < 0:
            raise _flood("rapid reset", "too many streams reset")

    def returned(self, highest: int) -> None:
        """Count a stream that we opened, ``highest`` being the last, and that the peer has reset.

        That costs what we spent on it already, so an upstream that does so with every request, such as one
        whose answer makes the rest of an upload pointless (RFC 9113 section 8.1), does no harm by it.
        """
        self._returned += 1
        if self._returned > highest + PROVOKED:
            raise _flood("returned streams", "more resets than streams")

    def control(self, now: float) -> None:
        """Count a frame that carries nothing."""
        self._controls -= 1
        if self._controls < 0:
            self._controls += 1
            self._refill(now)
            self._controls -= 1
            if self._controls < 0:
                raise _flood("control frames", "too many frames that carry nothing")

    def provoked(self) -> None:
        """Count a stream that we had to reset because of what the peer sent on it."""
        self._provoked -= 1
        if self._provoked < 0:
            raise _flood("provoked resets", "too many streams broken")

    def window(self) -> None:
        """Count a WINDOW_UPDATE."""
        self._windows -= 1
        if self._windows < 0:
            raise _flood("window updates", "too many window updates")

    def sent_data(self) -> None:
        """Count a DATA frame that we sent, for which the peer owes us updates."""
        self._windows += WINDOWS[1]

    def opened(self) -> None:
        """Count a stream: gRPC clients widen the window of each before it carries anything."""
        self._windows += WINDOWS[1]

    def _refill(self, now: float) -> None:
        passed = max(0.0, now - self._at)
        self._at = now
        self._resets = min(RESETS[0], self._resets + passed * RESETS[1])
        self._controls = min(CONTROLS[0], self._controls + passed * CONTROLS[1])


def _flood(kind: str, why: str) -> H2ConnectionError:
    return H2ConnectionError(Code.ENHANCE_YOUR_CALM, why, kind)
