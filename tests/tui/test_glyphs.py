"""Signs: one cell each, other shapes for other states, in both sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.tui.glyphs import ASCII, UNICODE, Glyphs, bar, spark
from appliance.tui.text import width

SETS = pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])


@SETS
def test_shapes_differ_without_colour(glyphs: Glyphs) -> None:
    """Closed, open, half-open, forced and off are told apart by their pictures alone; good from bad, too."""
    pictures = {glyphs.switch[word] for word in ("closed", "open", "half_open", "forced_open", "off")}
    cells = {glyphs.ribbon[word] for word in ("closed", "open", "half_open", "forced_open", "off", "gap")}
    assert (len(pictures), len(cells)) == (5, 6)
    assert glyphs.good != glyphs.bad
    assert {width(each) for each in glyphs.switch.values()} == {4}
    assert {width(each) for each in glyphs.ribbon.values()} == {1}
    assert {width(each) for each in glyphs.spark} == {1}


def test_the_plain_set_is_plain() -> None:
    """For terminals that know nothing else."""
    for name in Glyphs.__slots__:
        value = getattr(ASCII, name)
        for sign in value.values() if isinstance(value, dict) else (value,):
            assert sign.isascii(), name


@SETS
@given(values=st.lists(st.one_of(st.none(), st.floats(0, 1e9)), max_size=80), cells=st.integers(1, 70))
def test_a_spark_has_its_size(glyphs: Glyphs, values: list[float | None], cells: int) -> None:
    """The last values, the highest at the top; what is not known is a gap."""
    drawn = spark(values, cells, glyphs)
    assert width(drawn) == cells
    last = values[-cells:]
    if last:
        assert (drawn[-1] == " ") == (last[-1] is None)
        known = [value for value in last if value is not None]
        if known and last[-1] == max(known) > 0:
            assert drawn[-1] == glyphs.spark[-1]


@SETS
@given(share=st.floats(-1, 2), cells=st.integers(1, 40))
def test_a_bar_has_its_size(glyphs: Glyphs, share: float, cells: int) -> None:
    """Anything above nothing shows, all of it is full."""
    drawn = bar(share, cells, glyphs)
    assert len(drawn) == cells
    assert (glyphs.full in drawn) == (share > 0)
    if share >= 1:
        assert drawn == glyphs.full * cells
