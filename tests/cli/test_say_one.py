"""One breaker, one endpoint, in sentences."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from appliance.cli.say_one import breaker_lines, endpoint_lines
from tests.cli.test_say import BREAKERS, EVIL, record, safe

BREAKER: dict[str, Any] = {
    "up": "app", "st": "open", "since": 10_000, "until": 40_000, "cf": 5, "cf_max": 5, "er": 0.5,
    "er_max": 0.5, "n": 24, "n_min": 20, "window": 10.0, "ask": 31, "sent": 0, "rej": 31, "rej_tot": 350,
    "last": "oxxxxx",
    "trips_1h": 3, "trip": "tr-000003", "src": "edge.yaml:92", "forced": None, "probe": None,
}  # fmt: skip
ENDPOINTS = record(
    "state", "by", "reason", "until", "weight", "share", "health", "rps", "err", "p50", "p90", "p99", "tot",
    "act", "max", "conns",
)  # fmt: skip


def test_a_breaker_in_sentences() -> None:
    """What it is, since when, how far it is, by which limits, and where more is to be read."""
    assert breaker_lines("app/10.0.0.1:80", BREAKER, 22_000) == [
        "breaker  app/10.0.0.1:80, of upstream app",
        "  state  open for 12s; half-open in 18s",
        " window  50% of 24 requests failed within 10s; opens at 50% of at least 20, or 5 failures in a row",
        "    now  asked 31/s, sent 0/s, rejected 31/s; 350 rejected so far",
        "   last  oxxxxx  (oldest first: o good, x failed)",
        " opened  3 in the last hour; the last is tr-000003: meshctl breaker report tr-000003",
        "setting  edge.yaml:92",
    ]
    forced = {"by": "root (uid 0)", "reason": "INC-1", "until": None}
    told = breaker_lines("app", {**BREAKER, "st": "forced_open", "forced": forced}, 22_000)
    assert ' forced  by root (uid 0), "INC-1", until somebody ends it' in told


def test_an_endpoint_in_sentences() -> None:
    """Who has drained it, why and until when; what its checks say."""
    row: dict[str, Any] = {
        "state": "drained", "by": "root (uid 0)", "reason": "disk", "until": 60_000, "weight": 100,
        "share": 0.25, "health": {"ok": False, "why": "refused", "streak": 0}, "rps": 0, "err": None,
        "p50": None, "p90": None, "p99": None, "tot": 7, "act": 1, "max": 64, "conns": 2,
    }  # fmt: skip
    assert endpoint_lines("app/10.0.0.1:80", row, 0) == [
        "endpoint  app/10.0.0.1:80",
        '   state  drained, by root (uid 0), "disk", for another 1m',
        "  weight  100, of which 25% count while it starts slowly",
        "  health  not well: refused",
        "     now  0 tries/s, - failed, p50 -, p90 -, p99 -; 7 tries so far",
        "    busy  1 under way of at most 64, 2 connections",
    ]


@given(EVIL, BREAKERS, ENDPOINTS)
def test_no_hostile_text_gets_through(name: str, breaker: dict[str, Any], endpoint: dict[str, Any]) -> None:
    """Whatever a proxy says."""
    for line in (*breaker_lines(name, breaker, 0), *endpoint_lines(name, endpoint, 0)):
        assert safe(line)
