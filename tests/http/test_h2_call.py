"""One gRPC call: whole answers, all kinds of trouble, and bounds on what a peer may make us do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from h2 import events
from h2.settings import SettingCodes
from hyperframe.frame import (
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.http.h2_call import MAX_ANSWER, MAX_FRAMES, Answer, call
from appliance.model.fault import UPSTREAM_BAD, UPSTREAM_CUT, UPSTREAM_RESET, Fault, Reason
from appliance.net.park import Lot
from tests.kit.h2_peer import GRPC_HEAD, OK, H2Peer, message
from tests.kit.wires import Wire, by, pair

Script = Callable[[H2Peer], Awaitable[None]]
PATH = b"/pkg.Service/Method"


async def ask(script: Script, body: bytes = b"hi", *, slowly: bool = False) -> Answer:
    """Make one call to a peer that follows a script, then listens until the wire is closed."""
    ours, theirs = pair(Lot(trio.current_time), capacity=1 << 20, back_cuts=by(1) if slowly else None)
    peer = H2Peer(theirs)

    async def serve() -> None:
        await script(peer)
        while not theirs.closed and await peer.listen():
            pass

    fault = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        try:
            with trio.fail_after(60):
                return await call(ours, b"app:80", PATH, body)
        except Fault as raised:
            fault = raised
        finally:
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert fault is not None
    raise fault


async def fault_of(script: Script) -> Fault:
    with pytest.raises(Fault) as raised:
        await ask(script)
    return raised.value


@pytest.mark.parametrize("slowly", [False, True])
async def test_a_whole_call(slowly: bool, autojump_clock: object) -> None:
    """The request is a gRPC request; head, data and trailers come back, in whatever pieces."""
    peers: list[H2Peer] = []

    async def script(peer: H2Peer) -> None:
        peers.append(peer)
        await peer.read()
        await peer.answer(b"hello", trailers=[*OK, (b"x-more", b"1")])

    answer = await ask(script, b"ping", slowly=slowly)
    assert peers[0].body == message(b"ping")
    assert not peers[0].h2.remote_settings.enable_push
    assert peers[0].headers[:4] == [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":authority", b"app:80"),
        (b":path", PATH),
    ]
    assert {(b"content-type", b"application/grpc"), (b"te", b"trailers")} <= set(peers[0].headers)
    assert (answer.status, answer.headers) == (200, list(GRPC_HEAD))
    assert answer.data == message(b"hello")
    assert answer.trailers == [*OK, (b"x-more", b"1")]


async def test_an_answer_of_trailers_only(autojump_clock: object) -> None:
    """Everything is in the one head."""

    async def script(peer: H2Peer) -> None:
        await peer.read()
        await peer.head([*GRPC_HEAD, (b"grpc-status", b"12")], end=True)

    answer = await ask(script)
    assert (answer.headers[-1], answer.data, answer.trailers) == ((b"grpc-status", b"12"), b"", [])


async def test_interim_answers_are_skipped(autojump_clock: object) -> None:
    """They are no answer."""

    async def script(peer: H2Peer) -> None:
        await peer.read()
        await peer.head([(b":status", b"103"), (b"link", b"</a>")])
        await peer.answer(b"")

    answer = await ask(script)
    assert (answer.status, answer.headers) == (200, list(GRPC_HEAD))


async def test_windows_are_given_back(autojump_clock: object) -> None:
    """Padding counts against a window, and a peer that fills it can go on."""

    async def script(peer: H2Peer) -> None:
        await peer.read()
        await peer.head()
        for _ in range(200):
            await peer.data(b"x" * 100, padding=255)
        await peer.head(OK, end=True)

    assert (await ask(script)).data == b"x" * 20_000


async def test_a_message_waits_for_the_window(autojump_clock: object) -> None:
    """No more is sent than the peer takes; its window grows, and the rest follows."""
    body = bytes(range(256)) * 500
    peers: list[H2Peer] = []

    async def script(peer: H2Peer) -> None:
        peers.append(peer)
        await peer.read()
        await peer.answer(b"")

    await ask(script, body)
    assert peers[0].body == message(body)
    assert sum(isinstance(event, events.DataReceived) for event in peers[0].heard) >= 8


async def test_a_window_may_shrink_to_nothing(autojump_clock: object) -> None:
    """SETTINGS take the window away while data is unsent; a later SETTINGS lets it go on."""

    async def script(peer: H2Peer) -> None:
        peer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        await peer.flush()
        await trio.sleep(1)
        while not peer.body or len(peer.body) < 65_535:
            assert await peer.listen()
        assert not peer.whole
        peer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 200_000})
        await peer.read()
        await peer.answer(b"")

    assert (await ask(script, bytes(100_000))).status == 200


async def test_pings_and_settings_are_acknowledged(autojump_clock: object) -> None:
    """A peer that waits for the acknowledgement gets it."""

    async def script(peer: H2Peer) -> None:
        await peer.read()
        peer.h2.ping(b"01234567")
        await peer.flush()
        await peer.hear(events.PingAckReceived)
        await peer.hear(events.SettingsAcknowledged)
        await peer.answer(b"")

    assert (await ask(script)).status == 200


@pytest.mark.parametrize("last", [1, 2**31 - 1])
async def test_an_orderly_goaway_lets_the_call_end(last: int, autojump_clock: object) -> None:
    """The stream is one of those that the peer will finish, whenever the frame comes."""

    async def script(peer: H2Peer) -> None:
        await peer.read()
        await peer.raw(GoAwayFrame(0, last_stream_id=last))
        await peer.head()
        await peer.raw(GoAwayFrame(0, last_stream_id=1))
        await peer.data(message(b"still"))
        await peer.head(OK, end=True)

    assert (await ask(script)).data == message(b"still")


async def refused(peer: H2Peer) -> None:
    await peer.read()
    await peer.raw(GoAwayFrame(0, last_stream_id=0, error_code=11))


async def refused_with_the_reserved_bit(peer: H2Peer) -> None:
    await peer.read()
    await peer.flush()
    await peer.wire.send(b"\0\0\x08\7\0\0\0\0\0" + b"\x80\0\0\0" + bytes(4))


async def leaves(peer: H2Peer) -> None:
    await peer.read()
    await peer.raw(GoAwayFrame(0, last_stream_id=1))
    peer.wire.shut_writing()


async def resets(peer: H2Peer) -> None:
    await peer.read()
    await peer.raw(RstStreamFrame(1, error_code=7))


async def resets_later(peer: H2Peer) -> None:
    await peer.read()
    await peer.head()
    await peer.raw(RstStreamFrame(1, error_code=2))


async def resets_oddly(peer: H2Peer) -> None:
    await peer.read()
    await peer.raw(RstStreamFrame(1, error_code=4711))


async def closes(peer: H2Peer) -> None:
    await peer.read()
    peer.wire.shut_writing()


async def closes_later(peer: H2Peer) -> None:
    await peer.read()
    await peer.head()
    await peer.data(message(b"some"))
    peer.wire.shut_writing()


async def crashes(peer: H2Peer) -> None:
    await peer.read()
    peer.wire.reset()


@pytest.mark.parametrize(
    ("script", "reason", "detail"),
    [
        (refused, UPSTREAM_RESET, "refused by GOAWAY (ENHANCE_YOUR_CALM)"),
        (refused_with_the_reserved_bit, UPSTREAM_RESET, "refused by GOAWAY (NO_ERROR)"),
        (leaves, UPSTREAM_RESET, "GOAWAY (NO_ERROR), then closed before the end of the answer"),
        (resets, UPSTREAM_RESET, "the call was reset (REFUSED_STREAM)"),
        (resets_later, UPSTREAM_CUT, "the call was reset (INTERNAL_ERROR)"),
        (resets_oddly, UPSTREAM_RESET, "the call was reset (code 4711)"),
        (closes, UPSTREAM_RESET, "closed before the end of the answer"),
        (closes_later, UPSTREAM_CUT, "closed before the end of the answer"),
        (crashes, UPSTREAM_RESET, "the connection was reset"),
    ],
)
async def test_a_call_that_is_ended(
    script: Script, reason: Reason, detail: str, autojump_clock: object
) -> None:
    """Before any answer it is a reset, in the middle of one a cut, and the detail says how."""
    fault = await fault_of(script)
    assert (fault.reason.id, fault.detail) == (reason.id, detail)


async def bytes_of(wire: Wire, data: bytes) -> None:
    await wire.receive()
    await wire.send(data)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the answer is not HTTP/2"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP/2"),
        (b"\x15\x03\x01\x00\x02\x02\x46\0\0", "the answer is not HTTP/2"),
        (HeadersFrame(1, flags=["END_HEADERS"]).serialize(), "the answer is not HTTP/2"),
        (SettingsFrame().serialize() + b"\xff\xff\xff\0\0\0\0\0\1", "a frame of 16777215 bytes"),
        (SettingsFrame().serialize() + b"\0\x40\1\0\0\0\0\0\1", "a frame of 16385 bytes"),
        (SettingsFrame().serialize() + b"\0\0\4\7\0\0\0\0\0\0\0\0\0", "a GOAWAY frame that is too short"),
        (SettingsFrame().serialize() + DataFrame(1, b"x").serialize(), "not valid HTTP/2: ProtocolError"),
    ],
)
async def test_what_is_not_http2(data: bytes, detail: str, autojump_clock: object) -> None:
    """It is refused as soon as its first frame is seen."""
    ours, theirs = pair(Lot(trio.current_time))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bytes_of, theirs, data)
        with pytest.raises(Fault) as raised, trio.fail_after(60):
            await call(ours, b"a", PATH, b"")
    assert (raised.value.reason.id, raised.value.detail) == (UPSTREAM_BAD.id, detail)


async def floods(peer: H2Peer) -> None:
    await peer.read()
    await peer.raw(*[PingFrame(0, bytes(8))] * MAX_FRAMES)


async def talks_on(peer: H2Peer) -> None:
    await peer.read()
    await peer.head()
    for _ in range(MAX_ANSWER // 8192 + 1):
        await peer.data(bytes(8192))


async def says_nonsense(peer: H2Peer) -> None:
    await peer.read()
    await peer.head([(b":status", b"2oo")], end=True)


async def pushes(peer: H2Peer) -> None:
    await peer.read()
    await peer.raw(PushPromiseFrame(1, 2, b"", flags=["END_HEADERS"]))


async def lies_about_length(peer: H2Peer) -> None:
    await peer.read()
    await peer.head([*GRPC_HEAD, (b"content-length", b"3")])
    await peer.data(b"12345", end=True)


async def bombs(peer: H2Peer) -> None:
    await peer.read()
    peer.h2.encoder.header_table_size = 4096
    await peer.head([*GRPC_HEAD, *[(b"x-bomb", b"b" * 4000)] * 40])


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        (floods, f"more than {MAX_FRAMES} frames"),
        (talks_on, f"an answer of more than {MAX_ANSWER} bytes"),
        (says_nonsense, "a status that is no number"),
        (pushes, "not valid HTTP/2: ProtocolError"),
        (lies_about_length, "not valid HTTP/2: InvalidBodyLengthError"),
        (bombs, "not valid HTTP/2: DenialOfServiceError"),
    ],
)
async def test_what_breaks_the_rules(script: Script, detail: str, autojump_clock: object) -> None:
    """Or asks for too much: a fault of the upstream, not an error of ours."""
    fault = await fault_of(script)
    assert (fault.reason.id, fault.detail) == (UPSTREAM_BAD.id, detail)


async def test_a_peer_is_told_what_it_did(autojump_clock: object) -> None:
    """A GOAWAY goes out before the connection is given up."""
    peers: list[H2Peer] = []

    async def script(peer: H2Peer) -> None:
        peers.append(peer)
        await pushes(peer)
        await peer.hear(events.ConnectionTerminated)

    await fault_of(script)
    assert any(isinstance(event, events.ConnectionTerminated) for event in peers[0].heard)


def whole_answer() -> bytes:
    """Give the bytes of a good answer, settings and all."""

    async def record() -> bytes:
        ours, theirs = pair(Lot(trio.current_time), capacity=1 << 20)
        kept: list[bytes] = []
        push = theirs.write

        def write(data: bytes) -> None:
            kept.append(bytes(data))
            push(data)

        theirs.write = write  # type: ignore[method-assign]
        peer = H2Peer(theirs)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call, ours, b"a", PATH, b"")
            await peer.read()
            await peer.answer(b"hello")
        return b"".join(kept)

    return trio.run(record)


ANSWER = whole_answer()


@settings(max_examples=300, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, len(ANSWER) - 1), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, len(ANSWER)),
    piece=st.integers(1, 64),
    more=st.binary(max_size=64),
)
@example([], len(ANSWER), 1, b"")
def test_whatever_comes_is_an_answer_or_a_fault(
    edits: list[tuple[int, int]], cut: int, piece: int, more: bytes
) -> None:
    """A good answer with bytes changed, cut off, continued with anything, in any pieces."""
    data = bytearray(ANSWER)
    for place, value in edits:
        data[place] = value

    async def run() -> Answer | Fault:
        ours, theirs = pair(Lot(trio.current_time), back_cuts=by(piece))
        theirs.write(bytes(data[:cut]) + more)
        theirs.shut_writing()
        try:
            return await call(ours, b"a", PATH, b"")
        except Fault as fault:
            return fault

    result = trio.run(run)
    if not edits and cut == len(ANSWER):
        assert isinstance(result, Answer)
        assert result.data == message(b"hello")
    elif not edits and not more:
        assert isinstance(result, Fault)
