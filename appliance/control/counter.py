"""The HTTP of the stats socket: one request, one answer; or the beginning of a websocket.

    GET /v1/snapshot   GET /v1/events?after=&limit=   GET /metrics   GET /healthz   GET /readyz
    POST /v1/actions/OP   and the websocket at /v1/stream

h11 reads it: nobody is in a hurry here. Whoever asks has been judged before anything is looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib import import_module
from typing import Final
from urllib.parse import parse_qs

import h11
import trio

from appliance.wire.codec import MAX_MESSAGE, STREAM, FrameError, encode, read_json

from . import hub
from .desk import Desk
from .roles import Denied, Peer

HANDSHAKE: Final = 5.0
"""Seconds for a whole request."""
_HEAD: Final = 16 * 1024
_EVENTS: Final = 500
_BURST: Final = 4 * MAX_MESSAGE
_PACE: Final = 16384
"""Bytes a second that a websocket's client may send, and how many at once."""
_STATUS: Final = {
    "ok": 200, "invalid": 400, "denied": 403, "not_found": 404, "unsupported": 404, "conflict": 409,
    "failed": 422, "busy": 429,
}  # fmt: skip
_ACTIONS: Final = "/v1/actions/"
_JSON: Final = "application/json"
_EXPOSITION: Final = "appliance.control.exposition"

Judge = Callable[[Mapping[str, str]], Peer | Denied]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    fields: tuple[tuple[str, str], ...] = ()


class _Replayed(trio.abc.Stream):
    """A stream of which something has been read already, and that is read no faster than people type.

    Behind it are the library's own answers to pings and fragments, of which no session hears.
    """

    def __init__(self, stream: trio.abc.Stream, read: bytes) -> None:
        self._stream = stream
        self._read = read
        self._room = float(_BURST)
        self._filled = trio.current_time()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._read:
            most = max_bytes or len(self._read)
            data, self._read = self._read[:most], self._read[most:]
            await trio.lowlevel.checkpoint()
            return data
        now = trio.current_time()
        self._room = min(_BURST, self._room + (now - self._filled) * _PACE)
        self._filled = now
        if self._room < 0:
            await trio.sleep(-self._room / _PACE)
        data = bytes(await self._stream.receive_some(max_bytes))
        self._room -= len(data)
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


@dataclass(slots=True)
class _Asked:
    """A request as far as it has been read; ``raw`` is all of it up to the end of its head, or more."""

    request: h11.Request | None = None
    peer: Peer | None = None
    raw: bytes = b""
    body: bytes = b""
    websocket: bool = False
    whole: bool = False


async def serve(stream: trio.abc.Stream, desk: Desk, judge: Judge) -> None:
    """Serve one connection."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD)
    asked = _Asked()
    reply: Reply | None = Reply(408, b"the request took too long\n")
    with trio.move_on_after(HANDSHAKE):
        try:
            reply = await _read(stream, connection, judge, asked)
        except h11.RemoteProtocolError as error:
            reply = Reply(error.error_status_hint, b"this is not HTTP\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
    peer, request = asked.peer, asked.request
    if reply is None and peer is not None and asked.websocket:
        if max(desk.seats, len(desk.clients)) < desk.plan.max_clients:
            desk.seats += 1
            try:
                await hub.converse(_Replayed(stream, asked.raw), desk, peer, HANDSHAKE)
            finally:
                desk.seats -= 1
            return
        reply = Reply(503, b"as many dashboards are connected as may be (stats.max_clients)\n")
    if reply is None and peer is not None and request is not None and asked.whole:
        reply = await _answer(desk, peer, request, asked.body)
    if reply is not None:
        await _send(stream, connection, reply, bodiless=request is not None and request.method == b"HEAD")


async def _read(
    stream: trio.abc.Stream, connection: h11.Connection, judge: Judge, asked: _Asked
) -> Reply | None:
    """Read a request; give an answer if it needs no more than its head, or is too long."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = bytes(await stream.receive_some(_HEAD))
            if asked.request is None:
                asked.raw += data
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            asked.request = event
            headers = _headers(event)
            peer = judge(headers)
            if isinstance(peer, Denied):
                return _refusal(peer)
            asked.peer = peer
            if headers.get("upgrade", "").lower() == "websocket" and _path(event) == STREAM:
                asked.websocket = True
                return None
        elif isinstance(event, h11.Data):
            asked.body += event.data
            if len(asked.body) > MAX_MESSAGE:
                return Reply(413, b"a body has at most 64 KiB\n")
        else:  # the end of the request, or of the connection
            asked.whole = isinstance(event, h11.EndOfMessage)
            return None


async def _send(stream: trio.abc.Stream, connection: h11.Connection, reply: Reply, *, bodiless: bool) -> None:
    fields = [
        ("content-type", reply.kind),
        ("content-length", str(len(reply.body))),
        ("cache-control", "no-store"),
        ("connection", "close"),
        *reply.fields,
    ]
    with trio.move_on_after(HANDSHAKE):
        try:
            reason = HTTPStatus(reply.status).phrase.encode()
            response = h11.Response(status_code=reply.status, headers=fields, reason=reason)
            head = connection.send(response) or b""
            body = b"" if bodiless else connection.send(h11.Data(data=reply.body)) or b""
            await stream.send_all(head + body)
            if isinstance(stream, trio.SocketStream):
                await stream.send_eof()
                while await stream.receive_some(_HEAD):  # else a close would take the answer back
                    pass
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.LocalProtocolError):
            return


async def _answer(desk: Desk, peer: Peer, request: h11.Request, body: bytes) -> Reply:
    path = _path(request)
    method = request.method.decode()
    if path.startswith(_ACTIONS):
        if method != "POST":
            return Reply(405, b"actions are asked for by POST\n", fields=(("allow", "POST"),))
        return await _act(desk, peer, path.removeprefix(_ACTIONS), request, body)
    look = _LOOKS.get(path)
    if look is _metrics:
        await trio.to_thread.run_sync(import_module, _EXPOSITION)  # the first time takes a tenth of a second
    if look is None:
        return Reply(404, f"there is nothing here; there are {', '.join(_LOOKS)}\n".encode())
    if method not in ("GET", "HEAD"):
        return Reply(405, b"this can only be looked at\n", fields=(("allow", "GET, HEAD"),))
    query = {name: rows[-1] for name, rows in parse_qs(_query(request)).items()}
    return look(desk, query)


async def _act(desk: Desk, peer: Peer, op: str, request: h11.Request, body: bytes) -> Reply:
    if _headers(request).get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        return Reply(415, b"send Content-Type: application/json\n")
    try:
        asked = read_json(body.decode() or "{}")
    except (FrameError, UnicodeDecodeError):
        asked = None
    if not isinstance(asked, dict):
        return Reply(400, b"the body is an object: args, expect, dry_run, id\n")
    command = {"id": os.urandom(8).hex(), **asked, "op": op}
    result = await desk.actions.run(peer, command)
    desk.hurry()
    told = encode(result.frame(str(command["id"])[:100])).encode() + b"\n"
    return Reply(_STATUS[result.code], told, _JSON)


def _snapshot(desk: Desk, _query: Mapping[str, str]) -> Reply:
    text = desk.snap(dict.fromkeys(desk.moment.state, True))
    return Reply(200, text.encode() + b"\n", _JSON)


def _events(desk: Desk, query: Mapping[str, str]) -> Reply:
    try:
        after, limit = int(query.get("after", "0")), int(query.get("limit", str(_EVENTS)))
    except ValueError:
        return Reply(400, b"after and limit are whole numbers\n")
    lost, rows = desk.worker.bulletin.after(max(0, after), max(1, min(limit, _EVENTS)))
    told = {"k": "events", "lost": lost, "items": [desk.item(row) for row in rows]}
    return Reply(200, encode(told).encode() + b"\n", _JSON)


def _metrics(desk: Desk, _query: Mapping[str, str]) -> Reply:
    exposition = import_module(_EXPOSITION)
    return Reply(200, exposition.expose(desk), exposition.CONTENT_TYPE)


def _healthz(_desk: Desk, _query: Mapping[str, str]) -> Reply:
    return Reply(200, b"ok\n")


def _readyz(desk: Desk, _query: Mapping[str, str]) -> Reply:
    return Reply(503, b"draining\n") if desk.worker.draining else Reply(200, b"ready\n")


_LOOKS: Final[dict[str, Callable[[Desk, Mapping[str, str]], Reply]]] = {
    "/v1/snapshot": _snapshot,
    "/v1/events": _events,
    "/metrics": _metrics,
    "/healthz": _healthz,
    "/readyz": _readyz,
}


def _refusal(denied: Denied) -> Reply:
    fields = (("www-authenticate", "Bearer"),) if denied.status == 401 else ()
    return Reply(denied.status, f"{denied.text}\n".encode(), fields=fields)


def _headers(request: h11.Request) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}


def _path(request: h11.Request) -> str:
    return _origin_form(request).partition("?")[0]


def _query(request: h11.Request) -> str:
    return _origin_form(request).partition("?")[2]


def _origin_form(request: h11.Request) -> str:
    """Give path and query; a server takes the absolute form, too (RFC 9112 section 3.2.2)."""
    target = request.target.decode("latin-1")
    if not target.lower().startswith("http://"):
        return target
    slash = target.find("/", 7)
    return target[slash:] if slash >= 0 else "/"
