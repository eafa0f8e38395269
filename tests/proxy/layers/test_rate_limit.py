"""Token buckets in the stack: who shares one, what a refusal says, and that it costs nobody else anything."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.config.plan import Plan, Respond
from appliance.config.plan_policy import RateLimitPlan
from appliance.model.exchange import Exchange
from appliance.model.fault import CONNECT_FAILED, Fault
from appliance.model.headers import Headers, get
from appliance.model.message import Request, Response
from appliance.policy.offenders import Offender
from appliance.proxy.layers.rate_limit import Limit, rate_limit
from appliance.routing.match import Match
from tests.kit.origin import Origin
from tests.kit.plans import listener, plan, route, upstream
from tests.kit.proxy import Proxy, running

TWO = RateLimitPlan(rate=1.0, burst=2)


class Asked:
    """A stream of which only the request is asked."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.request = Request(b"GET", b"http", b"a", b"/", b"", list(headers))


class Bare:
    """A limit in its layer, before a service that answers or fails, at a time that the test sets."""

    def __init__(self, plan: RateLimitPlan, fails: bool = False) -> None:
        self.time = 0.0
        self.limit = Limit(plan, "edge", lambda: self.time)
        self.exchange = Exchange("", Asked(), "web", "", 0.0)

        async def inner(_: Exchange) -> Response:
            if fails:
                raise Fault(CONNECT_FAILED, "", [(b"retry-after", b"7")])
            return Response(200, [])

        self._service = rate_limit(self.limit, plan, lambda: self.time)(inner)

    async def ask(self, *headers: tuple[bytes, bytes], client: str = "192.0.2.7") -> Fault | Headers:
        """Give the fields of the answer, or the fault."""
        self.exchange = Exchange("1", Asked(*headers), "web", client, self.time)
        try:
            return (await self._service(self.exchange)).headers
        except Fault as fault:
            return fault


def told(fields: Headers) -> tuple[int, int]:
    """Give what a RateLimit field says: how much is left, and the seconds until there is more."""
    found = re.fullmatch(rb'"edge";r=(\d+);t=(\d+)', get(fields, b"ratelimit") or b"")
    assert found is not None
    return int(found[1]), int(found[2])


def front(limit: RateLimitPlan) -> Plan:
    """Give a plan with this limit before routing."""
    return replace(plan(), rate_limit=limit)


async def statuses(proxy: Proxy, count: int, *headers: bytes, peer: str = "192.0.2.7") -> list[int]:
    """Ask so often at once and give the statuses."""
    client = proxy.connect(peer=peer)
    return [(await client.get(b"/", *headers)).status for _ in range(count)]


async def test_a_burst_passes_and_then_the_rate(autojump_clock: object) -> None:
    """Two at once, then one a second, and the refused ones have cost nothing."""
    origin = Origin()
    async with running(origin, front(TWO)) as proxy:
        assert await statuses(proxy, 5) == [200, 200, 429, 429, 429]
        await trio.sleep(1)
        assert await statuses(proxy, 2) == [200, 429]
        await trio.sleep(10)
        assert await statuses(proxy, 3) == [200, 200, 429]
        assert len(origin.requests) == 5
        await proxy.check_idle()


async def test_a_refusal_says_when_to_come_back(autojump_clock: object) -> None:
    """Retry-After in whole seconds, rounded up, and then it is true; what is left, and of what."""
    async with running(plan=front(RateLimitPlan(rate=0.4, burst=1))) as proxy:
        client = proxy.connect()
        await client.get()
        answer = await client.get()
        assert answer.status == 429
        assert answer.get(b"retry-after") == b"3"
        assert answer.get(b"ratelimit-policy") == b'"edge";q=1;w=3'
        assert answer.get(b"ratelimit") == b'"edge";r=0;t=3'
        assert b"rate-limited" in answer.body
        await trio.sleep(3)
        assert (await client.get()).status == 200
        await proxy.settle()
        record = proxy.journal.records[1]
        assert record["fault"] == "rate-limited"
        assert record["why"] == "over the limit of edge: 24/m, burst 1, by client_ip"


async def test_answers_say_what_is_left(autojump_clock: object) -> None:
    """Before anybody is refused, on answers of the proxy itself and on its faults, too."""
    async with running(plan=front(RateLimitPlan(rate=2.0, burst=10))) as proxy:
        client = proxy.connect()
        left = [(await client.get()).get(b"ratelimit") for _ in range(3)]
        assert left == [b'"edge";r=9;t=1', b'"edge";r=8;t=1', b'"edge";r=7;t=1']


async def test_clients_have_buckets_of_their_own(autojump_clock: object) -> None:
    """One that asks too much costs another nothing; an IPv6 subscriber is one client."""
    async with running(plan=front(TWO)) as proxy:
        assert await statuses(proxy, 4) == [200, 200, 429, 429]
        assert await statuses(proxy, 1, peer="192.0.2.8") == [200]
        assert await statuses(proxy, 2, peer="2001:db8::1") == [200, 200]
        assert await statuses(proxy, 1, peer="2001:db8::2") == [429]
        assert await statuses(proxy, 1, peer="2001:db8:0:1::1") == [200]


async def test_behind_a_trusted_proxy_the_client_counts(autojump_clock: object) -> None:
    """The right-most hop that is not trusted; of others nothing is believed."""
    profile = replace(front(TWO), listeners=(listener(trust=("192.0.2.0/24",)),))
    async with running(plan=profile) as proxy:
        first = b"X-Forwarded-For: 198.51.100.1"
        assert await statuses(proxy, 3, first) == [200, 200, 429]
        assert await statuses(proxy, 1, b"X-Forwarded-For: 198.51.100.2") == [200]
        assert await statuses(proxy, 1, b"X-Forwarded-For: 198.51.100.9, 198.51.100.1") == [429]
        assert await statuses(proxy, 3, first, peer="203.0.113.1") == [200, 200, 429]


@pytest.mark.parametrize(
    ("key", "same", "other"),
    [
        ("host", (b"Host: A.example:80",), (b"Host: b.example",)),
        ("header:x-user", (b"X-User: alice",), (b"X-User: bob",)),
        ("header:x-user", (b"X-User: a", b"X-User: b"), (b"X-User: b", b"X-User: a")),
        ("header:x-user", (), (b"X-User: ",)),
    ],
)
async def test_other_keys(
    key: str, same: tuple[bytes, ...], other: tuple[bytes, ...], autojump_clock: object
) -> None:
    """Whoever has the same value shares a bucket, whatever the address; without one there is one, too."""

    async def ask(proxy: Proxy, lines: tuple[bytes, ...], peer: str) -> int:
        client = proxy.connect(peer=peer)
        host = b"" if any(line.startswith(b"Host") for line in lines) else b"Host: a\r\n"
        head = b"".join(line + b"\r\n" for line in lines)
        await client.send(b"GET / HTTP/1.1\r\n%b%b\r\n" % (host, head))
        return (await client.answer()).status

    async with running(plan=front(replace(TWO, key=key))) as proxy:
        assert [await ask(proxy, same, f"192.0.2.{n}") for n in range(3)] == [200, 200, 429]
        expected = 429 if other == (b"X-User: ",) else 200
        assert await ask(proxy, other, "192.0.2.1") == expected


async def test_a_route_has_its_own(autojump_clock: object) -> None:
    """By route all clients share it; other routes are not touched, and its answers bear its name."""
    limit = RateLimitPlan(rate=1.0, burst=1, key="route", status=503)
    rows = (
        route(Respond(200, b"pay"), Match(path="/pay"), name="pay", rate_limit=limit),
        route(name="rest"),
    )
    async with running(plan=plan(*rows)) as proxy:
        client, other = proxy.connect(), proxy.connect(peer="192.0.2.9")
        first = await client.get(b"/pay")
        assert (first.body, first.get(b"ratelimit")) == (b"pay", b'"pay";r=0;t=1')
        refused = await other.get(b"/pay")
        assert (refused.status, refused.get(b"retry-after")) == (503, b"1")
        assert (await other.get(b"/")).get(b"ratelimit") is None


async def test_two_limits_are_both_told(autojump_clock: object) -> None:
    """The route's and the proxy's, one line each; the smaller one refuses."""
    row = route(rate_limit=RateLimitPlan(rate=1.0, burst=1))
    async with running(plan=replace(plan(row), rate_limit=RateLimitPlan(rate=1.0, burst=3))) as proxy:
        answer = await proxy.connect().get()
        lines = [value for name, value in answer.headers if name == b"ratelimit"]
        assert lines == [b'"all";r=0;t=1', b'"edge";r=2;t=1']
        refused = await proxy.connect().get()
        assert refused.status == 429
        lines = [value for name, value in refused.headers if name == b"ratelimit"]
        assert lines == [b'"all";r=0;t=1', b'"edge";r=1;t=1']


async def test_shadow_refuses_nobody(autojump_clock: object) -> None:
    """It counts, and the access log says who would have been refused."""
    async with running(plan=front(replace(TWO, mode="shadow"))) as proxy:
        client = proxy.connect()
        answers = [await client.get() for _ in range(4)]
        assert [answer.status for answer in answers] == [200] * 4
        assert answers[0].get(b"ratelimit") is None
        await proxy.settle()
        note = "over the limit of edge: 1/s, burst 2, by client_ip (shadow)"
        assert [record["notes"] for record in proxy.journal.records] == [None, None, note, note]
        (limit,) = proxy.snapshot.limits.all.values()
        assert (limit.allowed, limit.refused) == (2, 2)
        assert limit.offenders.top(1) == [Offender("192.0.2.7", 2, 0)]


async def test_the_worst_are_known(autojump_clock: object) -> None:
    """Who is refused most, by the key of the limit."""
    async with running(plan=front(TWO)) as proxy:
        for peer, count in (("192.0.2.1", 3), ("192.0.2.2", 7), ("192.0.2.3", 2)):
            await statuses(proxy, count, peer=peer)
        (limit,) = proxy.snapshot.limits.all.values()
        assert limit.offenders.top(5) == [Offender("192.0.2.2", 5, 0), Offender("192.0.2.1", 1, 0)]


async def test_a_value_that_is_secret_is_told_nowhere(autojump_clock: object) -> None:
    """Keys may be tokens: neither the answer nor the log repeats them, however long or odd."""
    async with running(plan=front(replace(TWO, key="header:authorization", burst=1))) as proxy:
        secret = b"s3cret" * 1000
        for _ in range(2):
            answer = await proxy.connect().get(b"/", b"Authorization: " + secret)
        assert answer.status == 429
        assert b"s3cret" not in answer.body + b"".join(value for _, value in answer.headers)
        await proxy.settle()
        assert "s3cret" not in str(proxy.journal.records)
        (limit,) = proxy.snapshot.limits.all.values()
        (offender,) = limit.offenders.top(5)
        assert "s3cret" not in str(offender)


async def test_a_redirecting_listener_is_limited_as_well(autojump_clock: object) -> None:
    """It has no routes, but it has clients."""
    profile = replace(front(TWO), listeners=(listener(redirect_https=True),))
    async with running(plan=profile) as proxy:
        assert await statuses(proxy, 3) == [308, 308, 429]


async def test_forgetting_grants_nobody_anything(autojump_clock: object) -> None:
    """A sweep drops full buckets only."""
    async with running(plan=front(RateLimitPlan(rate=0.1, burst=2))) as proxy:
        assert await statuses(proxy, 3) == [200, 200, 429]
        (limit,) = proxy.snapshot.limits.all.values()
        await trio.sleep(9)
        limit.sweep()
        assert await statuses(proxy, 1) == [429]
        await trio.sleep(100)
        limit.sweep()
        assert len(limit.buckets) == 0


@given(
    rate=st.sampled_from([0.3, 1.0, 7.0, 100.0]),
    burst=st.integers(1, 5),
    pauses=st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=20),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_waiting_as_told_is_enough(
    rate: float, burst: int, pauses: list[float], autojump_clock: trio.testing.MockClock
) -> None:
    """In a whole proxy, after any history: who waits as told is served, and no stretch has too many."""
    origins = {"10.0.0.1:80": Origin()}
    row = upstream("app", *origins)
    async with running(origins, replace(front(RateLimitPlan(rate, burst)), upstreams=(row,))) as proxy:
        served: list[float] = []
        for pause in pauses:
            await trio.sleep(pause)
            answer = await proxy.connect().get()
            if answer.status == 200:
                served.append(trio.current_time())
                continue
            await trio.sleep(int(answer.get(b"retry-after") or b""))
            assert (await proxy.connect().get()).status == 200
            served.append(trio.current_time())
        for index, begin in enumerate(served):
            for count, end in enumerate(served[index:], 1):
                assert count <= burst + rate * (end - begin) + 1e-3


RATES = st.sampled_from([1 / 3600, 0.3, 1.0, 7.0, 100.0, 3e6])
PAUSES = st.lists(st.integers(0, 40).map(lambda tenths: tenths / 10), min_size=1, max_size=30)


@given(rate=RATES, burst=st.integers(1, 5), begin=st.integers(0, 10**7), pauses=PAUSES)
@settings(deadline=None)
async def test_what_fields_say_is_so(rate: float, burst: int, begin: int, pauses: list[float]) -> None:
    """So many may follow at once; after ``t`` there is one more; Retry-After is enough, and is ``t``."""
    bare = Bare(RateLimitPlan(rate, burst))
    bare.time = begin / 100
    for pause in pauses:
        bare.time = round(bare.time + pause, 6)
        answer = await bare.ask()
        fields = answer.fields if isinstance(answer, Fault) else answer
        left, more = told(fields)
        assert 0 <= left < burst
        if isinstance(answer, Fault):
            wait = int(get(fields, b"retry-after") or b"")
            assert (left, more) == (0, wait)
            assert wait >= 1
        asked = 0
        while not isinstance(await bare.ask(), Fault):
            asked += 1
        assert asked == left
        bare.time = round(bare.time + more, 6)
        assert not isinstance(await bare.ask(), Fault)


@given(
    rate=st.sampled_from([0.3, 1.0, 7.0]),
    burst=st.integers(1, 4),
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), max_size=30),
)
@settings(deadline=None)
async def test_refusals_cost_nothing(rate: float, burst: int, steps: list[tuple[int, int]]) -> None:
    """One that asks again and again is served as often as its twin, who stops at the first refusal."""
    impatient, patient = Bare(RateLimitPlan(rate, burst)), Bare(RateLimitPlan(rate, burst))
    for pause, count in steps:
        impatient.time = patient.time = patient.time + pause / 10
        for number in range(count):
            answer = await patient.ask()
            assert isinstance(await impatient.ask(), Fault) == isinstance(answer, Fault)
            if isinstance(answer, Fault):
                for _ in range(number, 5):
                    assert isinstance(await impatient.ask(), Fault)
                break
    assert impatient.limit.allowed == patient.limit.allowed


async def test_waiting_to_the_microsecond_is_enough() -> None:
    """However a decimal time looks as a float."""
    bare = Bare(RateLimitPlan(1.0, 1))
    for thousandth in range(0, 20_000_000, 10_007):
        for second in (0, 1):
            bare.time = thousandth / 1000 + second
            assert not isinstance(await bare.ask(), Fault)


async def test_short_secrets_are_not_kept() -> None:
    """The worst are listed for operators: by a name that is the same for the same value."""
    bare = Bare(RateLimitPlan(1.0, 1, "header:x-api-key"))
    for value in (b"hunter2", b"hunter2", b"hunter3", b"hunter2", b"hunter3"):
        await bare.ask((b"x-api-key", value))
    worst = bare.limit.offenders.top(3)
    assert [each.counted for each in worst] == [2, 1]
    assert "hunter" not in str(worst)


async def test_faults_of_what_is_below_tell_it_too() -> None:
    """Beside the fields that they have, for the request has cost a token all the same."""
    answer = await Bare(TWO, fails=True).ask()
    assert isinstance(answer, Fault)
    assert answer.reason is CONNECT_FAILED
    assert answer.fields == [
        (b"retry-after", b"7"),
        (b"ratelimit-policy", b'"edge";q=2;w=2'),
        (b"ratelimit", b'"edge";r=1;t=1'),
    ]


HOSTILE = [b"s3cret" * 2000, b"s3cret\x01\x7f\x1b[2J", b"s3cret\xff\xfe", b's3cret", "why": "x']


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("mode", ["enforce", "shadow"])
async def test_values_are_in_no_answer_and_no_record(mode: str, value: bytes) -> None:
    """Neither long ones nor those with control characters, whatever the header is called."""
    for name in ("x-tenant", "authorization"):
        bare = Bare(RateLimitPlan(1.0, 1, f"header:{name}", mode=mode))
        answers = [await bare.ask((name.encode(), value)) for _ in range(2)]
        assert [isinstance(answer, Fault) for answer in answers] == [False, mode == "enforce"]
        about = [str(getattr(answer, "fields", answer)) + str(answer) for answer in answers]
        assert "s3cret" not in json.dumps([about, bare.exchange.notes])
        assert all(len(text) < 500 for text in about)
        (offender,) = bare.limit.offenders.top(2)
        assert len(str(offender.key)) < 300


@pytest.mark.parametrize("name", ["x-tenant", "authorization"])
async def test_values_that_begin_alike_do_not_share(name: str) -> None:
    """Tokens of one issuer differ only at their ends: nobody pays for another."""
    bare = Bare(RateLimitPlan(1.0, 1, f"header:{name}"))
    values = [b"Bearer " + b"x" * 8000 + end for end in (b"a", b"b")] + [b"a", b"b"]
    for expected in (False, True):
        for value in values:
            assert isinstance(await bare.ask((name.encode(), value)), Fault) == expected


@pytest.mark.parametrize("name", ["x-tenant", "authorization"])
async def test_who_has_no_value_is_one(name: str) -> None:
    """An absent header, an empty one: one bucket, and it is shown as empty."""
    bare = Bare(RateLimitPlan(1.0, 1, f"header:{name}"))
    assert not isinstance(await bare.ask(), Fault)
    assert isinstance(await bare.ask((name.encode(), b""), client="192.0.2.8"), Fault)
    assert bare.limit.offenders.top(1) == [Offender(b"", 1, 0)]
