"""The bounded queue of an upstream: who gets a place, in what order, when, and that none is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import inf
from random import Random

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from appliance.config.plan_policy import BreakerPlan, UpstreamLimits
from appliance.model.exchange import Attempt, Exchange
from appliance.model.fault import CLIENT_GONE, NO_ENDPOINT, UPSTREAM_FULL, Fault
from appliance.model.message import Request
from appliance.upstream.crowd import Crowd
from tests.kit.origin import Call, Origin, silent, sized, sized_bytes
from tests.kit.plans import plan, route, upstream
from tests.kit.proxy import running

PATIENCE = 1.0
ASKED_TOO_OFTEN = 200


class Stream:
    """As much of a client as an exchange asks for."""

    started = False
    request = Request(b"GET", b"http", b"a", b"/", b"", [])


class Places:
    """A crowd with the one endpoint that counts in it, as a real one does."""

    name = "10.0.0.1:80"
    in_flight = 0

    def __init__(self, places: int = 1, pending: int = 10, patience: float = PATIENCE) -> None:
        limits = UpstreamLimits(max_requests=places, max_pending=pending, pending_timeout=patience)
        self.crowd = Crowd("app", limits)
        self.most = 0
        self.begun: list[Attempt] = []

    def attempt(self) -> Attempt:
        """Begin an attempt, and remember the greatest crowd."""
        attempt = Attempt(self, trio.current_time())
        self.begun.append(attempt)
        self.most = max(self.most, self.crowd.in_flight)
        return attempt

    def fill(self) -> list[Attempt]:
        """Take all places."""
        return [self.attempt() for _ in range(self.crowd.limits.max_requests - self.crowd.in_flight)]

    def count(self, *_: object) -> None:
        """Count nothing."""

    def check_empty(self) -> None:
        """Nobody is in flight, nobody waits, and every attempt that began has ended."""
        assert (self.crowd.in_flight, self.crowd.waiting, self.crowd.full) == (0, 0, False)
        assert all(attempt.ended for attempt in self.begun)


@dataclass
class Guest:
    """Somebody who asks for a place as the balance layer does, and what came of it and when."""

    places: Places
    usable: Callable[[], bool] = lambda: True
    refusal: Fault | None = None
    exchange: Exchange = field(default_factory=lambda: Exchange("1", Stream(), "web", "::1", 0.0))
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    asked: int = 0
    attempt: Attempt | None = None
    outcome: str = ""
    at: float = -1.0

    def choose(self) -> Attempt | None:
        """Take the place if it is of use; whoever is asked for ever has found a bug."""
        self.asked += 1
        if self.asked > ASKED_TOO_OFTEN:
            raise AssertionError("the same place is offered over and over")
        if self.refusal is not None:
            raise self.refusal
        return self.places.attempt() if self.usable() else None

    async def come(self) -> None:
        """Ask, wait, and note the outcome."""
        crowd = self.places.crowd
        with self.scope:
            try:
                self.attempt = None if crowd.full else self.choose()
                if self.attempt is None:
                    self.attempt = await crowd.wait(self.exchange, self.choose)
                self.outcome = "in"
            except Fault as fault:
                self.outcome = fault.reason.id
        self.outcome = self.outcome or "cancelled"
        self.at = trio.current_time()

    def leave(self) -> None:
        """End the attempt."""
        assert self.attempt is not None
        self.attempt.end(self.exchange, None, trio.current_time())

    def hang_up(self) -> None:
        """Be a client that is gone."""
        self.exchange.fail(Fault(CLIENT_GONE))


async def queue(nursery: trio.Nursery, *guests: Guest) -> None:
    """Let guests come one after the other, each until it has its place or waits."""
    for guest in guests:
        nursery.start_soon(guest.come)
        await wait_all_tasks_blocked()


def of(guests: list[Guest]) -> list[str]:
    return [guest.outcome for guest in guests]


async def test_places_are_given_in_the_order_of_arrival(autojump_clock: object) -> None:
    """Whoever waited longest is next, one place at a time, and never are more in flight than may be."""
    places = Places(2)
    first, second = places.fill()
    guests = [Guest(places) for _ in range(4)]
    async with trio.open_nursery() as nursery:
        await queue(nursery, *guests)
        assert (places.crowd.waiting, of(guests)) == (4, [""] * 4)
        for inside, granted in ((first, 1), (second, 2)):
            inside.end(guests[0].exchange, None, 0.0)
            await wait_all_tasks_blocked()
            assert of(guests) == ["in"] * granted + [""] * (4 - granted)
        for guest in guests[:2]:
            guest.leave()
        await wait_all_tasks_blocked()
        assert of(guests) == ["in"] * 4
    for guest in guests[2:]:
        guest.leave()
    assert places.most == 2
    places.check_empty()


async def test_a_newcomer_does_not_overtake(autojump_clock: object) -> None:
    """The end of one gives its place away before anybody else can ask."""
    places = Places()
    (inside,) = places.fill()
    waits, newcomer = Guest(places), Guest(places)
    async with trio.open_nursery() as nursery:
        await queue(nursery, waits)
        inside.end(waits.exchange, None, 0.0)
        assert (places.crowd.in_flight, places.crowd.full) == (1, True)
        await queue(nursery, newcomer)
        assert (waits.outcome, newcomer.outcome) == ("in", "")
        waits.leave()
    newcomer.leave()
    places.check_empty()


async def test_a_full_queue_refuses_at_once(autojump_clock: object) -> None:
    """Beyond max_pending the answer is 503 without a pause, says when to come back, and is counted."""
    places = Places(1, pending=2)
    (inside,) = places.fill()
    guests = [Guest(places) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        await queue(nursery, *guests)
        one_more = Guest(places)
        with pytest.raises(Fault) as caught:
            await places.crowd.wait(one_more.exchange, one_more.choose)
        fault = caught.value
        assert (fault.reason, fault.fields) == (UPSTREAM_FULL, [(b"retry-after", b"1")])
        assert fault.detail == "app has 1 requests in flight, the queue is full (max_pending: 2)"
        assert (trio.current_time(), places.crowd.refused, places.crowd.waiting) == (0, 1, 2)
        assert one_more.asked == 0
        inside.end(guests[0].exchange, None, 0.0)
        await wait_all_tasks_blocked()
        guests[0].leave()
    guests[1].leave()
    places.check_empty()


async def test_without_a_queue_nobody_waits(autojump_clock: object) -> None:
    """``max_pending: 0`` refuses whoever finds the upstream full."""
    places = Places(1, pending=0)
    (inside,) = places.fill()
    guest = Guest(places)
    await guest.come()
    assert (guest.outcome, guest.at) == ("upstream-full", 0)
    inside.end(guest.exchange, None, 0.0)
    another = Guest(places)
    await another.come()
    assert another.outcome == "in"
    another.leave()
    places.check_empty()


@pytest.mark.parametrize("patience", [0.0, 0.02, 1.0, 3600.0])
async def test_the_wait_ends_on_time(patience: float, autojump_clock: object) -> None:
    """After exactly pending_timeout the waiter is refused, and its turn is gone from the queue."""
    places = Places(1, patience=patience)
    (inside,) = places.fill()
    guest = Guest(places)
    with pytest.raises(Fault) as caught:
        await places.crowd.wait(guest.exchange, guest.choose)
    assert trio.current_time() == patience
    assert (caught.value.reason, caught.value.fields) == (UPSTREAM_FULL, [(b"retry-after", b"1")])
    assert f"no place came within {patience:g} s" in caught.value.detail
    assert (places.crowd.waiting, places.crowd.refused, guest.asked) == (0, 1, 0)
    inside.end(guest.exchange, None, 0.0)
    places.check_empty()


@pytest.mark.parametrize("how", ["hang up", "cancel"])
async def test_who_leaves_the_queue_is_gone_at_once(how: str, autojump_clock: object) -> None:
    """A client that leaves, and a task that is cancelled, free their turn; the others keep theirs."""
    places = Places()
    (inside,) = places.fill()
    guests = [Guest(places) for _ in range(3)]
    async with trio.open_nursery() as nursery:
        await queue(nursery, *guests)
        guests[1].hang_up() if how == "hang up" else guests[1].scope.cancel()
        await wait_all_tasks_blocked()
        assert (guests[1].outcome, guests[1].at) == ("client-gone" if how == "hang up" else "cancelled", 0)
        assert places.crowd.waiting == 2
        inside.end(guests[0].exchange, None, 0.0)
        await wait_all_tasks_blocked()
        assert (guests[0].outcome, guests[2].outcome) == ("in", "")
        guests[0].leave()
    assert (guests[2].outcome, guests[1].asked, places.crowd.refused) == ("in", 0, 0)
    guests[2].leave()
    places.check_empty()


@pytest.mark.parametrize("how", ["hang up", "cancel"])
async def test_a_place_offered_to_one_who_has_just_left_goes_to_the_next(
    how: str, autojump_clock: object
) -> None:
    """The leaver has not run yet when the place is offered to it: it hands it on."""
    places = Places()
    (inside,) = places.fill()
    guests = [Guest(places) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        await queue(nursery, *guests)
        guests[0].hang_up() if how == "hang up" else guests[0].scope.cancel()
        inside.end(guests[0].exchange, None, 0.0)
    assert of(guests) == ["client-gone" if how == "hang up" else "cancelled", "in"]
    assert trio.current_time() == 0
    guests[1].leave()
    places.check_empty()


async def test_one_who_leaves_after_the_offer_does_not_take_the_place_along(autojump_clock: object) -> None:
    """The offer comes first, then the client leaves, then its task runs: the next one is let in."""
    places = Places()
    (inside,) = places.fill()
    guests = [Guest(places) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        await queue(nursery, *guests)
        inside.end(guests[0].exchange, None, 0.0)
        guests[0].hang_up()
    assert of(guests) == ["client-gone", "in"]
    guests[1].leave()
    places.check_empty()


async def test_one_who_is_cancelled_after_the_offer_loses_no_place(autojump_clock: object) -> None:
    """Its task has the attempt or is cancelled, never both, and the place is not lost."""
    places = Places()
    (inside,) = places.fill()
    guests = [Guest(places) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        await queue(nursery, *guests)
        inside.end(guests[0].exchange, None, 0.0)
        guests[0].scope.cancel()
        await wait_all_tasks_blocked()
        assert (guests[0].outcome == "cancelled") == (guests[0].attempt is None)
        if guests[0].attempt is not None:
            guests[0].leave()
    assert guests[1].outcome == "in"
    guests[1].leave()
    places.check_empty()


async def test_a_place_that_comes_as_the_time_is_over_is_not_lost(autojump_clock: object) -> None:
    """Whichever comes first at that moment: whoever waits longer gets the place, or keeps it."""
    for _ in range(30):  # the order of tasks within a moment is drawn
        places = Places()
        (inside,) = places.fill()
        early, late = Guest(places), Guest(places)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(early.come)
            await trio.sleep(0.5)
            nursery.start_soon(late.come)
            await trio.sleep(0.5)
            inside.end(early.exchange, None, 0.0)
            await wait_all_tasks_blocked()
            assert early.at == late.at if early.outcome == "upstream-full" else late.outcome == ""
            (late if early.outcome == "upstream-full" else early).leave()
        if early.outcome == "in":
            late.leave()
        assert late.outcome == "in"
        places.check_empty()


async def test_who_cannot_use_a_place_passes_it_on_and_keeps_its_rank(autojump_clock: object) -> None:
    """The next in line has it; the first is asked again, before all others, when another is free."""
    places = Places(2)
    first, second = places.fill()
    able: set[int] = set()
    picky = Guest(places, usable=lambda: 0 in able)
    others = [Guest(places) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        await queue(nursery, picky, *others)
        first.end(picky.exchange, None, 0.0)
        await wait_all_tasks_blocked()
        assert of([picky, *others]) == ["", "in", ""]
        assert (picky.asked, others[0].asked, others[1].asked) == (1, 1, 0)
        able.add(0)
        second.end(picky.exchange, None, 0.0)
        await wait_all_tasks_blocked()
        assert of([picky, *others]) == ["in", "in", ""]
        picky.leave()
        others[0].leave()
    others[1].leave()
    places.check_empty()


async def test_a_place_is_offered_to_each_once(autojump_clock: object) -> None:
    """However many cannot use it: each is asked once, the first that can has it."""
    places = Places(2)
    first, second = places.fill()
    picky = [Guest(places, usable=lambda: False) for _ in range(3)]
    able = Guest(places)
    async with trio.open_nursery() as nursery:
        await queue(nursery, *picky, able)
        first.end(able.exchange, None, 0.0)
        await wait_all_tasks_blocked()
        assert able.outcome == "in"
        assert [guest.asked for guest in picky] == [1, 1, 1]
        nursery.cancel_scope.cancel()
    able.leave()
    second.end(able.exchange, None, 0.0)
    places.check_empty()


async def test_a_place_that_nobody_can_use_stays_free(autojump_clock: object) -> None:
    """All are asked once, then all wait on, and their time comes."""
    places = Places(2)
    first, second = places.fill()
    picky = [Guest(places, usable=lambda: False) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        await queue(nursery, *picky)
        first.end(picky[0].exchange, None, 0.0)
    assert [(guest.outcome, guest.at, guest.asked) for guest in picky] == [("upstream-full", 1.0, 1)] * 2
    second.end(picky[0].exchange, None, 0.0)
    places.check_empty()


async def test_limits_may_be_lowered_while_many_are_in_flight(autojump_clock: object) -> None:
    """What ends above the new limit frees no place, and nobody runs in circles over it."""
    places = Places(3)
    inside = places.fill()
    guests = [Guest(places) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        await queue(nursery, *guests)
        places.crowd.limits = replace(places.crowd.limits, max_requests=1)
        for attempt, outcomes in zip(inside, (["", ""], ["", ""], ["in", ""]), strict=True):
            attempt.end(guests[0].exchange, None, 0.0)
            await wait_all_tasks_blocked()
            assert of(guests) == outcomes
        guests[0].leave()
    guests[1].leave()
    places.check_empty()


async def test_two_places_at_once_serve_one_who_waits_and_one_who_comes(autojump_clock: object) -> None:
    """The newcomer stands behind the waiter, and has the other place as soon as that one has its own."""
    places = Places(2)
    first, second = places.fill()
    waits, newcomer = Guest(places), Guest(places)
    async with trio.open_nursery() as nursery:
        await queue(nursery, waits)
        first.end(waits.exchange, None, 0.0)
        second.end(waits.exchange, None, 0.0)
        await newcomer.come()
    assert (waits.outcome, newcomer.outcome, newcomer.at) == ("in", "in", 0)
    waits.leave()
    newcomer.leave()
    places.check_empty()


async def test_one_who_cannot_use_a_free_place_does_not_shut_out_others(autojump_clock: object) -> None:
    """A newcomer behind it is asked at once: there is a place, and everybody before it has declined."""
    places = Places(2)
    (inside, _) = places.fill()
    able: list[Guest] = []
    picky, newcomer, last = Guest(places, usable=lambda: bool(able)), Guest(places), Guest(places)
    async with trio.open_nursery() as nursery:
        await queue(nursery, picky)
        inside.end(picky.exchange, None, 0.0)
        await queue(nursery, newcomer)
        assert (picky.outcome, newcomer.outcome) == ("", "in")
        newcomer.leave()
        able.append(picky)
        await queue(nursery, last)
        assert (picky.outcome, last.outcome) == ("in", "")  # it has kept its rank
        nursery.cancel_scope.cancel()


async def test_a_refusal_to_one_leaves_the_others_their_place(autojump_clock: object) -> None:
    """When no endpoint can take the first, it hears so, and the place is the next one's."""
    places = Places()
    (inside,) = places.fill()
    refused, able = Guest(places, refusal=Fault(NO_ENDPOINT)), Guest(places)
    async with trio.open_nursery() as nursery:
        await queue(nursery, refused, able)
        inside.end(able.exchange, None, 0.0)
    assert (refused.outcome, able.outcome, trio.current_time()) == ("no-endpoint", "in", 0)
    able.leave()
    places.check_empty()


async def test_who_has_a_fault_already_does_not_queue(autojump_clock: object) -> None:
    """Its fault is raised and the queue is as before."""
    places = Places()
    (inside,) = places.fill()
    guest = Guest(places)
    guest.hang_up()
    await guest.come()
    assert (guest.outcome, guest.asked, places.crowd.waiting) == ("client-gone", 0, 0)
    inside.end(guest.exchange, None, 0.0)
    places.check_empty()


async def test_a_client_that_leaves_while_it_waits_frees_its_turn(autojump_clock: object) -> None:
    """In a whole proxy: its request ends when it hangs up, not when its time in the queue is over."""
    limits = UpstreamLimits(max_requests=1, pending_timeout=30.0)
    row = replace(upstream(), limits=limits)
    async with running(Origin(silent()), plan(upstreams=(row,))) as proxy:
        first, second = proxy.connect(), proxy.connect()
        for client in (first, second):
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await proxy.settle()
        second.wire.close()
        await trio.sleep(0.1)
        assert proxy.journal.faults == ["client-gone"]


async def test_the_next_is_asked_when_the_last_has_been_judged(autojump_clock: object) -> None:
    """A probe that ends gives its lease back first: who waits behind it must not find the breaker busy."""
    breaker = BreakerPlan(failure_threshold=1, open_for=1.0, max_open_for=1.0, success_threshold=1)
    limits = UpstreamLimits(max_requests=1, pending_timeout=30.0)
    row = replace(upstream(), limits=limits, breaker=breaker)

    async def probe(call: Call) -> None:
        await call.read()
        await trio.sleep(2)
        await call.send(sized_bytes(b"probe"))

    origin = Origin(sized(b"", 503), probe, sized(b"fine"))
    async with running(origin, plan(route(breaker=breaker), upstreams=(row,))) as proxy:
        assert (await proxy.connect().get()).status == 503
        await trio.sleep(1)
        clients = [proxy.connect() for _ in range(3)]
        for client in clients:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await proxy.settle()
        assert [(await client.answer()).status for client in clients] == [200] * 3


@dataclass(frozen=True)
class Visit:
    """Somebody of a schedule: when it comes, how long it stays, when it leaves the queue, and how."""

    at: float
    stay: float
    gives_up: float
    how: str


def schedule(random: Random, together: bool) -> list[Visit]:
    """Draw visits: all times apart by powers of two, or all on whole seconds."""
    apart = 0.0 if together else 1.0
    return [
        Visit(
            random.randrange(8) + apart * 2.0 ** -(30 + number),
            random.randrange(4) + apart * 2.0 ** -(10 + number),
            random.choice((inf, random.randrange(5) + apart * 2.0 ** -(20 + number))),
            random.choice(("stay", "stay", "hang up", "cancel", "refuse")),
        )
        for number in range(random.randrange(1, 10))
    ]


def model(visits: list[Visit], places: int, pending: int, patience: float) -> list[tuple[str, float]]:
    """Give what becomes of each, by the plainest queue there is."""
    outcomes = [("", -1.0)] * len(visits)
    events = [(visit.at, number, "comes") for number, visit in enumerate(visits)]
    inside = 0
    line: list[int] = []
    while events:
        events.sort()
        now, who, what = events.pop(0)
        if what == "ends":
            inside -= 1
        elif what == "comes" and inside >= places and len(line) >= pending:
            outcomes[who] = ("upstream-full", now)
        elif what == "comes":
            line.append(who)
            events.append((now + patience, who, "upstream-full"))
            if visits[who].how in ("hang up", "cancel"):
                left = "client-gone" if visits[who].how == "hang up" else "cancelled"
                events.append((now + visits[who].gives_up, who, left))
        elif who in line:
            line.remove(who)
            outcomes[who] = (what, now)
        while line and inside < places:
            who = line.pop(0)
            refused = visits[who].how == "refuse"
            outcomes[who] = ("no-endpoint" if refused else "in", now)
            if not refused:
                inside += 1
                events.append((now + visits[who].stay, who, "ends"))
    return outcomes


async def visits_of(visits: list[Visit], places: Places) -> list[Guest]:
    """Let all of them come, stay and go; in between, no place is free while somebody waits."""
    no = Fault(NO_ENDPOINT)
    guests = [Guest(places, refusal=no if visit.how == "refuse" else None) for visit in visits]

    async def go(guest: Guest, visit: Visit) -> None:
        await trio.sleep_until(visit.at)
        await guest.come()
        if guest.attempt is not None:
            await trio.sleep(visit.stay)
            guest.leave()

    async def give_up(guest: Guest, visit: Visit) -> None:
        await trio.sleep_until(visit.at + visit.gives_up)
        if not guest.outcome:
            guest.hang_up() if visit.how == "hang up" else guest.scope.cancel()

    async with trio.open_nursery() as nursery:
        for guest, visit in zip(guests, visits, strict=True):
            nursery.start_soon(go, guest, visit)
            if visit.how in ("hang up", "cancel") and visit.gives_up < inf:
                nursery.start_soon(give_up, guest, visit)
        for second in range(60):
            await trio.sleep_until(second + 0.5)
            assert not (places.crowd.waiting and places.crowd.in_flight < places.crowd.limits.max_requests)
    assert places.most <= places.crowd.limits.max_requests
    places.check_empty()
    return guests


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(0, 4), st.integers(1, 4))
def test_any_mix_goes_as_the_plainest_queue_would(
    seed: int, places: int, pending: int, patience: int
) -> None:
    """Arrivals, ends, leavers, refusals and timeouts at moments of their own: each fate and each time."""
    visits = schedule(Random(seed), together=False)

    async def main() -> list[tuple[str, float]]:
        guests = await visits_of(visits, Places(places, pending, float(patience)))
        return [(guest.outcome, guest.at) for guest in guests]

    got = trio.run(main, clock=MockClock(autojump_threshold=0))
    assert got == model(visits, places, pending, float(patience))


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(0, 4), st.integers(1, 4))
def test_nothing_is_lost_when_all_happens_at_once(
    seed: int, places: int, pending: int, patience: int
) -> None:
    """On whole seconds, in whatever order tasks run: those who come earlier have their place earlier."""
    visits = schedule(Random(seed), together=True)
    guests = trio.run(
        visits_of, visits, Places(places, pending, float(patience)), clock=MockClock(autojump_threshold=0)
    )
    granted = sorted(
        (visit.at, guest.at) for visit, guest in zip(visits, guests, strict=True) if guest.attempt
    )
    for (came, at), (later, later_at) in pairwise(granted):
        assert came == later or at <= later_at
