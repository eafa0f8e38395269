"""Priorities of RFC 9218: what a field asks for, and that nonsense asks for nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.http.h2_priority import Priority, read_priority


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        (None, (3, True)),
        (b"", (3, True)),
        (b"u=0", (0, False)),
        (b"u=7", (7, False)),
        (b"u=5, i", (5, True)),
        (b"u=5,i", (5, True)),
        (b"i", (3, True)),
        (b"i=?1, u=1", (1, True)),
        (b"i=?0", (3, False)),
        (b"u=2, i=?0", (2, False)),
        (b"u=4;x=1", (4, False)),
        (b"i;q, u=6", (6, True)),
        (b"u=8", (3, False)),
        (b"u=-1", (3, False)),
        (b"u=55", (3, False)),
        (b"mu=5", (3, False)),
        (b"hi", (3, False)),
        (b"i=?2", (3, False)),
        (b"foo, u=1", (1, False)),
    ],
)
def test_a_field_asks(field: bytes | None, wanted: Priority) -> None:
    """Urgency and turns are read where they are well formed; without a field everyone has turns."""
    assert read_priority(field) == wanted


@given(st.integers(0, 7), st.booleans(), st.sampled_from([b",", b", ", b" ,\t"]))
def test_what_a_client_would_write_is_read(urgency: int, turns: bool, comma: bytes) -> None:
    """Both members in either order."""
    members = [b"u=%d" % urgency, b"i=?%d" % turns]
    assert read_priority(comma.join(members)) == (urgency, turns)
    assert read_priority(comma.join(reversed(members))) == (urgency, turns)


@given(st.binary(max_size=40))
def test_garbage_never_raises(field: bytes) -> None:
    """Any bytes give an urgency from 0 to 7."""
    urgency, turns = read_priority(field)
    assert 0 <= urgency <= 7
    assert isinstance(turns, bool)
