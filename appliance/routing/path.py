"""One spelling for every path, so that a rule about `/admin` cannot be walked around.

`/admin`, `/%61dmin`, `/x/../admin` and `/x/%2E%2e/admin` are one resource to RFC 3986 and four
strings to a comparison. Whoever matches one spelling and forwards another has built a way past
its own rules, so the proxy settles the spelling once, before routing, and sends on what it
matched. Three rewritings are safe for every server (RFC 3986 section 6.2.2): an escape of an
unreserved character becomes that character, other escapes get upper-case digits, and dot segments
are resolved, without ever climbing above the root. Empty segments stay, because `//` means
something to some servers.

What servers are known to disagree about is refused rather than guessed at: an escaped slash may
or may not part segments, a backslash is a slash to some, an escaped NUL ends the string in C, and
a byte outside visible ASCII has no place in a request line.

Nearly every path needs none of this, and one search says so. It stops at dots as well as at bad
bytes because an expression that opens with a set of characters is scanned for quickly; only a dot
that opens a segment, and is all of it or half of it, counts as work.
"""

from __future__ import annotations

import re
from functools import lru_cache


class BadPath(ValueError):
    """A path that servers may read in different ways; the text is one plain sentence for the client."""


_needs_work = re.compile(rb"[\x00-\x20#%?.\\\x7f-\xff](?:(?<!\.)|(?<=/\.)\.?(?:/|\Z))").search
_forbidden = re.compile(rb"[\x00-\x20#?\\\x7f-\xff]").search
_dot_segment = re.compile(rb"/\.\.?(?:/|\Z)").search
_not_in_a_path = re.compile(rb"[\x00-\x20#?\\\x7f-\xff]").sub

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DIGITS = "0123456789ABCDEFabcdef"
_REFUSED = {
    b"%00": "The path contains an escaped NUL (%00).",
    b"%2F": "The path contains an escaped slash (%2F).",
    b"%5C": "The path contains an escaped backslash (%5C).",
}


def _spelling(octet: int) -> bytes:
    return bytes([octet]) if octet in _UNRESERVED else b"%%%02X" % octet


# Every way of writing the digits of an escape, to the spelling that is kept: "7e" -> "~", "c3" -> "%C3".
_CANONICAL = {
    f"{a}{b}".encode(): _spelling(int(a + b, 16))
    for a in _DIGITS
    for b in _DIGITS
    if _spelling(int(a + b, 16)) not in _REFUSED
}


def normalise(path: bytes) -> bytes:
    """Give the one spelling of an origin-form path (RFC 3986 sections 6.2.2 and 5.2.4).

    ``path`` begins with `/` and has no query; what needs no change is returned itself, which lets
    the `*` of an OPTIONS request through. Applying it twice changes nothing more. Raises BadPath
    for an escaped NUL, slash or backslash, a `%` without two hexadecimal digits, a backslash, and
    any byte that cannot stand in a path: control characters, space, `#`, `?`, all beyond ASCII.
    """
    if _needs_work(path) is None:
        return path
    bad = _forbidden(path)
    if bad is not None:
        raise BadPath(_sentence(bad[0][0]))
    if b"%" in path:
        path = _respell(path)
    return _without_dot_segments(path) if _dot_segment(path) else path


def _sentence(octet: int) -> str:
    if octet == 0x5C:
        return "The path contains a backslash."
    if octet > 0x7F:
        return "The path contains a byte outside ASCII that is not percent-encoded."
    if 0x20 < octet < 0x7F:
        return f"The path contains a {chr(octet)} that is not percent-encoded."
    return "The path contains a space." if octet == 0x20 else "The path contains a control character."


def _respell(path: bytes) -> bytes:
    first, *rest = path.split(b"%")
    try:
        return first + b"".join([_CANONICAL[part[:2]] + part[2:] for part in rest])
    except KeyError as bad:
        digits = b"%" + bad.args[0].upper()
        why = _REFUSED.get(digits, "The path contains a % that is not followed by two hexadecimal digits.")
        raise BadPath(why) from None


def _without_dot_segments(path: bytes) -> bytes:
    """Resolve `.` and `..`; a `..` at the root has nothing to remove (RFC 3986 section 5.2.4)."""
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Part an origin-form target at its first `?` into path and query.

    The query comes without the `?`; none and an empty one are both ``b""`` (RFC 9112 section 3.2.1).
    """
    path, _, query = target.partition(b"?")
    return path, query


@lru_cache(maxsize=4096)  # profile text only: no client chooses a key
def written(text: str) -> bytes:
    """Give a path as a profile writes it in the bytes of a request line.

    It begins with `/` whether or not the text does. What cannot stand in a path, such as a space
    or `é`, is percent-encoded as UTF-8; escapes stay as they are written.
    """
    path = _not_in_a_path(_escaped, text.encode())
    return path if path.startswith(b"/") else b"/" + path


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]


def prefix_key(text: str) -> bytes:
    """Give a profile's ``path_prefix`` as the bytes every path under it begins with.

    The last slash is dropped, so `/pay` and `/pay/` give the same and `/` gives ``b""``; in a path
    under it comes `/` or nothing next. Raises BadPath where normalise would: no path is under it.
    """
    return normalise(written(text)).removesuffix(b"/")
