"""Whole screens, of one bad day of an edge proxy: at each size, with and without signs and colour."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.tui.palette import style
from appliance.tui.render import screen
from appliance.tui.rows import plain
from appliance.tui.scene import VIEWS, Link
from appliance.tui.state import Model, reduce, reduce_all
from appliance.tui.text import width
from tests.kit.dashboards import DAY, DISK, edge, event, events, hello, scene, snap

GOLDEN = Path(__file__).parent / "golden"
SIZES = ((120, 36), (80, 24), (60, 20), (48, 16))
BUILT = (1, 2, 3, 4, 5, 6, 7, 8)


def text(*lines: Any) -> str:
    return "\n".join(plain(line).rstrip() for line in lines) + "\n"


@pytest.mark.parametrize("mode", ["normal", "ascii"])
@pytest.mark.parametrize(("cells", "count"), SIZES)
@pytest.mark.parametrize("view", BUILT)
def test_screens_are_as_they_were(view: int, cells: int, count: int, mode: str) -> None:
    """The golden texts; set UPDATE_GOLDEN=1 to write them anew, then look at the difference."""
    drawn = text(*screen(scene(view, mode=mode), cells, count))
    golden = GOLDEN / f"{VIEWS[view - 1].lower()}-{cells}x{count}-{mode}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(drawn)
    assert drawn == golden.read_text()
    if mode == "ascii":
        assert drawn.isascii()


@pytest.mark.parametrize("view", BUILT)
def test_without_colour_nothing_is_lost(view: int) -> None:
    """The same text; no style has a colour, and what is bad stands out by other means."""
    rows = screen(scene(view, mode="mono"), 120, 36)
    assert text(*rows) == text(*screen(scene(view), 120, 36))
    for row in rows:
        for _, names in row.spans:
            found = style(names, "mono")
            assert found.color is None or found.color.is_default
    loud = [words for row in rows for words, names in row.spans if style(names, "mono").bold]
    assert any("OPEN" in words or "!1" in words or "open" in words for words in loud)


@pytest.mark.parametrize("view", BUILT)
@pytest.mark.parametrize("mode", ["normal", "ascii"])
def test_every_size_is_filled_exactly(view: int, mode: str) -> None:
    """Each line has as many cells as there are, from one to many; nothing raises."""
    known = edge()
    for cells in (1, 20, 39, 40, 47, 59, 60, 79, 80, 109, 110, 160, 250):
        for count in (1, 5, 9, 10, 15, 16, 20, 30, 60):
            rows = screen(scene(view, known, mode), cells, count)
            assert len(rows) == count
            assert {width(plain(row)) for row in rows} == {cells}, (cells, count)


def test_the_smallest_says_the_most_important() -> None:
    """In one line: which proxy, how much, what is open."""
    line = plain(screen(scene(1), 90, 4)[0])
    assert line.startswith("edge-01 LIVE 1284/s err 2.1% ")
    assert "OPEN payments/10.0.8.11:8080" in line


@pytest.mark.parametrize("table", [True, False])
def test_cards_and_table(table: bool) -> None:
    """As one likes."""
    drawn = text(*screen(scene(2, table=table), 120, 36))
    assert ("PROGRESS" in drawn) == table
    assert ("fuse 3/5 failures" in drawn) != table


EVIL = st.text(
    alphabet=st.one_of(
        st.sampled_from("\x1b\x9b\r\n\x00\x07\u202e\u2066\u200f\u2028\ufeff\u0301\ud800[]/@=漢😀a"),
        st.characters(),
    ),
    max_size=40,
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), EVIL, st.just("x" * 10_000),
    st.lists(EVIL, max_size=2), st.dictionaries(EVIL, EVIL, max_size=2),
)  # fmt: skip


def spoilt(data: st.DataObject, fields: dict[str, Any]) -> dict[str, Any]:
    """Give a thing with some of its fields replaced by anything."""
    names = data.draw(st.lists(st.sampled_from(sorted(fields)), max_size=6))
    return fields | {name: data.draw(VALUES) for name in names}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_the_proxy_says_the_screen_holds(data: st.DataObject) -> None:
    """Hostile names, paths and values of any type: each line is whole, and nothing of it moves a terminal."""
    whole = snap()
    for kind in ("rt", "up", "ep", "br", "ls"):
        things = whole[kind]
        for key in data.draw(st.lists(st.sampled_from(sorted(things)), max_size=3)):
            things[data.draw(EVIL)] = spoilt(data, things.get(key) or {})
    whole["proxy"] = spoilt(data, whole["proxy"])
    told = events()
    told["items"] = [spoilt(data, row) for row in told["items"]]
    known = reduce_all(Model(), [spoilt(data, hello()) | {"k": "hello"}, whole, told])
    view, cells = data.draw(st.sampled_from(BUILT)), data.draw(st.sampled_from((44, 66, 90, 130)))
    trips = {"tr-000003": spoilt(data, {"requests": [{"path": "x"}]})}
    picture = replace(scene(view, known), trips=trips, disk=spoilt(data, DISK))
    for row in screen(picture, cells, 30):
        line = plain(row)
        assert width(line) == cells
        assert line.isprintable(), ascii(line)


def test_a_reload_of_the_proxy_is_no_new_proxy() -> None:
    """What it is called stands in the header from the first frame on."""
    known = reduce(Model(), hello())
    assert "edge-01" in plain(screen(scene(1, known), 80, 24)[0])


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (Link("connecting", since=99.5, text="connecting to x"), "CONNECTING"),
        (Link("connecting", since=90, text="connecting to /run/x.sock"), "/run/x.sock"),
        (Link("live", heard=93.0), "STALE 7s"),
        (
            Link("disconnected", since=77, text="refused: /run/x.sock", attempt=5, next_at=103),
            "DISCONNECTED 23s",
        ),
        (Link("denied", text="your uid may not"), "DENIED"),
        (Link("live", heard=100, lag=1.8), "SLOW LINK"),
        (Link("live", heard=100, skipped=5), "SLOW LINK"),
        (Link("live", heard=100, restarted=(95, 3977, 4120)), "RESTARTED pid 3977 → 4120"),
        (Link("replay", text="incident.meshrec"), "REPLAY incident.meshrec"),
    ],
)
def test_the_header_says_how_the_link_is(link: Link, words: str) -> None:
    """The word first, always in the same place."""
    assert words in plain(screen(scene(1, link=link), 120, 36)[0])


def test_what_is_old_looks_old() -> None:
    """Not one style of a state is left below the header, so that no photograph deceives."""
    rows = screen(scene(1, link=Link("live", heard=90.0)), 120, 36)
    assert {names for row in rows[1:] for _, names in row.spans} == {"muted"}
    fresh = screen(scene(1), 120, 36)
    assert len({names for row in fresh[1:] for _, names in row.spans}) > 5


def test_paused_is_told() -> None:
    """With how far behind it is."""
    assert "PAUSED" in plain(screen(scene(1, paused=1_795_774_800_000), 120, 36)[0])


def test_an_event_of_another_life_is_news() -> None:
    """After a restart ids begin anew."""
    known = reduce(edge(), hello(boot="other"))
    known = reduce(known, {"k": "events", "items": [event(1, 0, "flood", "web", "again")], "lost": 0})
    assert known.events[-1]["text"] == "again"
    assert known.gaps == 1
    assert known.m < DAY
