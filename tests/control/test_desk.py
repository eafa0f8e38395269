"""Ticks: how often they come, what they record, and what they do when they take too long."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from appliance.config.plan_policy import BreakerPlan, StatsPlan
from appliance.control import desk as desk_module
from appliance.wire.codec import decode, delta_in, state_in
from appliance.wire.delta import State, apply
from tests.kit.desk import ALL, office
from tests.kit.origin import Origin, sized
from tests.kit.plans import plan, route


async def test_ticks_come_as_often_as_anybody_wants(autojump_clock: trio.abc.Clock) -> None:
    """Once a second for the recorder alone, at most as the profile allows."""
    async with office(plan=replace(plan(), stats=StatsPlan(rate=2.0))) as here:
        await trio.sleep(0.1)
        before = here.desk.moment.seq
        await trio.sleep(10)
        assert here.desk.moment.seq - before == pytest.approx(10, abs=1)
        client = here.client()
        client.subscribe(100.0)
        await trio.sleep(1.1)
        before = here.desk.moment.seq
        await trio.sleep(10)
        assert here.desk.moment.seq - before == pytest.approx(20, abs=1)


async def test_the_recorder_can_tell_all_again(autojump_clock: trio.abc.Clock) -> None:
    """What its frames make is what the state was; events are among them; nobody had to watch."""
    plans = plan(route(breaker=BreakerPlan(open_for=5.0)))
    async with office(Origin(sized(b"x", 503)), plans) as here:
        web = here.proxy.connect()
        for _ in range(100):
            await web.get()
            await trio.sleep(0.5)
        state: State = {}
        events = []
        for text in here.desk.recorder.history(0.0, 1e9):
            frame = decode(text)
            if frame["k"] == "snap":
                state = state_in(frame)
            elif frame["k"] == "delta":
                state = apply(state, delta_in(frame))
            elif frame["k"] == "events":
                events += frame["items"]
        now = {name: here.desk.moment.state[name] for name in ALL}
        assert state == now
        assert [event["eid"] for event in events] == list(range(1, here.desk.worker.bulletin.last + 1))
        assert here.desk.recorder.around("tr-000001")


async def test_a_slow_tick_halves_the_rate_and_says_so(
    autojump_clock: trio.abc.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is quick again."""
    async with office() as here:
        client = here.client()
        client.subscribe()
        await trio.sleep(1.1)
        assert here.desk.period == 0.25
        times = iter(range(10**6))
        monkeypatch.setattr(desk_module.time, "perf_counter", lambda: next(times) * 0.05)
        await trio.sleep(0.3)
        assert here.desk.period == 0.5
        assert "took 50 ms" in client.of("notice")[0]["text"]
        monkeypatch.undo()
        await trio.sleep(5)
        assert here.desk.period == 0.25


async def test_clients_of_one_tick_share_an_encoding(autojump_clock: trio.abc.Clock) -> None:
    """However many there are."""
    async with office() as here:
        base = here.desk.moment
        await here.proxy.connect().get()
        here.desk.tick()
        first = here.desk.delta(base, base.seq, ALL)
        assert first is not None
        assert here.desk.delta(base, base.seq, dict(ALL)) is first
        assert here.desk.delta(here.desk.moment, 0, ALL) is None


async def test_what_others_add_to_the_proxy(autojump_clock: trio.abc.Clock) -> None:
    """How the process is, who watches, what the recorder has."""
    async with office() as here:
        client = here.client()
        client.subscribe()
        await trio.sleep(2)
        proxy = client.state["proxy"][""]
        assert proxy["clients"] == 1
        assert proxy["rss"] > 0
        assert set(proxy["rec"]) == {"s", "kb"}


async def test_trips_are_told_with_what_came_after(autojump_clock: trio.abc.Clock) -> None:
    """The report of the moment, and how many were refused so far."""
    async with office(Origin(sized(b"x", 503)), plan(route(breaker=BreakerPlan()))) as here:
        web = here.proxy.connect()
        for _ in range(9):
            await web.get()
        found = here.desk.trip("tr-000001")
        assert found is not None and found["rej_tot"] in (
            None,
            4,
        )  # before the first tick nobody knows the breaker
        await trio.sleep(1.1)
        found = here.desk.trip("tr-000001")
        assert found is not None
        assert (found["rej_tot"], found["run"], len(found["requests"])) == (4, 5, 5)
        assert here.desk.trip("tr-9") is None


async def test_nobody_can_make_ticks_come_faster(autojump_clock: trio.abc.Clock) -> None:
    """Each subscription wants a state of now; together they have as many as the profile allows."""
    async with office(plan=replace(plan(), stats=StatsPlan(rate=4.0))) as here:
        clients = [here.client() for _ in range(8)]
        before = here.desk.moment.seq
        for _ in range(50):
            for client in clients:
                client.subscribe()
            await trio.sleep(0.1)
        assert here.desk.moment.seq - before <= 22
        assert not any(client.ended for client in clients)


async def test_a_slow_client_slows_nobody(autojump_clock: trio.abc.Clock) -> None:
    """What ends by itself ends within a second, whatever the only client wants."""
    async with office() as here:
        here.client().subscribe(0.2)
        await trio.sleep(0.5)
        before = here.desk.moment.seq
        await trio.sleep(20)
        assert here.desk.moment.seq - before >= 19


async def test_other_rules_send_everybody_away(autojump_clock: trio.abc.Clock) -> None:
    """Whoever may still look comes back, as what it is now; and may no longer act before that."""
    async with office() as here:
        client = here.client()
        client.subscribe()
        await trio.sleep(1)
        stats = replace(here.desk.plan, actions="false")
        await here.proxy.reload(replace(here.proxy.worker.plan, stats=stats))
        done = await here.do("log.level", args={"level": "info"})
        assert done["code"] == "denied"
        await trio.sleep(2)
        assert client.ended
        assert client.of("bye")[0]["retry"] is True


async def test_a_slowed_desk_says_so_once_for_each_step(
    autojump_clock: trio.abc.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at every tick that is slow."""
    monkeypatch.setattr(desk_module, "SLOW_TICK", -1.0)
    async with office() as here:
        client = here.client()
        client.subscribe()
        await trio.sleep(60)
        assert here.desk.slowed == 8
        assert len(client.of("notice")) <= 3


async def test_events_come_in_frames_that_clients_can_take(autojump_clock: trio.abc.Clock) -> None:
    """Not all at once where they are long; none is left out."""
    async with office() as here:
        for number in range(300):
            here.desk.worker.bulletin.add("x", "info", "y", f"{number} " + "x" * 20_000)
        client = here.client()
        client.subscribe()
        await trio.sleep(10)
        frames = client.of("events")
        assert [row["text"].split()[0] for frame in frames for row in frame["items"]] == [
            str(number) for number in range(300)
        ]
        assert len(frames) > 5
        assert max(len(str(frame)) for frame in frames) < 1 << 20
