"""Exit codes of every command; scripts and service managers rely on them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a command's end means. 3 and 2 are not worth restarting for."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INVALID_PROFILE = 3
    CANNOT_START = 4
    UNREACHABLE = 5
    REFUSED = 6
    CONFLICT = 7
    CONDITION = 8
    INTERRUPTED = 130
    TERMINATED = 143
