"""What operators do: each action acts, is told, can be tried first, and is refused where it should be."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
import trio

from appliance.config.plan_policy import BreakerPlan, HealthPlan
from tests.kit.desk import GUEST, ROOT, Office, office
from tests.kit.origin import Origin, silent, sized
from tests.kit.plans import plan, route, upstream

A, B = "10.0.0.1:80", "10.0.0.2:80"
TWO = plan(
    route(breaker=None),
    upstreams=(replace(upstream("app", A, B), breaker=BreakerPlan()),),
)


def two() -> dict[str, Origin]:
    return {A: Origin(sized(b"a")), B: Origin(sized(b"b"))}


def breaking() -> Any:
    """A plan whose route goes by the upstream's breakers."""
    own = route()
    destination = replace(own.action.to[0], own_breaker=False, breaker=BreakerPlan())  # type: ignore[union-attr]
    return plan(
        replace(own, action=replace(own.action, to=(destination,))),
        upstreams=(replace(upstream("app", A, B), breaker=BreakerPlan()),),
    )


async def asked(here: Office, count: int = 10) -> set[bytes]:
    """Ask so many times; give who answered."""
    web = here.proxy.connect()
    return {(await web.get()).body for _ in range(count)}


def audits(here: Office) -> list[str]:
    return [each.text for each in here.desk.worker.bulletin.after(0)[1] if each.kind == "audit"]


async def test_a_breaker_is_forced_open_for_a_time(autojump_clock: trio.abc.Clock) -> None:
    """Nothing goes there; when the time is over it speaks for itself, and says so."""
    async with office(two(), breaking()) as here:
        args = {"breaker": f"app/{A}", "state": "open", "ttl": 60_000, "reason": "disk \x1b[31m swap"}
        told = await here.do("breaker.force", args=args)
        assert told["ok"], told
        assert told["text"] == f"forced breaker app/{A} open for 1m: nothing is sent, 1 of 2 endpoints left"
        assert told["now"]["forced"]["by"] == "root (uid 0)"
        assert "\x1b" not in told["now"]["forced"]["reason"]
        assert await asked(here) == {b"b"}
        await trio.sleep(61)
        assert await asked(here) == {b"a", b"b"}
        events = [each.text for each in here.desk.worker.bulletin.after(0)[1]]
        assert events[-1] == f"breaker app/{A} speaks for itself again: its time is over"
        assert audits(here)[0].startswith(f"root (uid 0): breaker.force: forced breaker app/{A} open for 1m")


async def test_forced_closed_it_protects_nobody(autojump_clock: trio.abc.Clock) -> None:
    """And clearing lets it speak for itself; a second time there is nothing to clear."""
    async with office({A: Origin(sized(b"x", 503)), B: Origin(sized(b"b"))}, breaking()) as here:
        await here.do("breaker.force", args={"breaker": f"app/{A}", "state": "closed", "ttl": None})
        web = here.proxy.connect()
        statuses = [(await web.get()).status for _ in range(30)]
        await trio.sleep(2)
        assert here.desk.moment.state["br"][f"app/{A}"]["forced"]["until"] is None
        assert statuses.count(503) == 15
        cleared = await here.do("breaker.clear", args={"breaker": f"app/{A}"})
        assert cleared["text"] == f"cleared breaker app/{A}: it speaks for itself"
        assert await asked(here) == {b"b"}
        assert (await here.do("breaker.clear", args={"breaker": f"app/{A}"}, id="again"))[
            "code"
        ] == "conflict"


async def test_reset_forgets(autojump_clock: trio.abc.Clock) -> None:
    """An open breaker is closed at once."""
    async with office(
        {A: Origin(*[sized(b"x", 503)] * 5, sized(b"a")), B: Origin(sized(b"b"))}, breaking()
    ) as here:
        await asked(here, 12)
        assert await asked(here) == {b"b"}
        told = await here.do("breaker.reset", args={"breaker": f"app/{A}"})
        assert (told["ok"], told["now"]["st"]) == (True, "closed")
        assert await asked(here) == {b"a", b"b"}


async def test_what_the_operator_saw_is_held_against_what_is(autojump_clock: trio.abc.Clock) -> None:
    """If it is not so any more nothing is done."""
    async with office(two(), breaking()) as here:
        await here.do("breaker.force", args={"breaker": f"app/{A}", "state": "open"})
        told = await here.do("breaker.reset", args={"breaker": f"app/{A}"}, expect={"st": "closed"})
        assert (told["code"], told["now"]["st"]) == ("conflict", "forced_open")
        assert await asked(here) == {b"b"}
        told = await here.do("breaker.reset", args={"breaker": f"app/{A}"}, expect={"st": "forced_open"})
        assert told["ok"]
        drain = {"endpoint": f"app/{A}"}
        assert (await here.do("endpoint.drain", args=drain, expect={"state": "down"}))["code"] == "conflict"


async def test_an_endpoint_is_drained_and_comes_back(autojump_clock: trio.abc.Clock) -> None:
    """For a time or until it is undrained; the state says by whom and why."""
    async with office(two(), TWO) as here:
        told = await here.do("endpoint.drain", args={"endpoint": f"app/{A}", "reason": "swap", "ttl": 5000})
        assert (
            told["text"]
            == f"drained endpoint app/{A} for 5s: no new requests, 1 of 2 endpoints left, 0 in flight"
        )
        assert await asked(here) == {b"b"}
        await trio.sleep(1)
        row = here.desk.moment.state["ep"][f"app/{A}"]
        assert (row["state"], row["by"], row["reason"]) == ("drained", "root (uid 0)", "swap")
        await trio.sleep(5)
        assert await asked(here) == {b"a", b"b"}
        await here.do("endpoint.drain", args={"endpoint": f"app/{A}"})
        assert (await here.do("endpoint.undrain", args={"endpoint": f"app/{A}"}))["ok"]
        assert await asked(here) == {b"a", b"b"}
        assert (await here.do("endpoint.undrain", args={"endpoint": f"app/{A}"}, id="again"))[
            "code"
        ] == "conflict"


async def test_the_last_one_is_drained_only_on_purpose(autojump_clock: trio.abc.Clock) -> None:
    """Without it every request fails."""
    async with office(two(), TWO) as here:
        await here.do("endpoint.drain", args={"endpoint": f"app/{A}"})
        told = await here.do("endpoint.drain", args={"endpoint": f"app/{B}"})
        assert told["code"] == "conflict"
        assert "last usable" in told["text"]
        assert (await here.do("endpoint.drain", args={"endpoint": f"app/{B}", "last": True}))["ok"]
        assert (await here.proxy.connect().get()).status == 503


async def test_where_nothing_is_usable_there_is_no_last_one(autojump_clock: trio.abc.Clock) -> None:
    """An endpoint that gets nothing anyway may be drained, drained for longer, and weighed away."""
    async with office(two(), TWO) as here:
        for name in (A, B):
            await here.do("endpoint.drain", args={"endpoint": f"app/{name}", "last": True})
        assert (await here.do("endpoint.drain", args={"endpoint": f"app/{B}", "ttl": 5000}))["ok"]
        assert (await here.do("endpoint.weight", args={"endpoint": f"app/{B}", "weight": 0}))["ok"]


@pytest.mark.parametrize("digest", [5, "", None])
async def test_a_digest_that_is_none_loads_nothing(digest: object, autojump_clock: trio.abc.Clock) -> None:
    """A file with errors has an empty one."""
    async with office(two(), TWO) as here:
        assert (await here.do("profile.reload", expect={"digest": digest}))["code"] == "invalid"


async def test_a_weight_counts_until_a_reload(autojump_clock: trio.abc.Clock) -> None:
    """0 takes an endpoint out; a reload gives back what the profile says."""
    async with office(two(), TWO) as here:
        told = await here.do("endpoint.weight", args={"endpoint": f"app/{A}", "weight": 0})
        assert (
            told["text"] == f"weighed endpoint app/{A} 0 instead of 1, until a reload, 1 of 2 endpoints left"
        )
        assert await asked(here) == {b"b"}
        await here.proxy.reload(replace(TWO, digest="1" * 12))
        assert await asked(here) == {b"a", b"b"}


@pytest.mark.parametrize("weight", [-1, 1.5, True, "3", None, 10_000_000])
async def test_odd_weights_are_refused(weight: object, autojump_clock: trio.abc.Clock) -> None:
    """They are whole numbers."""
    async with office(two(), TWO) as here:
        told = await here.do("endpoint.weight", args={"endpoint": f"app/{A}", "weight": weight})
        assert told["code"] == "invalid"


async def test_health_can_be_asked_now(autojump_clock: trio.abc.Clock) -> None:
    """Where the profile says how."""
    checked = plan(upstreams=(replace(upstream("app", A, B), health=HealthPlan(interval=3600.0)),))
    async with office(two(), checked) as here:
        assert (await here.do("endpoint.check", args={"endpoint": f"app/{A}"}))["now"] == {
            "ok": True,
            "why": "",
        }
        here.proxy.origins[A].handlers = (sized(b"", 500),)
        told = await here.do("endpoint.check", args={"endpoint": f"app/{A}"}, id="again")
        assert told["now"]["ok"] is False
    async with office(two(), TWO) as here:
        assert (await here.do("endpoint.check", args={"endpoint": f"app/{A}"}))["code"] == "failed"


async def test_a_request_is_cancelled(autojump_clock: trio.abc.Clock) -> None:
    """Its client is told that an operator did it."""
    async with office(Origin(silent())) as here:
        web = here.proxy.connect()
        await web.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await trio.sleep(0.5)
        (exchange,) = here.desk.worker.ending.live
        told = await here.do("request.cancel", args={"rid": exchange.id, "reason": "stuck"})
        assert told["ok"]
        answer = await web.answer()
        assert (answer.status, b"cancelled" in answer.body) == (503, True)
        assert here.proxy.journal.faults == ["cancelled"]
        assert (await here.do("request.cancel", args={"rid": exchange.id}, id="again"))["code"] == "not_found"


async def test_the_log_tells_more_for_a_time(autojump_clock: trio.abc.Clock) -> None:
    """Then it goes back to what it was, even if it was asked twice."""
    log = logging.getLogger("meshctl")
    usual = log.level
    async with office() as here:
        await here.do("log.level", args={"level": "debug", "ttl": 60_000})
        assert log.level == logging.DEBUG
        here.desk.actions.debug_for(120)
        await trio.sleep(90)
        assert log.level == logging.DEBUG
        await trio.sleep(40)
        assert log.level == usual
        assert (await here.do("log.level", args={"level": "loud"}))["code"] == "invalid"


async def test_the_proxy_is_stopped(autojump_clock: trio.abc.Clock) -> None:
    """As by a signal."""
    async with office() as here:
        assert (await here.do("proxy.drain", dry_run=True))[
            "text"
        ] == "would stop the proxy: 0 requests under way"
        assert not here.desk.worker.draining
        await here.do("proxy.drain")
        assert here.desk.worker.draining


async def test_a_dry_run_says_what_would_be_and_does_nothing(autojump_clock: trio.abc.Clock) -> None:
    """It is not audited, either, and does not use its id up."""
    async with office(two(), breaking()) as here:
        args = {"breaker": f"app/{A}", "state": "open"}
        told = await here.do("breaker.force", args=args, dry_run=True, id="one")
        assert (
            told["text"]
            == f"would force breaker app/{A} open for 10m: nothing is sent, 1 of 2 endpoints left"
        )
        for op in ("breaker.reset", "endpoint.drain", "endpoint.undrain", "endpoint.weight"):
            await here.do(op, args={"breaker": f"app/{A}", "endpoint": f"app/{A}", "weight": 0}, dry_run=True)
        assert await asked(here) == {b"a", b"b"}
        assert not audits(here)
        assert (await here.do("breaker.force", args=args, id="one"))["text"].startswith("forced")


async def test_the_same_id_is_done_once(autojump_clock: trio.abc.Clock) -> None:
    """For five minutes, by the same peer; another's ids are others, and so is another command."""
    async with office(two(), breaking()) as here:
        args = {"breaker": f"app/{A}", "state": "open"}
        first = await here.do("breaker.force", args=args, id="one")
        other = {"breaker": f"app/{B}", "state": "open"}
        assert await here.do("breaker.force", args=args, id="one") == first
        mixed_up = await here.do("breaker.force", args=other, id="one")
        assert (mixed_up["code"], mixed_up["text"]) == ("invalid", "this id was that of another command")
        assert await asked(here) == {b"b"}
        assert (await here.do("breaker.force", replace(ROOT, uid=7), args=other, id="one"))["ok"]
        await trio.sleep(301)
        assert (await here.do("breaker.force", args=other, id="one"))["text"] != first["text"]


async def test_observers_only_look(autojump_clock: trio.abc.Clock) -> None:
    """Whatever they ask for; it is remembered that they did."""
    async with office(two(), breaking()) as here:
        for op in sorted(here.desk.actions._ops):
            assert (await here.do(op, GUEST, args={"breaker": f"app/{A}"}))["code"] == "denied"
            await trio.sleep(1.1)
        assert len(audits(here)) == len(here.desk.actions._ops)
        assert all(text.startswith("guest (uid 1000): ") for text in audits(here))


@pytest.mark.parametrize(
    ("op", "args", "code"),
    [
        ("nonsense", {}, "unsupported"),
        ("breaker.force", {}, "invalid"),
        ("breaker.force", {"breaker": "nobody", "state": "open"}, "not_found"),
        ("breaker.force", {"breaker": f"app/{A}", "state": "ajar"}, "invalid"),
        ("breaker.force", {"breaker": f"app/{A}", "state": "open", "ttl": -1}, "invalid"),
        ("breaker.force", {"breaker": f"app/{A}", "state": "open", "ttl": 1e12}, "invalid"),
        ("breaker.force", {"breaker": f"app/{A}", "state": "open", "ttl": True}, "invalid"),
        ("endpoint.drain", {"endpoint": "app/nobody"}, "not_found"),
        ("endpoint.drain", {"endpoint": f"app/{A}", "ttl": "1m"}, "invalid"),
        ("request.cancel", {"rid": ""}, "invalid"),
        ("profile.reload", {}, "unsupported"),
        ("profile.diff", {}, "unsupported"),
    ],
)
async def test_what_is_wrong_is_told(
    op: str, args: dict[str, Any], code: str, autojump_clock: trio.abc.Clock
) -> None:
    """With a code and a sentence."""
    async with office(two(), breaking()) as here:
        told = await here.do(op, args=args)
        assert (told["ok"], told["code"]) == (False, code)
        assert told["text"]


@pytest.mark.parametrize(
    "command",
    [{}, {"id": ""}, {"id": "x" * 101}, {"id": "a", "op": 1}, {"id": "a", "op": "x", "args": []}],
    ids=range(5),
)
async def test_what_is_no_command_is_refused(command: dict[str, Any], autojump_clock: trio.abc.Clock) -> None:
    """It does not get as far as being remembered."""
    async with office() as here:
        assert (await here.desk.actions.run(ROOT, command)).code == "invalid"
        assert not audits(here)


async def test_draining_twice_is_draining_once(autojump_clock: trio.abc.Clock) -> None:
    """A second operator cuts nobody off; whoever wants that says stop."""
    async with office(two(), breaking()) as here:
        assert (await here.do("proxy.drain"))["ok"]
        again = await here.do("proxy.drain", peer=replace(ROOT, uid=7))
        assert (again["code"], "drains already" in again["text"]) == ("conflict", True)


async def test_a_level_may_stay(autojump_clock: trio.abc.Clock) -> None:
    """Until somebody sets another one."""
    async with office(two(), breaking()) as here:
        before = logging.getLogger("meshctl").level
        told = await here.do("log.level", args={"level": "debug", "ttl": None})
        assert told["text"] == "logging debug until it is set anew"
        await trio.sleep(20)
        assert logging.getLogger("meshctl").level == logging.DEBUG
        await here.do("log.level", args={"level": "info", "ttl": 1000})
        await trio.sleep(2.1)
        assert logging.getLogger("meshctl").level == before


async def test_whatever_ends_a_drain_warms_up(autojump_clock: trio.abc.Clock) -> None:
    """An endpoint that comes back by itself has its first requests step by step, too; the event names it."""
    slow = plan(upstreams=(replace(upstream("app", A, B), slow_start=30.0),))
    async with office(two(), slow) as here:
        await trio.sleep(60)
        await here.do("endpoint.drain", args={"endpoint": f"app/{A}", "ttl": 5000})
        await trio.sleep(6)
        endpoint = here.proxy.endpoints[0]
        assert not endpoint.drained
        assert endpoint.weight < 50
        texts = [each.text for each in here.desk.worker.bulletin.after(0)[1]]
        assert f"endpoint app/{A} is no longer drained: its time is over" in texts


async def test_the_end_of_a_force_is_told_under_traffic(autojump_clock: trio.abc.Clock) -> None:
    """Though the first request behind it finds that the time is over."""
    async with office(two(), breaking()) as here:
        here.client().subscribe(0.2)
        await here.do("breaker.force", args={"breaker": f"app/{A}", "state": "open", "ttl": 1500})
        web = here.proxy.connect()
        for _ in range(40):
            await web.get()
            await trio.sleep(0.1)
        texts = [each.text for each in here.desk.worker.bulletin.after(0)[1]]
        assert texts.count(f"breaker app/{A} speaks for itself again: its time is over") == 1


async def test_too_many_commands_are_refused(autojump_clock: trio.abc.Clock) -> None:
    """Of one peer; they leave no trace."""
    async with office(two(), breaking()) as here:
        codes = [(await here.do("log.level", id=f"c{n}", args={"level": "info"}))["code"] for n in range(30)]
        assert codes == ["ok"] * 20 + ["busy"] * 10
        assert len(audits(here)) == 20


async def test_what_was_drained_and_is_gone_is_forgotten(autojump_clock: trio.abc.Clock) -> None:
    """Profiles come and go."""
    async with office(two(), breaking()) as here:
        await here.do("endpoint.drain", args={"endpoint": f"app/{A}"})
        one = replace(here.proxy.worker.plan.upstreams[0], endpoints=upstream("app", B).endpoints)
        await here.proxy.reload(replace(here.proxy.worker.plan, upstreams=(one,)))
        await trio.sleep(2.1)
        assert not here.desk.actions._drains


async def test_the_last_usable_endpoint_is_not_weighed_away(autojump_clock: trio.abc.Clock) -> None:
    """Unless that is said; of a breaker that is forced open it is told."""
    async with office(two(), breaking()) as here:
        await here.do("endpoint.drain", args={"endpoint": f"app/{A}"})
        refused = await here.do("endpoint.weight", args={"endpoint": f"app/{B}", "weight": 0})
        assert (refused["code"], "--last" in refused["text"]) == ("conflict", True)
        told = await here.do("breaker.force", args={"breaker": f"app/{B}", "state": "open"}, dry_run=True)
        assert told["text"].endswith("nothing is sent, 0 of 2 endpoints left")
        assert (await here.do("endpoint.weight", args={"endpoint": f"app/{B}", "weight": 0, "last": True}))[
            "ok"
        ]


async def test_arguments_that_are_not_known_are_refused(autojump_clock: trio.abc.Clock) -> None:
    """A slip of the pen must not force a breaker for the usual ten minutes."""
    async with office(two(), breaking()) as here:
        args = {"breaker": f"app/{A}", "state": "open", "tttl": 3}
        refused = await here.do("breaker.force", args=args)
        assert (refused["code"], "args.tttl" in refused["text"]) == ("invalid", True)
        assert await asked(here) == {b"a", b"b"}
