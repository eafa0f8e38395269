"""No regular expression that is let through can be made to run for long: expressions by the thousand."""

from __future__ import annotations

import random
import re
import signal
from types import FrameType

import pytest

from appliance.config.backtracking import unbounded

LEAVES = ["a", "b", ".", "[ab]", "[^b]", "/", r"\w", "ab", "aa", ""]
REPEATS = ["*", "+", "?", "{0,3}", "{1,9}", "{2}", "{2,}", "*?", "+?", "??", "{1,20}", "{3,5}"]
TEXTS = [b"a" * 40, b"ab" * 20, b"a" * 1500, b"ab" * 750, b"a/" * 750, b"aab" * 500]
EACH = 2000
SECONDS = 5.0
"""Far beyond what any of these texts takes; an exponential expression would take years."""


class _TooLong(Exception):
    """The matcher was still at work."""


def expression(chance: random.Random, depth: int) -> str:
    """Give an expression of choices, groups and repeats, nested up to ``depth``."""
    kind = chance.random()
    if depth == 0 or kind < 0.3:
        return chance.choice(LEAVES)
    if kind < 0.45:
        return expression(chance, depth - 1) + expression(chance, depth - 1)
    if kind < 0.6:
        return f"({expression(chance, depth - 1)}|{expression(chance, depth - 1)})"
    return f"(?:{expression(chance, depth - 1)}){chance.choice(REPEATS)}"


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _TooLong


@pytest.mark.parametrize("seed", range(8))
def test_what_is_let_through_ends(seed: int) -> None:
    """With texts that nearly match, short ones for exponential and long ones for polynomial time."""
    chance = random.Random(seed)
    before = signal.signal(signal.SIGALRM, _stop)
    passed = 0
    try:
        for _ in range(EACH):
            text = "".join(expression(chance, chance.randint(1, 4)) for _ in range(chance.randint(1, 6)))
            if unbounded(text):
                continue
            passed += 1
            compiled = re.compile(text.encode())
            for each in TEXTS:
                signal.setitimer(signal.ITIMER_REAL, SECONDS)
                try:
                    compiled.fullmatch(each + b"!")
                except _TooLong:
                    pytest.fail(f"{text!r} takes too long for {each[:8]!r} times {len(each)}")
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert passed > EACH / 5
