"""Events in their ring, and the reports of trips."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.config.plan_policy import BreakerPlan
from appliance.model.address import Where
from appliance.policy.breaker import Shift, State
from appliance.proxy.bulletin import RING, TRIPS, Bulletin
from appliance.proxy.floods import FloodEvent
from appliance.upstream.breakers import BreakerShift, Evidence, Look
from appliance.upstream.watch import HealthShift, NameShift


def opened(name: str = "app", at: float = 5.0) -> BreakerShift:
    evidence = Evidence("id1", "GET", "/a" * 200, "10.0.0.1:80", "503", at - 1, 0.25)
    shift = Shift(
        State.CLOSED, State.OPEN, at, "failure_threshold", 5, 5, 9, at + 30, (None, evidence), since=1.0
    )
    rules = BreakerPlan(places=(("failure_threshold", Where("edge.yaml", 7, 3)),))
    return BreakerShift(name, shift, rules, (Look("10.0.0.1:80", State.OPEN, 3, True, False),))


def test_events_are_numbered_and_kept() -> None:
    """Each kind with its severity and subject, from 1 on."""
    bulletin = Bulletin(lambda: 7.0)
    bulletin.tell(opened())
    bulletin.tell(HealthShift("app", "10.0.0.1:80", False, "connection refused"))
    bulletin.tell(NameShift("app", "a.example", ("10.0.0.2:80",), (), 1))
    bulletin.tell(FloodEvent("web", "192.0.2.1", "ping", "too many", 3))
    bulletin.add("audit", "info", "app", "an operator did something", op="x")
    lost, rows = bulletin.after(0)
    assert lost == 0
    assert [(row.eid, row.kind, row.severity, row.subject) for row in rows] == [
        (1, "breaker", "error", "app"),
        (2, "health", "warning", "app/10.0.0.1:80"),
        (3, "name", "info", "app/a.example"),
        (4, "flood", "warning", "web"),
        (5, "audit", "info", "app"),
    ]
    assert rows[0].more["trip"] == "tr-000001"
    assert rows[3].more["count"] == 3


def test_a_trip_leaves_a_report() -> None:
    """With the setting's place, the requests (cut to what a screen needs), and the endpoints then."""
    bulletin = Bulletin(lambda: 7.0)
    bulletin.tell(opened())
    found = bulletin.trips["tr-000001"]
    assert (found["rule"], found["limit"], found["src"], found["run"]) == (
        "failure_threshold",
        5,
        "edge.yaml:7",
        5,
    )
    assert found["endpoints"] == [
        {"ep": "10.0.0.1:80", "st": "open", "act": 3, "healthy": True, "drained": False}
    ]
    (request,) = found["requests"]
    assert (request["before"], request["ms"], len(request["path"])) == (1000, 250.0, 200)


def test_old_trips_are_forgotten() -> None:
    """The reports of the last hundred stay."""
    bulletin = Bulletin(lambda: 7.0)
    for second in range(TRIPS + 3):
        bulletin.tell(opened(at=float(second)))
    assert len(bulletin.trips) == TRIPS
    assert "tr-000003" not in bulletin.trips


@given(st.integers(0, RING * 2), st.integers(-3, RING * 2 + 5), st.integers(1, 50))
def test_whoever_asks_late_is_told_how_many_are_lost(count: int, eid: int, most: int) -> None:
    """What is given begins right behind what is lost."""
    bulletin = Bulletin(lambda: 0.0)
    bulletin.last = count
    bulletin._events.clear()
    bulletin.last = max(0, count - RING)
    for _ in range(count - bulletin.last):
        bulletin.add("x", "info", "y", "z")
    eid = max(0, eid)
    lost, rows = bulletin.after(eid, most)
    if rows:
        assert rows[0].eid == eid + lost + 1
        assert [row.eid for row in rows] == list(range(rows[0].eid, rows[0].eid + len(rows)))
        assert len(rows) == min(most, count - rows[0].eid + 1)
    else:
        assert eid >= count
