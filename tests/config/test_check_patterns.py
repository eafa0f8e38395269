"""Paths that other proxies read as patterns are told; those that are right are not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.load import load_profile


def codes(match: str, more: str = "") -> list[str]:
    """Give the codes that are told of one route."""
    text = f"""
meshctl: 1
listeners: {{web: {{bind: ":8080"}}}}
routes:
  - {{name: a, match: {{{match}}}, to: app{more}}}
upstreams: {{app: {{endpoints: [127.0.0.1:9001]}}}}
"""
    return [found.code for found in load_profile("a.yaml", text=text.encode(), env={}).diagnostics]


@pytest.mark.parametrize(
    ("match", "told"),
    [
        ("path: /a", False),
        ("path: /a*", True),
        ("path_prefix: /a/*", True),
        ("path_prefix: /a/", False),
        ("path_regex: /a*", False),
        ("path_regex: '^/a'", False),
        ("path_regex: 'a'", True),
        ("path_regex: ''", True),
        ("path_regex: '^$'", True),
        ("path_regex: '(a|b)/c'", True),
        ("path_regex: '(a|/b)/c'", False),
        ("path_regex: '.*a'", False),
        ("path_regex: '[a-z]+'", True),
        ("path_regex: '[a-z/]+'", False),
        ("path_regex: '[!-9]+'", False),
        ("path_regex: '[^a]b'", False),
        ("path_regex: '\\w+'", True),
        ("path_regex: '\\W\\w+'", False),
        ("path_regex: '()/a'", False),
        ("path_regex: '(|b)/a'", False),
        ("path_regex: '(?:b{0,2})/a'", False),
        ("path_regex: 'b{1,2}/a'", True),
        ("path_regex: 'a?/b'", False),
        ("path_regex: '(?:|x)/foo'", False),
        ("path_regex: '(?:^|b)/x'", False),
        ("path_regex: '\\*'", False),
        ("path_regex: '(?i)/A'", False),
        ("path_regex: '(?:^a)'", True),
    ],
)
def test_paths_that_mean_something_else(match: str, told: bool) -> None:
    """A star, and an expression that cannot begin with a slash."""
    assert codes(match) == ["MC520"] * told


@pytest.mark.parametrize(
    ("rewrite", "told"),
    [
        ("/odata/$metadata", False),
        ("/a/$1", True),
        ("/a/\\\\1", True),
        ("/a/$", False),
        ("/price-in-$", False),
    ],
)
def test_groups_are_not_put_into_paths(rewrite: str, told: bool) -> None:
    """What looks like one is sent as it is."""
    found = codes("path: /a", f", rewrite: {{path: '{rewrite}'}}")
    assert ("MC520" in found) == told or "MC315" in found


@given(st.from_regex(r"(\^|\(\?:)?([a/.|]|\[a/\]|\(a\|/?\)|a\?|/\*|a\+){1,6}", fullmatch=True))
def test_an_expression_that_matches_a_path_is_never_told(text: str) -> None:
    """Compared with the matcher itself, on all short paths of these characters."""
    try:
        expression = re.compile(text)
    except re.error:
        return
    paths = [
        f"/{a}{b}{c}{d}" for a in ("", "a", "/") for b in ("", "a", "/") for c in ("", "a") for d in ("", "/")
    ]
    if any(expression.fullmatch(path) for path in paths):
        assert "MC520" not in codes(f"path_regex: '{text}'")
