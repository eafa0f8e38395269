"""Frames as text: there and back, and everything that is no frame."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.wire.codec import (
    FrameError,
    decode,
    delta_in,
    delta_out,
    encode,
    state_in,
    state_out,
)
from appliance.wire.delta import Delta, diff

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_frames_come_back(fields: dict[str, object]) -> None:
    """Whatever they hold."""
    frame = {**fields, "k": "x"}
    assert decode(encode(frame)) == frame


def test_what_is_no_number_is_null() -> None:
    """JSON knows neither infinity nor NaN."""
    text = encode({"k": "x", "a": [float("inf")], "b": {"c": float("nan"), "d": 1.5}})
    assert json.loads(text) == {"k": "x", "a": [None], "b": {"c": None, "d": 1.5}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("[]", "an object"),
        ('{"a": 1}', "an object with a kind"),
        ('{"k": 1}', "an object with a kind"),
        ('{"k": "x"', "no JSON"),
        ("1" * 5000, "no JSON"),
        ('{"k":"x","a":' + "[" * 100 + "]" * 100 + "}", "too deeply"),
        ('{"k":"x","a":' * 1000, "too deeply"),
        (b'{"k": "x"}', "text"),
    ],
    ids=range(9),
)
def test_what_is_no_frame_is_refused(text: str | bytes, said: str) -> None:
    """With a sentence, and nothing but a FrameError."""
    with pytest.raises(FrameError, match=said):
        decode(text)


def test_brackets_in_texts_do_not_count() -> None:
    """A path may be full of them."""
    frame = {"k": "x", "path": '[[[{{{\\"' * 50}
    assert decode(encode(frame)) == frame


@given(st.text(alphabet='[]{}"\\,:ak1 ', max_size=60))
def test_nothing_else_is_raised(text: str) -> None:
    """Hostile text is a FrameError or a frame."""
    try:
        assert isinstance(decode(text)["k"], str)
    except FrameError:
        pass


def test_the_proxy_stands_alone() -> None:
    """The only thing of its set stands in the frame directly, and comes back."""
    state = {"proxy": {"": {"rps": 1}}, "up": {"a": {"rps": 2}}}
    out = state_out(state)
    assert out == {"proxy": {"rps": 1}, "up": {"a": {"rps": 2}}}
    assert state_in({**out, "k": "snap", "gen": 1, "br": "hostile", "ep": {"x": 1}}) == {**state, "ep": {}}


def test_differences_come_back() -> None:
    """With what has left."""
    delta = diff({"up": {"a": {"n": 1}, "b": {"n": 1}}}, {"up": {"a": {"n": 2}}, "proxy": {"": {"rps": 1}}})
    assert delta_in(json.loads(json.dumps(delta_out(delta)))) == delta
    assert delta_in({"set": 1, "del": []}) == Delta()


def test_what_utf8_lacks_is_replaced() -> None:
    """Half a character of somebody's makes no frame that cannot be sent."""
    text = encode({"k": "x", "a": "\ud800", "b": ["\udfff", "é"]})
    assert json.loads(text.encode()) == {"k": "x", "a": "?", "b": ["?", "é"]}
