"""Which regular expressions are let near the text of strangers."""

from __future__ import annotations

import re
import time

import pytest

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
