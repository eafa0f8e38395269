"""Columns of times."""

from __future__ import annotations

from appliance.metrics.heat import BOUNDS, COLUMNS, STEP, Heat
from appliance.metrics.histogram import bucket


def test_times_stand_in_their_row_and_column() -> None:
    """A row holds what took less than its bound; the last one everything else."""
    heat = Heat()
    heat.add(100.0, {bucket(500): 2, bucket(3000): 1})
    heat.add(104.0, {bucket(10_000_000): 1})
    heat.add(111.0, {bucket(1500): 1})
    columns = heat.columns(112.0)
    assert len(columns) == COLUMNS
    rows = [0] * (len(BOUNDS) + 1)
    rows[0], rows[2], rows[-1] = 2, 1, 1
    assert columns[-3] == rows
    assert columns[-2] == []
    assert columns[-1][1] == 1


def test_the_old_is_forgotten() -> None:
    """After so many columns."""
    heat = Heat()
    for number in range(COLUMNS * 3):
        heat.add(number * STEP, {bucket(5): 1})
    assert all(sum(column) == 1 for column in heat.columns((COLUMNS * 3 - 1) * STEP))
    assert heat.columns(COLUMNS * 10 * STEP) == [[]] * COLUMNS
