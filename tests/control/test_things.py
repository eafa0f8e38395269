"""What is told of breakers, endpoints, upstreams, routes and listeners."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.plan_policy import BreakerPlan
from appliance.control.things import digits, endpoint_state, match_text
from appliance.policy.breaker import Forced
from appliance.routing.match import Match
from tests.kit.desk import office
from tests.kit.origin import Origin, sized
from tests.kit.plans import plan, route, upstream

NAME = "all@app/10.0.0.1:80"
BREAKS = plan(route(breaker=BreakerPlan()))


@given(st.floats(1e-6, 1e9), st.integers(1, 4))
def test_rounding_keeps_the_first_digits(value: float, most: int) -> None:
    """To within half of the last one; it is whole where it can be, and rounding again changes nothing."""
    rounded = digits(value, most)
    assert rounded is not None
    assert abs(rounded - value) <= value * 0.5 * 10 ** (1 - most) + 1e-12
    assert digits(rounded, most) == rounded
    assert isinstance(rounded, int) or rounded != int(rounded)


def test_nothing_stays_nothing() -> None:
    """None is not 0."""
    assert digits(None) is None
    assert digits(0.0) == 0


async def test_a_breaker_tells_how_far_it_is(autojump_clock: trio.abc.Clock) -> None:
    """Closed: failures in a row of how many; open: until when, who was refused; half-open: probes."""
    bad, good = sized(b"x", 503), sized(b"ok")
    async with office(Origin(good, bad, bad, bad, bad, bad, good, good), BREAKS) as here:
        web = here.proxy.connect()
        for _ in range(4):
            await web.get()
        await trio.sleep(1.1)
        row = here.desk.moment.state["br"][NAME]
        assert (row["st"], row["cf"], row["cf_max"], row["last"]) == ("closed", 3, 5, "oxxx")
        assert (row["er"], row["n"], row["trips_1h"]) == (0.75, 4, 0)
        for _ in range(5):
            await web.get()
        await trio.sleep(1.1)
        row = here.desk.moment.state["br"][NAME]
        assert (row["st"], row["rej_tot"], row["try"], row["trips_1h"], row["trip"]) == (
            "open", 3, 1, 1, "tr-000001",
        )  # fmt: skip
        assert 28_000 < row["until"] - here.desk.moment.m < 30_000
        await trio.sleep(30)
        await web.get()
        await trio.sleep(1.1)
        row = here.desk.moment.state["br"][NAME]
        assert (row["st"], row["probe"]) == ("half_open", {"ok": 1, "need": 2})
        await web.get()
        await trio.sleep(1.1)
        row = here.desk.moment.state["br"][NAME]
        assert (row["st"], row["probe"], row["last"]) == ("closed", None, "oxxxxxoo")


async def test_rates_of_what_is_sent_and_refused(autojump_clock: trio.abc.Clock) -> None:
    """The picture of a trip: sent falls to nothing while the demand stays."""
    async with office(Origin(sized(b"x", 503)), BREAKS) as here:
        web = here.proxy.connect()
        for _ in range(50):
            await web.get()
            await trio.sleep(0.1)
        row = here.desk.moment.state["br"][NAME]
        assert row["sent"] == 0
        assert row["rej"] == pytest.approx(10, abs=1)
        assert row["ask"] == row["rej"]


async def test_an_endpoint_has_one_word(autojump_clock: trio.abc.Clock) -> None:
    """What an operator did comes first, then health, then the breaker."""
    plans = plan(upstreams=(replace(upstream("app"), breaker=BreakerPlan()),))
    async with office(plan=plans) as here:
        cluster = here.proxy.snapshot.clusters["app"]
        (each,) = cluster.endpoints
        fuse = cluster.fuses.of(each.name)
        assert fuse is not None
        assert endpoint_state(each, fuse, 0.0) == "up"
        fuse.breaker.force(Forced(True, 10.0, "", ""))
        assert endpoint_state(each, fuse, 0.0) == "open"
        assert endpoint_state(each, fuse, 10.0) == "up"
        each.drained = True
        assert endpoint_state(each, fuse, 0.0) == "drained"
        each.in_flight += 1
        assert endpoint_state(each, fuse, 0.0) == "draining"
        each.in_flight -= 1


async def test_routes_say_what_they_take(autojump_clock: trio.abc.Clock) -> None:
    """And how they answered over the last seconds."""
    async with office(Origin(sized(b"x", 200), sized(b"x", 404), sized(b"x", 404), sized(b"x", 500))) as here:
        web = here.proxy.connect()
        for _ in range(4):
            await web.get()
        await trio.sleep(1.1)
        row = here.desk.moment.state["rt"]["all"]
        assert row["mix"] == {"2xx": 0.25, "4xx": 0.5, "5xx": 0.25}
        assert (row["tot"], row["err"], row["to"], row["src"]) == (4, 0.25, "app", "profile.yaml:1")
        await trio.sleep(12)
        row = here.desk.moment.state["rt"]["all"]
        assert (row["mix"], row["err"], row["p50"], row["tot"]) == (None, None, None, 4)


@pytest.mark.parametrize(
    ("match", "text"),
    [
        (Match(), "* */*"),
        (Match(hosts=("a.example",), path="/x", methods=("GET", "HEAD")), "GET,HEAD a.example/x"),
        (Match(hosts=("a", "b"), path_prefix="/api"), "* a/api/*+"),
        (Match(path_prefix="/"), "* */*"),
        (Match(path_regex="/v[0-9]+"), "* *~/v[0-9]+"),
    ],
    ids=range(5),
)
def test_matches_in_one_line(match: Match, text: str) -> None:
    """A plus says that there is more."""
    assert match_text(match) == text
