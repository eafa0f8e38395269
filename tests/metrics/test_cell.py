"""Cells count what ends, once, and tallies add up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.metrics.cell import Cell, Tally
from appliance.metrics.histogram import bucket

ENDS = st.lists(
    st.tuples(
        st.sampled_from([0, 101, 200, 304, 404, 503, 799]),
        st.floats(0, 100),
        st.integers(0, 1 << 40),
        st.booleans(),
        st.booleans(),
    )
)


def filled(ends: list[tuple[int, float, int, bool, bool]], takes: set[int] = frozenset()) -> Tally:  # type: ignore[assignment]
    """Give what comes of counting these, taken out at some moments."""
    cell, whole = Cell(), Tally()
    for number, (status, seconds, sent, failed, refused) in enumerate(ends):
        cell.count(status, seconds, sent, failed=failed, refused=refused)
        if number in takes and (part := cell.take()):
            whole.add(part)
    rest = cell.take()
    if rest is not None:
        whole.add(rest)
    assert cell.take() is None
    return whole


@given(ENDS)
def test_each_is_counted_once(ends: list[tuple[int, float, int, bool, bool]]) -> None:
    """In the total, by its status, by its time, and where it failed."""
    found = filled(ends)
    assert found.total == sum(found.classes) == sum(found.times.values()) == len(ends)
    assert found.failed == sum(each[3] for each in ends)
    assert found.refused == sum(each[4] for each in ends)
    assert found.sent == sum(each[2] for each in ends)
    assert found.classes[5] == sum(each[0] == 503 for each in ends)
    assert found.classes[0] == sum(each[0] in (0, 799) for each in ends)
    assert set(found.times) == {bucket(int(each[1] * 1e6)) for each in ends}


@given(ENDS, st.sets(st.integers(0, 30)))
def test_taking_out_loses_nothing(ends: list[tuple[int, float, int, bool, bool]], takes: set[int]) -> None:
    """However often it is done."""
    assert filled(ends, takes) == filled(ends)
