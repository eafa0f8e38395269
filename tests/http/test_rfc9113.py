"""RFC 9113 frame by frame, as a client could break it: each test names its section.

An error of the connection is a GOAWAY with the right code and the end, and another client notices nothing.
An error of a stream is a RST_STREAM with the right code, and the connection's other streams go on.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from appliance.http import h2_frames as f
from appliance.http.h2_frames import Code
from tests.kit.h2_client import RawClient, polite, raw, request
from tests.kit.origin import Call, Origin, deaf, silent, sized
from tests.kit.proxy import Proxy, running

GET = request()
POST = request(b"POST", b"/wait")  # what has no answer
Make = Callable[[RawClient], bytes]

OPEN, REMOTE, DONE, RESET, RESET_HERE, IDLE = 1, 3, 5, 7, 9, 11  # one stream in each state
LATER = 101  # a stream that nobody has used


async def states(proxy: Proxy) -> RawClient:
    """Give a client with a stream in each state of section 5.1."""
    client = await raw(proxy)
    await client.send(client.head(OPEN, POST, end=False), client.head(REMOTE, request(path=b"/wait")))
    await client.hear()
    await client.send(client.head(DONE))
    await client.hear()
    assert client.answers[DONE].whole
    await client.send(client.head(RESET), f.reset(RESET, Code.CANCEL))
    await client.send(client.head(RESET_HERE, POST, end=False), f.window_update(RESET_HERE, 0))
    await client.hear()
    assert client.resets(RESET_HERE) == Code.PROTOCOL_ERROR
    return client


async def by_path(call: Call) -> None:
    """Leave ``/wait`` without an answer, and answer the rest."""
    await (deaf() if call.request.target == b"/wait" else sized(b"hello"))(call)


def origin() -> Origin:
    """Give an origin that answers by path."""
    return Origin(by_path)


async def ended(client: RawClient, *codes: Code) -> None:
    """Assert an error of the connection."""
    await client.hear()
    assert [code for _, code in client.goaways] in [[code] for code in codes]
    await trio.sleep(2)
    await client.hear()
    assert client.over


async def lives(client: RawClient, id: int | None = None, code: Code | None = None) -> None:
    """Assert that a stream was reset with a code, or no stream, and that the connection serves the next."""
    await client.hear()
    if id is not None:
        assert client.resets(id) == code
    await client.send(client.head(LATER))
    await client.hear()
    assert client.answers[LATER].body == b"hello"
    assert client.goaways == []
    assert await client.alive()


# 3.4 The beginning of a connection.


@pytest.mark.parametrize("junk", [f.PREFACE[:-1] + b"x", f.PREFACE[:18] + b"SM\r\n\r\r"])
async def test_3_4_a_wrong_preface(junk: bytes, autojump_clock: object) -> None:
    """Whoever begins like HTTP/2 and goes on otherwise is closed."""
    async with running() as proxy:
        client = RawClient(proxy.connect().wire)
        await client.send(junk, f.settings({}))
        await ended(client, Code.PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "first",
    [
        f.pack(f.PING, 0, 0, bytes(8)),
        f.pack(f.SETTINGS, f.ACK, 0),
        f.pack(f.HEADERS, 5, 1, b"\x82"),
        f.window_update(0, 1),
    ],
)
async def test_3_4_settings_come_first(first: bytes, autojump_clock: object) -> None:
    """The first frame of a client is SETTINGS, and no acknowledgement."""
    async with running() as proxy:
        client = RawClient(proxy.connect().wire)
        await client.send(f.PREFACE, first)
        await ended(client, Code.PROTOCOL_ERROR)


async def test_3_4_nobody_waits_for_settings(autojump_clock: object) -> None:
    """A request may follow at once; ours come first, then the acknowledgement of theirs."""
    async with running() as proxy:
        client = RawClient(proxy.connect().wire)
        await client.send(f.PREFACE, f.settings({}), client.head(1))
        await client.hear()
        assert type(client.frames[0]).__name__ == "SettingsFrame"
        assert not client.frames[0].flags
        assert (client.acks, client.answers[1].body) == (1, b"hello")


# 4.1 to 4.3 Frames, their size, field blocks.


async def test_4_1_unknown_frames_are_ignored(autojump_clock: object) -> None:
    """Types that nobody knows, and flags that mean nothing, are passed over, reserved bits too."""
    async with running(origin()) as proxy:
        client = await states(proxy)
        for kind in (11, 42, 255):
            for id in (0, OPEN, DONE, 77):
                await client.send(f.pack(kind, 0xFF, id, b"whatever"))
        await client.send(f.pack(f.PING, 0xFE, 0, b"flagged!"), f.pack(f.PING, 0, 1 << 31, b"reserved"))
        await lives(client)
        assert client.pongs[:2] == [b"flagged!", b"reserved"]


@pytest.mark.parametrize("kind", [f.DATA, f.HEADERS, f.SETTINGS, f.PING, f.CONTINUATION, 99])
async def test_4_2_a_frame_that_is_too_large(kind: int, autojump_clock: object) -> None:
    """More than 16 KiB is an error of the connection, seen in the frame's head alone."""
    async with running(origin()) as proxy:
        client = await states(proxy)
        await client.send(f.pack(kind, 0, OPEN, bytes(16_385))[:9])
        await ended(client, Code.FRAME_SIZE_ERROR)


async def test_4_2_the_largest_frame(autojump_clock: object) -> None:
    """16 KiB exactly are taken."""
    async with running() as proxy:
        client = await raw(proxy)
        await client.send(client.head(1, request(b"POST"), end=False))
        await client.send(f.pack(f.DATA, f.END_STREAM, 1, bytes(16_384)))
        await client.hear()
        assert client.answers[1].body == b"hello"


async def test_4_3_a_block_that_cannot_be_decoded(autojump_clock: object) -> None:
    """A field block with an index that is not there is COMPRESSION_ERROR of the connection."""
    async with running() as proxy:
        client = await raw(proxy)
        await client.send(f.pack(f.HEADERS, 5, 1, b"\x82\xff\x7f"))
        await ended(client, Code.COMPRESSION_ERROR)


BETWEEN: dict[str, Make] = {
    "data": lambda c: f.pack(f.DATA, 0, OPEN, b"x"),
    "headers": lambda c: f.pack(f.HEADERS, 5, 15, b"\x82"),
    "same-headers": lambda c: f.pack(f.HEADERS, 5, 13, b"\x82"),
    "priority": lambda c: f.pack(f.PRIORITY, 0, 13, bytes(5)),
    "reset": lambda c: f.reset(13, Code.CANCEL),
    "settings": lambda c: f.settings({}),
    "ping": lambda c: f.pack(f.PING, 0, 0, bytes(8)),
    "goaway": lambda c: f.goaway(0, Code.NO_ERROR),
    "window": lambda c: f.window_update(0, 1),
    "other-continuation": lambda c: f.pack(f.CONTINUATION, f.END_HEADERS, 15, b""),
    "unknown": lambda c: f.pack(99, 0, 13, b""),
}


@pytest.mark.parametrize("name", BETWEEN)
async def test_4_3_nothing_stands_within_a_block(name: str, autojump_clock: object) -> None:
    """Between HEADERS and its CONTINUATION no other frame may come, of no type and on no stream."""
    async with running(origin()) as proxy:
        client = await states(proxy)
        other = await polite(proxy)
        await client.send(f.pack(f.HEADERS, f.END_STREAM, 13, client.block(GET)), BETWEEN[name](client))
        await ended(client, Code.PROTOCOL_ERROR)
        assert (await other.get()).status == 200


# 5.1 Every state meets every frame: a code for the stream, one for the connection, or neither.

FRAMES: dict[str, Callable[[RawClient, int], bytes]] = {
    "data": lambda c, id: f.pack(f.DATA, 0, id, b"x"),
    "headers": lambda c, id: c.head(id),
    "priority": lambda c, id: f.pack(f.PRIORITY, 0, id, bytes(5)),
    "reset": lambda c, id: f.reset(id, Code.CANCEL),
    "push": lambda c, id: f.pack(f.PUSH_PROMISE, f.END_HEADERS, id, b"\0\0\0\2\x82"),
    "window": lambda c, id: f.window_update(id, 1),
    "continuation": lambda c, id: f.pack(f.CONTINUATION, f.END_HEADERS, id, b""),
}
FINE = ("", Code.NO_ERROR)
WHOLE = "connection"
STREAM = "stream"
BAD = (WHOLE, Code.PROTOCOL_ERROR)
STATES = {
    "idle": IDLE,
    "open": OPEN,
    "remote": REMOTE,
    "done": DONE,
    "reset": RESET,
    "reset-here": RESET_HERE,
}
OUTCOMES: dict[str, list[tuple[str, Code]]] = {  # in the order of STATES
    "data": [BAD, FINE, (STREAM, Code.STREAM_CLOSED), *[(WHOLE, Code.STREAM_CLOSED)] * 2, FINE],
    "priority": [FINE] * 6,
    "reset": [BAD, (STREAM, Code.NO_ERROR), (STREAM, Code.NO_ERROR), FINE, FINE, FINE],
    "push": [BAD] * 6,
    "window": [BAD, FINE, FINE, FINE, FINE, FINE],
    "continuation": [BAD] * 6,
    "headers": [
        FINE,
        (STREAM, Code.PROTOCOL_ERROR),
        (STREAM, Code.STREAM_CLOSED),
        *[(WHOLE, Code.STREAM_CLOSED)] * 2,
        FINE,
    ],
}


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("state", STATES)
async def test_5_1_every_state_meets_every_frame(state: str, kind: str, autojump_clock: object) -> None:
    """What a state does not allow is an error of the stream or of the connection, as the table says."""
    id = STATES[state]
    what, code = OUTCOMES[kind][list(STATES).index(state)]
    async with running(origin()) as proxy:
        client = await states(proxy)
        other = await polite(proxy)
        before = client.resets(id)
        await client.send(FRAMES[kind](client, id))
        if what == WHOLE:
            await ended(client, code)
            assert (await other.get()).status == 200
            await proxy.check_idle()
        elif what == STREAM and code:
            await lives(client, id, code)
            assert id == OPEN or client.resets(OPEN) is None
        else:
            await lives(client, id, before)
            assert proxy.in_flight == (1 if what else 2)


async def test_5_1_1_a_client_opens_odd_streams(autojump_clock: object) -> None:
    """An even number, or none, is PROTOCOL_ERROR."""
    for id in (2, 0):
        async with running() as proxy:
            client = await raw(proxy)
            await client.send(client.head(id))
            await ended(client, Code.PROTOCOL_ERROR)


async def test_5_1_1_numbers_only_grow(autojump_clock: object) -> None:
    """A number below the highest is used up, whether it was used or not."""
    async with running(origin()) as proxy:
        client = await raw(proxy)
        await client.send(client.head(5), client.head(3))
        await ended(client, Code.PROTOCOL_ERROR, Code.STREAM_CLOSED)


async def test_5_1_2_more_streams_than_allowed(autojump_clock: object) -> None:
    """The hundred-and-first stream is refused; when one ends, there is room again."""
    async with running(Origin(silent())) as proxy:
        client = await raw(proxy)
        ids = list(range(1, 203, 2))
        for id in ids:
            await client.send(client.head(id))
        await client.hear()
        assert [client.resets(id) for id in ids] == [None] * 100 + [Code.REFUSED_STREAM]
        await client.send(f.reset(1, Code.CANCEL))
        await client.hear()
        await client.send(client.head(203))
        assert await client.alive()
        assert client.resets(203) is None


@pytest.mark.parametrize("parent", [0, 1, 3, 77])
async def test_5_3_old_priorities_mean_nothing(parent: int, autojump_clock: object) -> None:
    """Priority fields of RFC 7540 are parsed and passed over, whatever they name, themselves too."""
    async with running() as proxy:
        client = await raw(proxy)
        old = parent.to_bytes(4, "big") + b"\xff"
        await client.send(f.pack(f.HEADERS, 5 | f.HAS_PRIORITY, 1, old + client.block(GET)))
        await client.send(f.pack(f.PRIORITY, 0, 1, old), f.pack(f.PRIORITY, 0, 77, old))
        await lives(client)
        assert client.answers[1].body == b"hello"


async def test_5_4_1_goaway_names_the_last_stream(autojump_clock: object) -> None:
    """The GOAWAY of an error says which requests were looked at, then the connection is closed."""
    async with running(origin()) as proxy:
        client = await states(proxy)
        await client.send(f.pack(f.PING, 0, 3, bytes(8)))
        await ended(client, Code.PROTOCOL_ERROR)
        assert client.goaways == [(RESET_HERE, Code.PROTOCOL_ERROR)]
        await proxy.check_idle()


# 6.1 to 6.10 Each frame's own rules.

FAULTS: list[tuple[str, bytes, Code]] = [
    ("6.1-data-on-0", f.pack(f.DATA, 0, 0, b"x"), Code.PROTOCOL_ERROR),
    ("6.1-padding", f.pack(f.DATA, f.PADDED, OPEN, b"\5abcd"), Code.PROTOCOL_ERROR),
    ("6.1-padding-of-nothing", f.pack(f.DATA, f.PADDED, OPEN), Code.PROTOCOL_ERROR),
    ("6.2-headers-on-0", f.pack(f.HEADERS, 5, 0, b"\x82"), Code.PROTOCOL_ERROR),
    ("6.2-padding", f.pack(f.HEADERS, 5 | f.PADDED, 13, b"\x08\x82"), Code.PROTOCOL_ERROR),
    ("6.2-short", f.pack(f.HEADERS, 5 | f.HAS_PRIORITY, 13, b"abcd"), Code.FRAME_SIZE_ERROR),
    ("6.3-priority-on-0", f.pack(f.PRIORITY, 0, 0, bytes(5)), Code.PROTOCOL_ERROR),
    ("6.3-size-on-0", f.pack(f.PRIORITY, 0, 0, bytes(4)), Code.PROTOCOL_ERROR),
    ("6.3-size-on-idle", f.pack(f.PRIORITY, 0, 13, bytes(4)), Code.FRAME_SIZE_ERROR),
    ("6.4-reset-on-0", f.reset(0, Code.CANCEL), Code.PROTOCOL_ERROR),
    ("6.4-reset-of-idle", f.reset(13, Code.CANCEL), Code.PROTOCOL_ERROR),
    ("6.4-size", f.pack(f.RST_STREAM, 0, OPEN, bytes(3)), Code.FRAME_SIZE_ERROR),
    ("6.5-ack-with-content", f.pack(f.SETTINGS, f.ACK, 0, bytes(6)), Code.FRAME_SIZE_ERROR),
    ("6.5-on-a-stream", f.pack(f.SETTINGS, 0, OPEN), Code.PROTOCOL_ERROR),
    ("6.5-size", f.pack(f.SETTINGS, 0, 0, bytes(5)), Code.FRAME_SIZE_ERROR),
    ("6.5.2-push", f.settings({2: 2}), Code.PROTOCOL_ERROR),
    ("6.5.2-window", f.settings({4: 1 << 31}), Code.FLOW_CONTROL_ERROR),
    ("6.5.2-small-frames", f.settings({5: (1 << 14) - 1}), Code.PROTOCOL_ERROR),
    ("6.5.2-large-frames", f.settings({5: 1 << 24}), Code.PROTOCOL_ERROR),
    ("6.6-push", f.pack(f.PUSH_PROMISE, 4, OPEN, b"\0\0\0\2\x82"), Code.PROTOCOL_ERROR),
    ("6.7-size", f.pack(f.PING, 0, 0, bytes(7)), Code.FRAME_SIZE_ERROR),
    ("6.7-on-a-stream", f.pack(f.PING, 0, OPEN, bytes(8)), Code.PROTOCOL_ERROR),
    ("6.8-on-a-stream", f.pack(f.GOAWAY, 0, OPEN, bytes(8)), Code.PROTOCOL_ERROR),
    ("6.8-size", f.pack(f.GOAWAY, 0, 0, bytes(7)), Code.FRAME_SIZE_ERROR),
    ("6.9-nothing", f.window_update(0, 0), Code.PROTOCOL_ERROR),
    ("6.9-size", f.pack(f.WINDOW_UPDATE, 0, 0, bytes(3)), Code.FRAME_SIZE_ERROR),
    ("6.9-size-on-a-stream", f.pack(f.WINDOW_UPDATE, 0, OPEN, bytes(5)), Code.FRAME_SIZE_ERROR),
    ("6.9.1-too-much", f.window_update(0, f.MAX_WINDOW), Code.FLOW_CONTROL_ERROR),
    (
        "6.9.2-too-much-by-settings",
        f.window_update(OPEN, 1 << 30) + f.settings({4: (1 << 31) - 1}),
        Code.FLOW_CONTROL_ERROR,
    ),
    ("6.10-on-0", f.pack(f.CONTINUATION, 4, 0), Code.PROTOCOL_ERROR),
    ("6.10-alone", f.pack(f.CONTINUATION, 4, OPEN), Code.PROTOCOL_ERROR),
    ("9218-7.1-short", f.pack(f.PRIORITY_UPDATE, 0, 0, b"abc"), Code.PROTOCOL_ERROR),
    ("9218-7.1-on-a-stream", f.pack(f.PRIORITY_UPDATE, 0, OPEN, b"\0\0\0\1u=1"), Code.PROTOCOL_ERROR),
]


@pytest.mark.parametrize(("sent", "code"), [c[1:] for c in FAULTS], ids=[c[0] for c in FAULTS])
async def test_6_errors_of_the_connection(sent: bytes, code: Code, autojump_clock: object) -> None:
    """Each frame that no connection may have ends this one with its code, and no other."""
    async with running(origin()) as proxy:
        client = await states(proxy)
        other = await polite(proxy)
        await client.send(sent)
        await ended(client, code)
        assert (await other.get()).status == 200
        await proxy.check_idle()


STREAM_FAULTS: list[tuple[str, bytes, Code]] = [
    ("6.3-size", f.pack(f.PRIORITY, 0, OPEN, bytes(4)), Code.FRAME_SIZE_ERROR),
    ("6.9-nothing", f.window_update(OPEN, 0), Code.PROTOCOL_ERROR),
    ("6.9.1-too-much", f.window_update(OPEN, f.MAX_WINDOW), Code.FLOW_CONTROL_ERROR),
    ("6.9.1-data", f.pack(f.DATA, 0, OPEN, bytes(16_384)) * 20, Code.FLOW_CONTROL_ERROR),
]


@pytest.mark.parametrize(("sent", "code"), [c[1:] for c in STREAM_FAULTS], ids=[c[0] for c in STREAM_FAULTS])
async def test_6_errors_of_a_stream(sent: bytes, code: Code, autojump_clock: object) -> None:
    """What concerns one stream resets it and leaves the others; its exchange is over."""
    stuck = origin()
    stuck.capacity = 1  # takes nothing of the body, so that the window stays as it is
    async with running(stuck) as proxy:
        client = await raw(proxy)
        await client.send(client.head(OPEN, POST, end=False), client.head(REMOTE, request(path=b"/wait")))
        await proxy.settle()
        await client.send(sent)
        await client.hear()
        assert (client.resets(OPEN), client.resets(REMOTE)) == (code, None)
        assert await client.alive()
        assert proxy.journal.faults == ["client-gone"]


async def test_6_5_3_settings_are_acknowledged_in_order(autojump_clock: object) -> None:
    """Each SETTINGS has one acknowledgement, unknown settings too; an acknowledgement has none."""
    async with running() as proxy:
        client = await raw(proxy, {0xABC: 1, f.MAX_STREAMS: 0})
        await client.send(f.settings({}), f.settings({f.TABLE_SIZE: 0}), f.pack(f.SETTINGS, f.ACK, 0))
        await lives(client)
        assert client.acks == 3


async def test_6_7_ping(autojump_clock: object) -> None:
    """A PING comes back as it was, with ACK; an answer brings no answer."""
    async with running() as proxy:
        client = await raw(proxy)
        await client.send(f.pack(f.PING, 0, 0, b"\0\1\2\3\4\5\6\xff"), f.pack(f.PING, f.ACK, 0, b"unasked!"))
        await client.hear()
        assert client.pongs == [b"\0\1\2\3\4\5\6\xff"]


async def test_6_9_2_a_first_window_of_nothing(autojump_clock: object) -> None:
    """With an initial window of 0 the head comes, and the body when the window opens."""
    async with running() as proxy:
        client = await raw(proxy, {f.WINDOW: 0})
        await client.send(client.head(1))
        await client.hear()
        assert (client.answers[1].status, client.answers[1].body) == (200, b"")
        await client.send(f.window_update(1, 2))
        await client.hear()
        assert client.answers[1].body == b"he"
        await client.send(f.settings({f.WINDOW: 100}))
        await client.hear()
        assert (client.answers[1].body, client.answers[1].whole) == (b"hello", True)


async def test_6_10_a_block_in_many_pieces(autojump_clock: object) -> None:
    """HEADERS and CONTINUATION of a byte each are one head; END_STREAM is that of HEADERS."""
    async with running() as proxy:
        client = await raw(proxy)
        await client.send(f.heads(1, client.block(GET), end=True, most=1))
        await client.hear()
        assert client.answers[1].body == b"hello"


# 8.1 to 8.3 Messages.

MALFORMED = {
    "8.2.1-capitals": [*GET, (b"X-Up", b"1")],
    "8.2.1-line-end": [*GET, (b"x", b"a\nb")],
    "8.2.2-connection": [*GET, (b"connection", b"close")],
    "8.2.2-te": [*GET, (b"te", b"gzip")],
    "8.3-unknown": [(b":x", b"1"), *GET],
    "8.3-response": [*GET[:3], (b":status", b"200")],
    "8.3-late": [*GET[:3], (b"x", b"1"), GET[3]],
    "8.3.1-twice": [*GET, GET[0]],
    "8.3.1-no-method": GET[1:],
    "8.3.1-no-scheme": [GET[0], *GET[2:]],
    "8.3.1-no-path": GET[:3],
    "8.3.1-empty-path": [*GET[:3], (b":path", b"")],
    "8.1.1-length": [*GET, (b"content-length", b"1")],
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_8_malformed_requests(name: str, autojump_clock: object) -> None:
    """A malformed request is answered with 400 on its stream, never passed on, and others go on."""
    async with running() as proxy:
        client = await raw(proxy)
        await client.send(client.head(1, MALFORMED[name]))
        await client.hear()
        assert (client.answers[1].status, client.answers[1].whole) == (400, True)
        await lives(client)
        assert len(next(iter(proxy.origins.values())).requests) == 1


@pytest.mark.parametrize(
    ("name", "fields", "end"),
    [
        ("8.1-no-end", [(b"x-sum", b"1")], False),
        ("8.1-pseudo", [(b":path", b"/")], True),
        ("8.2.1-capitals", [(b"X", b"1")], True),
        ("8.2.2-connection", [(b"connection", b"x")], True),
    ],
)
async def test_8_1_malformed_trailers(
    name: str, fields: list[tuple[bytes, bytes]], end: bool, autojump_clock: object
) -> None:
    """Trailers end the stream and hold fields only; otherwise the stream is reset."""
    async with running(origin()) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1, POST, end=False))
        await client.hear()
        await client.send(client.head(1, fields, end=end))
        await lives(client, 1, Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("body", [b"1234", b"123456"])
async def test_8_1_1_a_length_that_is_wrong(body: bytes, autojump_clock: object) -> None:
    """DATA must add up to Content-Length; what does not, resets the stream."""
    async with running(origin()) as proxy:
        client = await raw(proxy)
        await client.send(client.head(1, request(b"POST", b"/wait", [(b"content-length", b"5")]), end=False))
        await client.hear()
        await client.send(f.pack(f.DATA, f.END_STREAM, 1, body))
        await lives(client, 1, Code.PROTOCOL_ERROR)


async def test_8_4_no_pushes(autojump_clock: object) -> None:
    """A client that allows pushes gets none, and may say so either way."""
    async with running() as proxy:
        client = await raw(proxy, {f.ENABLE_PUSH: 1})
        await client.send(f.settings({f.ENABLE_PUSH: 0}))
        await lives(client)
