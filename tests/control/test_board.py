"""The state as a whole: it adds up, it follows reloads, and what does not change stays the same object."""

from __future__ import annotations

from dataclasses import replace

import trio

from appliance.config.plan_policy import Backoff, RetryPlan, UpstreamLimits
from appliance.control.board import NO_ROUTE
from appliance.metrics.heat import COLUMNS
from appliance.routing.match import Match
from tests.kit.desk import office
from tests.kit.origin import Origin, silent, sized
from tests.kit.plans import plan, route, upstream

A, B = "10.0.0.1:80", "10.0.0.2:80"


async def test_parts_add_up(autojump_clock: trio.abc.Clock) -> None:
    """Routes to the proxy, endpoints to their upstream; also what no route took."""
    plans = plan(
        route("app", Match(path_prefix="/a"), name="a"),
        route("other", Match(path_prefix="/b"), name="b"),
        upstreams=(upstream("app", A), upstream("other", B)),
    )
    async with office({A: Origin(sized(b"12345")), B: Origin(sized(b"x", 500))}, plans) as here:
        web = here.proxy.connect()
        for path in (b"/a", b"/a", b"/b", b"/nowhere"):
            await web.get(path)
        await trio.sleep(1.1)
        state = here.desk.moment.state
        assert {name: row["tot"] for name, row in state["rt"].items()} == {"a": 2, "b": 1, NO_ROUTE: 1}
        assert {name: row["tot"] for name, row in state["up"].items()} == {"app": 2, "other": 1}
        assert state["ls"]["web"]["tot"] == state["proxy"][""]["tot"] == 4
        assert state["proxy"][""]["err"] == 0.25
        assert state["up"]["other"]["err"] == 1
        assert len(state["rt"]) + len(state["up"]) == 5
        heat = here.desk.board.heat["up", "app"].columns(here.desk.now())
        assert len(heat) == COLUMNS
        assert sum(heat[-1] or heat[-2]) == 2


async def test_what_does_not_change_is_the_same_object(autojump_clock: trio.abc.Clock) -> None:
    """So that telling what differs costs nothing."""
    async with office() as here:
        await here.proxy.connect().get()
        await trio.sleep(15)
        before = here.desk.moment.state
        await trio.sleep(5)
        after = here.desk.moment.state
        for name in ("up", "ep", "br", "rt", "ls"):
            for key, thing in after[name].items():
                assert thing is before[name][key], (name, key)


async def test_a_reload_changes_what_there_is(autojump_clock: trio.abc.Clock) -> None:
    """What is gone leaves the state, what stays keeps its counts."""
    both = plan(upstreams=(upstream("app", A, B),))
    async with office({A: Origin(), B: Origin()}, both) as here:
        web = here.proxy.connect()
        for _ in range(4):
            await web.get()
        await trio.sleep(1.1)
        assert set(here.desk.moment.state["ep"]) == {f"app/{A}", f"app/{B}"}
        gone = here.proxy.snapshot.clusters["app"].endpoints[1]
        await here.proxy.reload(replace(both, upstreams=(upstream("app", A),)))
        await trio.sleep(1.1)
        state = here.desk.moment.state
        assert set(state["ep"]) == {f"app/{A}"}
        assert state["ep"][f"app/{A}"]["tot"] == 2
        assert state["proxy"][""]["gen"] == 2
        assert gone.name not in repr(here.desk.board.flows)
        renamed = replace(both, routes=(route(name="new"),), upstreams=(upstream("app", A),))
        await here.proxy.reload(renamed)
        await trio.sleep(1.1)
        assert "new" in here.desk.moment.state["rt"]
        assert ("rt", "all") not in here.desk.board.flows


async def test_requests_under_way_are_shown_to_who_asks(autojump_clock: trio.abc.Clock) -> None:
    """The oldest first; nobody pays for them otherwise."""
    async with office(Origin(silent())) as here:
        for number in range(60):
            web = here.proxy.connect(peer=f"192.0.2.{number}")
            await web.send(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
            await trio.sleep(0.01)
        assert "live" not in here.desk.moment.state
        client = here.client()
        client.subscribe(sets={"live": True})
        await trio.sleep(1.1)
        rows = client.state["live"]
        assert len(rows) == 50
        assert {row["path"] for row in rows.values()} == {f"/{number}" for number in range(50)}
        row = min(rows.values(), key=lambda each: each["began"])
        assert (row["path"], row["rt"], row["ep"], row["ph"]) == ("/0", "all", A, "wait")
        await trio.sleep(20)
        assert not client.state["live"]


async def test_bytes_and_retries_are_told(autojump_clock: trio.abc.Clock) -> None:
    """Bodies either way per second, whatever their framing; a retry hides a failure from the client only."""
    again = route(retry=RetryPlan(backoff=Backoff(0.0, 0.0)))
    origin = Origin(sized(b"x" * 500), sized(b"x" * 500), sized(b"bad", 503), sized(b"good"))
    async with office(origin, plan(again)) as here:
        web = here.proxy.connect()
        await trio.sleep(1.1)
        await web.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n" + b"y" * 300)
        await web.answer()
        chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nc8\r\n%b\r\n0\r\n\r\n"
        await web.send(chunked % (b"z" * 200))
        await web.answer()
        await web.get()
        await trio.sleep(0.95)
        row = here.desk.moment.state["proxy"][""]
        total = here.desk.board.flows["proxy", ""].total
        assert (total.received, total.sent, total.retries) == (500, 1004, 1)
        assert 450 <= row["in"] <= 550
        assert 900 <= row["out"] <= 1100
        route_row = here.desk.moment.state["rt"]["all"]
        assert (route_row["err"], route_row["try_err"]) == (0, 0.25)
        assert route_row["retry_s"] > 0


async def test_an_endpoint_that_is_idle_has_no_times(autojump_clock: trio.abc.Clock) -> None:
    """What was so ten seconds ago is not so for ever."""
    async with office() as here:
        here.client().subscribe(4.0)
        await here.proxy.connect().get()
        await trio.sleep(1.1)
        key = f"app/{A}"
        assert here.desk.moment.state["ep"][key]["p50"] is not None
        await trio.sleep(15)
        assert here.desk.moment.state["ep"][key]["p50"] is None
        web = replace(here.proxy.worker.plan.upstreams[0], limits=UpstreamLimits(max_connections=7))
        await here.proxy.reload(replace(here.proxy.worker.plan, upstreams=(web,)))
        await trio.sleep(2)
        assert here.desk.moment.state["ep"][key]["max"] == 7


async def test_what_an_endpoint_did_before_it_went_is_counted(autojump_clock: trio.abc.Clock) -> None:
    """By its upstream, also what ends after it has gone."""
    origins = {A: Origin(sized(b"1")), B: Origin(sized(b"2"))}
    both = plan(upstreams=(upstream("app", A),))
    async with office(origins, both) as here:
        web = here.proxy.connect()
        for _ in range(5):
            await web.get()
        await here.proxy.reload(replace(both, upstreams=(upstream("app", B),)))
        await trio.sleep(2.1)
        state = here.desk.moment.state
        assert state["up"]["app"]["tot"] == state["rt"]["all"]["tot"] == 5
        assert set(here.desk.board._cells) == {f"app/{B}"}
