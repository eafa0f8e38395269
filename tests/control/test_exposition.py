"""What Prometheus reads: its own parser reads it, and the numbers are those of the proxy."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from appliance.config.plan_policy import BreakerPlan
from appliance.control.exposition import BUCKETS, cumulative, expose
from appliance.metrics.histogram import LONGEST, bucket
from tests.kit.desk import office
from tests.kit.origin import Origin, sized
from tests.kit.peers import need
from tests.kit.plans import plan, route

BREAKS = plan(route(breaker=BreakerPlan()))


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


async def test_the_numbers_are_those_of_the_proxy(autojump_clock: trio.abc.Clock) -> None:
    """Requests by status, tries by endpoint, breakers by state."""
    async with office(Origin(sized(b"12345"), sized(b"x", 503)), BREAKS) as here:
        web = here.proxy.connect()
        for _ in range(9):
            await web.get()
        await trio.sleep(1.1)
        found = samples(expose(here.desk))
    route_ok = ("meshctl_route_requests_total", (("code", "2xx"), ("route", "all")))
    assert found[route_ok] == 1
    assert found["meshctl_route_requests_total", (("code", "5xx"), ("route", "all"))] == 8
    labels = (("endpoint", "10.0.0.1:80"), ("upstream", "app"))
    assert found["meshctl_endpoint_failures_total", labels] == 5
    name = ("breaker", "all@app/10.0.0.1:80")
    assert found["meshctl_breaker_state", (name, ("state", "open"))] == 1
    assert found["meshctl_breaker_state", (name, ("state", "closed"))] == 0
    assert found["meshctl_breaker_rejected_requests_total", (name,)] == 3
    assert found["meshctl_breaker_trips_total", ()] == 1
    assert found["meshctl_route_request_duration_seconds_count", (("route", "all"),)] == 9
    assert found["meshctl_route_request_duration_seconds_bucket", (("le", "+Inf"), ("route", "all"))] == 9


async def test_labels_are_bounded(autojump_clock: trio.abc.Clock) -> None:
    """Whatever clients ask for, nothing of it becomes a label."""
    async with office() as here:
        web = here.proxy.connect()
        await web.get()
        await trio.sleep(1.1)
        before = set(samples(expose(here.desk)))
        for number in range(50):
            await web.get(b"/%d" % number, b"X-A: %d" % number)
        await trio.sleep(1.1)
        assert set(samples(expose(here.desk))) == before


async def test_promtool_accepts_it(autojump_clock: trio.abc.Clock) -> None:
    """Names and units are as Prometheus wants them (Debian's package prometheus has the tool)."""
    need("promtool")
    async with office(Origin(sized(b"x", 503)), BREAKS) as here:
        web = here.proxy.connect()
        for _ in range(9):
            await web.get()
        await trio.sleep(1.1)
        text = expose(here.desk)
    ran = await trio.run_process(
        ["promtool", "check", "metrics"], stdin=text, capture_stdout=True, capture_stderr=True, check=False
    )
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, b"")


@given(st.lists(st.integers(0, LONGEST), max_size=30))
def test_buckets_are_cumulative_and_true(times: list[int]) -> None:
    """No time is counted within a bound that it is over; one that is well within is counted."""
    counts: dict[int, int] = {}
    for us in times:
        counts[bucket(us)] = counts.get(bucket(us), 0) + 1
    rows, total = cumulative(counts)
    values = [value for _, value in rows]
    assert values == sorted(values)
    assert values[-1] == len(times)
    for bound, value in zip(BUCKETS, values, strict=False):
        within = sum(us <= bound * 1e6 for us in times)
        assert sum(us * 1.07 + 1 <= bound * 1e6 for us in times) <= value <= within
    assert total == pytest.approx(sum(min(us, LONGEST) for us in times) / 1e6, rel=0.04, abs=1e-4)
