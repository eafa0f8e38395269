"""Which requests are gRPC calls, and the spelling of their timeouts."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.model.grpc import is_call, seconds, timeout


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"application/grpc;charset=utf-8", True),
        (b"application/grpc-web", False),
        (b"application/grpc-web-text+proto", False),
        (b"application/grpcweb", False),
        (b"application/json", False),
        (b"", False),
    ],
)
def test_calls_are_told_by_their_content_type(kind: bytes, call: bool) -> None:
    """With any message format, but not gRPC-Web, whose answers end otherwise."""
    assert is_call(kind) is call


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"1H", 3600.0),
        (b"2M", 120.0),
        (b"3S", 3.0),
        (b"250m", 0.25),
        (b"99999999u", 99.999999),
        (b"5n", 5e-9),
        (b"0S", 0.0),
        (b"100000000S", None),
        (b"S", None),
        (b"", None),
        (b"-1S", None),
        (b"1.5S", None),
        (b" 1S", None),
        (b"1s", None),
        (b"\xb21S", None),
    ],
)
def test_reading(field: bytes, value: float | None) -> None:
    """One to eight digits and a unit; anything else is no timeout."""
    assert seconds(field) == (None if value is None else pytest.approx(value))


@given(st.floats(1e-9, 3.6e11))
@example(0.099999999)
@example(0.1)
@example(100.0)
@example(3.6e11)
def test_writing_never_gives_more_and_hardly_less(left: float) -> None:
    """At most some hundred-thousandth is lost, and it is always a valid field."""
    field = timeout(left)
    read = seconds(field)
    assert read is not None
    assert read <= left * (1 + 1e-12) + 1e-9
    assert read >= left * (1 - 1.1e-5) - 1e-9


def test_what_is_over_is_still_a_field() -> None:
    """Zero would be no timeout to some servers, so it is the shortest there is."""
    assert timeout(0.0) == timeout(-3.0) == b"1n"
    assert timeout(1e300) == b"99999999H"
