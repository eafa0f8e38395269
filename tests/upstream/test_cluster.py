"""An upstream come to life: its endpoints as names resolve, what warms up, who hears of a move."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from appliance.config.plan import Destination, EndpointPlan, UpstreamPlan
from appliance.config.plan_policy import BreakerPlan
from appliance.model.address import Address
from appliance.model.exchange import Attempt
from appliance.policy.breaker import State, Verdict
from appliance.upstream.breakers import BreakerShift, Look
from appliance.upstream.cluster import Cluster
from appliance.upstream.target import Target
from tests.kit.origin import Origin, sized
from tests.kit.plans import WHERE, outside, plan, upstream
from tests.kit.proxy import running

NAME = EndpointPlan(Address("dns", host="app.internal", port=80), 1, WHERE)


class Clock:
    """Time to turn by hand."""

    now = 0.0


def made(plan: UpstreamPlan) -> tuple[Cluster, Clock, list[BreakerShift]]:
    clock, moves = Clock(), []
    return Cluster(plan, outside(now=lambda: clock.now, told=moves.append)), clock, moves


def beside(fixed: str, *names: EndpointPlan) -> UpstreamPlan:
    """Give an upstream of an address that is written out and of names."""
    row = upstream("app", fixed)
    return replace(row, endpoints=(*row.endpoints, *names))


def chosen(cluster: Cluster, count: int, now: float = 0.0) -> Counter[str]:
    target = Target(Destination(cluster.name, breaker=cluster.plan.breaker), cluster, "all")
    names = []
    for _ in range(count):
        attempt = target.choose(b"", (), now)
        assert attempt is not None
        names.append(attempt.endpoint.name)
        attempt.end(None, None, now)
    return Counter(names)


def test_endpoints_are_chosen_in_proportion_to_their_weights() -> None:
    """Over each cycle exactly, weight 0 never."""
    cluster, _, _ = made(upstream("app", ("a:1", 3), ("b:1", 2), ("c:1", 1), ("d:1", 0)))
    assert chosen(cluster, 12) == {"a:1": 6, "b:1": 4, "c:1": 2}


async def test_a_drained_upstream_is_a_503(autojump_clock: object) -> None:
    """And the connection of the client goes on."""
    async with running(plan=plan(upstreams=(upstream("app", ("10.0.0.1:80", 0)),))) as proxy:
        client = proxy.connect()
        for _ in range(2):
            answer = await client.get()
            assert answer.status == 503
            assert b"no-endpoint" in answer.body
        await proxy.check_idle()
        assert [record["endpoint"] for record in proxy.journal.records] == [None, None]


async def test_requests_go_round(autojump_clock: object) -> None:
    """Each endpoint in its turn, over connections of its own."""
    origins = {f"10.0.0.{n}:80": Origin(sized(b"%d" % n)) for n in (1, 2, 3)}
    async with running(origins, plan(upstreams=(upstream("app", *origins),))) as proxy:
        client = proxy.connect()
        assert [(await client.get()).body for _ in range(6)] == [b"1", b"2", b"3"] * 2
        assert [len(origin.wires) for origin in origins.values()] == [1, 1, 1]
        for cluster in proxy.snapshot.clusters.values():
            cluster.close()
        await proxy.settle()
        assert [origin.open for origin in origins.values()] == [0, 0, 0]


def test_a_name_has_no_endpoints_until_it_is_resolved() -> None:
    """Then every address is one; requests that have none ask for the name, not for the address."""
    cluster, _, _ = made(replace(upstream(), endpoints=(NAME,)))
    assert cluster.endpoints == []
    came, gone = cluster.resolved(NAME.address, ("10.0.0.1", "10.0.0.2", "2001:db8::1"))
    assert [each.name for each in came] == ["10.0.0.1:80", "10.0.0.2:80", "[2001:db8::1]:80"]
    assert gone == []
    assert {each.host for each in came} == {b"app.internal:80"}
    assert chosen(cluster, 3) == {each.name: 1 for each in came}


def test_an_address_that_stays_keeps_its_state() -> None:
    """The same object, with its breaker; one that goes is closed, forgotten, and fresh if it comes again."""
    cluster, _, _ = made(beside("10.9.9.9:80", NAME))
    fixed = cluster.endpoints[0]
    stays, goes = cluster.resolved(NAME.address, ("10.0.0.1", "10.0.0.2"))[0]
    breakers = [cluster.fuses.of(each.name) for each in (stays, goes)]
    came, gone = cluster.resolved(NAME.address, ("10.0.0.1", "10.0.0.3"))
    assert [each.name for each in came] == ["10.0.0.3:80"]
    assert gone == [goes]
    assert cluster.endpoints == [fixed, stays, *came]
    assert cluster.fuses.of(stays.name) is breakers[0]
    assert cluster.fuses.of(goes.name) is not breakers[1]
    again, _ = cluster.resolved(NAME.address, ("10.0.0.1", "10.0.0.2", "10.0.0.3"))
    assert again[0] is not goes


def test_an_address_of_two_names_is_one_endpoint() -> None:
    """And of one that is written out."""
    other = replace(NAME, address=Address("dns", host="other.internal", port=80))
    cluster, _, _ = made(beside("10.0.0.1:80", NAME, other))
    cluster.resolved(NAME.address, ("10.0.0.1", "10.0.0.2"))
    cluster.resolved(other.address, ("10.0.0.2", "10.0.0.3"))
    assert [each.name for each in cluster.endpoints] == ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]
    shared = cluster.endpoints[1]
    cluster.resolved(NAME.address, ())
    assert cluster.endpoints[0].name == "10.0.0.1:80"
    assert cluster.endpoints[1] is shared


def test_slow_start_grows_in_a_straight_line() -> None:
    """From a tenth of the weight to all of it, step by step as the ticks go."""
    cluster, clock, _ = made(replace(upstream("app", ("a:1", 2), ("b:1", 2)), slow_start=10.0))
    assert [each.weight for each in cluster.endpoints] == [200, 200]
    late = cluster.endpoints[1]
    cluster.warm(late)
    weights = []
    for step in range(0, 13, 2):
        clock.now = float(step)
        cluster.tick(clock.now)
        weights.append(late.weight)
    assert weights == [20, 56, 92, 128, 164, 200, 200]
    assert cluster.endpoints[0].weight == 200


def test_slow_start_is_seen_in_the_shares() -> None:
    """In the middle of it an endpoint gets about half of what the others get."""
    cluster, clock, _ = made(replace(upstream("app", "a:1", "b:1"), slow_start=10.0))
    cluster.warm(cluster.endpoints[1])
    clock.now = 5.0
    cluster.tick(5.0)
    shares = chosen(cluster, 1550, 5.0)
    assert shares["b:1"] / shares["a:1"] == pytest.approx(0.55, rel=0.05)


def test_who_was_there_from_the_start_is_not_slowed() -> None:
    """Neither are the addresses of the first answer; those that come later are."""
    cluster, clock, _ = made(replace(upstream(), endpoints=(NAME,), slow_start=10.0))
    cluster.resolved(NAME.address, ("10.0.0.1",))
    cluster.tick(clock.now)
    cluster.resolved(NAME.address, ("10.0.0.1", "10.0.0.2"))
    assert [each.weight for each in cluster.endpoints] == [100, 10]


def test_a_breaker_that_closes_warms_its_endpoint_up() -> None:
    """It has just been ill."""
    rules = BreakerPlan(failure_threshold=1, success_threshold=1, open_for=1.0, max_open_for=1.0)
    cluster, clock, moves = made(replace(upstream("app", "a:1", "b:1"), breaker=rules, slow_start=10.0))
    breaker = cluster.fuses.of("a:1").breaker
    breaker.settle(breaker.admit(0.0), Verdict.FAIL, 0.0)
    clock.now = 1.0
    breaker.settle(breaker.admit(1.0), Verdict.OK, 1.0)
    assert [each.weight for each in cluster.endpoints] == [10, 100]
    assert [each.shift.new for each in moves] == [State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_a_move_tells_what_the_endpoints_looked_like() -> None:
    """State of the breaker, in flight, health, drained; in the moment of the move."""
    rules = BreakerPlan(failure_threshold=1)
    cluster, _, moves = made(replace(upstream("app", "a:1", "b:1"), breaker=rules))
    cluster.endpoints[1].drained = True
    Attempt(cluster.endpoints[1], 0.0)
    breaker = cluster.fuses.of("a:1").breaker
    breaker.settle(breaker.admit(0.0), Verdict.FAIL, 0.0)
    (move,) = moves
    assert move.name == "app/a:1"
    assert move.rules is rules
    assert move.endpoints == (
        Look("a:1", State.OPEN, 0, True, False),
        Look("b:1", State.CLOSED, 1, True, True),
    )


def test_the_policy_hears_of_times_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that has gone is no longer heard of."""
    cluster, _, _ = made(replace(upstream("app", "a:1", "b:1"), balance="ewma"))
    heard: list[object] = []
    monkeypatch.setattr(cluster, "policy", type("P", (), {"heard": lambda _, *what: heard.append(what)})())
    cluster.heard("b:1", 0.5, False, 1.0)
    cluster.heard("gone:1", 0.5, False, 1.0)
    assert heard == [(1, 0.5, False, 1.0)]
