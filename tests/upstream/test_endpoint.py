"""The pool of one server: newest first, nothing dead, nothing old, and every count back at zero."""

from __future__ import annotations

from math import inf

import pytest
import trio

from appliance.model.exchange import Attempt
from appliance.model.fault import CONNECT_FAILED, CONNECT_TIMEOUT, DNS_FAILED, Fault, Reason
from appliance.net.park import Lot
from appliance.upstream.crowd import Crowd
from appliance.upstream.endpoint import Endpoint
from tests.kit.origin import Call, Origin, raw, silent, sized, sized_bytes
from tests.kit.plans import plan, upstream
from tests.kit.proxy import running
from tests.kit.wires import Wire, pair

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Network:
    """Dials wires and keeps both ends."""

    def __init__(self) -> None:
        self.lot = Lot(trio.current_time)
        self.ours: list[Wire] = []
        self.theirs: list[Wire] = []
        self.timeouts: list[float] = []

    async def dial(self, _address: object, timeout: float) -> Wire:
        ours, theirs = pair(self.lot)
        self.ours.append(ours)
        self.theirs.append(theirs)
        self.timeouts.append(timeout)
        return ours

    def endpoint(self, text: str = "10.0.0.1:80", **timeouts: float) -> Endpoint:
        plans = upstream("app", text, **timeouts)
        return Endpoint(plans.endpoints[0], plans.timeouts, self.dial, Crowd("app", plans.limits))


async def lease(endpoint: Endpoint, *, fresh: bool = False) -> Attempt:
    attempt = Attempt(endpoint, trio.current_time())
    if fresh or endpoint.lease_nowait(attempt) is None:
        await endpoint.open(attempt, inf)
    return attempt


def end(attempt: Attempt) -> None:
    attempt.end(None, None, 0.0)


async def test_a_lease_counts_until_its_attempt_ends(autojump_clock: object) -> None:
    """``in_flight`` is the number of attempts that run."""
    network = Network()
    endpoint = network.endpoint(connect=2.5)
    attempts = [await lease(endpoint) for _ in range(3)]
    assert endpoint.in_flight == 3
    for attempt in attempts:
        end(attempt)
    assert endpoint.in_flight == 0
    assert len(endpoint.idle) == 3
    assert network.timeouts == [2.5] * 3


async def test_the_connection_used_last_is_used_next(autojump_clock: object) -> None:
    """So the surplus of a burst grows old at the bottom."""
    network = Network()
    endpoint = network.endpoint()
    one, two = await lease(endpoint), await lease(endpoint)
    assert not one.reused
    last = two.connection
    end(one)
    end(two)
    again = await lease(endpoint)
    assert again.reused
    assert again.connection is last


async def test_fresh_means_fresh(autojump_clock: object) -> None:
    """A retry of a stale connection does not meet the next stale one."""
    network = Network()
    endpoint = network.endpoint()
    end(await lease(endpoint))
    attempt = await lease(endpoint, fresh=True)
    assert not attempt.reused
    assert len(network.ours) == 2
    assert len(endpoint.idle) == 1


@pytest.mark.parametrize("how", ["close", "reset", "shut_writing"])
async def test_a_connection_that_the_peer_ends_leaves_the_pool(how: str, autojump_clock: object) -> None:
    """At once, when the hangup is seen, not when a request finds it dead."""
    network = Network()
    endpoint = network.endpoint()
    end(await lease(endpoint))
    assert len(endpoint.idle) == 1
    getattr(network.theirs[0], how)()
    assert endpoint.idle == []
    assert network.ours[0].closed


async def test_a_connection_with_unasked_bytes_is_not_leased(autojump_clock: object) -> None:
    """It is closed, and the next one, or a new one, is taken."""
    network = Network()
    endpoint = network.endpoint()
    one, two = await lease(endpoint), await lease(endpoint)
    end(one)
    end(two)
    network.theirs[1].write(b"HTTP/1.1 200 OK\r\n")
    again = await lease(endpoint)
    assert again.connection.transport is network.ours[0]
    assert network.ours[1].closed


async def test_idle_connections_grow_old(autojump_clock: object) -> None:
    """``expire`` closes those idle for ``pool_idle`` seconds, oldest first, and no others."""
    network = Network()
    endpoint = network.endpoint(pool_idle=4)
    one, two = await lease(endpoint), await lease(endpoint)
    end(one)
    await trio.sleep(3)
    end(two)
    endpoint.expire(3.9)
    assert len(endpoint.idle) == 2
    endpoint.expire(4.0)
    assert [connection.transport for connection in endpoint.idle] == [network.ours[1]]
    assert network.ours[0].closed
    endpoint.expire(7.0)
    assert endpoint.idle == []


async def test_a_closed_endpoint_takes_nothing_back(autojump_clock: object) -> None:
    """What is idle is closed now, what is in use when it comes back."""
    network = Network()
    endpoint = network.endpoint()
    one, two = await lease(endpoint), await lease(endpoint)
    end(one)
    endpoint.close()
    assert network.ours[0].closed
    assert not network.ours[1].closed
    end(two)
    assert network.ours[1].closed
    assert endpoint.idle == []


@pytest.mark.parametrize(
    ("text", "host"),
    [("10.0.0.1:80", b"10.0.0.1:80"), ("::1:8080", b"[::1]:8080"), ("unix:/run/app.sock", b"localhost")],
)
def test_the_host_of_an_endpoint(text: str, host: bytes) -> None:
    """What the upstream is called when the client gave no name."""
    plans = upstream("app", text)
    endpoint = Endpoint(plans.endpoints[0], plans.timeouts, None, Crowd("app", plans.limits))
    assert endpoint.host == host


async def test_the_housekeeper_expires_connections(autojump_clock: object) -> None:
    """``pool_idle`` seconds after its last use an upstream connection is closed by us."""
    origin = Origin()
    async with running(origin, plan(upstreams=(upstream(pool_idle=4),))) as proxy:
        await proxy.connect().get()
        await trio.sleep(3.9)
        assert origin.open == 1
        await trio.sleep(0.2)
        assert origin.open == 0
        assert proxy.pooled == 0


async def test_a_peer_that_closes_an_idle_connection_is_not_asked_on_it(autojump_clock: object) -> None:
    """The next request goes to a new connection and notices nothing."""

    async def closes_later(call: Call) -> None:
        await call.read()
        await call.send(sized_bytes(b"one"))
        await trio.sleep(1)
        call.wire.close()

    origin = Origin(closes_later, sized(b"two"))
    async with running(origin) as proxy:
        client = proxy.connect()
        await client.get()
        await trio.sleep(2)
        assert proxy.pooled == 0
        assert (await client.get()).body == b"two"
        assert len(origin.requests) == 2


@pytest.mark.parametrize(
    ("reason", "status"), [(CONNECT_FAILED, 502), (CONNECT_TIMEOUT, 504), (DNS_FAILED, 502)]
)
async def test_a_failed_connect_is_told(reason: Reason, status: int, autojump_clock: object) -> None:
    """With the id of what went wrong, and the body of the request is not waited for."""
    origin = Origin()
    origin.refuses = reason
    async with running(origin) as proxy:
        client = proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123")
        answer = await client.answer()
        assert (answer.status, answer.get(b"connection")) == (status, b"close")
        assert reason.id.encode() in answer.body
        await proxy.check_idle()
        assert proxy.journal.faults == [reason.id]


async def test_connecting_has_its_own_limit(autojump_clock: object) -> None:
    """``connect`` seconds, whatever the response may take."""
    origin = Origin()
    origin.connect_time = 3
    async with running(origin, plan(upstreams=(upstream(connect=2, per_try=60),))) as proxy:
        assert (await proxy.connect().get()).status == 504
        assert trio.current_time() == 2
        assert proxy.journal.faults == ["connect-timeout"]


async def test_many_clients_share_few_connections(autojump_clock: object) -> None:
    """As many connections as requests at once, not as clients."""
    origin = Origin()
    async with running(origin) as proxy:
        for _ in range(20):
            assert (await proxy.connect().get()).status == 200
        assert len(origin.wires) == 1


async def test_requests_at_once_have_connections_of_their_own(autojump_clock: object) -> None:
    """One connection serves one exchange at a time."""
    origin = Origin(silent(), raw(sized_bytes(b"second")))
    async with running(origin) as proxy:
        first, second = proxy.connect(), proxy.connect()
        await first.send(GET)
        await proxy.settle()
        assert (await second.get()).body == b"second"
        assert len(origin.wires) == 2
        assert proxy.in_flight == 1


async def test_a_fault_while_dialling_leaves_no_count(autojump_clock: object) -> None:
    """The attempt began before the connect and ends with it."""

    async def dial(_address: object, _timeout: float) -> Wire:
        raise Fault(CONNECT_FAILED)

    plans = upstream("app")
    endpoint = Endpoint(plans.endpoints[0], plans.timeouts, dial, Crowd("app", plans.limits))
    attempt = Attempt(endpoint, 0.0)
    with pytest.raises(Fault):
        await endpoint.open(attempt, inf)
    end(attempt)
    assert endpoint.in_flight == 0
