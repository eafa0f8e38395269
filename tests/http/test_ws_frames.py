"""Frames are found by their heads alone, over any cuts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping

from appliance.http.ws_frames import GOING_AWAY, Frames

PAYLOADS = st.one_of(
    st.binary(max_size=300), st.sampled_from([b"x" * 125, b"x" * 126, b"x" * 65535, b"x" * 65536])
)


@given(
    st.lists(st.tuples(st.sampled_from(["message", "part", "ping"]), PAYLOADS), max_size=6),
    st.booleans(),
    st.integers(1, 40),
)
def test_borders_are_those_of_another_implementation(
    script: list[tuple[str, bytes]], client: bool, size: int
) -> None:
    """Masked or not, whatever the length; nowhere else does it say that it is between two frames."""
    side = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER)
    data, borders = b"", {0}
    for kind, payload in script:
        if kind == "ping":
            data += side.send(Ping(payload[:125]))
        else:
            data += side.send(BytesMessage(payload, message_finished=kind == "message"))
        borders.add(len(data))
    frames, at = Frames(), 0
    while at < len(data):
        step = size if at < 4096 else 5003
        frames.feed(data[at : at + step])
        at = min(at + step, len(data))
        assert frames.between == (at in borders)
    assert not frames.closed
    frames.feed(side.send(CloseConnection(1000)))
    assert frames.closed
    assert frames.between


def test_the_farewell_is_a_close_frame() -> None:
    """Going away, from a server."""
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(GOING_AWAY)
    (event,) = client.events()
    assert isinstance(event, CloseConnection)
    assert event.code == 1001
