"""The answering half of HTTP/2: what is framed how, and with which code an answer that is not whole ends."""

from __future__ import annotations

import hyperframe.frame as hf
import pytest
import trio

from appliance.config.plan import Plan, Respond
from appliance.http import h2_frames as f
from appliance.http.h2_frames import Code
from tests.kit.h2_client import RawClient, polite, raw, request
from tests.kit.origin import Call, Origin, chunked_bytes, head, sized, sized_bytes
from tests.kit.origin import raw as raw_answer
from tests.kit.plans import listener, plan, route, upstream
from tests.kit.proxy import running

TICK = 0.051
LARGE = b"0123456789abcdef" * 20_000  # 320 kB: more than the first window


def patient(**timeouts: float) -> Plan:
    slow = upstream(per_try=3600.0)
    return plan(route(response=3600.0, idle=3600.0), upstreams=(slow,), listeners=(listener(**timeouts),))


def shapes(client: RawClient, id: int = 1) -> list[tuple[str, bool]]:
    """Give the frames of a stream as (kind, does it end the stream)."""
    frames = [frame for frame in client.frames if frame.stream_id == id]
    return [(type(frame).__name__[:-5], "END_STREAM" in frame.flags) for frame in frames]


@pytest.mark.parametrize(
    ("answer", "method", "expected"),
    [
        (sized(b"hello"), b"GET", [("Headers", False), ("Data", True)]),
        (sized(b""), b"GET", [("Headers", True)]),
        (raw_answer(head(204)), b"GET", [("Headers", True)]),
        (raw_answer(head(304)), b"GET", [("Headers", True)]),
        (sized(b"unseen"), b"HEAD", [("Headers", True)]),
        (
            raw_answer(chunked_bytes([b"a"], [(b"x-t", b"1")])),
            b"GET",
            [("Headers", False), ("Data", False), ("Headers", True)],
        ),
        (
            raw_answer(chunked_bytes([], [(b"x-t", b"1")])),
            b"GET",
            [("Headers", False), ("Headers", True)],
        ),
    ],
    ids=["body", "empty", "204", "304", "HEAD", "trailers", "only trailers"],
)
async def test_no_frame_is_needless(
    answer: object, method: bytes, expected: list[tuple[str, bool]], autojump_clock: object
) -> None:
    """What is at hand goes out with its end on the last frame: there is no empty DATA behind it."""
    async with running(Origin(answer)) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1, request(method)))
        await client.hear()
        assert shapes(client) == expected
        await proxy.check_idle()


async def test_head_and_small_body_leave_in_one_write(autojump_clock: object) -> None:
    """A client gets both with one read."""
    async with running(plan=plan(route(Respond(200, b"fixed")))) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1))
        await trio.testing.wait_all_tasks_blocked()
        data = await client.wire.receive()
        client._take(data)
        assert shapes(client) == [("Headers", False), ("Data", True)]


async def test_an_answer_has_a_date_and_its_length(autojump_clock: object) -> None:
    """The origin's own date stays; one of unknown length has none."""
    mine = [(b"date", b"Mon, 02 Jan 2006 15:04:05 GMT")]
    async with running(
        Origin(sized(b"a"), sized(b"a", 200, mine), raw_answer(chunked_bytes([b"a"])))
    ) as proxy:
        client = await polite(proxy)
        first, second, third = [await client.get() for _ in range(3)]
        assert (first.get(b"content-length"), third.get(b"content-length")) == (b"1", None)
        assert first.get(b"date")
        assert second.get(b"date") == mine[0][1]


async def broken_off(call: Call) -> None:
    """Begin an answer and leave."""
    await call.read()
    await call.send(head(200, [(b"content-length", b"10")]) + b"half")
    await trio.sleep(1)
    call.wire.reset()


async def test_an_answer_that_breaks_off_is_reset(autojump_clock: object) -> None:
    """The client must see that it is not whole; its connection serves the next."""
    async with running(Origin(broken_off, sized(b"next"))) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1))
        await trio.sleep(2)
        await client.hear()
        answer = client.answers[1]
        assert (answer.body, answer.whole, answer.reset) == (b"half", False, Code.INTERNAL_ERROR)
        await client.send(client.head(3))
        await client.hear()
        assert client.answers[3].body == b"next"
        await proxy.check_idle()


async def test_a_client_that_does_not_read_loses_its_stream(autojump_clock: object) -> None:
    """After ``write`` seconds without progress; others of the connection go on."""
    async with running(Origin(sized(LARGE), sized(b"next")), patient(write=5)) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1))
        await trio.sleep(5 - TICK)
        await client.hear()
        assert client.answers[1].reset is None
        await trio.sleep(3 * TICK)
        await client.hear()
        assert client.answers[1].reset == Code.CANCEL
        assert proxy.journal.faults == ["client-slow"]
        await client.send(f.window_update(0, 1 << 20), client.head(3))
        await client.hear()
        assert client.answers[3].body == b"next"
        await proxy.check_idle()


async def test_an_answer_before_the_end_of_a_request(autojump_clock: object) -> None:
    """The rest is called off without an error (RFC 9113 section 8.1)."""

    async def early(call: Call) -> None:
        await call.send(sized_bytes(b"no", 413))

    async with running(Origin(early)) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1, request(b"POST"), end=False))
        await client.hear()
        assert shapes(client) == [("Headers", False), ("Data", True), ("RstStream", False)]
        assert client.answers[1].reset == Code.NO_ERROR
        await client.send(f.pack(f.DATA, 0, 1, b"late"))
        assert await client.alive()


async def test_interim_answers_stand_before_the_head(autojump_clock: object) -> None:
    """Each in a block of its own, none of them the end."""
    hints = head(103, [(b"link", b"</a>")], b"Early Hints")
    async with running(Origin(raw_answer(hints + hints + sized_bytes(b"x")))) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1))
        await client.hear()
        assert shapes(client) == [("Headers", False)] * 3 + [("Data", True)]
        assert client.answers[1].interim == [103, 103]
        assert client.all(hf.RstStreamFrame) == []


async def test_a_client_that_leaves_before_its_head_hears_nothing(autojump_clock: object) -> None:
    """Its attempt ends, and no frame is sent for a stream that is gone."""

    async def late(call: Call) -> None:
        await call.read()
        await trio.sleep(2)
        await call.send(sized_bytes(b"late"))

    async with running(Origin(late)) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1))
        await trio.sleep(1)
        await client.send(f.reset(1, Code.CANCEL))
        await trio.sleep(2)
        await client.hear()
        assert shapes(client) == []
        assert proxy.journal.faults == ["client-gone"]
        assert await client.alive()
        await proxy.check_idle()
