"""What is to be drawn: the proxy as it is known, the link to it, and what the person has chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from .glyphs import UNICODE, Glyphs
from .state import Model
from .tapped import Tapped

Status = Literal["connecting", "live", "stale", "disconnected", "denied", "replay"]
VIEWS: Final = (
    "Overview", "Breakers", "Upstreams", "Routes", "Tap", "Events", "Profile", "System",
)  # fmt: skip
STALE_AFTER: Final = 3.0
"""Seconds without a frame after which what is shown is old."""
SLOW_LAG: Final = 1.0
HOLD: Final = 3.0
"""Seconds for which the order of lines stays after the cursor has moved."""


@dataclass(frozen=True, slots=True)
class Link:
    """How the connection is. Times are seconds of this machine's clock.

    ``text`` says why it is as it is, ``attempt`` and ``next_at`` when the next try comes. ``lag`` is how far
    behind frames come (seconds), ``skipped`` how many ticks of the last seconds were merged.
    """

    status: Status = "connecting"
    since: float = 0.0
    text: str = ""
    attempt: int = 0
    next_at: float = 0.0
    heard: float = 0.0
    lag: float = 0.0
    skipped: int = 0
    rate: float = 4.0
    restarted: tuple[float, int, int] | None = None
    """When another process was met, its predecessor's id, and its own."""


@dataclass(slots=True)
class Ui:
    """What the person has chosen; changed by keys, never by frames.

    Dictionaries are by view (1 to 8). ``cursor`` is the key of a thing, ``offset`` how far a list is
    scrolled, ``order`` the order of keys that is held. ``whole``: a report has all of its
    view. ``echo`` is the line above the keys, ``story`` what a demonstration says, and what to do about it.
    """

    view: int = 1
    glyphs: Glyphs = UNICODE
    ascii: bool = False
    theme: str = "dark"
    utc: bool = False
    low: bool = False
    trouble: bool = False
    frozen: bool = False
    read_only: bool = False
    moved_at: float = -HOLD
    table: bool | None = None
    whole: bool = False
    echo: str = ""
    story: tuple[str, str] = ("", "")
    cursor: dict[int, str] = field(default_factory=dict)
    offset: dict[int, int] = field(default_factory=dict)
    order: dict[int, tuple[str, ...]] = field(default_factory=dict)
    sort: dict[int, tuple[str, bool]] = field(default_factory=dict)
    filters: dict[int, str] = field(default_factory=dict)
    folded: set[str] = field(default_factory=set)
    unfolded: set[str] = field(default_factory=set)
    seen_event: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture. ``now`` is this machine's clock, ``m`` the proxy's, worked out from it.

    ``paused`` is the moment that is shown instead of now (Unix milliseconds), None when live. ``trips`` are
    reports that have been fetched. ``span`` is the past that is known (Unix milliseconds), ``speed`` how fast
    it runs. ``disk`` is what the proxy said of the file of its profile, None before it did.
    """

    model: Model
    link: Link
    ui: Ui
    now: float = 0.0
    m: int = 0
    paused: int | None = None
    trips: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tap: Tapped = Tapped()
    span: tuple[int, int] | None = None
    speed: float = 0.0
    disk: Mapping[str, Any] | None = None

    @property
    def stale(self) -> bool:
        """Say whether what is shown is not of now, without that being wanted."""
        if self.link.status == "replay":
            return False
        return self.link.status != "live" or self.now - self.link.heard > STALE_AFTER

    @property
    def acting(self) -> str:
        """Say why nothing can be done here, empty if something can."""
        if self.link.status == "replay":
            return "this is a recording"
        if self.paused is not None:
            return "this is the past: press . for now"
        if self.stale:
            return "what is shown is old"
        if self.ui.read_only:
            return "this dashboard only looks (--read-only)"
        if self.model.role != "operator":
            return "your role is observer"
        return ""
