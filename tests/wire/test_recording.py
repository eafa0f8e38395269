"""Recordings: there and back, from the middle, cut off anywhere, and files that are none."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.wire.codec import Frame
from appliance.wire.recording import RecordingError, Writer, index, read

HELLO = {"k": "hello", "server": {"name": "edge"}}


def frames(count: int) -> Iterator[Frame]:
    for m in range(count):
        yield {"k": "snap" if m % 5 == 0 else "delta", "m": m, "text": f"{m} ü\n" * (m % 7)}


def written(count: int) -> bytes:
    file = io.BytesIO()
    writer = Writer(file, HELLO)
    for frame in frames(count):
        writer.add(frame)
    writer.close()
    assert writer.size == len(file.getvalue())
    return file.getvalue()


@given(st.integers(0, 40))
def test_what_was_written_is_read(count: int) -> None:
    """The hello first, then every frame; gzip reads it, too."""
    raw = written(count)
    rows = list(read(io.BytesIO(raw)))
    assert rows == [HELLO, *frames(count)]
    assert gzip.decompress(raw).count(b"\n") == count + 2


def test_a_reader_can_begin_at_every_whole_state() -> None:
    """The index names them, and its offsets are where they begin."""
    raw = written(23)
    found = index(io.BytesIO(raw))
    assert [m for m, _ in found] == [0, 5, 10, 15, 20]
    for m, offset in found:
        assert list(read(io.BytesIO(raw), offset)) == [row for row in frames(23) if row["m"] >= m]


@given(st.data())
def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(data: st.DataObject) -> None:
    """At any byte: what is read is a beginning of what was written, and the index is made anew."""
    raw = written(23)
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    whole = [HELLO, *frames(23)]
    try:
        rows = list(read(io.BytesIO(cut)))
    except RecordingError:
        rows = []
    assert rows == whole[: len(rows)]
    found = index(io.BytesIO(cut))
    assert found == index(io.BytesIO(raw))[: len(found)]
    for m, offset in found:
        assert next(read(io.BytesIO(cut), offset))["m"] == m


def test_a_flush_saves_what_there_is() -> None:
    """Whatever becomes of the writer."""
    file = io.BytesIO()
    writer = Writer(file, HELLO)
    rows = list(frames(3))
    for frame in rows:
        writer.add(frame)
    writer.flush()
    assert list(read(io.BytesIO(file.getvalue()))) == [HELLO, *rows]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        gzip.compress(b""),
        gzip.compress(b"no\n"),
        gzip.compress(b'{"k":"snap"}\n'),
        b"\x1f\x8b\x08" * 9,
    ],
    ids=range(6),
)
def test_what_is_no_recording_is_refused(raw: bytes) -> None:
    """With a sentence; and it has no index."""
    with pytest.raises(RecordingError):
        list(read(io.BytesIO(raw)))
    assert index(io.BytesIO(raw)) == ([] if b"snap" not in gzip_or_none(raw) else [(0, 0)])


def gzip_or_none(raw: bytes) -> bytes:
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError):
        return b""


def test_a_bomb_is_not_unpacked() -> None:
    """A line without an end is given up at twice the longest frame."""
    bomb = gzip.compress(b'{"k":"hello"}\n' + b"a" * (64 << 20))
    assert list(read(io.BytesIO(bomb))) == [{"k": "hello"}]


@given(st.binary(max_size=200))
def test_nothing_else_is_raised(raw: bytes) -> None:
    """Whatever the file holds."""
    for each in (raw, gzip.compress(raw)):
        index(io.BytesIO(each))
        try:
            list(read(io.BytesIO(each)))
        except RecordingError:
            pass
