"""One unary gRPC call over HTTP/2 with prior knowledge, for health checks.

A connection is made for the call and thrown away after it, so there is one stream, number 1, and nothing
to schedule. What a peer may make us do is bounded by frames and bytes; time is bounded by the caller,
who cancels the call and closes the transport.

Frames are cut here and handed to h2 one by one, because GOAWAY must not reach it: h2 takes the connection
for closed then, while a server that shuts down in order still finishes the streams that it has promised
to finish (RFC 9113 section 6.8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from appliance.model.fault import UPSTREAM_BAD, UPSTREAM_CUT, UPSTREAM_RESET, Fault
from appliance.model.headers import Headers
from appliance.net.tls import TlsTransport
from appliance.net.transport import PeerGone, Transport

MAX_ANSWER: Final = 64 * 1024  # bytes of data
MAX_FRAMES: Final = 256  # of any kind; an answer to a health check takes about five
MAX_FRAME_SIZE: Final = 16 * 1024  # what HTTP/2 allows when nothing else is agreed
_STREAM: Final = 1
_SETTINGS, _GOAWAY = 4, 7


@dataclass(slots=True)
class Answer:
    """What came back; ``headers`` hold ``:status`` too, ``data`` gRPC's prefixes."""

    status: int = 0
    headers: Headers = field(default_factory=list)
    data: bytes = b""
    trailers: Headers = field(default_factory=list)


async def call(transport: Transport, authority: bytes, path: bytes, message: bytes) -> Answer:
    """Send one message (its serialised bytes) to a method and give the whole answer.

    Raises Fault: UPSTREAM_RESET when the peer ends the call before any answer, UPSTREAM_CUT in the
    middle of one, UPSTREAM_BAD when what it says is no HTTP/2 or is too much.
    """
    one = _Call(transport, b"\0" + len(message).to_bytes(4, "big") + message)
    one.send_head(authority, path)
    incoming = bytearray()
    while True:
        try:
            more = await transport.receive(MAX_FRAME_SIZE)
        except PeerGone:
            raise one.lost("the connection was reset") from None
        if not more:
            raise one.lost("closed before the end of the answer")
        incoming += more
        for frame in _cut(incoming):
            one.take(frame)
            if one.ended:
                return one.answer
        one.flush()


def _cut(incoming: bytearray) -> Iterator[bytes]:
    """Take whole frames from the front, and the beginning of one that is larger than any may be."""
    while len(incoming) >= 9:
        end = 9 + int.from_bytes(incoming[:3], "big")
        if len(incoming) < end <= 9 + MAX_FRAME_SIZE:
            return
        yield bytes(incoming[:end])
        del incoming[:end]


class _Call:
    """The state of a call: h2's, what of the message is unsent, and what of the answer is here."""

    def __init__(self, transport: Transport, unsent: bytes) -> None:
        self.answer = Answer()
        self.ended = False
        self._transport = transport
        self._unsent = unsent
        self._frames = 0
        self._goaway = ""
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._h2.local_settings = Settings(client=True, initial_values={SettingCodes.ENABLE_PUSH: 0})

    def send_head(self, authority: bytes, path: bytes) -> None:
        """Begin, with as much of the message as the peer's windows take now."""
        scheme = b"https" if isinstance(self._transport, TlsTransport) else b"http"
        head = [
            (b":method", b"POST"), (b":scheme", scheme), (b":authority", authority), (b":path", path),
            (b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"user-agent", b"meshctl-health"),
        ]  # fmt: skip
        self._h2.initiate_connection()
        self._h2.send_headers(_STREAM, head)
        self._push()
        self.flush()

    def _push(self) -> None:
        while self._unsent:
            room = min(self._h2.local_flow_control_window(_STREAM), self._h2.max_outbound_frame_size)
            if room <= 0:
                return
            part, self._unsent = self._unsent[:room], self._unsent[room:]
            self._h2.send_data(_STREAM, part, end_stream=not self._unsent)

    def flush(self) -> None:
        """Write what h2 has to say, acknowledgements included."""
        if data := self._h2.data_to_send():
            self._transport.write(data)

    def lost(self, why: str) -> Fault:
        """Give the fault of a call that ends here."""
        why = f"{self._goaway}, then {why}" if self._goaway else why
        return Fault(UPSTREAM_CUT if self.answer.status else UPSTREAM_RESET, why)

    def take(self, frame: bytes) -> None:
        """Take one frame; raises Fault."""
        self._frames += 1
        size, kind = int.from_bytes(frame[:3], "big"), frame[3]
        if self._frames == 1 and kind != _SETTINGS:
            raise Fault(UPSTREAM_BAD, "the answer is not HTTP/2")
        if size > MAX_FRAME_SIZE:
            raise Fault(UPSTREAM_BAD, f"a frame of {size} bytes")
        if self._frames > MAX_FRAMES:
            raise Fault(UPSTREAM_BAD, f"more than {MAX_FRAMES} frames")
        if kind == _GOAWAY:
            self._leaving(frame[9:])
            return
        try:
            for event in self._h2.receive_data(frame):
                self._hear(event)
            if not self.ended:
                self._push()
        except H2Error as error:
            self.flush()
            raise Fault(UPSTREAM_BAD, f"not valid HTTP/2: {type(error).__name__}") from None

    def _leaving(self, payload: bytes) -> None:
        """Hear a GOAWAY: our stream is refused by it, or will still be finished."""
        if len(payload) < 8:
            raise Fault(UPSTREAM_BAD, "a GOAWAY frame that is too short")
        self._goaway = f"GOAWAY ({_code(int.from_bytes(payload[4:8], 'big'))})"
        if int.from_bytes(payload[:4], "big") & 0x7FFFFFFF < _STREAM:
            raise Fault(UPSTREAM_RESET, f"refused by {self._goaway}")

    def _hear(self, event: events.Event) -> None:
        answer = self.answer
        match event:
            case events.ResponseReceived():
                answer.headers = [(bytes(name), bytes(value)) for name, value in event.headers]
                status = dict(answer.headers)[b":status"]
                if len(status) != 3 or not status.isdigit():
                    raise Fault(UPSTREAM_BAD, "a status that is no number")
                answer.status = int(status)
            case events.DataReceived():
                answer.data += event.data
                if len(answer.data) > MAX_ANSWER:
                    raise Fault(UPSTREAM_BAD, f"an answer of more than {MAX_ANSWER} bytes")
                self._h2.acknowledge_received_data(event.flow_controlled_length, _STREAM)
            case events.TrailersReceived():
                answer.trailers = [(bytes(name), bytes(value)) for name, value in event.headers]
            case events.StreamEnded():
                self.ended = True
            case events.StreamReset():
                raise self.lost(f"the call was reset ({_code(event.error_code)})")


def _code(number: int) -> str:
    try:
        return ErrorCodes(number).name
    except ValueError:
        return f"code {number}"
