"""Words for numbers of things."""

from __future__ import annotations

from typing import Final


def counted(number: int, word: str) -> str:
    """Give ``1 route``, ``2 routes``."""
    return f"{number} {word}{'' if number == 1 else 's'}"


PRINTABLE: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    code: f"\\u{code:04x}"
    for code in (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
}
"""For ``str.translate``: escapes control characters and direction marks, which could rewrite a terminal."""


def printable(value: object) -> str:
    """Give a value as text that is safe on a terminal and in a line of a log."""
    return str(value).translate(PRINTABLE)
