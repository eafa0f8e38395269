"""The vocabulary in which the profile format is declared: plain data, no behaviour.

A type says what may stand at a place. ``read_scalar`` turns text into values by it, ``read`` walks
lists and maps by it, and whatever else describes the format (a JSON Schema, a reference page, an
explanation of one key) can be derived from the same data.

A Key also says how far this version has come. ``built`` False means that the key is read and
checked but nothing acts on it yet; writing it is reported unless the value is one of ``inert``,
those that ask for nothing (by default only the key's own default).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.model.units import AddressKind


@dataclass(frozen=True, slots=True)
class Boolean:
    """``true`` or ``false``, no other word."""


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number in a range, or one of a few words."""

    low: int = 0
    high: int = 1_000_000
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds; ``zero`` says whether 0 is allowed."""

    zero: bool = True


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes between two bounds; 0 passes only if ``low`` is 0."""

    low: int = 0
    high: int = 1 << 40


@dataclass(frozen=True, slots=True)
class Rate:
    """Events per second; ``zero`` says whether 0 is allowed."""

    zero: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Status:
    """One HTTP status in a range."""

    low: int = 200
    high: int = 599


@dataclass(frozen=True, slots=True)
class Statuses:
    """A status, a class or a range of them, or one of a few words that stay text."""

    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of a fixed set."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selector:
    """One word of a set, or a prefix with a name behind it, such as ``header:x-user``."""

    words: tuple[str, ...]
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """The number of the profile format."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name of our own: lower-case letters, digits and dashes."""

    variable: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Any text; ``what`` names it in messages, ``empty`` says whether it may be empty."""

    what: str = "text"
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Where a log goes: a path, ``stdout``, ``stderr``, or ``false`` for nowhere (None)."""


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression that matches a whole text and cannot backtrack without bound."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host name as clients send it; ``wildcard`` allows ``*.example.com``, ``port`` a port."""

    wildcard: bool = False
    port: bool = False


@dataclass(frozen=True, slots=True)
class UrlPath:
    """A path that begins with a slash."""


@dataclass(frozen=True, slots=True)
class Method:
    """An HTTP method, upper-case."""


@dataclass(frozen=True, slots=True)
class HeaderName:
    """A header field name, read as lower-case.

    ``edit`` refuses those that frame messages, which are written anew; ``read`` those that are gone
    before anything looks at a request's headers.
    """

    edit: bool = False
    read: bool = False


@dataclass(frozen=True, slots=True)
class HeaderValue:
    """A header field value; in an edit, ``%WORD%`` stands for what is known of a request when it is there."""

    words: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """An IP network in prefix notation, or one address."""


@dataclass(frozen=True, slots=True)
class Url:
    """An absolute http or https URL."""


@dataclass(frozen=True, slots=True)
class AddressOf:
    """An address of one of these kinds; ``bind`` for what we listen on."""

    kinds: tuple[AddressKind, ...]
    bind: bool = False


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; ``low`` is how many entries it needs, ``named`` that entries are told by their name."""

    item: Type
    low: int = 0
    named: bool = False


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map with names of the operator's choosing; ``entry`` is what one of them is called."""

    key: Type
    value: Type
    low: int = 0
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Object:
    """A map with fixed keys. ``exclusive`` holds groups of which at most one key may stand, or
    exactly one if the group is in ``one_of``."""

    keys: Mapping[str, Key]
    exclusive: tuple[tuple[str, ...], ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ByShape:
    """Different types for a single value, a list and a map; None refuses that shape."""

    scalar: Type | None = None
    listing: Type | None = None
    mapping: Type | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its type, one line about it, and its default as an operator would write it.

    A default of None means that there is none, or that it is worked out and ``doc`` says how.
    """

    type: Type
    doc: str
    default: Any = None
    required: bool = False
    built: bool = True
    inert: tuple[Any, ...] | None = field(default=None)

    @property
    def harmless(self) -> tuple[Any, ...]:
        """The values, as plain data, that ask for nothing that is not built."""
        if self.inert is not None:
            return self.inert
        return () if self.default is None else (self.default,)


Leaf = (
    Boolean
    | Integer
    | Duration
    | Size
    | Rate
    | Share
    | Status
    | Statuses
    | Choice
    | Selector
    | Version
    | Name
    | Text
    | Target
    | Regex
    | Host
    | UrlPath
    | Method
    | HeaderName
    | HeaderValue
    | Network
    | Url
    | AddressOf
)
Type = Leaf | ListOf | MapOf | Object | ByShape
