"""What is tried again, when, where, how often, and what never is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import trio

from appliance.config.plan import Plan
from appliance.config.plan_policy import Backoff, BreakerPlan, Outcomes, RetryBudget, RetryPlan
from appliance.model.fault import CONNECT_FAILED
from tests.kit.origin import Call, Origin, early, head, raw, reset, silent, sized, sized_bytes
from tests.kit.plans import plan, route, upstream
from tests.kit.proxy import Answer, Proxy, running

RETRY = RetryPlan(backoff=Backoff(0.0, 0.0))
ONE, TWO = "10.0.0.1:80", "10.0.0.2:80"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"


def profile(retry: RetryPlan = RETRY, *endpoints: str, response: float = 15.0, **limits: float) -> Plan:
    """Give a plan whose one route tries again by ``retry``."""
    row = upstream("app", *endpoints, **limits)
    return plan(route(retry=retry, response=response), upstreams=(replace(row, retry=retry),))


async def ask(proxy: Proxy, request: bytes = GET, method: bytes = b"GET") -> Answer:
    """Send a request on a connection of its own and give its answer."""
    client = proxy.connect()
    await client.send(request)
    return await client.answer(method)


def refusing() -> Origin:
    """Give an origin that takes no connection."""
    origin = Origin()
    origin.refuses = CONNECT_FAILED
    return origin


def notes(proxy: Proxy) -> list[object]:
    """Give what the log says of the requests so far."""
    return [record["notes"] for record in proxy.journal.records]


async def lost_while_idle(proxy: Proxy, request: bytes, method: bytes = b"GET") -> Answer:
    """Warm one upstream connection, let the second request die on it unread, and give its answer."""
    client = proxy.connect()
    await client.get()
    assert proxy.pooled == 1
    await client.send(request)
    return await client.answer(method)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"PUT", b"TRACE"])
async def test_a_reused_connection_that_dies_is_replaced_at_once(
    method: bytes, autojump_clock: object
) -> None:
    """The peer may close as we write: such a request goes out again, on a new connection, without a pause."""
    origin = Origin(sized(b"one"), reset(), sized(b"two"))
    async with running(origin, profile(RetryPlan())) as proxy:
        answer = await lost_while_idle(proxy, b"%b /again HTTP/1.1\r\nHost: a\r\n\r\n" % method, method)
        assert answer.status == 200
        assert answer.body == (b"" if method == b"HEAD" else b"two")
        assert [seen.target for seen in origin.requests] == [b"/", b"/again", b"/again"]
        assert len(origin.wires) == 2
        await proxy.check_idle()
        assert trio.current_time() == 0
        assert notes(proxy)[1] == f"{ONE}: reset, again after 0 ms"


async def test_a_retry_after_a_stale_connection_meets_no_other_stale_one(autojump_clock: object) -> None:
    """With two pooled connections that are both dead, one retry is enough: it asks for a new one."""
    gate = trio.Event()

    async def together(call: Call) -> None:
        await call.read()
        await gate.wait()
        await call.send(sized_bytes(b"warm"))

    origin = Origin(together, together, reset(), sized(b"fresh"))
    async with running(origin, profile(replace(RETRY, max_retries=1), pool_idle=60)) as proxy:
        clients = [proxy.connect(), proxy.connect()]
        for client in clients:
            await client.send(GET)
        await proxy.settle()
        gate.set()
        for client in clients:
            await client.answer()
        await proxy.settle()
        assert proxy.pooled == 2
        assert (await ask(proxy)).body == b"fresh"
        assert len(origin.wires) == 3


async def test_a_put_with_a_body_is_sent_again_whole(autojump_clock: object) -> None:
    """The body was kept."""
    origin = Origin(reset(), sized(b"done"))
    async with running(origin, profile()) as proxy:
        put = POST.replace(b"POST", b"PUT")
        assert (await ask(proxy, put)).body == b"done"
        assert [seen.body for seen in origin.requests] == [b"hello", b"hello"]
        await proxy.check_idle()


@pytest.mark.parametrize("request_bytes", [POST, POST.replace(b"POST", b"PATCH")])
async def test_what_may_have_had_its_effect_is_not_repeated(
    request_bytes: bytes, autojump_clock: object
) -> None:
    """A method outside of retry.methods that was sent is a 502, and the log says why."""
    origin = Origin(reset(), sized(b"never"))
    async with running(origin, profile()) as proxy:
        assert (await ask(proxy, request_bytes, b"POST")).status == 502
        assert len(origin.requests) == 1
        await proxy.check_idle()
        method = request_bytes.split()[0].decode()
        assert notes(proxy) == [f"{ONE}: reset, not again: {method} may not be repeated"]


async def test_what_was_never_sent_may_go_elsewhere_whatever_its_method(autojump_clock: object) -> None:
    """A refused connection has had no effect: a POST goes to the other endpoint, with its body."""
    origins = {ONE: refusing(), TWO: Origin(sized(b"two"))}
    async with running(origins, profile(RETRY, ONE, TWO)) as proxy:
        assert (await ask(proxy, POST, b"POST")).body == b"two"
        assert origins[TWO].requests[0].body == b"hello"
        await proxy.check_idle()
        assert notes(proxy) == [f"{ONE}: connect, again after 0 ms"]
        assert proxy.journal.records[0]["tries"] == 2


async def test_an_answer_that_is_retried_is_never_seen(autojump_clock: object) -> None:
    """A 503 is withheld, its connection serves on, and the client sees the next answer alone."""
    origin = Origin(sized(b"busy", 503, [(b"x-from", b"first")]), sized(b"fine"))
    async with running(origin, profile()) as proxy:
        answer = await ask(proxy)
        assert (answer.status, answer.body, answer.get(b"x-from")) == (200, b"fine", None)
        assert len(origin.wires) == 1
        await proxy.check_idle()


async def test_the_last_answer_is_passed_on(autojump_clock: object) -> None:
    """When no try is left the client gets what the server said, not a sentence of ours."""
    origin = Origin(sized(b"busy", 503))
    async with running(origin, profile()) as proxy:
        answer = await ask(proxy)
        assert (answer.status, answer.body) == (503, b"busy")
        assert len(origin.requests) == 3
        await proxy.check_idle()
        assert str(notes(proxy)[0]).endswith(f"{ONE}: 503, not again: 2 of retry.max_retries were made")


@pytest.mark.parametrize("status", [500, 501, 429, 404])
async def test_other_answers_are_not_retried(status: int, autojump_clock: object) -> None:
    """Only what ``when`` names is, and nothing needs to be said about the rest."""
    origin = Origin(sized(b"no", status), sized(b"never"))
    async with running(origin, profile()) as proxy:
        assert (await ask(proxy)).status == status
        assert len(origin.requests) == 1
        await proxy.check_idle()
        assert notes(proxy) == [None]


async def test_causes_can_be_left_out(autojump_clock: object) -> None:
    """With ``when: [503]`` a reset is final."""
    only = replace(RETRY, when=Outcomes(frozenset({503}), frozenset()))
    origin = Origin(reset(), sized(b"never"))
    async with running(origin, profile(only)) as proxy:
        assert (await ask(proxy)).status == 502
        await proxy.check_idle()
        assert notes(proxy) == [f"{ONE}: reset, not again: reset is not retried"]


async def test_another_endpoint_is_preferred(autojump_clock: object) -> None:
    """Each further try goes where none was yet; when all were asked, again to anyone."""
    three = "10.0.0.3:80"
    origins = {name: Origin(sized(b"busy", 503)) for name in (ONE, TWO, three)}
    async with running(origins, profile(replace(RETRY, max_retries=3), ONE, TWO, three)) as proxy:
        await ask(proxy)
        assert sorted(len(origin.requests) for origin in origins.values()) == [1, 1, 2]


async def test_pauses_are_drawn_below_a_bound_that_doubles(autojump_clock: object) -> None:
    """From zero to base, to twice that, and never above max: uniformly, so their mean is the half."""
    slow = replace(RETRY, max_retries=3, backoff=Backoff(1.0, 3.0), budget=RetryBudget(1.0, 1e6))
    times: list[float] = []

    async def busy(call: Call) -> None:
        await call.read()
        times.append(trio.current_time())
        await call.send(sized_bytes(b"", 503))

    async with running(Origin(busy), profile(slow, pool_idle=60)) as proxy:
        for _ in range(200):
            await ask(proxy)
    waits = [[times[n + i + 1] - times[n + i] for n in range(0, len(times), 4)] for i in range(3)]
    for row, bound in zip(waits, (1.0, 2.0, 3.0), strict=True):
        assert max(row) <= bound
        assert max(row) > 0.9 * bound
        assert 0.4 * bound < sum(row) / len(row) < 0.6 * bound


@pytest.mark.parametrize(("asked", "wait"), [(b"0", 0.0), (b"1", 1.0), (b"2", None), (b"Mon, 1 Jan", None)])
async def test_a_short_retry_after_is_honoured(
    asked: bytes, wait: float | None, autojump_clock: object
) -> None:
    """Up to a second it takes the place of the pause that would be drawn; longer is not waited for."""
    patient = replace(RETRY, backoff=Backoff(0.1, 0.1))
    origin = Origin(sized(b"", 503, [(b"retry-after", asked)]), sized(b"fine"))
    async with running(origin, profile(patient)) as proxy:
        assert (await ask(proxy)).body == b"fine"
        assert trio.current_time() == wait if wait is not None else 0 < trio.current_time() <= 0.1


async def test_all_tries_share_the_time_of_the_route(autojump_clock: object) -> None:
    """``response`` counts from the request to the head, whatever number of tries; per_try bounds each."""
    origin = Origin(silent())
    async with running(origin, profile(RETRY, response=5, per_try=2)) as proxy:
        answer = await ask(proxy)
        assert answer.status == 504
        assert b"response-timeout" in answer.body
        assert len(origin.requests) == 3
        assert 5 <= trio.current_time() <= 5.1


async def test_no_retry_begins_that_cannot_be_in_time(autojump_clock: object) -> None:
    """A pause that reaches beyond the route's time is not begun."""
    slow = replace(RETRY, backoff=Backoff(60.0, 60.0))
    async with running(Origin(sized(b"", 503)), profile(slow, response=1)) as proxy:
        assert (await ask(proxy)).status == 503
        assert trio.current_time() == 0
        await proxy.check_idle()
        assert notes(proxy) == [f"{ONE}: 503, not again: the time of the route is over"]


async def test_connecting_counts_as_well(autojump_clock: object) -> None:
    """Dialling dead servers does not outlast the route's time."""
    origins = {ONE: Origin(), TWO: Origin()}
    for origin in origins.values():
        origin.connect_time = 100
    async with running(origins, profile(RETRY, ONE, TWO, response=3, connect=2)) as proxy:
        assert (await ask(proxy)).status == 504
        assert trio.current_time() == 3


async def test_retries_never_exceed_their_budget(autojump_clock: object) -> None:
    """Of 200 failing requests within a second a tenth is tried again, which is more than the floor of 1/s."""
    limited = replace(RETRY, budget=RetryBudget(0.1, 1.0))
    origin = Origin(sized(b"", 503))
    async with running(origin, profile(limited)) as proxy:
        for _ in range(200):
            await ask(proxy)
        assert len(origin.requests) - 200 == 20
        await proxy.check_idle()
        assert str(notes(proxy)[199]).endswith(f"{ONE}: 503, not again: the retry budget of app is spent")


async def test_a_body_beyond_the_buffer_streams_on_and_is_not_repeated(autojump_clock: object) -> None:
    """Nothing is refused for being long; the log says why there was no second try."""
    small = replace(RETRY, buffer=1000)
    origin = Origin(reset(), sized(b"never"))
    async with running(origin, profile(small)) as proxy:
        answer = await ask(proxy, b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000)
        assert answer.status == 502
        assert len(origin.requests[0].body) == 5000
        await proxy.check_idle()
        why = "the body is longer than retry.buffer (1000 bytes)"
        assert notes(proxy) == [f"{ONE}: reset, not again: {why}"]


async def test_a_long_body_that_was_never_sent_may_go_elsewhere(autojump_clock: object) -> None:
    """It has not been touched, so it need not have been kept."""
    small = replace(RETRY, buffer=1000)
    origins = {ONE: refusing(), TWO: Origin(sized(b"two"))}
    async with running(origins, profile(small, ONE, TWO)) as proxy:
        request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000
        assert (await ask(proxy, request, b"POST")).body == b"two"
        assert origins[TWO].requests[0].body == b"x" * 5000


@pytest.mark.parametrize("framing", [b"Content-Length: 30", b"Transfer-Encoding: chunked"])
async def test_an_upload_under_way_goes_on_elsewhere(framing: bytes, autojump_clock: object) -> None:
    """The first server answers 503 before the end; the second gets all, what was sent and what comes."""
    origins = {ONE: Origin(early(sized_bytes(b"", 503))), TWO: Origin(sized(b"two"))}
    pieces = [b"%d" % n * 10 for n in (1, 2, 3)]
    async with running(origins, profile(RETRY, ONE, TWO, per_try=60)) as proxy:
        client = proxy.connect()
        await client.send(b"PUT / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % framing)
        for piece in pieces:
            await client.send(b"a\r\n%b\r\n" % piece if b"chunked" in framing else piece)
            await trio.sleep(1)
        if b"chunked" in framing:
            await client.send(b"0\r\n\r\n")
        assert (await client.answer()).body == b"two"
        assert origins[TWO].requests[0].body == b"".join(pieces)
        assert len(origins[ONE].requests) == 1
        assert (await client.get()).status in (200, 503)  # the client's connection serves on
        await proxy.check_idle()


async def test_after_an_interim_answer_there_is_no_retry(autojump_clock: object) -> None:
    """Its byte was passed on."""
    origin = Origin(raw(head(103, reason=b"Early Hints"), close=True), sized(b"never"))
    async with running(origin, profile()) as proxy:
        answer = await ask(proxy)
        assert (answer.status, answer.interim) == (502, [103])
        assert len(origin.requests) == 1
        await proxy.check_idle()
        assert notes(proxy) == [f"{ONE}: reset, not again: the answer had begun"]


async def test_a_client_that_leaves_in_a_pause_ends_it(autojump_clock: object) -> None:
    """At once; nothing more is sent and nothing is held."""
    slow = replace(RETRY, backoff=Backoff(10.0, 10.0))
    origin = Origin(sized(b"", 503))
    async with running(origin, profile(slow)) as proxy:
        client = proxy.connect()
        await client.send(GET)
        await proxy.settle()
        client.wire.close()
        await proxy.check_idle()
        assert trio.current_time() == 0
        assert len(origin.requests) == 1
        assert proxy.journal.faults == ["client-gone"]


async def test_every_try_reports_to_the_breaker_of_its_endpoint(autojump_clock: object) -> None:
    """One request with three tries counts once at each of the three."""
    breaker = BreakerPlan(failure_threshold=2)
    three = "10.0.0.3:80"
    origins: Mapping[str, Origin] = {name: Origin(sized(b"", 503)) for name in (ONE, TWO, three)}
    row = replace(upstream("app", *origins), retry=RETRY)
    async with running(origins, plan(route(retry=RETRY, breaker=breaker), upstreams=(row,))) as proxy:
        await ask(proxy)
        await proxy.settle()
        assert proxy.shifts == []
        assert [origin.requests[0].method for origin in origins.values()] == [b"GET"] * 3
        await ask(proxy)
        await proxy.settle()
        assert sorted(each.name for each in proxy.shifts) == [f"all@app/{name}" for name in origins]


async def test_nobody_left_is_not_retried(autojump_clock: object) -> None:
    """When the first failure opens the only breaker, the second try ends at once with its 503."""
    breaker = BreakerPlan(failure_threshold=1)
    origin = Origin(reset())
    row = replace(upstream(), retry=RETRY)
    async with running(origin, plan(route(retry=RETRY, breaker=breaker), upstreams=(row,))) as proxy:
        answer = await ask(proxy)
        assert (answer.status, answer.get(b"retry-after")) == (503, b"30")
        assert len(origin.requests) == 1
        await proxy.check_idle()


async def test_trailers_of_an_empty_body_go_along_again(autojump_clock: object) -> None:
    """A body of no chunk but with trailers is still a body, at every try."""
    failing = raw(head(503, [(b"content-length", b"0")]))
    origin = Origin(failing, sized(b"ok"))
    request = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx-sum: 7\r\n\r\n"
    async with running(origin, profile()) as proxy:
        answer = await ask(proxy, request, b"PUT")
        assert (answer.status, answer.body) == (200, b"ok")
        assert [seen.trailers for seen in origin.requests] == [[(b"x-sum", b"7")]] * 2
        await proxy.check_idle()
