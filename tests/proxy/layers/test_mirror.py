"""Copies: of a share of the requests, whole, elsewhere, and nothing that the client could notice."""

from __future__ import annotations

import pytest
import trio

from appliance.config.plan import Plan
from appliance.config.plan_policy import MirrorPlan
from appliance.model.fault import CONNECT_FAILED
from appliance.proxy.layers import mirror
from appliance.routing.rewrite import Rewrite
from tests.kit.origin import Origin, deaf, reset, silent, sized
from tests.kit.plans import plan, route, upstream
from tests.kit.proxy import Proxy, running

APP, SHADOW = "10.0.0.1:80", "10.0.0.2:80"
POST = b"POST /a?b=c HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nX-Own: 1\r\n\r\nhello"


def profile(share: float = 1.0, **more: object) -> Plan:
    """Give a plan whose one route copies to another upstream."""
    row = route(mirror=MirrorPlan("shadow", share), **more)
    return plan(row, upstreams=(upstream("app", APP), upstream("shadow", SHADOW)))


def notes(proxy: Proxy) -> list[object]:
    """Give what the log says of the requests so far."""
    return [record["notes"] for record in proxy.journal.records]


async def test_a_copy_is_what_the_upstream_is_asked(autojump_clock: object) -> None:
    """Method, target after the rewrite, headers and body are the same; the answer is the upstream's own."""
    origins = {APP: Origin(sized(b"app")), SHADOW: Origin(sized(b"shadow"))}
    async with running(origins, profile(rewrite=Rewrite(path="/new"))) as proxy:
        client = proxy.connect()
        await client.send(POST)
        assert (await client.answer(b"POST")).body == b"app"
        await proxy.check_idle()
        (original,), (copy,) = (origin.requests for origin in origins.values())
        assert (copy.method, copy.target, copy.body) == (b"POST", original.target, b"hello")
        assert copy.headers == original.headers
        assert len(proxy.journal.records) == 1


async def test_the_client_waits_for_nothing_of_it(autojump_clock: object) -> None:
    """A copy that hangs, is refused or breaks is noticed by nobody."""
    for shadow in (Origin(silent()), Origin(deaf()), Origin(reset())):
        async with running({APP: Origin(), SHADOW: shadow}, profile()) as proxy:
            assert (await proxy.connect().get()).status == 200
            await trio.sleep(70)
            await proxy.check_idle()
    refusing = Origin()
    refusing.refuses = CONNECT_FAILED
    async with running({APP: Origin(), SHADOW: refusing}, profile()) as proxy:
        assert (await proxy.connect().get()).status == 200
        await proxy.check_idle()


async def test_a_share_is_drawn(autojump_clock: object) -> None:
    """A quarter of 400, give or take five standard deviations."""
    origins = {APP: Origin(), SHADOW: Origin()}
    async with running(origins, profile(0.25)) as proxy:
        client = proxy.connect()
        for _ in range(400):
            await client.get()
        await proxy.settle()
        assert abs(len(origins[SHADOW].requests) - 100) < 44


async def test_copies_under_way_are_bounded(autojump_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound requests go on alone, and the log says so."""
    monkeypatch.setattr(mirror, "MAX_COPIES", 3)
    origins = {APP: Origin(), SHADOW: Origin(silent())}
    async with running(origins, profile()) as proxy:
        client = proxy.connect()
        for _ in range(5):
            assert (await client.get()).status == 200
        await proxy.settle()
        assert len(origins[SHADOW].requests) == 3
        assert notes(proxy) == [None] * 3 + ["not mirrored to shadow: 3 copies are under way"] * 2
        await trio.sleep(70)  # the copies have timed out
        await proxy.connect().get()
        await proxy.settle()
        assert len(origins[SHADOW].requests) == 4


async def test_a_body_on_its_way_is_not_copied(autojump_clock: object) -> None:
    """It streams to its own upstream as if there were no mirror."""
    origins = {APP: Origin(sized(b"app")), SHADOW: Origin()}
    async with running(origins, profile()) as proxy:
        client = proxy.connect()
        head, _, body = POST.partition(b"\r\n\r\n")
        await client.send(head + b"\r\n\r\n")
        await proxy.settle()
        await client.send(body)
        assert (await client.answer(b"POST")).body == b"app"
        await proxy.check_idle()
        assert origins[SHADOW].requests == []
        assert notes(proxy) == ["not mirrored to shadow: its body streams"]


async def test_a_bug_on_the_way_of_a_copy_costs_the_copy(
    autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    """The proxy goes on."""

    async def broken(_exchange: object) -> None:
        raise ZeroDivisionError

    async with running({APP: Origin(), SHADOW: Origin()}, profile()) as proxy:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mirror.Mirror, "_forward", lambda self, exchange: broken(exchange))
            assert (await proxy.connect().get()).status == 200
            await proxy.settle()
        assert "a bug in meshctl" in caplog.text
        assert (await proxy.connect().get()).status == 200
