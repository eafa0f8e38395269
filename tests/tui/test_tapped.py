"""What a tap has told."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appliance.tui.tapped import KEEP, Tapped, match_for, wrong
from appliance.wire.filter import compile_filter


def frame(*ids: str, **more: Any) -> dict[str, Any]:
    return {"k": "tap", "id": "top", "items": [{"rid": each} for each in ids], "over": False, **more}


def test_the_newest_comes_first() -> None:
    """And the list has an end."""
    tap = Tapped(until=9.0).take(frame("a", "b", seen=5, shown=2, dropped=3)).take(frame("c"))
    assert [row["rid"] for row in tap.rows] == ["c", "b", "a"]
    assert (tap.seen, tap.shown, tap.dropped) == (5, 2, 3)
    assert len(tap.take(frame(*map(str, range(2000)))).rows) == KEEP
    assert tap.runs
    assert not tap.take(frame(over=True)).runs


def test_a_held_list_stands_still() -> None:
    """What came meanwhile comes when it goes on."""
    tap = Tapped().take(frame("a")).hold().take(frame("b")).take(frame("c"))
    assert [row["rid"] for row in tap.rows] == ["a"]
    assert [row["rid"] for row in tap.hold().rows] == ["c", "b", "a"]
    assert tap.cleared().rows == ()


def test_odd_frames_do_no_harm() -> None:
    """Whatever stands in them."""
    tap = Tapped().take({"k": "tap"}).take({"k": "tap", "items": [1, None], "seen": "x"})
    assert (tap.rows, tap.seen) == ((), 0)


@given(st.text(max_size=30), st.text(max_size=30))
def test_the_match_for_a_thing_finds_it(name: str, address: str) -> None:
    """Whatever it is called."""
    row = {"up": name, "addr": address}
    for kind, record in (("rt", {"rt": name}), ("up", {"up": name}), ("ep", {"up": name, "ep": address})):
        match = match_for(kind, name, row)
        if wrong(match):
            assert any(sign in name + address for sign in '\\"*') or len(match) > 400
            continue
        if "*" not in name + address:
            assert compile_filter(match)(record), match


def test_the_match_for_a_breaker() -> None:
    """Also for one of a route's own."""
    assert match_for("br", "pay@app/10.0.0.1:80", {}) == 'upstream="app" and ep="10.0.0.1:80"'
    assert match_for("br", "app", {}) == 'upstream="app"'
    assert match_for("ls", "web", {}) == ""
    assert "column 8" in wrong("status>")
