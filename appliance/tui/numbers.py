"""Numbers as the dashboard shows them: the digits that matter, a unit, a dash for what is not known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeGuard

_SIZES = ("", "K", "M", "G", "T")


def rate(value: object) -> str:
    """Give a number per second, or any count: 1284, 18.4, 0.3, 12.8K."""
    if not is_number(value):
        return "–"
    if value >= 10_000:
        return _large(value, 1000)
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def percent(share: object) -> str:
    """Give a share as per cent without its sign: 100, 4.1, 0.0."""
    if not is_number(share):
        return "–"
    value = share * 100
    return "100" if value >= 99.95 else f"{value:.1f}"


def millis(ms: object) -> str:
    """Give a time of a request: 0.3ms, 8ms, 640ms, 1.9s."""
    if not is_number(ms):
        return "–"
    if ms < 1:
        return f"{ms:.1f}ms"
    if ms < 1000:
        return f"{ms:.0f}ms"
    return f"{ms / 1000:.1f}s" if ms < 10_000 else f"{ms / 1000:.0f}s"


def size(count: object) -> str:
    """Give bytes: 61, 8.1K, 2.1M."""
    return "–" if not is_number(count) else _large(count, 1024)


def _large(value: float, base: int) -> str:
    step = 0
    while value >= base and step < len(_SIZES) - 1:
        value /= base
        step += 1
    digits = 0 if value >= 9.95 or not step else 1
    return f"{value:.{digits}f}{_SIZES[step]}"


def lasting(seconds: float, *, tenths: bool = False) -> str:
    """Give a duration in two units at most: 18.4s, 41s, 3m07s, 2h05m, 3d04h."""
    seconds = max(0.0, seconds)
    if seconds < 60:
        return f"{seconds:.1f}s" if tenths else f"{int(seconds + 0.5)}s"
    whole = int(seconds)
    minutes, left = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{left:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02}m"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours:02}h"


def clock(t: object, *, utc: bool = False, millis: bool = False) -> str:
    """Give Unix milliseconds as a time of day."""
    if not is_number(t) or not 0 <= t < 1e14:
        return "--:--:--"
    moment = datetime.fromtimestamp(t / 1000, UTC)
    if not utc:
        moment = moment.astimezone()
    text = moment.strftime("%H:%M:%S")
    return f"{text}.{int(t) % 1000:03}" if millis else text


def zone(t: object, *, utc: bool = False) -> str:
    """Give the offset of the clock from UTC: +02, or UTC."""
    if utc or not is_number(t) or not 0 <= t < 1e14:
        return "UTC"
    text = datetime.fromtimestamp(t / 1000, UTC).astimezone().strftime("%z")
    return text[:3] if text.endswith("00") else text


def is_number(value: object) -> TypeGuard[int | float]:
    """Say whether a value that came over the wire is a number that can be shown."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e18
