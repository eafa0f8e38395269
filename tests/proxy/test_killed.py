"""An origin that dies at every byte of a request and of its answer: what is then sent twice, and what never.

The origin counts. Once a byte of a POST has left the proxy it must not leave again, wherever the connection
ends and however; a GET goes again until the head of an answer is there, and then neither.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from appliance.config.plan_policy import Backoff, BreakerPlan, RetryBudget, RetryPlan
from appliance.net.transport import PeerGone
from tests.kit.origin import Origin, sized_bytes
from tests.kit.plans import plan, route, upstream
from tests.kit.proxy import Proxy, running
from tests.kit.wires import Wire

RETRY = RetryPlan(backoff=Backoff(0.0, 0.0), budget=RetryBudget(1.0, 1000.0))
ANSWER = sized_bytes(b"done", headers=[(b"x-a", b"b")])
HEAD = ANSWER.index(b"\r\n\r\n") + 4
How = Literal["close", "reset"]


class Mortal(Origin):
    """Dies once: after ``read`` bytes of a request or, if that is None, after ``sent`` bytes of its answer.

    With ``warm`` it serves one request before that. ``heard`` are all the others, as far as they came.
    """

    def __init__(self, how: How, read: int | None, sent: int, *, warm: bool = False) -> None:
        super().__init__()
        self.how, self.dies_reading, self.dies_sending = how, read, sent
        self.heard: list[bytes] = []
        self.alive = True
        self.cold = warm

    async def serve(self, wire: Wire) -> None:
        """Serve one connection."""
        self.wires.append(wire)
        try:
            while await self._one(wire):
                pass
        except PeerGone:
            pass
        wire.close()

    async def _one(self, wire: Wire) -> bool:
        data = b""
        stop = self.dies_reading if self.alive and not self.cold else None
        while not complete(data):
            if len(data) == stop:
                return self._die(wire, data)
            more = await wire.receive(1 if stop is not None else 4096)
            if not more:
                return False
            data += more
        if self.cold:
            self.cold = False
        elif self.alive:
            if self.dies_reading is None:
                await wire.send(ANSWER[: self.dies_sending])
            return self._die(wire, data)
        else:
            self.heard.append(data)
        await wire.send(ANSWER)
        return True

    def _die(self, wire: Wire, data: bytes) -> bool:
        self.alive = False
        self.heard.append(data)
        if self.how == "reset":
            wire.reset()
        else:
            wire.close()
        return False


def complete(data: bytes) -> bool:
    """Say whether a request is whole: these have five bytes of body if they have any."""
    head, found, body = data.partition(b"\r\n\r\n")
    return bool(found) and (b"content-length: 5" not in head or len(body) == 5)


def request_of(method: bytes, body: bytes) -> bytes:
    """Give the client's bytes."""
    length = b"content-length: %d\r\n" % len(body) if body else b""
    return b"%b /it HTTP/1.1\r\nhost: a\r\n%b\r\n%b" % (method, length, body)


async def outcome(proxy: Proxy, raw: bytes, method: bytes, *, warm: bool, late: bool) -> str:
    """Send a request, with its body ``late`` if so, and give what the client sees."""
    client = proxy.connect()
    if warm:
        await client.get(b"/warm")
    head, end, body = raw.partition(b"\r\n\r\n")
    await client.send(head + end)
    if late:
        await proxy.settle()
    await client.send(body)
    answer = await client.answer(method)
    return f"{answer.status}" if answer.whole else f"{answer.status} cut"


async def sent_length(raw: bytes) -> int:
    """Give how many bytes the proxy sends for a request."""
    origin = Mortal("close", None, 0)
    origin.alive = False
    async with running(origin, profile()) as proxy:
        await outcome(proxy, raw, b"GET", warm=False, late=False)
        return len(origin.heard[0])


def profile() -> object:
    """Give a plan that retries readily and whose breaker stays out of it."""
    row = replace(upstream(), retry=RETRY)
    return plan(route(retry=RETRY, breaker=BreakerPlan(failure_threshold=1000)), upstreams=(row,))


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "reused"])
@pytest.mark.parametrize("late", [False, True], ids=["at once", "late body"])
async def test_a_post_is_never_sent_twice(how: How, warm: bool, late: bool, autojump_clock: object) -> None:
    """Killed at every byte of the request and of the answer: one connection has heard of it, and no other."""
    raw = request_of(b"POST", b"hello")
    length = await sent_length(raw)
    for read in range(int(warm), length + 1):  # an idle connection that closes by itself is not used
        origin = Mortal(how, read, 0, warm=warm)
        async with running(origin, profile()) as proxy:
            assert await outcome(proxy, raw, b"POST", warm=warm, late=late) == "502"
            await proxy.check_idle()
        assert len(origin.heard) == 1, read
        assert len(origin.wires) == 1, read
    for sent in range(len(ANSWER) + 1):
        origin = Mortal(how, None, sent, warm=warm)
        async with running(origin, profile()) as proxy:
            seen = await outcome(proxy, raw, b"POST", warm=warm, late=late)
            assert seen == ("502" if sent < HEAD else "200 cut" if sent < len(ANSWER) else "200"), sent
            await proxy.check_idle()
        assert len(origin.heard) == 1, sent


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "reused"])
@pytest.mark.parametrize("body", [b"", b"hello"], ids=["GET", "PUT"])
async def test_what_may_be_repeated_is_until_an_answer_has_begun(
    how: How, warm: bool, body: bytes, autojump_clock: object
) -> None:
    """The client sees a whole answer unless the head had come: then it sees that it was cut."""
    method = b"PUT" if body else b"GET"
    raw = request_of(method, body)
    length = await sent_length(raw)
    for read in range(int(warm), length + 1):  # an idle connection that closes by itself is not used
        origin = Mortal(how, read, 0, warm=warm)
        async with running(origin, profile()) as proxy:
            assert await outcome(proxy, raw, method, warm=warm, late=bool(read % 2)) == "200", read
            await proxy.check_idle()
        assert len(origin.heard) == 2, read
        assert origin.heard[1].endswith(b"\r\n\r\n" + body)
    for sent in range(len(ANSWER) + 1):
        origin = Mortal(how, None, sent, warm=warm)
        async with running(origin, profile()) as proxy:
            seen = await outcome(proxy, raw, method, warm=warm, late=False)
            assert seen == ("200 cut" if HEAD <= sent < len(ANSWER) else "200"), sent
            await proxy.check_idle()
        assert len(origin.heard) == (2 if sent < HEAD else 1), sent
