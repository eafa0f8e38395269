"""Questions and their answers."""

from __future__ import annotations

import json

import pytest
import trio

from appliance.config.plan_policy import BreakerPlan
from appliance.control.queries import answer, number
from tests.kit.desk import office
from tests.kit.origin import Origin, sized
from tests.kit.plans import plan, route


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (3, 3),
        (2.5, 2.5),
        (0, 1),
        (-5, 1),
        (1e300, 1e15),
        (None, 7),
        ("3", 7),
        (True, 7),
        (float("nan"), 7),
        ([], 7),
    ],
    ids=range(10),
)
def test_numbers_of_clients(value: object, found: float) -> None:
    """Are bounded, or what is usual."""
    assert number(value, 7, 1) == found


async def test_what_can_be_asked(autojump_clock: trio.abc.Clock) -> None:
    """Trips, a request that went wrong, times, clients, the past."""
    async with office(Origin(sized(b"x", 503)), plan(route(breaker=BreakerPlan()))) as here:
        client = here.client()
        client.say(k="hello", client={"name": "test"})
        client.subscribe()
        web = here.proxy.connect()
        for _ in range(6):
            await web.get(b"/x")
        await trio.sleep(3)
        trips = (await client.ask(k="query", what="trips"))["now"]["trips"]
        assert [trip["trip"] for trip in trips] == ["tr-000001"]
        assert (await client.ask(k="query", what="trip", trip="tr-000001"))["now"] == trips[0]
        rid = trips[0]["requests"][0]["rid"]
        assert (await client.ask(k="query", what="request", rid=rid))["now"]["path"] == "/x"
        heat = (await client.ask(k="query", what="histogram", set="up", key="app"))["now"]
        assert sum(sum(column) for column in heat["columns"]) == 5
        clients = (await client.ask(k="query", what="clients"))["now"]["clients"]
        assert clients == [{"name": "test", "who": "root (uid 0)", "role": "operator", "rate": 4.0}]
        for what, more in (("trip", {"trip": "x"}), ("request", {"rid": "x"}), ("histogram", {"key": "x"})):
            assert (await client.ask(k="query", what=what, **more))["code"] == "not_found"
        assert (await client.ask(k="query", what="nonsense"))["code"] == "unsupported"


async def test_the_past_comes_in_pieces(autojump_clock: trio.abc.Clock) -> None:
    """Each a frame that a client takes; the last one says so."""
    async with office() as here:
        for second in range(200):
            here.desk.recorder.add(float(second), json.dumps({"k": "x", "a": "y" * 5000}), whole=second == 0)
        rows = [json.loads(text) for text in answer(here.desk, {"k": "query", "id": "q", "what": "history"})]
        assert len(rows) > 2
        assert [row["more"] for row in rows] == [True] * (len(rows) - 1) + [False]
        assert {row["id"] for row in rows} == {"q"}
        assert sum(len(row["frames"]) for row in rows) >= 200
        assert max(len(json.dumps(row)) for row in rows) < 1 << 20


async def test_the_surroundings_of_a_trip(autojump_clock: trio.abc.Clock) -> None:
    """Are there long after; of one that is not known there is nothing."""
    async with office(Origin(sized(b"x", 503)), plan(route(breaker=BreakerPlan()))) as here:
        web = here.proxy.connect()
        for _ in range(6):
            await web.get()
        await trio.sleep(800)
        frames = [json.loads(text) for text in answer(here.desk, {"what": "history", "trip": "tr-000001"})]
        assert frames[0]["frames"][0]["k"] == "snap"
        assert any(row["k"] == "events" for row in frames[0]["frames"])
        (nothing,) = answer(here.desk, {"what": "history", "trip": "tr-9"})
        assert json.loads(nothing)["frames"] == []
