"""Drills: a share waits, a share is answered with an error, and all of it is marked."""

from __future__ import annotations

import trio

from appliance.config.plan import Plan
from appliance.config.plan_policy import InjectPlan
from tests.kit.origin import Origin
from tests.kit.plans import plan, route
from tests.kit.proxy import running


def profile(drill: InjectPlan, **more: float) -> Plan:
    """Give a plan whose one route has this drill."""
    return plan(route(inject=drill, **more))


async def test_a_share_is_aborted(autojump_clock: object) -> None:
    """A quarter of 400, give or take; the others go through; no upstream is asked for those that do not."""
    origin = Origin()
    async with running(origin, profile(InjectPlan(abort_share=0.25, abort_status=502))) as proxy:
        client = proxy.connect()
        answers = [await client.get() for _ in range(400)]
        aborted = [answer for answer in answers if answer.status == 502]
        assert abs(len(aborted) - 100) < 44
        assert len(origin.requests) == 400 - len(aborted)
        assert b'details="injected"' in (aborted[0].get(b"proxy-status") or b"")
        assert b"drill" in aborted[0].body
        await proxy.settle()
        marked = [record for record in proxy.journal.records if record["notes"]]
        assert len(marked) == len(aborted)
        assert {record["notes"] for record in marked} == {"an answer of 502 was injected"}
        assert {record["fault"] for record in marked} == {"injected"}


async def test_a_share_is_delayed(autojump_clock: object) -> None:
    """By exactly so long; the answer is the upstream's own, and says that it was late on purpose."""
    async with running(plan=profile(InjectPlan(delay_share=1.0, delay=0.5))) as proxy:
        answer = await proxy.connect().get()
        assert (answer.status, trio.current_time()) == (200, 0.5)
        assert answer.get(b"proxy-status") == b'edge; details="injected delay"'
        await proxy.settle()
        assert proxy.journal.records[0]["notes"] == "a delay of 500ms was injected"


async def test_a_delay_ends_when_the_client_leaves(autojump_clock: object) -> None:
    """Nobody waits for nobody."""
    origin = Origin()
    async with running(origin, profile(InjectPlan(delay_share=1.0, delay=60.0))) as proxy:
        client = proxy.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await proxy.settle()
        client.wire.close()
        await proxy.check_idle()
        assert trio.current_time() == 0
        assert proxy.journal.faults == ["client-gone"]
        assert origin.requests == []


async def test_a_delay_is_within_the_time_of_the_route(autojump_clock: object) -> None:
    """A drill is bounded as anything else is."""
    async with running(plan=profile(InjectPlan(delay_share=1.0, delay=60.0), request=2.0)) as proxy:
        answer = await proxy.connect().get()
        assert answer.status == 504
        assert b"request-timeout" in answer.body
        assert 2 <= trio.current_time() < 2.2
        await proxy.check_idle()


async def test_without_shares_nothing_happens(autojump_clock: object) -> None:
    """A share of 0 % is nobody."""
    async with running(plan=profile(InjectPlan(delay=5.0))) as proxy:
        client = proxy.connect()
        for _ in range(50):
            answer = await client.get()
            assert (answer.status, answer.get(b"proxy-status")) == (200, None)
        assert trio.current_time() == 0
