"""The past: every moment of it is what it was."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appliance.tui.past import KEEP, Past
from appliance.tui.state import Model, reduce
from tests.kit.dashboards import BORN, breaker, event, hello


def frame(m: int, word: str = "closed", rps: int = 1) -> dict[str, Any]:
    head = {"k": "snap", "m": m, "t": BORN + m, "seq": m}
    return head | {"proxy": {"rps": rps}, "br": {"a": breaker("u", st=word)}}


STEP = st.tuples(st.integers(1, 40_000), st.sampled_from(("closed", "open")))
STEPS = st.lists(STEP, min_size=1, max_size=60)


@given(STEPS, st.data())
def test_each_moment_is_what_it_was(steps: list[tuple[int, str]], data: st.DataObject) -> None:
    """As far back as is kept."""
    past, model, m = Past(), reduce(Model(), hello()), 0
    models = []
    for number, (pause, word) in enumerate(steps):
        m += pause
        told = frame(m, word, number)
        past.add(told, model)
        model = reduce(model, told)
        models.append((m, model))
    kept = [row for row in models if row[0] >= past.first]
    at, known = data.draw(st.sampled_from(kept))
    assert past.at(at) == known
    assert past.at(at + 0) == past.at(at)
    assert past.last == m
    assert past.last - past.first <= KEEP + 100_000 or len(kept) <= 2


@given(STEPS, st.integers(1, 59))
def test_what_was_before_is_put_in_front(steps: list[tuple[int, str]], at: int) -> None:
    """As if it had been there from the beginning."""
    start = reduce(Model(), hello())
    frames, m = [], 0
    for number, (pause, word) in enumerate(steps):
        m += pause % 5000 + 1
        frames.append(frame(m, word, number))
    at = min(at, len(frames) - 1)
    past, model = Past(), start
    for told in frames[at:]:
        past.add(told, model)
        model = reduce(model, told)
    past.put_in_front(frames, start)
    assert past.reaches_back
    assert past.first == frames[0]["m"]
    for told in frames[:at]:
        found = past.at(told["m"])
        assert found is not None
        assert found.proxy["rps"] == told["proxy"]["rps"]


def test_events_belong_to_their_moment() -> None:
    """Going back takes them away."""
    past, model = Past(), reduce(Model(), hello())
    opened = {"k": "events", "items": [event(1, 0, "breaker", "a", "x", to="open") | {"m": 2000}]}
    for told in (frame(1000), frame(2000), opened, frame(3000)):
        past.add(told, model)
        model = reduce(model, told)
    early, late = past.at(1500), past.at(2500)
    assert early is not None
    assert late is not None
    assert (len(early.events), len(late.events)) == (0, 1)
    assert past.frame_before(3000) == 2000
    assert past.frame_before(0) == 1000


def test_of_nothing_there_is_no_past() -> None:
    """Nothing to go back to."""
    past = Past()
    assert not past
    assert past.at(5) is None
    assert (past.first, past.last, past.frame_before(7)) == (0, 0, 7)
    past.add({"k": "hello"}, Model())
    assert not past
