"""Numbers as people read them; nothing is said of what is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.tui import numbers

UNKNOWN = (None, "7", True, [], float("nan"), float("inf"), 10**30)


@pytest.mark.parametrize(
    ("how", "value", "text"),
    [
        (numbers.rate, 1284, "1284"), (numbers.rate, 18.42, "18.4"), (numbers.rate, 0.31, "0.31"),
        (numbers.rate, 1e-9, "0.00"),
        (numbers.rate, 12_800, "13K"), (numbers.rate, 0, "0"), (numbers.rate, 5.0, "5"),
        (numbers.percent, 0.041, "4.1"), (numbers.percent, 1, "100"), (numbers.percent, 0, "0.0"),
        (numbers.percent, 0.9994, "99.9"), (numbers.millis, 0.31, "0.3ms"), (numbers.millis, 640, "640ms"),
        (numbers.millis, 1900, "1.9s"), (numbers.millis, 12_000, "12s"), (numbers.size, 61, "61"),
        (numbers.size, 8294, "8.1K"), (numbers.size, 88_080_384, "84M"),
    ],
)  # fmt: skip
def test_numbers(how: object, value: float, text: str) -> None:
    """As many digits as matter."""
    assert how(value) == text  # type: ignore[operator]


@pytest.mark.parametrize("value", UNKNOWN)
def test_what_is_no_number_is_a_dash(value: object) -> None:
    """Never 0, never an exception."""
    for how in (numbers.rate, numbers.percent, numbers.millis, numbers.size):
        assert how(value) == "–"
    assert not numbers.is_number(value)
    assert numbers.clock(value) == "--:--:--"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (18.4, "18s"), (41, "41s"), (187, "3m07s"), (7500, "2h05m"), (273_600, "3d04h"), (-5, "0s")],
)
def test_durations(seconds: float, text: str) -> None:
    """Two units at most."""
    assert numbers.lasting(seconds) == text


def test_tenths_count_down() -> None:
    """Only below a minute."""
    assert numbers.lasting(18.44, tenths=True) == "18.4s"
    assert numbers.lasting(61, tenths=True) == "1m01s"


def test_times_of_day() -> None:
    """With milliseconds where they matter; the offset beside them."""
    assert numbers.clock(1_795_774_863_412, utc=True, millis=True) == "10:21:03.412"
    assert numbers.zone(1_795_774_863_412, utc=True) == "UTC"
    assert numbers.zone(None) == "UTC"


@given(st.floats(0, 1e15), st.floats(0, 1e15))
def test_no_column_is_too_narrow(rate: float, time: float) -> None:
    """Rates take six cells at most."""
    assert len(numbers.rate(rate)) <= 6
    assert len(numbers.size(rate)) <= 6
    assert len(numbers.lasting(time)) <= 20
