"""A listener at work: who a client is behind a balancer, and what counts as in flight."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
import trio

from appliance.config.plan import ListenerLimits, Plan
from appliance.net.transport import PeerGone
from appliance.proxy.door import Door, Settings
from tests.kit.certs import certs
from tests.kit.origin import Origin
from tests.kit.plans import listener, plan
from tests.kit.proxy import running


async def test_in_flight_counts_connections_with_a_request(autojump_clock: object) -> None:
    """A connection between its requests is open and not in flight."""
    async with running() as proxy:
        worker = proxy.worker
        client = proxy.connect()
        await client.get()
        await proxy.settle()
        assert (len(worker.servers), worker.in_flight) == (1, 0)
        proxy.origins["10.0.0.1:80"].connect_time = 1
        proxy.endpoints[0].close()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await proxy.settle()
        assert worker.in_flight == 1


BALANCER = "10.9.9.9"


def behind_a_balancer(**limits: int) -> Plan:
    """Give a plan whose listener hears PROXY headers from one network."""
    web = replace(listener(limits=ListenerLimits(**limits)), proxy_protocol=(ip_network("10.9.0.0/16"),))
    return plan(listeners=(web,))


async def test_a_balancer_says_who_the_client_is(autojump_clock: object) -> None:
    """The header stands before everything else; the upstream hears of the client, not of the balancer."""
    origin = Origin()
    async with running(origin, behind_a_balancer()) as proxy:
        for header in (b"PROXY TCP4 192.0.2.7 10.9.9.9 1 2\r\n", b"PROXY UNKNOWN\r\n"):
            client = proxy.connect(peer=BALANCER)
            await client.send(header)
            assert (await client.get()).status == 200
            assert (await client.get()).status == 200
        said = [seen.get(b"x-forwarded-for") for seen in origin.requests]
        assert said == [b"192.0.2.7"] * 2 + [BALANCER.encode()] * 2
        assert [record["client"] for record in proxy.journal.records] == ["192.0.2.7"] * 2 + [BALANCER] * 2
        await proxy.check_idle()


async def test_nobody_else_is_believed(autojump_clock: object) -> None:
    """A stranger's header is a malformed request; a balancer without one is shut out."""
    async with running(plan=behind_a_balancer()) as proxy:
        client = proxy.connect(peer="192.0.2.1")
        await client.send(b"PROXY TCP4 192.0.2.7 10.9.9.9 1 2\r\n")
        assert (await client.get()).status == 400
        assert (await proxy.connect(peer="192.0.2.1").get()).status == 200
        client = proxy.connect(peer=BALANCER)
        with pytest.raises(PeerGone):
            await client.get()
        client = proxy.connect(peer=BALANCER)
        await trio.sleep(11)
        with pytest.raises(PeerGone):
            await client.get()
        await proxy.check_idle()


async def test_connections_are_counted_by_client_not_by_balancer(autojump_clock: object) -> None:
    """``max_per_ip`` is for those who ask."""
    async with running(plan=behind_a_balancer(max_per_ip=2)) as proxy:
        kept = []
        for number, address in enumerate([b"192.0.2.1", b"192.0.2.1", b"192.0.2.2", b"192.0.2.1"]):
            client = proxy.connect(peer=BALANCER)
            await client.send(b"PROXY TCP4 %b 10.9.9.9 1 2\r\n" % address)
            if number < 3:
                assert (await client.get()).status == 200
                kept.append(client)
            else:
                with pytest.raises(PeerGone):
                    await client.get()
        kept[0].wire.close()
        await proxy.settle()
        client = proxy.connect(peer=BALANCER)
        await client.send(b"PROXY TCP4 192.0.2.1 10.9.9.9 1 2\r\n")
        assert (await client.get()).status == 200


def watched(name: str) -> Door:
    """Give a listener that shows a certificate, and accepts nothing."""
    row = replace(listener(), protocol="https", tls=certs().listener(name))
    return Door(Settings(row), None, None)  # type: ignore[arg-type]


def test_a_certificate_that_ends_soon_is_told_once_for_each_limit() -> None:
    """Two weeks before, three days before, and when it is over."""
    door = watched("server")
    assert door.settings.tls is not None
    ends = door.settings.tls.ends
    assert ends is not None
    told = []
    for days in (30, 15, 14, 10, 3, 2.5, 1, -1, -2):
        told.append([text for _, text in door.look_at_certificates(ends - days * 86_400)])
    date = datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%d")
    start = "listener web: a certificate"
    assert told == [
        [], [], [f"{start} expires in 14 days ({date})"], [], [f"{start} expires in 3 days ({date})"], [], [],
        [f"{start} has expired ({date})"], [],
    ]  # fmt: skip
    assert next(iter(watched("expired").look_at_certificates(time.time())))[0] == "warning"
