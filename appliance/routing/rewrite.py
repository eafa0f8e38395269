"""What a route makes of a target: the one the upstream is asked for, or the Location of a redirect.

Both may replace the whole path, or only the prefix that led to the route. A prefix is whole
segments, and the joint holds exactly one slash however the two sides are written: from `/pay/`
to `/`, `/pay/17` becomes `/17`, and so does `/pay//17`. The query is the client's and stays.

A Location is built to be harmless whatever the client sent. It is absolute, with our scheme and
authority in front, so a path such as `//evil.example` remains a path: only a *relative* reference
would send the browser there. Where there is no authority to put in front (HTTP/1.0 without Host),
it has to be relative, and then its leading slashes are folded into one. And every byte that could
end the header line, or the part of the URL that it stands in, is percent-encoded, even though the
readers of requests let none of them through: an answer's safety should not hang on a distant check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .match import Match
from .path import prefix_key, written

_DEFAULT_PORTS = {b"http": b"80", b"https": b"443"}

_unsafe_in_authority = re.compile(rb"[^A-Za-z0-9\-._~!$&'()*+,;=:%\[\]]").sub
_unsafe_in_target = re.compile(rb"[\x00-\x20\"#<>\\^`{|}\x7f-\xff]").sub


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer with a Location; the parts that are None are kept from the request.

    ``path_prefix`` replaces the prefix that the route matched, ``path`` the whole path.
    """

    status: int = 308
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    path: str | None = None
    path_prefix: str | None = None

    def location(self, scheme: bytes, authority: bytes, path: bytes, query: bytes, match: Match) -> bytes:
        """Give the URL to go to, from the parts of the request and the match that chose this route.

        ``scheme`` is `http` or `https`; ``authority`` the request's host with or without a port,
        as it came; ``path`` normalised; ``query`` without its `?`. The default port of the new
        scheme is left out. A change of scheme keeps no port of the request, since one port does
        not speak both: it is the default one unless ``port`` says otherwise.
        """
        to_scheme = scheme if self.scheme is None else self.scheme.encode()
        to_path = _replaced(path, self.path, self.path_prefix, match)
        if not to_path.startswith(b"/"):  # the `*` of OPTIONS; anything else would extend our host's name
            to_path = b"/" + to_path
        target = _unsafe_in_target(_escaped, _joined(to_path, query))
        to_authority = self._authority(scheme, authority, to_scheme)
        if not to_authority:
            return b"/" + target.lstrip(b"/")
        return b"%b://%b%b" % (to_scheme, to_authority, target)

    def _authority(self, scheme: bytes, authority: bytes, to_scheme: bytes) -> bytes:
        host, port = _host_and_port(authority)
        if to_scheme != scheme:
            port = b""
        if self.host is not None:
            host = self.host.encode()
            if b":" in host and not host.startswith(b"["):
                host = b"[%b]" % host
        if self.port is not None:
            port = b"%d" % self.port
        if not host:
            return b""
        if port and port != _DEFAULT_PORTS.get(to_scheme):
            host = b"%b:%b" % (host, port)
        return _unsafe_in_authority(_escaped, host)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What the upstream sees in place of what the client asked for."""

    path: str | None = None
    path_prefix: str | None = None
    host: str | None = None

    def apply(self, path: bytes, query: bytes, match: Match) -> bytes:
        """Give the target for the upstream: path, and `?` with the query unless that is empty.

        ``path`` is normalised and was matched by ``match``. With neither ``path`` nor
        ``path_prefix`` it passes as it is.
        """
        return _joined(_replaced(path, self.path, self.path_prefix, match), query)


def _replaced(path: bytes, whole: str | None, prefix: str | None, match: Match) -> bytes:
    """Give the new path; a route that matched by no prefix matched under `/`. A `*` is no path, and stays."""
    if path == b"*":
        return path
    if whole is not None:
        return written(whole)
    if prefix is None:
        return path
    rest = path[len(prefix_key(match.path_prefix or "/")) :]
    new = written(prefix).rstrip(b"/")
    return (new + b"/" + rest.lstrip(b"/") if rest else new) or b"/"


def _joined(path: bytes, query: bytes) -> bytes:
    return b"%b?%b" % (path, query) if query else path


def _host_and_port(authority: bytes) -> tuple[bytes, bytes]:
    """Part `host:port`, `host` or `[v6]:port`; the port is ``b""`` where none is written."""
    host, colon, port = authority.rpartition(b":")
    return (host, port) if colon and (port.isdigit() or not port) else (authority, b"")


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]
