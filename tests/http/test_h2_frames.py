"""Frames: what we write hyperframe reads, and the other way round; what a frame's own bytes forbid."""

from __future__ import annotations

import pytest
from hyperframe import frame as hf
from hypothesis import given
from hypothesis import strategies as st

from appliance.http import h2_frames as f
from appliance.http.h2_frames import Code, H2ConnectionError

octets = st.binary(max_size=300)
ids = st.integers(1, f.MAX_STREAM)
thirty_one = st.integers(0, f.MAX_STREAM)


def oracle(data: bytes) -> list[hf.Frame]:
    """Read frames with hyperframe; all bytes must be used."""
    found = []
    while data:
        frame, size = hf.Frame.parse_frame_header(memoryview(data[:9]))
        assert len(data) >= 9 + size
        frame.parse_body(memoryview(data[9 : 9 + size]))
        found.append(frame)
        data = data[9 + size :]
    return found


@given(st.integers(0, 255), st.integers(0, 255), thirty_one, octets, octets, octets)
def test_a_frame_is_read_as_it_was_written(
    kind: int, flags: int, id: int, payload: bytes, before: bytes, after: bytes
) -> None:
    """``unpack`` undoes ``pack`` wherever in a buffer the frame stands."""
    data = before + f.pack(kind, flags, id, payload) + after
    assert f.unpack(data, len(before)) == (kind, flags, id, payload)


@given(octets, st.data())
def test_a_frame_that_is_not_all_there_is_none_yet(payload: bytes, data: st.DataObject) -> None:
    """Every proper beginning of a frame is None, not an error and not a shorter frame."""
    whole = f.pack(f.DATA, 0, 1, payload)
    assert f.unpack(whole[: data.draw(st.integers(0, len(whole) - 1))], 0) is None


def test_the_reserved_bit_is_passed_over() -> None:
    """A stream's number has 31 bits, whatever the highest says (section 4.1)."""
    assert f.unpack(b"\0\0\0\0\0\x80\0\0\x05", 0) == (f.DATA, 0, 5, b"")
    assert f.number(b"\xff\xff\xff\xff") == f.MAX_STREAM
    assert f.code_at(b"\0\0\xff\xff\xff\xff", 2) == 0xFFFFFFFF


def test_a_frame_may_have_16_kib_and_no_more() -> None:
    """The size is judged by the head alone: nobody waits for what will be refused (section 4.2)."""
    largest = f.pack(f.DATA, 0, 1, bytes(f.MAX_FRAME))
    frame = f.unpack(largest, 0)
    assert frame is not None
    assert len(frame[3]) == 16_384
    with pytest.raises(H2ConnectionError) as caught:
        f.unpack(f.pack(f.DATA, 0, 1, bytes(f.MAX_FRAME + 1))[:9], 0)
    assert caught.value.code == Code.FRAME_SIZE_ERROR


@given(octets, st.integers(0, 255), ids)
def test_padding_is_taken_off(data: bytes, padding: int, id: int) -> None:
    """DATA as hyperframe pads it is read without its padding."""
    frame = hf.DataFrame(id, data, flags=["PADDED"], pad_length=padding)
    read = f.unpack(frame.serialize(), 0)
    assert read is not None
    assert f.unpad(read[1], read[3]) == data


@given(octets, st.integers(0, 255), ids, thirty_one, st.integers(0, 255), st.booleans())
def test_old_priorities_are_taken_off(
    block: bytes, padding: int, id: int, parent: int, weight: int, exclusive: bool
) -> None:
    """The five bytes of a priority in HEADERS go, with padding around them and without."""
    for flags in (["PRIORITY"], ["PRIORITY", "PADDED"]):
        frame = hf.HeadersFrame(id, block, flags=flags, depends_on=parent, stream_weight=weight)
        frame.exclusive = exclusive
        frame.pad_length = padding if "PADDED" in flags else 0
        read = f.unpack(frame.serialize(), 0)
        assert read is not None
        assert f.unpad(read[1], read[3], 5) == block


@pytest.mark.parametrize(
    ("flags", "payload", "extra", "code"),
    [
        (f.PADDED, b"", 0, Code.PROTOCOL_ERROR),
        (f.PADDED, b"\1", 0, Code.PROTOCOL_ERROR),
        (f.PADDED, b"\3ab", 0, Code.PROTOCOL_ERROR),
        (f.PADDED, b"\3abcdefg", 5, Code.PROTOCOL_ERROR),
        (f.PADDED, b"\0abcd", 5, Code.PROTOCOL_ERROR),
        (0, b"abcd", 5, Code.FRAME_SIZE_ERROR),
    ],
)
def test_padding_must_fit(flags: int, payload: bytes, extra: int, code: Code) -> None:
    """Padding as long as what is left, or longer, is an error of the connection (section 6.1)."""
    with pytest.raises(H2ConnectionError) as caught:
        f.unpad(flags, payload, extra)
    assert caught.value.code == code


def test_padding_may_be_all_there_is() -> None:
    """A payload of nothing but padding is empty."""
    assert f.unpad(f.PADDED, b"\2ab") == b""
    assert f.unpad(f.PADDED, b"\1abcdef", 5) == b""
    assert f.unpad(0, b"ab") == b"ab"


@given(ids, st.binary(max_size=100), st.booleans(), st.integers(1, 40))
def test_a_long_block_is_continued(id: int, block: bytes, end: bool, most: int) -> None:
    """One HEADERS, then CONTINUATION, the last of them and only it says END_HEADERS."""
    frames = oracle(f.heads(id, block, end=end, most=most))
    assert [type(frame) for frame in frames] == [hf.HeadersFrame] + [hf.ContinuationFrame] * (len(frames) - 1)
    assert b"".join(frame.data for frame in frames) == block
    assert ["END_HEADERS" in frame.flags for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert ("END_STREAM" in frames[0].flags) == end
    assert all(frame.stream_id == id for frame in frames)
    assert all(len(frame.data) <= most for frame in frames)


@given(st.dictionaries(st.sampled_from([1, 3, 6, 9, 77]), st.integers(0, (1 << 32) - 1)))
def test_settings_are_read_as_they_were_written(values: dict[int, int]) -> None:
    """Settings survive, in our reading and in hyperframe's."""
    data = f.settings(values)
    (frame,) = oracle(data)
    assert frame.settings == values
    assert dict(f.read_settings(data[9:])) == values


def test_a_setting_may_be_repeated() -> None:
    """All values are given in order: the last one will count (section 6.5)."""
    twice = f.settings({3: 1})[9:] + f.settings({3: 2})[9:]
    assert f.read_settings(twice) == [(3, 1), (3, 2)]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        (f.ENABLE_PUSH, 2, Code.PROTOCOL_ERROR),
        (f.CONNECT_PROTOCOL, 2, Code.PROTOCOL_ERROR),
        (f.WINDOW, 1 << 31, Code.FLOW_CONTROL_ERROR),
        (f.WINDOW, (1 << 32) - 1, Code.FLOW_CONTROL_ERROR),
        (f.FRAME_SIZE, (1 << 14) - 1, Code.PROTOCOL_ERROR),
        (f.FRAME_SIZE, 1 << 24, Code.PROTOCOL_ERROR),
    ],
)
def test_settings_have_bounds(name: int, value: int, code: Code) -> None:
    """Each value out of bounds has its own code (section 6.5.2)."""
    with pytest.raises(H2ConnectionError) as caught:
        f.read_settings(f.settings({name: value})[9:])
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "value"),
    [(2, 0), (2, 1), (8, 0), (8, 1), (4, 0), (4, (1 << 31) - 1), (5, 1 << 14), (5, (1 << 24) - 1)],
)
def test_the_bounds_of_settings_are_allowed(name: int, value: int) -> None:
    """The least and the most of each setting are values like others."""
    assert f.read_settings(f.settings({name: value})[9:]) == [(name, value)]


@pytest.mark.parametrize("size", [1, 5, 7, 11])
def test_settings_come_in_sixes(size: int) -> None:
    """A payload that is no multiple of six bytes is FRAME_SIZE_ERROR (section 6.5)."""
    with pytest.raises(H2ConnectionError) as caught:
        f.read_settings(bytes(size))
    assert caught.value.code == Code.FRAME_SIZE_ERROR


@given(ids, st.sampled_from(Code), st.integers(1, f.MAX_WINDOW), thirty_one, st.text(max_size=400))
def test_small_frames_are_what_others_read(id: int, code: Code, more: int, last: int, why: str) -> None:
    """RST_STREAM, WINDOW_UPDATE and GOAWAY mean to hyperframe what they mean to us."""
    (reset,) = oracle(f.reset(id, code))
    assert isinstance(reset, hf.RstStreamFrame)
    assert (reset.stream_id, reset.error_code) == (id, code)
    (window,) = oracle(f.window_update(id, more))
    assert isinstance(window, hf.WindowUpdateFrame)
    assert (window.stream_id, window.window_increment) == (id, more)
    (goaway,) = oracle(f.goaway(last, code, why))
    assert isinstance(goaway, hf.GoAwayFrame)
    assert (goaway.last_stream_id, goaway.error_code) == (last, code)
    assert goaway.additional_data == why.encode()[:256]


def test_codes_have_names() -> None:
    """A code of the RFC is named, any other is a number."""
    assert f.code_name(8) == "CANCEL"
    assert f.code_name(99) == "code 99"
