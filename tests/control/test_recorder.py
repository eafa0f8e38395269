"""What the recorder keeps, forgets and keeps aside."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.config.plan_policy import RecorderPlan
from appliance.control.recorder import FROZEN, KEYFRAME, Recorder, chunks


def filled(plan: RecorderPlan, seconds: int) -> Recorder:
    recorder = Recorder(lambda: plan)
    for second in range(seconds):
        whole = recorder.wants_whole(second)
        recorder.add(second, f"{'W' if whole else 'd'}{second}", whole=whole)
    return recorder


def test_whole_states_come_every_half_minute() -> None:
    """The first frame is one."""
    recorder = filled(RecorderPlan(), 100)
    rows = recorder.history(0, 1000)
    assert [row for row in rows if row.startswith("W")] == ["W0", "W30", "W60", "W90"]
    assert KEYFRAME == 30


@given(st.integers(0, 99), st.integers(0, 99))
def test_history_begins_with_a_whole_state_at_or_before(begin: int, end: int) -> None:
    """And has everything from there to the end."""
    rows = filled(RecorderPlan(), 100).history(begin, end)
    first = begin // 30 * 30
    assert rows == [f"{'W' if second % 30 == 0 else 'd'}{second}" for second in range(first, end + 1)]


def test_the_old_goes_by_age_and_by_size() -> None:
    """What is left is told from the first whole state on."""
    recorder = filled(RecorderPlan(keep=45), 100)
    assert recorder.oldest == 54
    assert recorder.history(0, 1000)[0] == "W60"
    recorder = filled(RecorderPlan(max_size=100), 100)
    assert recorder.size <= 100
    assert recorder.history(0, 1000)[0] == "W90"


def test_nothing_is_told_of_nothing() -> None:
    """Before the first frame, and when there is no whole state."""
    recorder = Recorder(RecorderPlan)
    assert recorder.history(0, 10) == []
    assert recorder.oldest is None
    recorder.add(5, "d5")
    assert recorder.history(0, 10) == []


def test_what_lies_around_a_trip_is_kept_aside() -> None:
    """From two minutes before until one after, however long ago it was; of the last few trips."""
    plan = RecorderPlan(keep=150)
    recorder = filled(plan, 300)
    recorder.freeze("tr-1", 299)
    for second in range(300, 2000):
        recorder.add(second, f"d{second}", whole=recorder.wants_whole(second))
    kept = recorder.around("tr-1")
    assert kept is not None
    assert kept[0] == "W150" or kept[0] == "W180"
    assert kept[-1] == "d359"
    assert recorder.around("tr-2") is None
    for number in range(FROZEN):
        recorder.freeze(f"new-{number}", 2000)
    assert recorder.around("tr-1") is None


def test_what_lies_around_the_last_trip_stays_until_its_minute_is_over() -> None:
    """It may be larger than all the rest; what several have in common counts once."""
    plan = RecorderPlan(max_size=1500)
    recorder = Recorder(lambda: plan)
    for second in range(100):
        recorder.add(second, "x" * 10, whole=recorder.wants_whole(second))
    for trip in range(3):
        recorder.freeze(f"tr-{trip}", 99)
    assert all(recorder.around(f"tr-{trip}") for trip in range(3))
    for second in range(100, 160):
        recorder.add(second, "x" * 10, whole=recorder.wants_whole(second))
    assert recorder.around("tr-2") is not None
    for second in range(160, 300):
        recorder.add(second, "x" * 50, whole=recorder.wants_whole(second))
    assert recorder.around("tr-2") is not None


def test_one_that_is_too_large_grows_no_more() -> None:
    """What was there when it came stays."""
    plan = RecorderPlan(max_size=100)
    recorder = Recorder(lambda: plan)
    recorder.add(0, "w" * 60, whole=True)
    recorder.freeze("tr-1", 0)
    for second in range(1, 60):
        recorder.add(second, "d" * 20)
    assert recorder.around("tr-1") == ["w" * 60, "d" * 20, "d" * 20, "d" * 20]


@given(st.lists(st.integers(1, 200_000), max_size=8))
def test_answers_are_cut_into_pieces(sizes: list[int]) -> None:
    """None longer than a client takes, unless one frame is."""
    frames = ["x" * size for size in sizes]
    pieces = list(chunks(frames))
    assert [row for piece in pieces for row in piece] == frames
    assert pieces
    assert all(len(piece) == 1 or sum(map(len, piece)) <= 256 << 10 for piece in pieces if piece)


@given(st.integers(1, 2000), st.lists(st.integers(0, 300), max_size=8))
def test_what_is_kept_aside_is_bounded_too(most: int, trips: list[int]) -> None:
    """All of it together is no larger than the rest may be, but for the frame that was too much."""
    recorder = Recorder(lambda: RecorderPlan(max_size=most))
    for second in range(300):
        recorder.add(second, f"{second:10}", whole=recorder.wants_whole(second))
        if second in trips:
            recorder.freeze(f"tr-{second}", second)
        kept = {text for trip in set(trips) for text in recorder.around(f"tr-{trip}") or ()}
        assert 10 * len(kept) <= most + 10
