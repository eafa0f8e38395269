"""Bodies: however they arrive in pieces, the same bytes, the same trailers, the same rest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import inf
from time import perf_counter

import h11
import pytest
import trio
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from appliance.http.framing import CHUNKED, MAX_LENGTH, UNTIL_CLOSE
from appliance.http.h1_body import ChunkedBody, Inbox, SizedBody, UntilCloseBody, WireBody, body_of, chunk
from appliance.http.h1_head import MAX_TRAILER_FIELDS, MAX_TRAILERS
from appliance.model.fault import BODY_TOO_LARGE, CLIENT_GONE, Fault
from appliance.net.park import Lot
from tests.kit.h1gen import (
    Entropy,
    Reading,
    chunked,
    cuts,
    fastest,
    h11_of_request,
    hostile_fields,
    inbox,
    rules,
)
from tests.kit.wires import Wire, pair

NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

entropy = st.binary(max_size=200).map(Entropy)
data = st.binary(max_size=300)


def arriving(wire: bytes, pieces: Iterable[int] | None = None) -> tuple[Wire, Inbox]:
    """Give a client that has sent ``wire``, to be received in pieces, and the inbox at the other end."""
    client, server = pair(Lot(trio.current_time), capacity=1 << 20, cuts=pieces)
    client.write(wire)
    return client, Inbox(server)


async def consume(body: WireBody) -> Reading:
    """Read all of it; what is in the inbox or still on the wire afterwards is the rest."""
    got = []
    while not body.ended:
        piece = await body.read()
        assert piece or body.ended
        got.append(piece)
    assert await body.read() == b""
    wire = body.inbox.transport
    assert isinstance(wire, Wire)
    assert wire.rx.due == inf
    rest = body.inbox.data + bytes(wire.incoming.data)
    return Reading((), [], b"".join(got), body.trailers, body.ended, rest)


@settings(max_examples=300)
@given(data, entropy)
async def test_a_sized_body_is_cut_anywhere(data: bytes, e: Entropy) -> None:
    """Bytes, end and rest do not depend on the pieces (RFC 9112 section 6.2)."""
    client, box = arriving(data + NEXT, cuts(e, len(data)))
    box.data = data[: e.below(len(data) + 1)]
    del client.outgoing.data[: len(box.data)]
    body = body_of(len(data), box, rules())
    assert body.length == len(data)
    assert body.ended == (not data)
    reading = await consume(body)
    assert (reading.body, reading.rest, reading.trailers) == (data, NEXT, [])


@settings(max_examples=200)
@given(data, entropy)
async def test_a_body_until_close_is_cut_anywhere(data: bytes, e: Entropy) -> None:
    """It is all that comes (RFC 9112 section 6.3, rule 8)."""
    client, box = arriving(data, cuts(e, len(data)))
    client.shut_writing()
    body = body_of(UNTIL_CLOSE, box, rules())
    assert body.length is None
    assert not body.ended
    reading = await consume(body)
    assert (reading.body, reading.rest, reading.trailers) == (data, b"", [])


@settings(max_examples=600)
@given(data, entropy)
async def test_a_chunked_body_is_cut_anywhere(data: bytes, e: Entropy) -> None:
    """Bytes, trailers and rest are those that h11 gives, in whatever pieces (RFC 9112 section 7.1)."""
    wire = chunked(e, data) + NEXT
    theirs = h11_of_request(HEAD + wire)
    _, box = arriving(wire, cuts(e, len(wire)))
    body = body_of(CHUNKED, box, rules())
    assert body.length is None
    reading = await consume(body)
    assert (reading.body, reading.rest) == (theirs.body, theirs.rest) == (data, NEXT)
    assert reading.trailers == theirs.trailers


@given(st.integers(1, 60))
async def test_a_chunked_body_is_cut_at_every_place(first: int) -> None:
    """Every border of its grammar, between CR and LF as well, may be the end of a packet."""
    wire = b"5;a=b\r\nhello\r\n001\r\n \r\n0;c\r\nX-T: 1\r\nY: 2\r\n\r\n"
    for pieces in ([first, len(wire)], [first] + [1] * len(wire)):
        _, box = arriving(wire + NEXT, pieces)
        reading = await consume(ChunkedBody(box, rules()))
        assert (reading.body, reading.rest) == (b"hello ", NEXT)
        assert reading.trailers == [(b"x-t", b"1"), (b"y", b"2")]


JUNK = b"\r\n\0 \t;:0aAfFgG,-+x_\x0b\x7f\xff1"


@settings(max_examples=3000)
@given(data.filter(len), entropy)
def test_what_is_accepted_of_chunks_is_what_h11_reads(data: bytes, e: Entropy) -> None:
    """Spoilt at any place, a chunked body is refused or means what it means to h11."""
    wire = bytearray(chunked(e, data[:40]) + NEXT)
    for _ in range(1 + e.below(2)):
        at = e.below(len(wire) - len(NEXT))
        wire[at : at + e.below(3)] = bytes(e.choice(JUNK) for _ in range(e.below(3)))
    # RFC 9112 section 7.1.1 lets white space stand before a semicolon; h11 does not know that.
    assume(not re.search(rb"[0-9A-Fa-f][ \t]+;", wire))
    box = inbox(bytes(wire))
    body = ChunkedBody(box, rules())
    got = b""
    try:
        while piece := body.read_nowait():
            got += piece
    except Fault as fault:
        assert fault.reason.id in ("bad-chunk", "bad-trailer")
        return
    theirs = h11_of_request(HEAD + bytes(wire))
    assert (got, body.ended) == (theirs.body, theirs.complete)
    if body.ended:
        assert (box.data, body.trailers) == (theirs.rest, theirs.trailers)


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (b"5\r\n", 5),
        (b"00005\r\n", 5),
        (b"a\r\n", 10),
        (b"A\r\n", 10),
        (b"5 \t\r\n", 5),
        (b"5;\r\n", 5),
        (b"5;a=b;c\r\n", 5),
        (b'5 ; a="b;\xff"\t\r\n', 5),
        (b"7fffffffffffffff\r\n", MAX_LENGTH),
    ],
)
def test_chunk_sizes_that_are_taken(line: bytes, size: int) -> None:
    """Hexadecimal digits, and extensions, which are skipped (RFC 9112 section 7.1.1)."""
    box = inbox(line + b"x" * min(size, 20))
    body = ChunkedBody(box, rules())
    assert body.read_nowait() == b"x" * min(size, 20)
    box.data = b"\r\n0\r\n\r\n"
    body.read_nowait()
    assert body.ended == (size <= 20)


@pytest.mark.parametrize(
    "wire",
    [
        b"\r\n",
        b" 5\r\nhello",
        b"0x5\r\nhello",
        b"+5\r\nhello",
        b"-5\r\nhello",
        b"5_0\r\nhello",
        b"g\r\n",
        b";a\r\n",
        b"5 5\r\nhello",
        b"5,\r\nhello",
        b"5\nhello",
        b"5;a\nhello",
        b"5;a\rb\r\nhello",
        b"5\r\r\nhello",
        b"5;\0\r\nhello",
        b"5\x0b\r\nhello",
        b"\xb2\r\n",
        b"\xef\xbc\x95\r\nhello",
        b"8000000000000000\r\n",
        b"ffffffffffffffff\r\n",
        b"10000000000000005\r\nhello",
        b"00000000000000005\r\nhello",
        b"5;" + b"a" * 1100,
        b"5;" + b"a" * 1100 + b"\r\nhello",
        b"0" * 1100,
        b"5\r\nhello!\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\r\n\r\n",
    ],
)
async def test_malformed_chunks_are_refused(wire: bytes) -> None:
    """At once and at every cut (RFC 9112 section 7.1): 400, and nothing of the next message is read."""
    for pieces in (None, [1] * len(wire)):
        client, box = arriving(wire, pieces)
        client.shut_writing()
        with pytest.raises(Fault) as caught:
            await consume(ChunkedBody(box, rules()))
        assert (caught.value.reason.id, caught.value.reason.status) == ("bad-chunk", 400)


@pytest.mark.parametrize(
    "trailers",
    [
        b"A : b\r\n\r\n",
        b"A: b\r\n c: d\r\n\r\n",
        b" A: b\r\n\r\n",
        b"A: b\nC: d\r\n\r\n",
        b"A: b\rC: d\r\n\r\n",
        b"A: \0\r\n\r\n",
        b"A\r\n\r\n",
        b": a\r\n\r\n",
        b"A: " + b"b" * MAX_TRAILERS + b"\r\n\r\n",
        b"A: " + b"b" * MAX_TRAILERS,
        b"A:\r\n" * (MAX_TRAILER_FIELDS + 1) + b"\r\n",
    ],
)
async def test_malformed_trailers_are_refused(trailers: bytes) -> None:
    """By the rules of header fields, and they are bounded like them (RFC 9112 section 7.1.2)."""
    client, box = arriving(b"1\r\nx\r\n0\r\n" + trailers)
    client.shut_writing()
    with pytest.raises(Fault) as caught:
        await consume(ChunkedBody(box, rules()))
    assert (caught.value.reason.id, caught.value.reason.status) == ("bad-trailer", 400)


def test_trailers_cannot_change_the_message() -> None:
    """Fields of framing, routing and authentication are dropped (RFC 9110 section 6.5.1)."""
    late = b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\nHost: b\r\nAuthorization: c\r\nTrailer: d\r\n"
    body = ChunkedBody(inbox(b"0\r\n" + late + b"X: y\r\n\r\n"), rules())
    body.read_nowait()
    assert body.ended
    assert body.trailers == [(b"x", b"y")]


@pytest.mark.parametrize(
    "wire", [b"", b"5", b"5\r\nhel", b"5\r\nhello", b"5\r\nhello\r", b"0\r\n", b"0\r\nA: b\r\n"]
)
@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_ends_too_soon_cuts_the_body(wire: bytes, reset: bool) -> None:
    """The end of the connection ends no body that said how it would end (RFC 9112 section 8)."""
    for kind in (CHUNKED, 6 + len(wire)):
        client, box = arriving(wire)
        body = body_of(kind, box, rules())
        (client.reset if reset else client.shut_writing)()
        with pytest.raises(Fault) as caught:
            await consume(body)
        assert caught.value.reason.id == "cut-short"
        assert not body.ended


async def test_a_reset_is_no_end() -> None:
    """A body until close that is reset is cut, not complete (RFC 9112 section 8)."""
    client, box = arriving(b"hel")
    body = body_of(UNTIL_CLOSE, box, rules())
    assert await body.read() == b"hel"
    client.reset()
    with pytest.raises(Fault) as caught:
        await body.read()
    assert caught.value.reason.id == "cut-short"
    assert not body.ended


@pytest.mark.parametrize("length", [5, CHUNKED, UNTIL_CLOSE])
async def test_a_silent_peer_is_not_waited_for(length: int, autojump_clock: object) -> None:
    """After ``idle`` seconds without a byte the fault is the rules' own; every byte starts them anew."""
    client, box = arriving(b"2\r\nx" if length == CHUNKED else b"x")
    lot = box.transport.lot
    lot.parks.add(box.transport.rx)
    body = body_of(length, box, rules())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lot.run)
        assert await body.read() == b"x"
        await trio.sleep(9)
        nursery.start_soon(later, client, 9.0, b"y")
        assert await body.read() == b"y"
        began = trio.current_time()
        with pytest.raises(Fault) as caught:
            await body.read()
        assert caught.value.reason.id == "body-timeout"
        assert 10 <= trio.current_time() - began <= 10.06
        nursery.cancel_scope.cancel()


async def later(client: Wire, seconds: float, data: bytes) -> None:
    await trio.sleep(seconds)
    client.write(data)


async def test_an_interruption_reaches_the_reader(autojump_clock: object) -> None:
    """A fault from outside is raised where the body is waited for."""
    _, box = arriving(b"")
    box.transport.interrupt(Fault(CLIENT_GONE))
    with pytest.raises(Fault) as caught:
        await body_of(5, box, rules()).read()
    assert caught.value.reason is CLIENT_GONE


def test_a_chunked_body_over_its_size_is_refused_before_it_is_read() -> None:
    """The sizes count, as soon as they are announced; exactly the size is taken."""
    limited = rules()
    limited.size, limited.size_why = 10, BODY_TOO_LARGE
    body = ChunkedBody(inbox(b"5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n"), limited)
    assert body.read_nowait() == b"hellohello"
    assert body.ended
    for wire in (b"b\r\n", b"5\r\nhello\r\n6\r\n", b"7fffffffffffffff\r\n"):
        with pytest.raises(Fault) as caught:
            ChunkedBody(inbox(wire), limited).read_nowait()
        assert (caught.value.reason.id, caught.value.reason.status) == ("body-too-large", 413)


def test_what_is_at_hand() -> None:
    """A sized body knows; the others are not searched; reading without waiting gives what there is."""
    body = SizedBody(inbox(b"hel"), rules(), 5)
    assert not body.at_hand()
    assert body.read_nowait() == b"hel"
    assert body.read_nowait() == b""
    body.inbox.data = b"lo" + NEXT
    assert body.at_hand()
    assert body.read_nowait() == b"lo"
    assert body.ended
    assert body.at_hand()
    assert body.read_nowait() == b""
    assert body.inbox.data == NEXT
    late = ChunkedBody(inbox(b"1\r\nx\r\n0\r\n\r\n"), rules())
    assert not late.at_hand()
    assert late.read_nowait() == b"x"
    assert late.at_hand()
    assert not UntilCloseBody(inbox(b"x"), rules(), None).at_hand()


async def test_a_sized_body_asks_for_no_more_than_is_its_own() -> None:
    """What is pipelined behind a body stays with the kernel, and its sender is held back."""
    _, box = arriving(b"hello" + NEXT)
    body = SizedBody(box, rules(), 5)
    assert await body.read() == b"hello"
    assert box.data == b""


def test_an_abandoned_body_is_known_as_such() -> None:
    """Unless it had ended: then the connection can serve another message."""
    body = SizedBody(inbox(b"hello"), rules(), 5)
    body.abandon()
    assert body.abandoned
    body = SizedBody(inbox(b"hello"), rules(), 5)
    body.read_nowait()
    body.abandon()
    assert not body.abandoned
    body = SizedBody(inbox(b""), rules(), 5)
    body.took(5)
    assert body.ended


@given(st.lists(data, max_size=5))
def test_chunks_are_written_as_they_are_read(pieces: list[bytes]) -> None:
    """An empty piece writes nothing, because an empty chunk would end the body (RFC 9112 section 7.1)."""
    wire = b"".join(chunk(piece) for piece in pieces) + b"0\r\n\r\n"
    theirs = h11_of_request(HEAD + wire + NEXT)
    assert (theirs.body, theirs.rest) == (b"".join(pieces), NEXT)
    assert chunk(b"") == b""


class Steps(trio.abc.Instrument):
    """Measures how long tasks keep the loop to themselves."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = perf_counter()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = perf_counter()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.longest = max(self.longest, perf_counter() - self._began)


SIZE = 256 * 1024
CROWDS = {
    "of one byte": b"1\r\nx\r\n",
    "with zeros": b"0000000000000001\r\nx\r\n",
    "with extensions": b"1;a=b\r\nx\r\n",
    "with long extensions": b"1;" + b"a" * 1000 + b"\r\nx\r\n",
    "of two bytes": b"2\r\nxx\r\n",
}


@pytest.mark.parametrize("case", CROWDS)
async def test_a_crowd_of_tiny_chunks_holds_nobody_up(case: str) -> None:
    """256 KiB of them in memory are read with checkpoints at most 5 ms apart."""
    count = SIZE // len(CROWDS[case])
    wire = CROWDS[case] * count + b"0\r\n\r\n"
    longest = 1.0
    for _ in range(20):
        _, box = arriving(b"")
        box.data = wire
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        reading = await consume(ChunkedBody(box, rules()))
        steps.after_task_step(trio.lowlevel.current_task())
        trio.lowlevel.remove_instrument(steps)
        assert len(reading.body) == count * CROWDS[case].count(b"x")
        longest = min(longest, steps.longest)
        if longest < 0.005:
            break
    assert longest < 0.005


@pytest.mark.parametrize("case", hostile_fields(100))
def test_no_trailer_section_takes_long(case: str) -> None:
    """32 KiB of trailers, or of what should have been a chunk size, cost less than 2 ms."""

    def read(wire: bytes) -> None:
        ChunkedBody(inbox(wire), rules()).read_nowait()

    section = hostile_fields(MAX_TRAILERS)[case]
    for wire in (b"0\r\n" + section, b"0\r\n" + section[:-4], section, b"1;" + section, b"5" + section):
        assert fastest(0.002, read, wire) < 0.002


def test_h11_takes_what_we_call_white_space_before_a_semicolon_for_an_error() -> None:
    """The one place where ours takes more: `BWS` before `;`, as RFC 9112 section 7.1.1 has it."""
    wire = b"1 ;a\r\nx\r\n0\r\n\r\n"
    assert ChunkedBody(inbox(wire), rules()).read_nowait() == b"x"
    with pytest.raises(h11.RemoteProtocolError):
        h11_of_request(HEAD + wire)
