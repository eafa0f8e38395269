"""placeholder"""


def unbounded(pattern: str) -> str:
    """Give the reason why a pattern may backtrack without bound, or nothing."""
    return ""
