"""Taps: what they take, what they only count, and what is kept without any."""

from __future__ import annotations

from math import inf
from typing import Any

import trio

from appliance.config.plan_policy import TapPlan
from appliance.control.taps import KEEP_RATE, KEPT, RING, Tap, Taps
from tests.kit.origin import Origin, sized
from tests.kit.proxy import running

LONG = TapPlan(max_rate=1000.0, max_time=100.0)


async def exchanges(*statuses: int) -> list[Any]:
    """Give exchanges that ended so."""
    async with running(Origin(*(sized(b"x", status) for status in statuses))) as proxy:
        web = proxy.connect()
        for _ in statuses:
            await web.get(b"/p", b"User-Agent: me", b"Authorization: secret")
        await proxy.settle()
        return proxy.journal.exchanges


async def test_a_tap_counts_what_it_does_not_show(autojump_clock: trio.abc.Clock) -> None:
    """Over the rate, over the room, or not sampled: seen, and no record is made."""
    (one,) = await exchanges(200)
    made: list[int] = []

    def make() -> dict[str, Any]:
        made.append(1)
        return {}

    rated = Tap("", 10.0, 100.0, 1, inf, 0.0)
    for _ in range(50):
        rated.hear(one, 0.0, make)
    assert (rated.seen, rated.shown, rated.dropped, len(made)) == (50, 10, 40, 10)
    rated.hear(one, 1.0, make)
    assert rated.shown == 11
    full = Tap("", 1e9, 100.0, 1, inf, 0.0)
    for _ in range(RING + 5):
        full.hear(one, 0.0, make)
    assert (full.shown, full.dropped) == (RING, 5)
    assert len(full.take()) == RING
    sampled = Tap("", 1e9, 100.0, 10, inf, 0.0)
    for _ in range(100):
        sampled.hear(one, 0.0, make)
    assert (sampled.seen, sampled.shown) == (100, 10)
    counted = Tap("", 1e9, 100.0, 1, 3, 0.0)
    for _ in range(9):
        counted.hear(one, 0.0, make)
    assert (counted.shown, counted.over(0.0)) == (3, False)
    counted.take()
    assert counted.over(0.0)
    timed = Tap("", 1e9, 5.0, 1, inf, 0.0)
    timed.hear(one, 5.0, make)
    assert (timed.seen, timed.over(5.0)) == (0, True)


async def test_bounds_are_those_of_the_profile(autojump_clock: trio.abc.Clock) -> None:
    """Whoever asks for more gets that."""
    taps = Taps(lambda: TapPlan(max_rate=5.0, max_time=10.0), lambda: 100.0, 0.0)
    tap = taps.start("", 1e9, 1e9)
    assert (tap.until, tap._rate) == (110.0, 5.0)
    taps.stop(tap)
    assert taps.count == 0


async def test_what_went_wrong_is_kept(autojump_clock: trio.abc.Clock) -> None:
    """And found by its id, or the end of it; what went well is not, unless the profile wants that."""
    well, ill = await exchanges(200, 500)
    taps = Taps(lambda: LONG, lambda: 0.0, 1000.0)
    taps.hear(well, 1.0)
    taps.hear(ill, 1.0)
    assert taps.find(well.id) is None
    found = taps.find(ill.id[-6:])
    assert found is not None
    assert (found["rid"], found["st"]) == (ill.id, 500)
    assert taps.find("000") is None
    taps.keep_all = True
    taps.hear(well, 1.0)
    assert taps.find(well.id) is not None
    for number in range(KEPT):
        taps.hear(well, 2.0 + number / 100)
    assert taps.find(ill.id) is None


async def test_a_flood_of_refusals_is_not_kept_whole(autojump_clock: trio.abc.Clock) -> None:
    """So many a second, whatever comes; a tap still hears of each."""
    (ill,) = await exchanges(500)
    taps = Taps(lambda: LONG, lambda: 0.0, 0.0)
    tap = taps.start("")
    for _ in range(1000):
        taps.hear(ill, 0.0)
    assert len(taps._kept) == KEEP_RATE
    assert tap.seen == 1000
    taps.hear(ill, 0.01)
    assert len(taps._kept) == KEEP_RATE + 1


async def test_one_record_serves_all_taps(autojump_clock: trio.abc.Clock) -> None:
    """It is made once, and only for those that match."""
    well, ill = await exchanges(200, 500)
    taps = Taps(lambda: LONG, lambda: 0.0, 0.0)
    first, second, other = taps.start("status=500"), taps.start("path=/p"), taps.start("status=404")
    taps.hear(well, 1.0)
    taps.hear(ill, 1.0)
    (a,), (_, b) = first.take(), second.take()
    assert a is b
    assert other.seen == 0
    assert [name for name, _ in a["headers"]] == ["user-agent", "x-request-id"]


async def test_a_slow_tap_shows_something(autojump_clock: trio.abc.Clock) -> None:
    """Less than one a second is one now and then."""
    (one,) = await exchanges(200)
    tap = Tap("", 0.5, 1000.0, 1, inf, 0.0)
    for second in range(60):
        tap.hear(one, float(second), dict)
    assert tap.shown == 30
