"""Which regular expressions are let near the text of strangers."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.backtracking import unbounded

GOOD = [
    r"curl/.*",
    r".*curl.*",
    r"/a/[^/]*/b/[^/]*/c",
    r"(/[^/]+)*",
    r"/v\d+/.*",
    r"/users/\d+(/posts)?/?",
    r"[a-z0-9-]+\.example\.com",
    r"/(a|b|c)/x",
    r"(?i)bot|crawler",
    r".*\.(png|jpe?g|gif)",
    r"/api/v[12]/(users|orders)/[0-9a-f-]{36}",
    r"Bearer [A-Za-z0-9._-]+",
    r"(foo|bar)+",
    r"/x(/.*)?",
    r"\d{4}-\d{2}-\d{2}",
    r"([a-z]+,)*[a-z]+",
    r"/([^/]+)/([^/]+)/.*",
    r"^/exact$",
    r"",
]
BAD = [
    r"(a+)+",
    r"(a*)*b",
    r"(a|a)*",
    r"(a|ab|b)*",
    r".*a.*b",
    r"(.*)*",
    r"(a?){30}a{30}",
    r"([a-z]+)*\d",
    r"(\w+\s?)+x",
    r".*.*=.*",
    r"(a|aa)+$",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(x+x+)+y",
    r"(.)\1*",
    r"/a/.*/b/.*/c",
    r"(?:a{0,30}){0,30}b",
    r"a*a*b",
    r".*a[ab]*",
    r".*a[^b]*b",
    r"(?i:(ab|Ac)*)b",
    r"(?=(a+)+)x",
]


@pytest.mark.parametrize(
    "pattern",
    ["(a(b?)?)*c", "(a(b*)??)*", "(?:a(?:|b)?)*c", "(a(b?){0,2})*c", "(a(b?|c?))*d", "(x(?:y{0,3})?aa){2,}z"],
)
def test_what_may_be_empty_in_two_ways_is_refused_in_a_loop(pattern: str) -> None:
    """Each round then has two ways to read nothing."""
    assert unbounded(pattern)


@pytest.mark.parametrize("pattern", GOOD)
def test_patterns_with_one_way_to_read_a_text_pass(pattern: str) -> None:
    """Where every step is forced, a loop in a loop does no harm."""
    assert unbounded(pattern) == ""


@pytest.mark.parametrize("pattern", BAD)
def test_patterns_with_many_ways_are_refused_with_a_reason(pattern: str) -> None:
    """Exponential and polynomial ones alike."""
    assert unbounded(pattern)


@pytest.mark.parametrize("pattern", GOOD)
def test_what_passes_is_quick_on_long_texts_that_nearly_match(pattern: str) -> None:
    """No pattern that passed takes more than a moment for 30,000 characters."""
    compiled = re.compile(pattern.encode())
    for piece in (b"a", b"/a", b"a,", b"/", b"curl", b"foobar", b"1", b"-", b"ab"):
        text = piece * (30_000 // len(piece)) + b"\x00!"
        began = time.perf_counter()
        compiled.fullmatch(text)
        assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    "pattern",
    ["(a|aa)" * 30, "a?" * 30 + "a" * 30, "a{0,9}" * 12, "(a|ab)(b|bc)" * 9],
)
def test_many_choices_in_a_row_are_refused(pattern: str) -> None:
    """Without any loop, each doubles the ways in which a text can be read."""
    assert "fits in many ways" in unbounded(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "/(api|app|admin)/v[0-9]{1,3}/(users|user|groups)/?",
        "/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "/(en|es|de|fr)(-[a-z]{2})?/(shop|search|sale)(/[a-z0-9-]{1,9})?",
        "/files/[^/]{1,9}\\.(js|json|jpg|jpeg|css|csv)",
        "(www\\.)?example\\.(com|co\\.uk|co)",
        "/[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}(/index\\.html?)?",
    ],
)
def test_a_few_choices_are_fine(pattern: str) -> None:
    """What people write for paths."""
    assert unbounded(pattern) == ""


@given(st.lists(st.sampled_from(["a", "b", "a?", "(a|ab)", "(a|b)", "[ab]{0,2}", "(ab|a|b)"]), max_size=14))
def test_what_passes_without_loops_is_quick(parts: list[str]) -> None:
    """Whatever is put in a row, the worst texts of its letters are read at once."""
    pattern = "".join(parts)
    if unbounded(pattern):
        return
    compiled = re.compile(pattern.encode())
    for text in (b"a" * 40, b"ab" * 20, b"b" * 40, b"aab" * 14):
        began = time.perf_counter()
        compiled.fullmatch(text)
        assert time.perf_counter() - began < 0.5
