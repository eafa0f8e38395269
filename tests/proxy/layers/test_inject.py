"""Drills: a share waits, a share is answered with an error, and all of it is marked."""

from __future__ import annotations

import pytest
import trio

from appliance.config.plan import Plan, Respond
from appliance.config.plan_policy import InjectPlan
from appliance.model.exchange import Exchange
from appliance.model.fault import Fault
from appliance.model.headers import Headers
from appliance.model.message import Request, Response
from appliance.proxy.layers.inject import inject
from appliance.routing.match import Match
from appliance.routing.rewrite import Redirect
from tests.kit.origin import Origin, reset
from tests.kit.plans import plan, route
from tests.kit.proxy import running

MARK = b'edge; details="injected delay"'


class Nobody:
    """A stream of which nothing is asked."""

    request = Request(b"GET", b"http", b"a", b"/", b"", [])

    def watch_hangup(self, exchange: Exchange) -> None:
        """Do nothing."""


def marks(fields: Headers) -> list[bytes]:
    """Give what an answer says of proxies on its way."""
    return [value for name, value in fields if name == b"proxy-status"]


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
        assert MARK in marks(answer.headers)
        assert 2 <= trio.current_time() < 2.2
        await proxy.check_idle()


async def test_a_delayed_request_that_fails_is_marked(autojump_clock: object) -> None:
    """Whether the drill aborts it or the upstream does: the answer tells both."""
    for drill, origin in (
        (InjectPlan(delay_share=1.0, delay=0.5, abort_share=1.0), Origin()),
        (InjectPlan(delay_share=1.0, delay=0.5), Origin(reset())),
    ):
        async with running(origin, profile(drill)) as proxy:
            answer = await proxy.connect().get()
            assert answer.status in (502, 503)
            assert marks(answer.headers)[-1] == MARK
            assert len(marks(answer.headers)) == 2
            await proxy.settle()
            assert str(proxy.journal.records[0]["notes"]).startswith("a delay of 500ms was injected")


class Dice:
    """Chance that gives what it is told, and counts."""

    def __init__(self, *draws: float) -> None:
        self.draws = list(draws)

    def random(self) -> float:
        """Give the next draw."""
        return self.draws.pop(0)


@pytest.mark.parametrize(
    ("draws", "slept", "status"),
    [((0.1, 0.2), 0, 200), ((0.0999, 0.2), 5, 200), ((0.1, 0.1999), 0, 418), ((0.0, 0.0), 5, 418)],
)
async def test_the_draws_decide(draws: tuple[float, ...], slept: float, status: int) -> None:
    """One draw for each kind, below its share; a request may wait and then be refused."""
    waits: list[float] = []

    async def sleep(_: Exchange, seconds: float) -> None:
        waits.append(seconds)

    async def inner(_: Exchange) -> Response:
        return Response(200, [])

    drill = InjectPlan(delay_share=0.1, delay=5, abort_share=0.2, abort_status=418)
    dice = Dice(*draws)
    exchange = Exchange("1", Nobody(), "web", "192.0.2.7", 0.0)
    try:
        response = await inject(drill, "7-edge", dice, sleep)(inner)(exchange)  # type: ignore[arg-type]
        found, fields = response.status, response.headers
    except Fault as fault:
        found, fields = fault.reason.status, fault.fields
        assert fault.reason.id == "injected"
    assert (sum(waits), found, dice.draws) == (slept, status, [])
    assert marks(fields) == ([b'"7-edge"; details="injected delay"'] if slept else [])
    assert len(exchange.notes or []) == len(waits) + (status == 418)


async def test_answers_of_the_proxy_itself_have_drills_as_well(autojump_clock: object) -> None:
    """A route that answers or redirects can be late or wrong like any other."""
    drill = InjectPlan(abort_share=1.0, abort_status=500)
    rows = (
        route(Respond(200, b"ok"), Match(path="/ok"), name="ok", inject=drill),
        route(Redirect(path="/new"), Match(path="/old"), name="old", inject=drill),
    )
    async with running(plan=plan(*rows)) as proxy:
        client = proxy.connect()
        assert [(await client.get(path)).status for path in (b"/ok", b"/old")] == [500, 500]


async def test_without_shares_nothing_happens(autojump_clock: object) -> None:
    """A share of 0 % is nobody."""
    async with running(plan=profile(InjectPlan(delay=5.0))) as proxy:
        client = proxy.connect()
        for _ in range(50):
            answer = await client.get()
            assert (answer.status, answer.get(b"proxy-status")) == (200, None)
        assert trio.current_time() == 0
