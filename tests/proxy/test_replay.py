"""Bodies that can be sent again: the first sending is as without it, every other has the same bytes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from appliance.http.framing import CHUNKED
from appliance.http.h1_body import Inbox, WireBody, body_of, chunk
from appliance.model.fault import CUT_SHORT, Fault
from appliance.model.headers import Headers
from appliance.model.message import NO_BODY, Body, FixedBody, Request
from appliance.net.park import Lot
from appliance.proxy.replay import Rewind, keep
from tests.kit.h1gen import rules
from tests.kit.wires import Wire, by, pair

TRAILERS = [(b"x-sum", b"7")]
LAST = b"0\r\nx-sum: 7\r\n\r\n"


class Arriving:
    """A body on a wire, behind the request whose it is, and the client that sends it."""

    def __init__(self, length: int, cuts: Iterable[int] | None = None) -> None:
        self.client: Wire
        self.client, server = pair(Lot(trio.current_time), capacity=1 << 24, cuts=cuts)
        self.body: WireBody = body_of(length, Inbox(server), rules())
        self.request = Request(b"PUT", b"http", b"a", b"/", b"", [])
        self.request.body = self.body

    def keep(self, limit: int) -> Rewind:
        """Let the body be kept."""
        return keep(self.request, limit)

    def arrived(self, data: bytes) -> None:
        """Put bytes where they lie when they came with the head."""
        self.body.inbox.data = data


async def rest_of(body: Body) -> list[bytes]:
    """Read a body to its end and give the pieces; the end is told once more to whoever asks again."""
    pieces = []
    while not body.ended:
        piece = await body.read()
        assert piece or body.ended
        pieces.append(piece)
    assert (await body.read(), body.read_nowait()) == (b"", b"")
    return [piece for piece in pieces if piece]


async def some_of(body: Body, reads: int) -> bytes:
    """Give what so many reads give, ended or not."""
    data = b""
    for _ in range(reads):
        if not body.ended:
            data += await body.read()
    return data


def is_ready(body: Body | None) -> Body:
    """Give the body of another try, which there is."""
    assert body is not None
    return body


# Bodies that are whole.


def test_no_body_is_no_trouble() -> None:
    """What has ended before it began is sent again as often as asked."""
    request = Request(b"GET", b"http", b"a", b"/", b"", [])
    rewind = keep(request, 0)
    assert request.body is NO_BODY
    for _ in range(3):
        assert rewind() is NO_BODY


@pytest.mark.parametrize("limit", [5, 6, 1 << 20])
async def test_a_body_that_came_with_its_head_is_held(limit: int) -> None:
    """All of it is at hand at every try, in one piece."""
    sent = Arriving(5)
    sent.arrived(b"hello, and the next request")
    rewind = sent.keep(limit)
    for given_body in (sent.request.body, rewind(), rewind(), rewind()):
        body = is_ready(given_body)
        assert (body.length, body.ended, body.at_hand(), body.trailers) == (5, False, True, [])
        assert body.read_nowait() == b"hello"
        assert body.ended
        assert await rest_of(body) == []
    assert sent.body.ended
    assert sent.body.inbox.data == b", and the next request"


@pytest.mark.parametrize("read", [0, 3])
async def test_a_try_that_never_read_its_body_takes_nothing_from_the_next(read: int) -> None:
    """Each has its own copy, abandoned or not."""
    sent = Arriving(5)
    sent.arrived(b"hello")
    rewind = sent.keep(5)
    sent.request.body.abandon()
    for _ in range(read):
        is_ready(rewind()).abandon()
    assert await rest_of(is_ready(rewind())) == [b"hello"]


@pytest.mark.parametrize("arrived", [0, 3, 6])
@pytest.mark.parametrize("limit", [0, 5])
async def test_a_body_known_to_be_too_long_is_left_alone(limit: int, arrived: int) -> None:
    """It passes as the reader gave it, so that it may be spliced, and there is no second time."""
    sent = Arriving(6)
    sent.arrived(b"hello!"[:arrived])
    sent.client.write(b"hello!"[arrived:])
    rewind = sent.keep(limit)
    assert sent.request.body is sent.body
    assert rewind() is None
    assert b"".join(await rest_of(sent.request.body)) == b"hello!"
    assert rewind() is None


# Bodies on their way.


@pytest.mark.parametrize("length", [9, CHUNKED])
async def test_each_piece_passes_as_it_comes(length: int, autojump_clock: object) -> None:
    """Nothing is held back until more is there, kept or not."""
    sent = Arriving(length)
    rewind = sent.keep(6)
    body = sent.request.body
    assert (body.read_nowait(), body.ended, body.at_hand()) == (b"", False, False)
    for number, piece in enumerate((b"one", b"two", b"six")):
        sent.client.write(chunk(piece) if length == CHUNKED else piece)
        with trio.fail_after(1):
            assert await body.read() == piece
        if length == CHUNKED:
            assert (rewind() is None) == (number == 2)
    if length == CHUNKED:
        assert not body.ended
        sent.client.write(LAST)
        assert await body.read() == b""
        assert body.trailers == TRAILERS
    assert body.ended
    assert trio.current_time() == 0


async def test_what_lies_there_is_given_without_waiting() -> None:
    """A part that came with the head goes out in the same write as the head."""
    sent = Arriving(CHUNKED)
    rewind = sent.keep(100)
    sent.arrived(chunk(b"early"))
    assert sent.request.body.read_nowait() == b"early"
    assert sent.request.body.read_nowait() == b""
    again = is_ready(rewind())
    assert (again.read_nowait(), again.read_nowait()) == (b"early", b"")
    assert not again.ended


@pytest.mark.parametrize("length", [20, CHUNKED])
def test_the_length_is_that_of_the_body(length: int) -> None:
    """A try is framed like the first: by its length, or chunked."""

    async def main() -> None:
        sent = Arriving(length)
        rewind = sent.keep(20)
        told = None if length == CHUNKED else length
        assert sent.request.body.length == told
        sent.client.write(b"5\r\nhello\r\n" if length == CHUNKED else b"hello")
        assert await sent.request.body.read() == b"hello"
        assert is_ready(rewind()).length == told

    trio.run(main)


@settings(max_examples=300)
@given(
    data=st.binary(max_size=40),
    chunks=st.lists(st.integers(1, 12), max_size=8),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    early=st.integers(0, 30),
    limit=st.integers(0, 45),
    stops=st.lists(st.integers(0, 12), max_size=3),
    sized=st.booleans(),
)
async def test_a_try_may_stop_anywhere(  # noqa: PLR0917 (drawn)
    data: bytes, chunks: list[int], cuts: list[int], early: int, limit: int, stops: list[int], sized: bool
) -> None:
    """However it arrives and wherever tries stop: each has the original from its first byte, or is none."""

    def arriving() -> Arriving:
        sent = Arriving(len(data) if sized else CHUNKED, cuts=iter(cuts))
        wire = data if sized else b"".join(chunk(piece) for piece in pieces(data, chunks)) + LAST
        sent.arrived(wire[:early])
        sent.client.write(wire[early:])
        return sent

    plain = await rest_of(arriving().body)
    first = arriving()
    assert b"".join(plain) == data
    first_rewind = first.keep(limit)
    assert [each for each in await rest_of(first.request.body) if each] == plain

    sent = arriving()
    rewind = sent.keep(limit)
    body: Body | None = sent.request.body
    live = 0  # bytes that have been read from the wire
    for reads in stops:
        body = is_ready(body)
        got = await some_of(body, reads)
        assert data.startswith(got)
        live = max(live, len(got))
        body = rewind()
        if sized and len(data) > limit:
            assert body is None
            return
        if sized and early >= len(data):
            assert body is not None
        else:
            assert (body is None) == (live > limit)
        if body is None:
            return
    body = is_ready(body)
    assert b"".join(await rest_of(body)) == data
    assert body.ended
    assert body.trailers == ([] if sized else TRAILERS)
    assert (rewind() is None) == (len(data) > limit)
    assert (first_rewind() is None) == (len(data) > limit)
    if len(data) <= limit:
        assert b"".join(await rest_of(is_ready(first_rewind()))) == data


def pieces(data: bytes, sizes: list[int]) -> Iterable[bytes]:
    """Cut data into pieces of these sizes, the rest in one."""
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


@pytest.mark.parametrize("length", [26, CHUNKED])
@pytest.mark.parametrize("stop", range(27))
async def test_every_byte_is_a_place_to_stop(stop: int, length: int) -> None:
    """The second try gives what the first had, in one piece, and goes on with what arrives."""
    data = bytes(range(97, 123))
    sent = Arriving(length, cuts=by(1))
    rewind = sent.keep(26)
    for index in range(stop):
        sent.client.write(chunk(data[index : index + 1]) if length == CHUNKED else data[index : index + 1])
    assert len(await read_bytes(sent.request.body, stop)) == stop
    again = is_ready(rewind())
    if stop:
        assert again.read_nowait() == data[:stop]
    assert again.ended == (stop == length)
    if length == CHUNKED:
        sent.client.write(chunk(data[stop:]) + LAST)
    else:
        sent.client.write(data[stop:])
    assert b"".join(await rest_of(again)) == data[stop:]
    assert b"".join(await rest_of(is_ready(rewind()))) == data


async def read_bytes(body: Body, count: int) -> bytes:
    """Read until so many bytes are there."""
    data = b""
    while len(data) < count:
        data += await body.read()
    return data


async def test_a_try_that_stopped_early_leaves_the_rest_to_the_next() -> None:
    """What no try has read yet is read once, by whoever needs it, and then kept for the others."""
    sent = Arriving(CHUNKED)
    rewind = sent.keep(100)
    for piece in (b"one ", b"two ", b"three"):
        body = is_ready(rewind())
        before = body.read_nowait()
        sent.client.write(chunk(piece))
        assert await body.read() == piece
        assert (before + piece).endswith(piece)
    assert is_ready(rewind()).read_nowait() == b"one two three"


async def test_a_later_try_may_be_the_one_that_grows_too_long() -> None:
    """It goes on to the end all the same; only another is not to be had."""
    sent = Arriving(CHUNKED, cuts=by(len(chunk(b"four"))))
    rewind = sent.keep(6)
    sent.client.write(chunk(b"four") + chunk(b"more") + LAST)
    assert await sent.request.body.read() == b"four"
    again = is_ready(rewind())
    assert b"".join(await rest_of(again)) == b"fourmore"
    assert again.trailers == TRAILERS
    assert rewind() is None


@pytest.mark.parametrize(("size", "again"), [(99, True), (100, True), (101, False)])
async def test_the_limit_is_exact(size: int, again: bool) -> None:
    """As many bytes as retry.buffer says can be had again, and not one more."""
    for length in (size, CHUNKED):
        sent = Arriving(length, cuts=by(7))
        rewind = sent.keep(100)
        data = b"x" * size
        sent.client.write(chunk(data) + LAST if length == CHUNKED else data)
        assert b"".join(await rest_of(sent.request.body)) == data
        assert (rewind() is not None) == again


async def test_a_limit_of_nothing_keeps_nothing() -> None:
    """An empty body can be had again, any other passes once."""
    for data in (b"", b"x"):
        sent = Arriving(CHUNKED)
        rewind = sent.keep(0)
        sent.client.write(chunk(data) + LAST)
        assert b"".join(await rest_of(sent.request.body)) == data
        assert (rewind() is None) == bool(data)


async def test_an_empty_body_with_trailers_keeps_them() -> None:
    """Ended or not when the second try begins: what follows the body follows it again."""
    sent = Arriving(CHUNKED)
    rewind = sent.keep(10)
    waiting = is_ready(rewind())
    sent.client.write(LAST)
    assert await rest_of(sent.request.body) == []
    assert sent.request.body.trailers == TRAILERS
    after = is_ready(rewind())
    assert (after.ended, after.trailers) == (True, TRAILERS)
    assert await rest_of(waiting) == []
    assert waiting.trailers == TRAILERS


async def test_no_more_is_kept_than_the_limit() -> None:
    """Sixteen megabytes pass through; what stays is no more than the buffer."""
    size, limit = 1 << 24, 1 << 16
    sent = Arriving(CHUNKED)
    rewind = sent.keep(limit)
    piece = chunk(b"x" * 8192)
    tracemalloc.start()
    try:
        total = 0
        for _ in range(size // 8192):
            sent.client.write(piece)
            total += len(await sent.request.body.read())
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == size
    assert rewind() is None
    assert held < limit
    assert peak < 8 * limit


async def test_a_cancelled_read_loses_nothing(autojump_clock: object) -> None:
    """An upload is stopped while it waits for more; the next try goes on where it was."""
    sent = Arriving(10)
    rewind = sent.keep(10)
    sent.client.write(b"hello")
    got: list[bytes] = []

    async def upload() -> None:
        got.extend(await rest_of(sent.request.body))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(upload)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    again = is_ready(rewind())
    sent.client.write(b"world")
    assert b"".join(await rest_of(again)) == b"helloworld"


async def test_a_body_that_breaks_off_breaks_off_at_every_try() -> None:
    """The fault is the client's, and the reader's own."""
    sent = Arriving(10)
    rewind = sent.keep(10)
    sent.client.write(b"hello")
    sent.client.close()
    assert await sent.request.body.read() == b"hello"
    for body in (sent.request.body, is_ready(rewind())):
        with pytest.raises(Fault) as caught:
            await rest_of(body)
        assert caught.value.reason is CUT_SHORT
        assert not body.ended


async def test_abandoning_a_try_abandons_what_still_comes() -> None:
    """The reader hears that nobody will read the rest, unless there is none."""
    for whole in (False, True):
        sent = Arriving(10)
        rewind = sent.keep(10)
        sent.client.write(b"helloworld" if whole else b"hello")
        await sent.request.body.read()
        is_ready(rewind()).abandon()
        assert sent.body.abandoned == (not whole)
        if whole:
            assert b"".join(await rest_of(is_ready(rewind()))) == b"helloworld"


async def test_a_try_whose_beginning_is_gone_never_gives_a_rump() -> None:
    """Asked for before an upload under way went beyond the limit: better no body than half of one."""
    sent = Arriving(CHUNKED)
    rewind = sent.keep(6)
    sent.client.write(chunk(b"four"))
    assert await sent.request.body.read() == b"four"
    again = is_ready(rewind())
    sent.client.write(chunk(b"more"))
    assert await sent.request.body.read() == b"more"
    sent.client.write(chunk(b"rest") + LAST)
    try:
        got = b"".join(await rest_of(again))
    except (Fault, RuntimeError):
        return
    assert got == b"fourmorerest"


class Whole(FixedBody):
    """A body that has arrived whole though its length was never told, as on HTTP/2."""

    def __init__(self, data: bytes, trailers: Headers) -> None:
        super().__init__(data)
        self.length = None
        self.trailers = trailers


async def test_a_whole_body_keeps_its_trailers() -> None:
    """At hand or not: what follows the body is sent with every try."""
    request = Request(b"PUT", b"http", b"a", b"/", b"", [])
    request.body = Whole(b"hello", TRAILERS)
    rewind = keep(request, 10)
    for body in (request.body, is_ready(rewind())):
        assert await rest_of(body) == [b"hello"]
        assert body.trailers == TRAILERS


async def test_a_whole_body_of_unknown_length_has_the_same_limit() -> None:
    """Not one byte more than the limit is kept, told or not."""
    request = Request(b"PUT", b"http", b"a", b"/", b"", [])
    request.body = Whole(b"hello", [])
    rewind = keep(request, 4)
    assert await rest_of(request.body) == [b"hello"]
    assert rewind() is None
