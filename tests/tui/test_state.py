"""The reducer: the same frames make the same model; what is drawn over time is right."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appliance.tui.state import CELL, CELLS, EVENTS, SECONDS, SEVERITY, Model, reduce, reduce_all
from appliance.wire.codec import delta_out, state_in
from appliance.wire.delta import diff
from tests.kit.dashboards import BORN, DAY, breaker, edge, event, hello, snap, story

WORDS = ("closed", "half_open", "open", "forced_open")


def frame(m: int, word: str, rps: int = 1, seq: int = 1) -> dict[str, Any]:
    return {
        "k": "snap",
        "m": m,
        "t": BORN + m,
        "seq": seq,
        "proxy": {"rps": rps},
        "br": {"a": breaker("u", st=word)},
    }


def as_deltas(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the same as a first state and differences."""
    told = [frames[0]]
    for before, after in pairwise(frames):
        head = {"k": "delta", "m": after["m"], "t": after["t"], "seq": after["seq"], "base": before["seq"]}
        told.append(head | delta_out(diff(state_in(before), state_in(after))))
    return told


@given(
    st.lists(
        st.tuples(st.integers(1, 5000), st.sampled_from(WORDS), st.integers(0, 9)), min_size=1, max_size=40
    )
)
def test_differences_say_the_same_as_whole_states(steps: list[tuple[int, str, int]]) -> None:
    """State, series and ribbons alike."""
    m, frames = 0, []
    for number, (pause, word, rps) in enumerate(steps):
        m += pause
        frames.append(frame(m, word, rps, number + 1))
    assert reduce_all(Model(), frames) == reduce_all(Model(), as_deltas(frames))


@given(st.lists(st.tuples(st.integers(1, 9000), st.sampled_from(WORDS)), min_size=1, max_size=60))
def test_a_ribbon_is_the_worst_of_each_cell(steps: list[tuple[int, str]]) -> None:
    """Against a list of what was so when; what nobody told of stays as it was told next."""
    m, known, worst = 0, Model(), {}
    last = None
    for pause, word in steps:
        m += pause
        known = reduce(known, frame(m, word))
        cell = m // CELL
        for between in range((last if last is not None else cell) + 1, cell):
            worst[between] = word
        if cell not in worst or SEVERITY[word] > SEVERITY[worst[cell]]:
            worst[cell] = word
        last = cell
    ribbon = known.ribbons["a"]
    assert ribbon.at == last
    expected = [worst[cell] for cell in sorted(worst)][-CELLS:]
    assert list(ribbon.cells) == expected


def test_a_flap_between_two_ticks_shows() -> None:
    """The event tells of it, though no state ever did."""
    known = reduce_all(Model(), [hello(), frame(10_000, "closed"), frame(10_250, "closed")])
    opened = event(9, 0, "breaker", "a", "opened", to="open") | {"m": 10_100}
    known = reduce(known, {"k": "events", "items": [opened]})
    assert known.ribbons["a"].cells[-1] == "open"


@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=80))
def test_a_series_has_a_sample_for_each_second(pauses: list[int]) -> None:
    """However often frames come, at most a minute of them."""
    m, known = 0, Model()
    first = None
    for pause in pauses:
        m += pause
        first = m // 1000 if first is None else first
        known = reduce(known, frame(m, "closed"))
    row = known.series["proxy", "", "rps"]
    assert len(row) == min(SECONDS, m // 1000 - first + 1)
    assert row[-1] == 1.0


def test_events_come_once() -> None:
    """History and the live stream overlap; the ring has an end."""
    first = {"k": "events", "items": [event(n, 0, "x", "y", "z") for n in range(1, 10)], "lost": 3}
    known = reduce_all(Model(), [first, first])
    assert [row["eid"] for row in known.events] == list(range(1, 10))
    assert (known.lost, known.eid) == (3, 9)
    many = {"k": "events", "items": [event(n, 0, "x", "y", "z") for n in range(10, 2000)]}
    assert len(reduce(known, many).events) == EVENTS


def test_another_life_of_the_proxy_leaves_a_gap() -> None:
    """Its clock and its ids begin anew; what was drawn before stays, with a mark."""
    known = reduce(edge(), hello(boot="other"))
    assert (known.gaps, known.m, known.eid) == (1, 0, 0)
    name = "payments/10.0.8.11:8080"
    assert known.ribbons[name].cells[-1] == "gap"
    after = reduce(known, snap(5000))
    assert after.ribbons[name].cells[-2:] == ("gap", "open")
    assert after.series["proxy", "", "rps"][-2:] == (None, 1284.0)
    assert reduce(edge(), hello()).gaps == 0


def test_unknown_frames_change_nothing() -> None:
    """A later version may send them."""
    known = edge()
    for odd in ({"k": "weather"}, {"k": "events"}, {"k": "events", "items": [1, None]}, {"k": "hist"}):
        assert reduce(known, odd) == known
    assert reduce(known, {"k": "notice", "text": "x"}).notice == "x"


def test_moments_are_times_of_day() -> None:
    """By the proxy's clock, whatever this machine's is."""
    known = edge()
    assert known.wall(DAY - 1000) == BORN + DAY - 1000
    assert known.wall(None) is None
    assert known.wall_now(DAY + 5) == BORN + DAY + 5
    assert known.name == "edge-01"


def test_frames_are_not_changed() -> None:
    """Whoever holds an old model holds the past."""
    frames = list(story())
    early = reduce_all(Model(), frames[:50])
    before = repr(early)
    late = reduce_all(early, frames[50:])
    assert repr(early) == before
    assert late != early
