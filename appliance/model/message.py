"""Requests, responses and bodies as every floor above HTTP sees them: no protocol version in sight.

Headers hold only end-to-end fields: framing (length, coding), connection management and ``host`` have
been taken out by the reader and are put back by the writer, from ``body.length`` and ``authority``.
"""

from __future__ import annotations

from typing import Any, Protocol

from .headers import Headers


class Body(Protocol):
    """The rest of a message, pulled by whoever forwards it."""

    length: int | None
    ended: bool
    trailers: Headers

    def read_nowait(self) -> bytes:
        """Give what has already arrived, perhaps nothing; never waits."""

    async def read(self) -> bytes:
        """Give the next piece; ``b""`` once, at the end. Raises Fault when it cannot be had."""

    def at_hand(self) -> bool:
        """Say whether ``read_nowait`` will give the whole of it, so that no task must wait for more."""

    def abandon(self) -> None:
        """Say that nobody will read the rest; sync, never blocks, safe in ``finally``."""


class NoBody:
    """A message without a body; one instance serves all."""

    __slots__ = ("ended", "length", "trailers")

    def __init__(self) -> None:
        self.length: int | None = 0
        self.ended = True
        self.trailers: Headers = []

    def read_nowait(self) -> bytes:
        """Give nothing."""
        return b""

    async def read(self) -> bytes:
        """Give the end."""
        return b""

    def at_hand(self) -> bool:
        """Say yes."""
        return True

    def abandon(self) -> None:
        """Do nothing: there is no rest."""


class FixedBody:
    """A body that is already in memory."""

    __slots__ = ("_data", "ended", "length", "trailers")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length: int | None = len(data)
        self.ended = not data
        self.trailers: Headers = []

    def read_nowait(self) -> bytes:
        """Give all of it the first time, then nothing."""
        data, self._data = self._data, b""
        self.ended = True
        return data

    async def read(self) -> bytes:
        """Give all of it the first time, then the end."""
        return self.read_nowait()

    def at_hand(self) -> bool:
        """Say yes."""
        return True

    def abandon(self) -> None:
        """Forget the data."""
        self.read_nowait()


NO_BODY: Body = NoBody()


class Request:
    """What a client asks for.

    ``path`` is as it will be routed and sent (normalised), ``query`` has no question mark. For
    ``OPTIONS *`` the path is ``*``. ``authority`` is host and optional port, lower-case, perhaps empty
    for HTTP/1.0. ``version`` is what it was received in. ``streaming``: a
    task of its own forwards the body, and nobody else may read it. ``upgrade`` is the protocol that the
    client wants to speak from here on, if any.
    """

    __slots__ = (
        "authority",
        "body",
        "headers",
        "method",
        "path",
        "query",
        "scheme",
        "streaming",
        "upgrade",
        "version",
    )

    def __init__(
        self, method: bytes, scheme: bytes, authority: bytes, path: bytes, query: bytes, headers: Headers
    ) -> None:
        self.method = method
        self.scheme = scheme
        self.authority = authority
        self.path = path
        self.query = query
        self.headers = headers
        self.body: Body = NO_BODY
        self.version = "HTTP/1.1"
        self.streaming = False
        self.upgrade = b""

    def again(self) -> Request:
        """Give a request for the same, without a body, whose headers may be changed by themselves."""
        twin = Request(self.method, self.scheme, self.authority, self.path, self.query, self.headers.copy())
        twin.version, twin.upgrade = self.version, self.upgrade
        return twin

    @property
    def target(self) -> bytes:
        """Path and query as one origin-form target (RFC 9112 section 3.2.1)."""
        return self.path + b"?" + self.query if self.query else self.path


def hostname(authority: bytes) -> bytes:
    """Give the host without its port and the dot of a fully qualified name; IPv6 brackets stay."""
    if authority.startswith(b"["):
        return authority[: authority.find(b"]") + 1]
    return authority.partition(b":")[0].removesuffix(b".")


class Response:
    """What the client is answered; ``reason`` is passed on when an upstream gave one.

    ``version`` is what it was received in. ``tunnel``: the upstream has switched protocols, and this is its
    end of what follows (``http/tunnel``).
    """

    __slots__ = ("body", "headers", "reason", "status", "tunnel", "version")

    def __init__(self, status: int, headers: Headers, body: Body = NO_BODY, reason: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.reason = reason
        self.version = "HTTP/1.1"
        self.tunnel: Any = None
