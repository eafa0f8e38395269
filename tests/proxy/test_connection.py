"""The birth of an exchange, and the guard: a bug costs one connection and tells the client nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from appliance.model.exchange import Exchange
from appliance.model.message import NO_BODY, NoBody, Response
from appliance.model.service import Service
from appliance.proxy.connection import Ids
from tests.kit.origin import Origin
from tests.kit.plans import listener, plan
from tests.kit.proxy import Proxy, running


def serve_with(proxy: Proxy, wrap: Callable[[Service], Service]) -> None:
    """Put something in front of the stack; the snapshot is frozen for everybody else."""
    object.__setattr__(proxy.snapshot, "service", wrap(proxy.snapshot.service))


def bugs(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if "a bug in meshctl" in record.getMessage()]


@pytest.mark.parametrize("body", [b"", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_a_bug_in_a_service_is_told_as_internal(
    body: bytes, caplog: pytest.LogCaptureFixture, autojump_clock: object
) -> None:
    """The client gets 500 and an id, the log the traceback once, and others are served as before."""
    async with running() as proxy:

        def wrap(inner: Service) -> Service:
            async def serve(exchange: Exchange) -> Response:
                if exchange.path == b"/bug":
                    raise ZeroDivisionError("secret detail")
                return await inner(exchange)

            return serve

        serve_with(proxy, wrap)
        client = proxy.connect()
        await client.send(b"GET /bug HTTP/1.1\r\nHost: a\r\n" + body + b"\r\n")
        answer = await client.answer()
        assert (answer.status, answer.whole) == (500, True)
        assert b"internal" in answer.body
        assert not any(word in answer.body for word in (b"Zero", b"secret", b"Traceback", b".py"))
        assert len(bugs(caplog)) == 1
        assert "ZeroDivisionError" in caplog.text
        await proxy.check_idle()
        assert proxy.journal.faults == ["internal"]
        assert proxy.journal.records[0]["status"] == 500
        assert (await proxy.connect().get()).status == 200


async def test_a_bug_after_the_upstream_answered_gives_its_connection_up(
    caplog: pytest.LogCaptureFixture, autojump_clock: object
) -> None:
    """The attempt ends like any other; half an answer is not put back in the pool."""
    origin = Origin()
    async with running(origin) as proxy:

        def wrap(inner: Service) -> Service:
            async def serve(exchange: Exchange) -> Response:
                await inner(exchange)
                raise KeyError("x")

            return serve

        serve_with(proxy, wrap)
        assert (await proxy.connect().get()).status == 500
        await proxy.check_idle()
        assert proxy.pooled == 0
        assert len(bugs(caplog)) == 1


class BrokenBody(NoBody):
    """A body with a bug, which shows after the head was sent."""

    def __init__(self, length: int | None) -> None:
        super().__init__()
        self.length = length
        self.ended = False

    async def read(self) -> bytes:
        raise ZeroDivisionError


async def test_a_bug_in_the_middle_of_an_answer_cuts_it(
    caplog: pytest.LogCaptureFixture, autojump_clock: object
) -> None:
    """Once a head was sent nothing can be told any more: the client sees that the answer is not whole."""
    async with running() as proxy:

        async def service(_exchange: Exchange) -> Response:
            return Response(200, [], BrokenBody(10))

        serve_with(proxy, lambda _: service)
        answer = await proxy.connect().get()
        assert (answer.status, answer.whole) == (200, False)
        await proxy.check_idle()
        assert proxy.journal.faults == ["internal"]
        assert len(bugs(caplog)) == 1


async def test_a_bug_that_meets_its_own_apology_ends_the_connection_only(
    caplog: pytest.LogCaptureFixture, autojump_clock: object
) -> None:
    """When not even the fault can be answered, the connection ends, and nothing beyond it."""
    async with running() as proxy:

        class Rendering:
            """Stands for a request that cannot be rendered for."""

            method = b"GET"
            headers = None
            body = NO_BODY
            streaming = False

        def breaks(_inner: Service) -> Service:
            async def serve(exchange: Exchange) -> Response:
                exchange.request = Rendering()
                raise ZeroDivisionError

            return serve

        good = proxy.snapshot.service
        serve_with(proxy, breaks)
        client = proxy.connect()
        await client.send(b"GET /bug HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await client.at_end()
        await proxy.settle()
        assert len(bugs(caplog)) == 2
        assert proxy.open_clients == 0
        object.__setattr__(proxy.snapshot, "service", good)
        assert (await proxy.connect().get()).status == 200


async def test_a_bug_in_the_record_costs_the_record(
    caplog: pytest.LogCaptureFixture, autojump_clock: object
) -> None:
    """The attempt is over before the record is made, and is not ended twice."""
    async with running() as proxy:
        record = proxy.journal.record
        proxy.journal.record = None
        client = proxy.connect()
        assert (await client.get()).status == 200
        assert await client.at_end()
        await proxy.check_idle()
        assert len(bugs(caplog)) == 1
        proxy.journal.record = record
        assert (await proxy.connect().get()).status == 200
        await proxy.check_idle()


async def test_a_client_of_a_trusted_peer_is_known_by_its_own_address(autojump_clock: object) -> None:
    """Behind a trusted proxy the right-most untrusted hop is the client; else whoever connected."""
    listeners = (listener("inner", trust=("192.0.2.0/24",)), listener("outer"))
    async with running(plan=plan(listeners=listeners)) as proxy:
        for index in (0, 1):
            client = proxy.connect(listener=index)
            await client.get(b"/", b"X-Forwarded-For: 203.0.113.9, 192.0.2.50")
        await proxy.settle()
        assert [record["client"] for record in proxy.journal.records] == ["203.0.113.9", "192.0.2.7"]
        assert [record["listener"] for record in proxy.journal.records] == ["inner", "outer"]


def test_ids_are_unique_and_short() -> None:
    """20 hex digits, of which two processes share none but by chance."""
    one, two = Ids(), Ids()
    ids = [source.new() for source in (one, two) for _ in range(1000)]
    assert len(set(ids)) == 2000
    assert {len(id) for id in ids} == {20}
    assert one.new()[:12] != two.new()[:12]
