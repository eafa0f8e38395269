"""The counts of one connection: how many of each are free, how fast they come back, and what follows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.http.h2_floods import Floods
from appliance.http.h2_frames import Code, H2ConnectionError

BUCKETS = [
    ("reset", 200, 20, "rapid reset"),
    ("control", 200, 100, "control frames"),
]


def until_full(count: Callable[[], None], most: int = 100_000) -> tuple[int, H2ConnectionError]:
    """Count until it is one too many; say how many were allowed."""
    for allowed in range(most):
        try:
            count()
        except H2ConnectionError as error:
            return allowed, error
    raise AssertionError("never too many")


@pytest.mark.parametrize(("name", "burst", "rate", "kind"), BUCKETS)
def test_a_burst_and_a_rate(name: str, burst: int, rate: int, kind: str) -> None:
    """So many at once, then so many a second; one more ends the connection with ENHANCE_YOUR_CALM."""
    floods = Floods(50.0)
    counted = getattr(floods, name)
    allowed, error = until_full(lambda: counted(50.0))
    assert (allowed, error.code, error.flood) == (burst, Code.ENHANCE_YOUR_CALM, kind)
    floods = Floods(50.0)
    counted = getattr(floods, name)
    for _ in range(burst):
        counted(50.0)
    assert until_full(lambda: counted(51.0))[0] == rate


@pytest.mark.parametrize(("name", "burst", "rate", "kind"), BUCKETS)
def test_rest_fills_a_bucket_up_and_no_further(name: str, burst: int, rate: int, kind: str) -> None:
    """After an hour of silence there is one burst again, not an hour's worth."""
    floods = Floods(0.0)
    counted = getattr(floods, name)
    for _ in range(burst):
        counted(0.0)
    assert until_full(lambda: counted(3600.0))[0] == burst


@pytest.mark.parametrize(("name", "burst", "rate", "kind"), BUCKETS)
def test_just_below_the_rate_lasts_for_ever(name: str, burst: int, rate: int, kind: str) -> None:
    """A client that stays below the rate is never cut off."""
    floods = Floods(0.0)
    counted = getattr(floods, name)
    for n in range(20 * rate):
        counted(n / rate)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    """Time that seems to run backwards takes nothing away and adds nothing."""
    floods = Floods(10.0)
    for _ in range(200):
        floods.reset(10.0)
    with pytest.raises(H2ConnectionError):
        floods.reset(5.0)


def test_broken_streams_are_counted_for_good() -> None:
    """A hundred streams may be broken on one connection; rest does not help."""
    floods = Floods(0.0)
    allowed, error = until_full(floods.provoked)
    assert (allowed, error.code, error.flood) == (100, Code.ENHANCE_YOUR_CALM, "provoked resets")


@given(st.integers(0, 50))
def test_window_updates_follow_what_we_send(sent: int) -> None:
    """Ten updates for each DATA frame, and 200 to begin with."""
    floods = Floods(0.0)
    for _ in range(sent):
        floods.sent_data()
    allowed, error = until_full(floods.window)
    assert (allowed, error.code, error.flood) == (200 + 10 * sent, Code.ENHANCE_YOUR_CALM, "window updates")


def test_one_count_does_not_eat_another() -> None:
    """Resets, controls, broken streams and windows are counted apart, though they share a clock."""
    floods = Floods(0.0)
    for _ in range(200):
        floods.reset(0.0)
        floods.control(0.0)
        floods.window()
    for _ in range(100):
        floods.provoked()
    for count in (lambda: floods.reset(0.0), lambda: floods.control(0.0), floods.provoked, floods.window):
        with pytest.raises(H2ConnectionError):
            count()


def test_each_stream_may_have_its_window_widened() -> None:
    """gRPC clients do that before a stream carries anything; a thousand calls at once are no flood."""
    floods = Floods(0.0)
    for _ in range(1000):
        floods.opened()
        floods.window()
    for _ in range(200 + 9 * 1000):
        floods.window()
    with pytest.raises(H2ConnectionError):
        floods.window()


def test_an_upstream_may_reset_what_was_asked_of_it() -> None:
    """Each stream of ours, without a clock; more resets than there were streams are a flood."""
    floods = Floods(0.0)
    for id in range(1, 20_001, 2):
        floods.returned(id)
    allowed, error = until_full(lambda: floods.returned(1))
    assert (allowed, error.code, error.flood) == (0, Code.ENHANCE_YOUR_CALM, "returned streams")
    fresh = Floods(0.0)
    assert until_full(lambda: fresh.returned(1))[0] == 101
