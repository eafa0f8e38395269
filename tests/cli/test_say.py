"""Sentences and tables; whatever came from outside, nothing of it reaches a terminal as it was."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cli.act import tell
from appliance.cli.reload import _lines
from appliance.cli.say import (
    COLUMNS,
    aligned,
    cells,
    clock,
    curl,
    event_line,
    progress,
    request_line,
    show,
    summary,
    trip_lines,
    why_lines,
)

EVIL = st.text(
    alphabet=st.one_of(
        st.sampled_from("\x1b\x9b\r\n\x00\x07\x08\u202e\u2066\u200f\u061c\u2028\ufeff[]'\"$`\\"),
        st.characters(codec="utf-8"),
    ),
    max_size=30,
)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-5, 10**15), st.floats(allow_nan=False), EVIL)
DEEP = st.one_of(
    VALUES,
    st.lists(VALUES, max_size=2),
    st.dictionaries(st.sampled_from(["rid", "me", "how", "until", "by", "ok"]), VALUES, max_size=2),
    st.lists(
        st.dictionaries(st.sampled_from(["rid", "me", "how", "st", "ms"]), VALUES, max_size=2), max_size=2
    ),
)


def safe(text: str) -> bool:
    """Say whether a line can be shown: no control character, no mark of direction."""
    return not any(
        unicodedata.category(sign) in ("Cc", "Zl", "Zp") or unicodedata.bidirectional(sign) in (
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
        )
        for sign in text
    )  # fmt: skip


def record(*fields: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(fields, DEEP))


EVENTS = record("t", "text", "kind", "eid", "subj")
REQUESTS = record(
    "t", "rid", "st", "grpc", "me", "host", "path", "ms", "rt", "ep", "fault", "note", "why", "client", "ls",
    "proto", "up", "try", "by", "tried", "ph",
)  # fmt: skip
TRIPS = record("breaker", "t", "rule", "limit", "run", "failed", "total", "src", "requests", "endpoints")
BREAKERS = record(
    "st", "forced", "probe", "until", "cf", "cf_max", "er", "n", "last", "sent", "rej", "rej_tot", "trips_1h"
)


@given(EVENTS, REQUESTS, TRIPS, EVIL)
def test_no_hostile_text_gets_through(event: Any, request: Any, trip: Any, name: str) -> None:
    """Whatever stands in frames, of whatever type: each line is one line, and harmless."""
    lines = [event_line(event), request_line(request), curl(request), *why_lines(request), *trip_lines(trip)]
    lines.append(summary(name, {"proxy": {"": request}, "br": {name: trip}, "ep": {name: event}}))
    lines += _lines(name).split("\n")
    assert [line for line in lines if not safe(line)] == []


@given(st.dictionaries(EVIL, BREAKERS, max_size=3), st.sampled_from(sorted(COLUMNS)), st.integers(0, 10**12))
def test_tables_are_safe_and_straight(things: Any, kind: str, m: int) -> None:
    """Each row is a line; columns are as wide as their widest cell."""
    rows = [{**thing, "name": key} for key, thing in things.items()]
    table = cells(kind, rows, m)
    lines = aligned(kind, table)
    assert len(lines) == len(things) + 1
    assert all(safe(line) for line in lines)


@given(EVIL, DEEP)
def test_results_are_safe(text: str, now: object) -> None:
    """On both streams."""
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO

    for code in ("ok", "conflict", text):
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            tell({"ok": code == "ok", "code": code, "text": text, "now": now}, "text")
        assert safe((out.getvalue() + err.getvalue()).replace("\n", "", 1))


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("rps", None, "-"),
        ("rps", 1284, "1284"),
        ("rps", 0.801, "0.801"),
        ("err", 0.021, "2.1%"),
        ("err", 0, "0%"),
        ("p99", 212, "212ms"),
        ("p99", 1900, "1.9s"),
        ("p50", 0.31, "0.31ms"),
        ("tls", True, "True"),
    ],
)
def test_values(field: str, value: object, text: str) -> None:
    """With their units."""
    assert show(field, value) == text


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"st": "closed", "cf": 3, "cf_max": 5, "n": 0}, "3/5 in a row"),
        ({"st": "closed", "cf": 3, "cf_max": 5, "n": 24, "er": 0.041}, "3/5 in a row, 4.1% of 24"),
        ({"st": "open", "until": 19_400}, "half-open in 18s"),
        ({"st": "open", "until": 500}, "a probe is due"),
        ({"st": "half_open", "probe": {"ok": 1, "need": 2}}, "probes 1/2"),
        ({"st": "forced_open", "forced": {"until": 61_000, "by": "root"}}, "1m by root"),
        ({"st": "forced_open", "forced": {"until": None, "by": "root"}}, "for good by root"),
    ],
    ids=range(7),
)
def test_how_far_a_breaker_is(row: dict[str, Any], text: str) -> None:
    """At one second after the start."""
    assert progress(row, 1000) == text


def test_times_of_day() -> None:
    """In UTC where asked for; what is no time is told as such."""
    assert clock(1_700_000_000_000, utc=True) == "22:13:20"
    assert clock(1_700_000_000_000, utc=True, date=True) == "2023-11-14 22:13:20+0000"
    assert clock("x") == clock(None) == clock(1e300) == clock(True) == "??:??:??"


def test_one_request_in_plain_words() -> None:
    """What was asked, where it went, what was decided, how long it took, what came of it."""
    row = {
        "rid": "abc", "t": 1_700_000_000_000, "me": "GET", "host": "a", "path": "/x", "client": "192.0.2.1",
        "ls": "web", "proto": "HTTP/1.1", "rt": "pay", "up": "app", "ep": "b:1", "tried": ["a:1"], "try": 2,
        "note": ["retried once"], "ms": 640.5, "ph": {"q": 500.0, "ttfb": 120.0, "body": 20.5}, "st": 200,
        "by": 7,
    }  # fmt: skip
    assert why_lines(json.loads(json.dumps(row)), utc=True) == [
        "request abc at 2023-11-14 22:13:20+0000",
        "  asked      GET a/x by 192.0.2.1 at listener web, HTTP/1.1",
        "  route      pay",
        "  upstream   app, b:1, after a:1 (2 tries)",
        "  decided    retried once",
        "  took       640.5ms: before the last try 500ms, until the head of its answer 120ms, "
        "for the body 20.5ms",
        "  answered   200, 7 bytes of body",
    ]
