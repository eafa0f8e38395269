"""Right profiles after an accident: told what is wrong, and each fix that is offered is one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.config.diagnostic import Diagnostic
from appliance.config.load import Loaded, load_profile
from tests.fuzz.strategies import ENV, accidents, compared, examined
from tests.kit.edits import applied
from tests.kit.profiles_gen import FIXABLE

ROOT = Path(__file__).parents[2]
PATHS = [
    path
    for folder in ("tests/config/corpus/good", "profiles")
    for path in sorted((ROOT / folder).glob("*.yaml"))
]
TEXTS = [path.read_text() for path in PATHS]
NAMES = [str(path) for path in PATHS]
BEFORE: dict[int, Loaded] = {}
MAX_FIXES = 4
"""Fixes tried of one text; others get their turn."""

bounded = settings(
    deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def before(number: int) -> Loaded:
    """Give what a profile is without the accident."""
    if number not in BEFORE:
        BEFORE[number] = load_profile(NAMES[number], env=ENV)
    return BEFORE[number]


@settings(bounded, max_examples=150)
@given(accidents(TEXTS), st.booleans())
def test_any_accident_is_told_or_harmless(accident: tuple[int, str], machine: bool) -> None:
    """Lines lost, doubled, moved, indented; values and keys changed. What is left can be compared."""
    number, text = accident
    compared(before(number), examined(text.encode(), NAMES[number], machine=machine))


@settings(bounded, max_examples=80)
@given(accidents(TEXTS, most=1), st.integers(0, 1 << 16))
def test_a_profile_cut_at_any_byte_is_told_or_harmless(accident: tuple[int, str], at: int) -> None:
    """As a full disk would leave it."""
    number, text = accident
    data = text.encode()
    examined(data[: at % (len(data) + 1)], NAMES[number])


@settings(bounded, max_examples=150)
@given(accidents(TEXTS, most=3, kinds=FIXABLE))
def test_each_fix_takes_its_problem_away(accident: tuple[int, str]) -> None:
    """One less of just that; of what stops the parser, the next one may come to light."""
    number, text = accident
    name = NAMES[number]
    text = text.removeprefix("\ufeff")
    told = list(load_profile(name, text=text.encode(), env=ENV).diagnostics)
    fixed = [each for each in told if each.fix and all(edit.span.file == name for edit in each.fix)]
    for each in fixed[:MAX_FIXES]:
        after = list(load_profile(name, text=applied(text, each.fix).encode(), env=ENV).diagnostics)
        assert gone(each, told, after), (each, applied(text, each.fix))


def gone(each: Diagnostic, before: list[Diagnostic], after: list[Diagnostic]) -> bool:
    """Whether there is one less of a problem, or a parser came past the place where it stopped."""

    def like(found: list[Diagnostic]) -> Counter[str]:
        return Counter(other.message for other in found if other.code == each.code)

    if like(after)[each.message] < like(before)[each.message]:
        return True
    return each.code < "MC2" and all(
        (other.span.line, other.span.column) > (each.span.line, each.span.column)
        for other in after
        if other.code == each.code
    )
