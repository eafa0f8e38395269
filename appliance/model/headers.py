"""Header fields as the proxy holds them: a list of (lower-case name, value) pairs in wire order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]


def get(headers: Headers, name: bytes) -> bytes | None:
    """Give the first value of ``name`` (lower-case), or None."""
    for key, value in headers:
        if key == name:
            return value
    return None


def get_all(headers: Headers, name: bytes) -> list[bytes]:
    """Give every value of ``name`` (lower-case) in order."""
    return [value for key, value in headers if key == name]


def tokens(values: Iterable[bytes]) -> list[bytes]:
    """Split list-valued fields at commas; lower-case, empty elements dropped (RFC 9110 section 5.6.1)."""
    return [t for value in values for part in value.split(b",") if (t := part.strip(b" \t").lower())]


@dataclass(frozen=True, slots=True)
class HeaderEdits:
    """What a route changes in a header section: removed first, then set (replace), then added."""

    remove: tuple[bytes, ...] = ()
    set: tuple[tuple[bytes, bytes], ...] = ()
    add: tuple[tuple[bytes, bytes], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.remove or self.set or self.add)

    def apply(self, headers: Headers) -> Headers:
        """Give a new list with the edits made; the argument stays as it was."""
        gone = {*self.remove, *(name for name, _ in self.set)}
        kept = [pair for pair in headers if pair[0] not in gone]
        return [*kept, *self.set, *self.add]
