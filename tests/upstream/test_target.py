"""Who is chosen for a try: eligible, not tried yet, by the policy, with a ticket; and why nobody is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.config.plan import Destination, UpstreamPlan
from appliance.config.plan_policy import BreakerPlan, HealthPlan, RetryBudget, RetryPlan, UpstreamLimits
from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import NO_ENDPOINT, UPSTREAM_RESET, Fault
from appliance.model.message import Request
from appliance.policy.breaker import Forced, State
from appliance.upstream.cluster import Cluster
from appliance.upstream.endpoint import Endpoint
from appliance.upstream.target import Target
from tests.kit.plans import outside, upstream

RULES = BreakerPlan(failure_threshold=1)
NAMES = ("a:1", "b:1", "c:1")


class Stream:
    """As much of a stream as an exchange asks for."""

    request = Request(b"GET", b"http", b"a", b"/", b"", [])


class Table:
    """A target with a clock to turn by hand."""

    def __init__(
        self, *names: str | tuple[str, int], rules: BreakerPlan | None = RULES, **more: object
    ) -> None:
        self.time = 0.0
        self.plan: UpstreamPlan = replace(upstream("app", *(names or NAMES)), breaker=rules, **more)
        self.cluster = Cluster(self.plan, outside(now=lambda: self.time))
        self.target = Target(Destination("app", breaker=rules), self.cluster, "all")

    def choose(self, *tried: str) -> Attempt | None:
        return self.target.choose(b"", tuple(self.endpoint(name) for name in tried), self.time)

    def endpoint(self, name: str) -> Endpoint:
        return next(each for each in self.cluster.endpoints if each.name == name)

    def name(self, *tried: str) -> str | None:
        """Choose, end well, and say who it was."""
        attempt = self.choose(*tried)
        if attempt is None:
            return None
        self.end(attempt)
        return attempt.endpoint.name

    def end(self, attempt: Attempt, fault: Fault | None = None) -> None:
        attempt.end(Exchange("1", Stream(), "web", "::1", 0.0), fault, self.time)

    def trip(self, name: str) -> None:
        """Let a request to this one fail."""
        others = [each for each in self.cluster.endpoints if each.name != name]
        for other in others:
            other.drained = True
        attempt = self.choose()
        assert attempt is not None
        self.end(attempt, Fault(UPSTREAM_RESET))
        for other in others:
            other.drained = False


def refusal(table: Table, *tried: str) -> Fault:
    with pytest.raises(Fault) as caught:
        table.choose(*tried)
    assert caught.value.reason is NO_ENDPOINT
    return caught.value


def test_an_attempt_holds_a_ticket_and_counts() -> None:
    """Until it ends."""
    table = Table()
    attempt = table.choose()
    assert attempt is not None
    assert attempt.ticket
    assert attempt.guard is table.target.fuses.of(attempt.endpoint.name)
    assert table.cluster.crowd.in_flight == table.endpoint(attempt.endpoint.name).in_flight == 1
    table.end(attempt)
    assert table.cluster.crowd.in_flight == 0


def test_those_who_were_tried_come_last() -> None:
    """While there is another; then they may be asked again."""
    table = Table()
    assert {table.name("a:1", "b:1") for _ in range(5)} == {"c:1"}
    assert {table.name(*NAMES) for _ in range(6)} == set(NAMES)


def test_an_open_breaker_leaves_its_endpoint_out() -> None:
    """Until its time; then one is its probe, and while it is under way nobody else goes there."""
    table = Table()
    table.trip("b:1")
    assert {table.name() for _ in range(9)} == {"a:1", "c:1"}
    table.time = 30.0
    attempts = [table.choose() for _ in range(6)]
    assert [attempt.endpoint.name for attempt in attempts if attempt].count("b:1") == 1


def test_looking_for_somebody_changes_no_breaker() -> None:
    """Only the one that is chosen becomes half-open."""
    table = Table()
    table.trip("a:1")
    table.trip("b:1")
    table.time = 30.0
    attempt = table.choose()
    assert attempt is not None
    states = {name: table.target.fuses.of(name).breaker.state for name in NAMES}
    changed = [name for name, state in states.items() if state is State.HALF_OPEN]
    assert changed == ([attempt.endpoint.name] if attempt.endpoint.name != "c:1" else [])


@pytest.mark.parametrize("how", ["drained", "unhealthy", "weight"])
def test_who_must_not_serve_is_left_out(how: str) -> None:
    """Drained by an operator, unhealthy by its checks, or of weight 0."""
    table = Table(("a:1", 0 if how == "weight" else 1), "b:1", health=HealthPlan())
    endpoint = table.endpoint("a:1")
    if how == "drained":
        endpoint.drained = True
    if how == "unhealthy":
        endpoint.health.report("status 500")
    assert {table.name() for _ in range(5)} == {"b:1"}


def test_nobody_left_says_when_somebody_may_be() -> None:
    """Retry-After is the soonest breaker, rounded up; the detail says how many stand where."""
    table = Table()
    for name in NAMES:
        table.time += 0.25
        table.trip(name)
    fault = refusal(table)
    assert fault.fields == [(b"retry-after", b"30")]
    table.time = 10.0
    fault = refusal(table)
    assert fault.fields == [(b"retry-after", b"21")]
    assert "endpoints: 3, of them 3 behind an open breaker; worth another try in 20.2 s" in fault.detail
    assert "app" in fault.detail


def test_a_refusal_names_every_reason() -> None:
    """Unhealthy and drained ones, and with nobody but them the next check is when to come back."""
    table = Table(health=HealthPlan(interval=7.0))
    table.trip("c:1")
    table.endpoint("a:1").health.report("status 500")
    table.endpoint("b:1").drained = True
    fault = refusal(table)
    assert "1 behind an open breaker, 1 unhealthy, 1 drained" in fault.detail
    assert fault.fields == [(b"retry-after", b"7")]
    empty = Table(("a:1", 0))
    fault = refusal(empty)
    assert "1 drained" in fault.detail
    assert fault.fields == []


def test_a_half_open_breaker_with_its_probe_out_refuses() -> None:
    """Ask again in a second."""
    table = Table("a:1")
    table.trip("a:1")
    table.time = 30.0
    assert table.choose() is not None
    fault = refusal(table)
    assert "a half-open breaker that is probing" in fault.detail
    assert fault.fields == [(b"retry-after", b"1")]


def test_pass_tries_somebody_all_the_same() -> None:
    """Healthy ones first; what comes of it moves no breaker."""
    table = Table("a:1", "b:1", rules=replace(RULES, when_all_open="pass"), health=HealthPlan())
    table.trip("a:1")
    table.trip("b:1")
    table.endpoint("b:1").health.report("status 500")
    for _ in range(4):
        attempt = table.choose()
        assert attempt is not None
        assert attempt.endpoint.name == "a:1"
        table.end(attempt)
    assert table.target.fuses.of("a:1").breaker.state is State.OPEN
    table.endpoint("a:1").drained = True
    assert table.name() == "b:1"
    table.endpoint("b:1").drained = True
    refusal(table)


def test_a_breaker_that_is_forced_open_is_named() -> None:
    """And the end of the force is when to come back."""
    table = Table("a:1")
    table.target.fuses.of("a:1").breaker.force(Forced(True, 12.0, "maintenance", "alice"))
    fault = refusal(table)
    assert "a breaker forced open" in fault.detail
    assert fault.fields == [(b"retry-after", b"12")]


def test_full_endpoints_are_waited_for() -> None:
    """As many connections as one may have: others first, then nobody for now, which is no refusal."""
    table = Table("a:1", "b:1", limits=UpstreamLimits(max_connections=1))
    first, second = table.choose(), table.choose()
    assert first is not None
    assert second is not None
    assert first.endpoint is not second.endpoint
    assert table.choose() is None
    table.end(first)
    assert table.name() == first.endpoint.name
    table.end(second, Fault(UPSTREAM_RESET))
    assert table.name() == first.endpoint.name


def test_a_route_with_rules_of_its_own_has_its_own_breakers() -> None:
    """Under its own name; those of the upstream do not hear of its requests, nor the other way round."""
    table = Table("a:1")
    own = Target(Destination("app", breaker=RULES, own_breaker=True), table.cluster, "pay")
    attempt = own.choose(b"", (), 0.0)
    assert attempt is not None
    table.end(attempt, Fault(UPSTREAM_RESET))
    fuse = own.fuses.of("a:1")
    assert (fuse.name, fuse.breaker.state) == ("pay@app/a:1", State.OPEN)
    assert table.name() == "a:1"
    assert list(table.cluster.own.values()) == [own.fuses]


def test_a_budget_is_the_upstreams_unless_the_route_has_its_own() -> None:
    """Routes with the upstream's rules share one."""
    table = Table()
    assert table.target.budget is table.cluster.budget
    other = replace(RetryPlan(), budget=RetryBudget(0.5, 1.0))
    assert Target(Destination("app", retry=other), table.cluster, "x").budget is not table.cluster.budget


def test_without_breakers_nobody_is_left_out() -> None:
    """``breaker: false``: failures change nothing."""
    table = Table("a:1", rules=None)
    for _ in range(20):
        attempt = table.choose()
        assert attempt is not None
        assert (attempt.guard, attempt.ticket) == (None, 0)
        table.end(attempt, Fault(UPSTREAM_RESET))
