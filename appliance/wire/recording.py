"""Recordings: frames as JSON lines in a gzip file, made so that a reader can begin in the middle.

The first line is the hello of the proxy. Each whole state begins a new member of the file (RFC 1952 section
2.2), so that nothing before it is needed; the last member says at which moments and offsets they begin. A
file that was cut off, by a crash or a full disk, is read up to where it ends.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from .codec import MAX_FRAME, Frame, FrameError, decode, encode

_MAGIC: Final = b"\x1f\x8b\x08"
_GZIP: Final = 31  # wbits of zlib for a gzip member
_BLOCK: Final = 64 * 1024
_LONGEST: Final = 2 * MAX_FRAME
_TAIL: Final = 1 << 20


class RecordingError(ValueError):
    """A file is no recording; the text says why."""


class Writer:
    """Writes a recording into a binary file; ``close`` adds the index and leaves the file open."""

    def __init__(self, file: BinaryIO, hello: Mapping[str, Any]) -> None:
        self._file = file
        self._packer: Any = None
        self._index: list[tuple[int, int]] = []
        self._offset = 0
        self.size = 0
        self._begin()
        self._put(encode({**hello, "k": "hello"}))

    def add(self, frame: Mapping[str, Any]) -> None:
        """Write a frame; a whole state (``snap``) begins a member."""
        if frame.get("k") == "snap":
            self._begin()
            self._index.append((int(frame.get("m", 0)), self._offset))
        self._put(encode(frame))

    def flush(self) -> None:
        """Let everything so far be readable, whatever becomes of us."""
        self._out(self._packer.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """Write the index."""
        self._begin()
        self._put(json.dumps({"k": "index", "frames": self._index}))
        self._out(self._packer.flush(zlib.Z_FINISH))
        self._file.flush()

    def _begin(self) -> None:
        if self._packer is not None:
            self._out(self._packer.flush(zlib.Z_FINISH))
        self._packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._offset = self.size

    def _put(self, text: str) -> None:
        self._out(self._packer.compress(text.encode("utf-8", "surrogatepass") + b"\n"))

    def _out(self, data: bytes) -> None:
        self._file.write(data)
        self.size += len(data)


def read(file: BinaryIO, offset: int = 0) -> Iterator[Frame]:
    """Give the frames of a recording from a member on, the index left out; raises RecordingError.

    What follows a broken place is not read. Lines are bounded, so a file cannot take all memory.
    """
    file.seek(offset)
    begun = False
    for line in _lines(file):
        try:
            frame = decode(line.decode("utf-8", "surrogatepass"))
        except (FrameError, UnicodeDecodeError):
            if not begun:
                raise RecordingError("this is no recording: its first line is no frame") from None
            return
        if not begun and not offset and frame["k"] != "hello":
            raise RecordingError("this is no recording: it does not begin with a hello")
        begun = True
        if frame["k"] != "index":
            yield frame
    if not begun:
        raise RecordingError("this is no recording: there is nothing in it")


def index(file: BinaryIO) -> list[tuple[int, int]]:
    """Give the moments (ms) and offsets of the whole states; without an index, by reading it all."""
    size = file.seek(0, 2)
    begin = max(0, size - _TAIL)
    file.seek(begin)
    tail = file.read(_TAIL)
    place = tail.rfind(_MAGIC)
    for _ in range(4):
        if place < 0:
            break
        found = _as_index(tail[place:])
        if found is not None:
            return found
        place = tail.rfind(_MAGIC, 0, place)
    return _scan(file)


def _as_index(member: bytes) -> list[tuple[int, int]] | None:
    try:
        frame = json.loads(zlib.decompress(member, _GZIP))
        if frame["k"] == "index":
            return [(int(m), int(offset)) for m, offset in frame["frames"]]
    except (zlib.error, ValueError, TypeError, KeyError, RecursionError):
        pass
    return None


def _scan(file: BinaryIO) -> list[tuple[int, int]]:
    """Find the members that begin with a whole state."""
    found = []
    for offset, head in _members(file):
        try:
            frame = decode(head.decode("utf-8", "surrogatepass"))
        except (FrameError, UnicodeDecodeError):
            continue
        if frame["k"] == "snap":
            found.append((int(frame.get("m", 0)), offset))
    return found


def _members(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Give the offset and the first line of each member, as far as they are whole."""
    file.seek(0)
    start = place = 0
    rest = b""
    while True:
        unpacker = zlib.decompressobj(_GZIP)
        head = b""
        while not unpacker.eof:
            data = rest or file.read(_BLOCK)
            if not data:
                return
            try:
                out = unpacker.decompress(data, _BLOCK)
            except zlib.error:
                return
            taken = len(data) - len(unpacker.unconsumed_tail) - len(unpacker.unused_data)
            place += taken
            rest = unpacker.unconsumed_tail or unpacker.unused_data
            if b"\n" not in head and len(head) < _LONGEST:
                head += out
        yield start, head.partition(b"\n")[0]
        start = place


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Give the lines of all members from here on, as far as they can be read."""
    rest = line = b""
    unpacker = zlib.decompressobj(_GZIP)
    while True:
        data = rest or file.read(_BLOCK)
        if not data:
            return
        try:
            out = unpacker.decompress(data, _BLOCK)
        except zlib.error:
            return
        line += out
        *whole, line = line.split(b"\n")
        yield from whole
        if len(line) > _LONGEST:
            return
        if unpacker.eof:
            rest = unpacker.unused_data
            unpacker = zlib.decompressobj(_GZIP)
        else:
            rest = unpacker.unconsumed_tail
