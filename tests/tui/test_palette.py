"""Colours that stay apart, whoever looks at them."""

from __future__ import annotations

import pytest

from appliance.tui.palette import THEMES, colours, of_state, style


def luminance(colour: str) -> float:
    """Give the relative luminance (WCAG 2.1)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_state_can_be_read(theme: str) -> None:
    """At least 4.5 to 1 on its ground."""
    found = colours(theme)
    for name in ("ok", "half", "open", "forced", "muted", "text", "title"):
        assert contrast(found[name], found["ground"]) >= 4.5, name


def test_states_differ_without_colour() -> None:
    """By bold, reverse and underline."""
    for theme in THEMES:
        words = ("closed", "half_open", "open", "forced_open")
        found = [style(of_state(word), theme) for word in words]
        looks = {(each.bold, each.reverse, each.underline) for each in found}
        assert len(looks) == 4, theme


def test_themes() -> None:
    """An unknown one is the dark one; all know the same names."""
    assert colours("nonsense") == colours("dark")
    assert len({tuple(sorted(each)) for each in THEMES.values()}) == 1
    assert style("muted", "mono").dim
    assert style("cursor", "dark").bgcolor != style("", "dark").bgcolor
