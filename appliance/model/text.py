"""Words for numbers of things."""

from __future__ import annotations


def counted(number: int, word: str) -> str:
    """Give ``1 route``, ``2 routes``."""
    return f"{number} {word}{'' if number == 1 else 's'}"
