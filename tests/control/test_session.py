"""Clients of all sorts: quick, slow, stuck, silent, gone, rude; and that none of them makes anybody wait."""

from __future__ import annotations

import json

import pytest
import trio

from appliance.config.plan_policy import BreakerPlan
from tests.kit.desk import ALL, GUEST, office
from tests.kit.origin import Origin, sized
from tests.kit.plans import plan, route

BREAKS = plan(route(breaker=BreakerPlan()))


async def test_hello_then_the_whole_state_then_differences(autojump_clock: trio.abc.Clock) -> None:
    """What the client makes of them is what the proxy is like."""
    async with office() as here:
        client = here.client()
        await trio.sleep(0.1)
        assert [frame["k"] for frame in client.frames] == ["hello"]
        hello = client.frames[0]
        assert (hello["proto"]["major"], hello["role"], hello["window"]) == (1, "operator", 2)
        assert hello["server"]["name"] == "edge"
        client.subscribe()
        await trio.sleep(1)
        web = here.proxy.connect()
        for _ in range(20):
            await web.get()
            await trio.sleep(0.3)
        await trio.sleep(0.3)
        assert client.of("snap")[0]["up"]["app"]["tot"] == 0
        assert len(client.of("snap")) == 1
        assert client.state == {name: here.desk.moment.state[name] for name in ALL}
        assert client.state["up"]["app"]["tot"] == 20
        seqs = [frame["seq"] for frame in client.frames if "seq" in frame]
        assert seqs == sorted(seqs)
        bases = [(frame["base"], frame["seq"]) for frame in client.of("delta")]
        assert all(base <= seq for base, seq in bases)


async def test_the_rate_is_what_was_asked_for(autojump_clock: trio.abc.Clock) -> None:
    """Each client has its own, within the profile's."""
    async with office() as here:
        quick, slow, greedy = here.client(), here.client(), here.client()
        quick.subscribe(4.0)
        slow.subscribe(0.5)
        greedy.subscribe(1e9)
        web = here.proxy.connect()
        for _ in range(200):
            await web.get()
            await trio.sleep(0.1)
        counts = [len(each.of("delta")) for each in (quick, slow, greedy)]
        assert 70 <= counts[0] <= 82
        assert 9 <= counts[1] <= 11
        assert counts[2] == pytest.approx(counts[0], abs=3)
        assert quick.state == greedy.state


async def test_one_that_does_not_acknowledge_has_two_frames(autojump_clock: trio.abc.Clock) -> None:
    """And no more, until it does; then the difference to all that it has missed."""
    async with office() as here:
        client = here.client()
        client.acks = False
        client.subscribe()
        web = here.proxy.connect()
        for _ in range(20):
            await web.get()
            await trio.sleep(0.5)
        assert len(client.of("snap")) + len(client.of("delta")) == 2
        client.acks = True
        client.say(k="ack", seq=client.frames[-1]["seq"])
        await trio.sleep(1)
        assert client.of("delta")[-1]["skipped"] == 0
        assert max(frame["skipped"] for frame in client.of("delta") if "skipped" in frame) > 20
        assert client.state["up"]["app"]["tot"] == 20


async def test_one_that_says_nothing_is_sent_away(autojump_clock: trio.abc.Clock) -> None:
    """After half a minute, with a reason; pings are enough to stay."""
    async with office() as here:
        silent, pinging = here.client(), here.client()
        silent.acks = pinging.acks = False
        silent.subscribe()
        pinging.subscribe()
        for _ in range(40):
            await trio.sleep(1)
            pinging.say(k="ping")
        assert silent.ended
        assert silent.of("bye")[0]["code"] == 4008
        assert silent.channel.closed is not None
        assert not pinging.ended
        assert len(here.desk.clients) == 1


async def test_one_that_is_stuck_is_dropped_and_nobody_waits(autojump_clock: trio.abc.Clock) -> None:
    """Eight of them take nothing from another client, and nothing from requests."""
    async with office() as here:
        stuck = [here.client() for _ in range(8)]
        await trio.sleep(0.1)
        for each in stuck:
            each.subscribe()
            each.channel.stuck = trio.Event()
        well = here.client()
        well.subscribe()
        web = here.proxy.connect()
        began = trio.current_time()
        for _ in range(20):
            await web.get()
        assert trio.current_time() == began  # not a moment was waited for
        await trio.sleep(8)
        assert all(each.ended for each in stuck)
        assert here.desk.clients == {well.session}
        assert well.state["up"]["app"]["tot"] == 20


async def test_a_slow_one_sees_what_is_new(autojump_clock: trio.abc.Clock) -> None:
    """Less often, but never what is old."""
    async with office() as here:
        client = here.client()
        client.channel.slow = 1.0
        client.subscribe()
        web = here.proxy.connect()
        for _ in range(60):
            await web.get()
            await trio.sleep(0.2)
        await trio.sleep(5)
        assert len(client.of("delta")) < 16
        assert client.state["up"]["app"]["tot"] == 60


async def test_events_come_once_and_in_order(autojump_clock: trio.abc.Clock) -> None:
    """From where the client says; an id of another life counts as the last one."""
    async with office() as here:
        bulletin = here.desk.worker.bulletin
        for number in range(5):
            bulletin.add("x", "info", "y", f"old {number}")
        late, fresh, alien = here.client(), here.client(), here.client()
        late.subscribe(after=3)
        fresh.subscribe(after=-1)
        alien.subscribe(after=999)
        await trio.sleep(1)
        for number in range(1200):
            bulletin.add("x", "info", "y", f"new {number}")
        await trio.sleep(3)
        for client, first in ((late, 4), (fresh, 6), (alien, 6)):
            ids = [item["eid"] for frame in client.of("events") for item in frame["items"]]
            assert ids == list(range(first, 1206))
            assert all(frame["lost"] == 0 for frame in client.of("events"))


async def test_what_fell_off_the_ring_is_told(autojump_clock: trio.abc.Clock) -> None:
    """By how many there were."""
    async with office() as here:
        bulletin = here.desk.worker.bulletin
        for number in range(5010):
            bulletin.add("x", "info", "y", f"{number}")
        client = here.client()
        client.subscribe(after=1)
        await trio.sleep(5)
        assert client.of("events")[0]["lost"] == 9


@pytest.mark.parametrize(
    "raw",
    [
        "nonsense",
        "[]",
        b"bytes",
        '{"k":"x","a":' + "[" * 50 + "]" * 50 + "}",
        '{"k":"sub"}',
        '{"k":"sub","sets":[]}',
        '{"k":"x","a":"' + "a" * 70_000 + '"}',
    ],
    ids=range(7),
)
async def test_what_is_no_message_ends_that_client_alone(
    raw: str | bytes, autojump_clock: trio.abc.Clock
) -> None:
    """With a code of its own; nobody else notices."""
    async with office() as here:
        rude, well = here.client(), here.client()
        well.subscribe()
        await trio.sleep(0.1)
        rude.raw(raw)
        await trio.sleep(1)
        assert rude.ended
        assert rude.of("bye")[0]["code"] == 1008
        assert rude.of("bye")[0]["retry"] is False
        assert not well.ended


@pytest.mark.parametrize(
    "frame",
    [
        {"k": "sub", "sets": {"up": 1, "nonsense": True, "ep": {"up": 7}}, "rate": "x", "events_after": "y"},
        {"k": "sub", "sets": {"ep": {"up": [None, {}, []]}}, "rate": -1, "events_after": -7},
        {"k": "ack", "seq": "x"},
        {"k": "ack", "seq": 1e300},
        {"k": "hello", "client": [1]},
        {"k": "unknown"},
        {"k": "query"},
        {"k": "query", "id": {"a": 1}, "what": "history", "from": "x", "to": []},
        {"k": "query", "what": "history", "trip": "none"},
        {"k": "query", "what": "histogram", "key": 7},
        {"k": "query", "what": "trip", "trip": []},
        {"k": "query", "what": "request", "rid": None},
        {"k": "cmd"},
        {"k": "cmd", "id": 7, "op": 7},
        {"k": "cmd", "id": "a", "op": "tap.start", "args": "x"},
        {"k": "cmd", "id": "a", "op": "tap.stop", "args": {"id": 7}},
        {"k": "cmd", "id": "a", "op": "breaker.force", "args": {"breaker": [1]}},
        {
            "k": "cmd",
            "id": "a",
            "op": "endpoint.weight",
            "args": {"endpoint": "app/10.0.0.1:80", "weight": True},
        },
        {"k": "cmd", "id": "a", "op": "endpoint.drain", "expect": []},
        {"k": "ping", "id": [1]},
    ],
    ids=range(20),
)
async def test_odd_messages_do_no_harm(frame: dict[str, object], autojump_clock: trio.abc.Clock) -> None:
    """They are answered, or mean nothing; the client stays."""
    async with office() as here:
        client = here.client()
        client.subscribe()
        client.raw(json.dumps(frame))
        await trio.sleep(2)
        assert not client.ended
        client.subscribe()
        await trio.sleep(1)
        assert client.of("snap")


async def test_too_many_messages_end_it(autojump_clock: trio.abc.Clock) -> None:
    """Twenty a second are allowed."""
    async with office() as here:
        busy, rude = here.client(), here.client()
        for _ in range(60):
            await trio.sleep(0.06)
            busy.say(k="ping")
        for _ in range(40):
            rude.say(k="ping")
        await trio.sleep(1)
        assert not busy.ended
        assert rude.ended


async def test_one_that_asks_and_does_not_read_goes(autojump_clock: trio.abc.Clock) -> None:
    """Answers wait for it in a bounded number."""
    async with office() as here:
        client = here.client()
        await trio.sleep(0.1)
        client.channel.stuck = trio.Event()
        for _ in range(100):
            client.say(k="query", what="trips")
            await trio.sleep(0.051)
        await trio.sleep(1)
        assert client.ended


async def test_commands_are_done_and_told(autojump_clock: trio.abc.Clock) -> None:
    """The result has the id; whoever said read_only may not."""
    async with office(plan=BREAKS) as here:
        client = here.client()
        web = here.proxy.connect()
        await web.get()
        args = {"breaker": "all@app/10.0.0.1:80", "state": "open", "reason": "a test"}
        done = await client.ask(k="cmd", op="breaker.force", args=args)
        assert done["ok"]
        assert (await web.get()).status == 503
        for other in (here.client(GUEST), here.client()):
            if other.session.peer.role == "operator":
                other.say(k="hello", client={"name": "x"}, read_only=True)
            refused = await other.ask(k="cmd", op="breaker.clear", args=args)
            assert (refused["ok"], refused["code"]) == (False, "denied")
            await trio.sleep(1.1)
        found = here.desk.worker.bulletin.after(0)[1]
        assert [each.severity for each in found if each.kind == "audit"] == ["info", "warning", "warning"]


async def test_taps_show_requests(autojump_clock: trio.abc.Clock) -> None:
    """Those that match, with counts; they end with their connection."""
    async with office(Origin(sized(b"a"), sized(b"b", 500), sized(b"c"))) as here:
        client = here.client()
        client.subscribe()
        wrong = await client.ask(k="cmd", op="tap.start", args={"match": "status>"})
        assert (wrong["code"], wrong["now"]) == ("invalid", {"column": 7})
        tap = await client.ask(k="cmd", op="tap.start", args={"match": "status>=500"})
        web = here.proxy.connect()
        for _ in range(3):
            await web.get(b"/x")
        await trio.sleep(1)
        (frame,) = client.of("tap")
        assert (frame["id"], frame["seen"], frame["shown"], frame["dropped"]) == (tap["now"]["tap"], 1, 1, 0)
        assert (frame["items"][0]["st"], frame["items"][0]["path"]) == (500, "/x")
        assert here.desk.taps.count == 1
        client.channel.to_server.close()
        await trio.sleep(1)
        assert client.ended
        assert here.desk.taps.count == 0


async def test_a_tap_ends_after_its_count_and_says_so(autojump_clock: trio.abc.Clock) -> None:
    """And five at once are too many."""
    async with office() as here:
        client = here.client()
        client.subscribe()
        for number in range(4):
            assert (await client.ask(k="cmd", op="tap.start", args={"count": number + 1}))["ok"]
        assert (await client.ask(k="cmd", op="tap.start"))["code"] == "busy"
        web = here.proxy.connect()
        for _ in range(2):
            await web.get()
        await trio.sleep(2)
        over = [frame for frame in client.of("tap") if frame["over"]]
        assert sorted(frame["shown"] for frame in over) == [1, 2]
        assert here.desk.taps.count == 2
        open_one = next(iter(client.session._taps))
        await client.ask(k="cmd", op="tap.stop", args={"id": open_one})
        assert here.desk.taps.count == 1


async def test_at_the_end_everybody_is_told(autojump_clock: trio.abc.Clock) -> None:
    """And may come again; one that is stuck is not waited for."""
    async with office() as here:
        clients = [here.client() for _ in range(3)]
        await trio.sleep(0.1)
        clients[0].channel.stuck = trio.Event()
        began = trio.current_time()
        await here.desk.say_goodbye()
        assert trio.current_time() - began <= 1.0
        await trio.sleep(1.5)
        assert [each.of("bye")[0]["code"] for each in clients[1:]] == [1001, 1001]
        assert clients[1].of("bye")[0]["retry"] is True
        assert all(each.ended for each in clients)


async def test_the_first_state_is_of_now(autojump_clock: trio.abc.Clock) -> None:
    """Whoever asks once, such as a command, does not see what was a second ago."""
    async with office() as here:
        await trio.sleep(0.5)
        await here.proxy.connect().get()
        client = here.client()
        client.subscribe()
        await trio.sleep(0.1)
        assert client.state["proxy"][""]["tot"] == 1


async def test_a_delta_is_from_what_was_sent_last(autojump_clock: trio.abc.Clock) -> None:
    """Its base is the frame before it, whether or not that one said anything."""
    async with office() as here:
        client = here.client()
        client.subscribe()
        web = here.proxy.connect()
        for pause in (0.3, 2.0, 0.7, 12.0, 0.3):
            await web.get()
            await trio.sleep(pause)
        rows = [frame for frame in client.frames if frame["k"] in ("snap", "delta")]
        assert len(rows) > 10
        assert [row["base"] for row in rows[1:]] == [row["seq"] for row in rows[:-1]]


async def test_a_tap_needs_no_subscription(autojump_clock: trio.abc.Clock) -> None:
    """Records come to whoever asked for nothing else, and so does its end."""
    async with office() as here:
        client = here.client()
        await client.ask(k="cmd", op="tap.start", args={"id": "t", "count": 1})
        await here.proxy.connect().get()
        await trio.sleep(2)
        assert [frame["over"] for frame in client.of("tap")][-1] is True
        assert sum(len(frame["items"]) for frame in client.of("tap")) == 1


async def test_long_messages_count_for_more(autojump_clock: trio.abc.Clock) -> None:
    """Reading one of 60 KB takes as long as reading many."""
    async with office() as here:
        client = here.client()
        client.say(k="ping", id="x" * 60_000)
        await trio.sleep(2)
        assert not client.ended
        client.say(k="ping", id="x" * 60_000)
        client.say(k="ping", id="x" * 60_000)
        await trio.sleep(1)
        assert client.ended


async def test_names_of_upstreams_are_bounded(autojump_clock: trio.abc.Clock) -> None:
    """Thousands of them would be looked through at every tick."""
    async with office() as here:
        client = here.client()
        names = [str(number) for number in range(5000)]
        client.say(k="sub", rate=4, sets={"ep": {"up": ["app", 7, None, *names]}, "up": {"up": "app"}})
        await trio.sleep(2)
        assert len(client.session.wants["ep"]["up"]) < 200
        assert set(client.state["ep"]) == {"app/10.0.0.1:80"}
        assert set(client.state["up"]) == {"app"}
