"""WebSocket peers for the live tests: an echo server on wsproto, with compression, and a client in HTTP/2.

The server reads and writes blockingly, a thread for each connection: nothing in it can be late but the
network, so that what a test sees is the proxy's doing.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from h2 import events as h2_events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import StreamClosedError
from wsproto import ConnectionType, WSConnection, events
from wsproto.connection import Connection, ConnectionState
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

LIMIT = 20.0
PIECE = 1 << 18
_ACCEPTED = events.AcceptConnection


def _echo(sock: socket.socket) -> None:
    """Serve one connection: accept, send every message back as it was cut, answer pings and the close."""
    line, sub = WSConnection(ConnectionType.SERVER), b""
    parts: list[events.Message] = []
    while line.state not in (ConnectionState.CLOSED, ConnectionState.REJECTING):
        data = sock.recv(PIECE)
        try:
            line.receive_data(data or None)
            heard = list(line.events())
        except RemoteProtocolError as error:
            heard = []
            if error.event_hint is not None:
                sub = line.send(error.event_hint)
        for event in heard:
            if isinstance(event, events.Request):
                chosen = next(iter(event.subprotocols), None)
                seen = [pair for pair in event.extra_headers if pair[0].startswith(b"x-")]
                sub += line.send(
                    _ACCEPTED(subprotocol=chosen, extensions=[PerMessageDeflate()], extra_headers=seen)
                )
            elif isinstance(event, events.Message):
                parts.append(event)
                if event.message_finished:
                    whole = parts[0].data[:0].join(part.data for part in parts)
                    kind = type(event)
                    parts = []
                    with suppress(LocalProtocolError):  # nobody waits for it behind a close
                        sub += line.send(kind(data=whole))
            elif isinstance(event, events.Ping):
                sub += line.send(event.response())
            elif isinstance(event, events.CloseConnection) and line.state is not ConnectionState.CLOSED:
                with suppress(LocalProtocolError):
                    sub += line.send(event.response())
        sock.sendall(sub)
        sub = b""
        if not data:
            break


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve each connection to a loopback port in a thread; gives the port."""
    over = threading.Event()

    def one(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            sock.settimeout(LIMIT)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serve(sock)

    def accept() -> None:
        while not over.is_set():
            if select.select([listener], [], [], 0.1)[0]:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            over.set()
            thread.join()


@contextmanager
def echo_server() -> Iterator[int]:
    """Run the echo server; gives its port."""
    with serving(_echo) as port:
        yield port


class H2WebSocket:
    """A WebSocket on one stream of an HTTP/2 connection (RFC 8441), by the h2 library."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        sock = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock if tls is None else tls.wrap_socket(sock, server_hostname="localhost")
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.tls = tls is not None
        self.enabled = False
        self.head: dict[int, dict[str, str]] = {}
        self.lines: dict[int, Connection] = {}
        self.heard: dict[int, list[events.Event]] = {}
        self.ended: set[int] = set()
        self.reset: dict[int, int] = {}
        self.flush()
        while not self.enabled:
            self.hear()

    def flush(self) -> None:
        """Send what h2 has to say."""
        self.sock.sendall(self.h2.data_to_send())

    def hear(self) -> None:
        """Take what arrives next."""
        data = self.sock.recv(PIECE)
        assert data, "the proxy has closed"
        for event in self.h2.receive_data(data):
            self._take(event)
        self.flush()

    def _take(self, event: h2_events.Event) -> None:
        if isinstance(event, h2_events.RemoteSettingsChanged):
            self.enabled = self.enabled or 8 in event.changed_settings
        elif isinstance(event, h2_events.ResponseReceived):
            self.head[event.stream_id] = {str(name): str(value) for name, value in event.headers}
        elif isinstance(event, h2_events.DataReceived):
            line = self.lines[event.stream_id]
            if event.data:
                line.receive_data(event.data)
                self.heard[event.stream_id].extend(line.events())
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2_events.StreamEnded):
            self.ended.add(event.stream_id)
        elif isinstance(event, h2_events.StreamReset):
            self.reset[event.stream_id] = int(event.error_code)

    def connect(self, path: str = "/", headers: Sequence[tuple[str, str]] = ()) -> int:
        """Open a WebSocket; gives its stream when the proxy has answered."""
        id = self.h2.get_next_available_stream_id()
        scheme = "https" if self.tls else "http"
        fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", scheme), (":path", path)]
        fields += [(":authority", "localhost"), ("sec-websocket-version", "13"), *headers]
        self.lines[id], self.heard[id] = Connection(ConnectionType.CLIENT), []
        self.h2.send_headers(id, fields)
        self.flush()
        while id not in self.head and id not in self.reset:
            self.hear()
        return id

    def send(self, id: int, event: events.Event) -> None:
        """Send frames; reads while a window is shut."""
        data = self.lines[id].send(event)
        while data:
            room = min(self.h2.local_flow_control_window(id), self.h2.max_outbound_frame_size)
            if room <= 0:
                self.hear()
                continue
            self.h2.send_data(id, data[:room])
            data = data[room:]
            self.flush()

    def end(self, id: int) -> None:
        """End our half of the stream, unless the proxy, which needs it no more, has ended both."""
        with suppress(StreamClosedError):
            self.h2.end_stream(id)
        self.flush()

    def next(self, id: int) -> events.Event:
        """Give the next event of a WebSocket, with messages put together."""
        whole: bytes | str | None = None
        while True:
            while not self.heard[id]:
                assert id not in self.reset, f"reset with {self.reset[id]}"
                self.hear()
            event = self.heard[id].pop(0)
            if not isinstance(event, events.Message):
                return event
            whole = event.data if whole is None else whole + event.data  # type: ignore[operator]
            if event.message_finished:
                return type(event)(data=whole)

    def close(self) -> None:
        """Close the connection."""
        self.h2.close_connection()
        with suppress(OSError):
            self.flush()
        self.sock.close()
