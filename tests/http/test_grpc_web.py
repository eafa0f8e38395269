"""gRPC-Web bodies: text in, bytes out, and trailers as a frame, over any cuts."""

from __future__ import annotations

from base64 import b64decode, b64encode
from itertools import pairwise
from struct import unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.http.grpc_web import Decoded, Framed, answer_kind, kind_of, trailer_frame
from appliance.model.fault import Fault
from appliance.model.headers import Headers


class Pieces:
    """A body that comes in these pieces."""

    def __init__(self, pieces: list[bytes], trailers: Headers | None = None) -> None:
        self._pieces = list(pieces)
        self.length: int | None = None
        self.ended = not pieces
        self.trailers: Headers = trailers or []
        self.abandoned = False

    def read_nowait(self) -> bytes:
        if not self._pieces:
            self.ended = True
            return b""
        data = self._pieces.pop(0)
        self.ended = not self._pieces
        return data

    async def read(self) -> bytes:
        return self.read_nowait()

    def at_hand(self) -> bool:
        return False

    def abandon(self) -> None:
        self.abandoned = True


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (b"application/grpc-web", (b"application/grpc", False)),
        (b"application/grpc-web+proto", (b"application/grpc+proto", False)),
        (b"Application/gRPC-Web-Text", (b"application/grpc", True)),
        (b"application/grpc-web-text+proto", (b"application/grpc+proto", True)),
        (b"application/grpc-web;charset=utf-8", (b"application/grpc;charset=utf-8", False)),
        (b"application/grpc", None),
        (b"application/grpc-webby", None),
        (b"text/plain", None),
    ],
)
def test_content_types(kind: bytes, found: tuple[bytes, bool] | None) -> None:
    """The message format is kept, both ways."""
    assert kind_of(kind) == found
    if found is not None:
        assert kind_of(answer_kind(*found)) == found
    assert answer_kind(b"text/html", False) == b"text/html"


def test_the_frame_of_trailers() -> None:
    """A flag, a length, and lines."""
    frame = trailer_frame([(b"grpc-status", b"0"), (b"grpc-message", b"fine")])
    flag, length = unpack("!BI", frame[:5])
    assert (flag, length, frame[5:]) == (0x80, 36, b"grpc-status: 0\r\ngrpc-message: fine\r\n")


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted({each % (len(data) + 1) for each in at}), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


async def drained(body: Decoded | Framed) -> tuple[bytes, int]:
    """Read to the end; gives the data and how many pieces it took."""
    data, count = body.read_nowait(), 0
    while not body.ended:
        piece = await body.read()
        assert piece or body.ended
        data, count = data + piece, count + 1
    assert await body.read() == b""
    return data, count


@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 400), max_size=12))
def test_text_is_decoded_over_any_cuts(messages: list[bytes], cuts: list[int]) -> None:
    """Pieces that are padded by themselves follow each other."""
    text = b"".join(b64encode(message) for message in messages)

    async def check() -> None:
        data, _ = await drained(Decoded(Pieces(cut(text, cuts))))
        assert data == b"".join(messages)

    _run(check())


def _run(coroutine: object) -> None:
    """Run a coroutine that never waits."""
    with pytest.raises(StopIteration):
        coroutine.send(None)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    [b"YQ=", b"YQ", b"Y", b"Y===", b"YQ==Q", b"Y!==", b"YQ==\n", b"====", b" YQ==", b"\xff\xff\xff\xff"],
)
@pytest.mark.parametrize("size", [1, 3, 100])
async def test_what_is_no_base64_is_refused(text: bytes, size: int) -> None:
    """As the client's fault."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    with pytest.raises(Fault) as caught:
        await drained(Decoded(Pieces(pieces)))
    assert (caught.value.reason.id, caught.value.reason.status) == ("bad-grpc-web", 400)


@given(st.lists(st.binary(max_size=40), max_size=6), st.booleans())
def test_an_answer_ends_with_its_trailers(pieces: list[bytes], text: bool) -> None:
    """In text form each piece can be decoded as it comes; nothing waits for the next."""

    async def check() -> None:
        body = Framed(Pieces(pieces, [(b"grpc-status", b"5")]), text)
        found, data = [body.read_nowait()], b""
        while not body.ended:
            found.append(await body.read())
        for piece in found:
            data += b64decode(piece, validate=True) if text else piece
        assert data == b"".join(pieces) + b"\x80\0\0\0\x10grpc-status: 5\r\n"
        assert body.trailers == []
        assert await body.read() == b""

    _run(check())


def test_who_gives_up_gives_up_the_source() -> None:
    """And nothing is known to be at hand before the source says so."""
    for body in (Decoded, lambda source: Framed(source, True)):
        source = Pieces([b"x"])
        wrapped = body(source)  # type: ignore[operator]
        assert not wrapped.at_hand()
        wrapped.abandon()
        assert source.abandoned
