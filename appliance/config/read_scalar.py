"""One scalar to one typed value, or the problem with it.

Each type of the schema has one function in the table at the end. A function gets the text and
gives the value, or raises Unreadable with the code, what is wrong (a sentence that begins with the
value) and what could be written instead. It knows no position: ``read`` adds that, and leaves out
the corrections when the text must not be shown.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any, Final

from appliance.model import units
from appliance.model.words import WORD, WORDS
from appliance.routing.path import BadPath, normalise, written

from . import schema_types as t
from .backtracking import unbounded

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}", re.ASCII)
_LABELS = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*", re.ASCII
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_URL = re.compile(r"https?://([^/?#\s@]+)(?:[/?#]\S*)?", re.ASCII | re.IGNORECASE)
FRAMING = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "proxy-connection",
    }
)
UNSEEN = FRAMING - {"te"} | {"http2-settings", "proxy-authenticate", "proxy-authorization"}
MAX_REGEX = 1000


class Unreadable(ValueError):
    """A scalar that does not read as its type; ``problem`` begins after the value."""

    def __init__(self, code: str, problem: str, instead: tuple[str, ...] = ()) -> None:
        super().__init__(problem)
        self.code = code
        self.problem = problem
        self.instead = instead


def read_scalar(kind: t.Leaf, text: str) -> Any:
    """Give the value of ``text`` as this type; raises Unreadable, whose proposals this type reads."""
    read = _READERS[type(kind)]
    try:
        return read(kind, text)
    except Unreadable as problem:
        for proposal in problem.instead:
            try:
                read(kind, proposal)
            except Unreadable:
                raise Unreadable(problem.code, problem.problem) from None
        raise


def nearest(text: str, known: list[str] | tuple[str, ...]) -> str | None:
    """Give the known name that ``text`` was probably meant to be."""
    from difflib import get_close_matches  # noqa: PLC0415 (only for a profile that is wrong)

    folded = {name.lower().replace("-", "_"): name for name in known}
    close = get_close_matches(text.lower().replace("-", "_"), list(folded), n=1, cutoff=0.65)
    return folded[close[0]] if close else None


def words(choices: tuple[str, ...]) -> str:
    """Give ``a, b or c``."""
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _unit(code: str, function: Callable[[str], Any]) -> Callable[[Any, str], Any]:
    def read(_kind: Any, text: str) -> Any:
        try:
            return function(text)
        except units.UnitError as problem:
            raise Unreadable(code, problem.problem, problem.instead) from None

    return read


_duration = _unit("MC303", units.duration)
_size = _unit("MC304", units.size)
_rate = _unit("MC305", units.rate)
_status = _unit("MC308", units.status)
_statuses = _unit("MC308", units.statuses)
_name = _unit("MC309", units.name)


def _boolean(_kind: t.Boolean, text: str) -> bool:
    if text not in ("true", "false"):
        other = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(text.lower())
        if other is None and text.lower() in ("true", "false"):
            other = text.lower()
        raise Unreadable("MC301", "is not a boolean: only true and false are", (other,) if other else ())
    return text == "true"


def _integer(kind: t.Integer, text: str) -> int | str:
    if text in kind.words:
        return text
    or_word = f", or {words(kind.words)}" if kind.words else ""
    allowed = f"{kind.low} to {kind.high}{or_word}"
    if not re.fullmatch(r"0|[1-9]\d{0,14}", text, re.ASCII):
        plain = text.replace("_", "").replace(",", "")
        instead = (plain,) if plain != text and re.fullmatch(r"[1-9]\d{0,14}", plain, re.ASCII) else ()
        raise Unreadable("MC302", f"is not a whole number: {allowed}", instead)
    if not kind.low <= int(text) <= kind.high:
        raise Unreadable("MC302", f"is out of range: {allowed}")
    return int(text)


def _duration_in(kind: t.Duration, text: str) -> Any:
    value = _duration(kind, text)
    if not value and not kind.zero:
        raise Unreadable("MC303", "is too short here: it must be more than 0")
    return value


def _size_in(kind: t.Size, text: str) -> Any:
    value = _size(kind, text)
    if not kind.low <= value <= kind.high:
        low, high = units.format_size(kind.low), units.format_size(kind.high)
        raise Unreadable("MC304", f"is out of range: {low} to {high}")
    return value


def _rate_in(kind: t.Rate, text: str) -> Any:
    value = _rate(kind, text)
    if not value and not kind.zero:
        raise Unreadable("MC305", "lets nothing through: a rate here is more than 0")
    return value


def _status_in(kind: t.Status, text: str) -> Any:
    value = _status(kind, text)
    if not kind.low <= value <= kind.high:
        raise Unreadable("MC308", f"is out of range: {kind.low} to {kind.high}")
    return value


def _status_set(kind: t.Statuses, text: str) -> Any:
    if text in kind.words:
        return text
    if kind.words and not text[:1].isdigit():
        close = nearest(text, kind.words)
        problem = f"is neither a status (503, 5xx, 500-504) nor one of {words(kind.words)}"
        raise Unreadable("MC308", problem, (close,) if close else ())
    return _statuses(kind, text)


def _choice(kind: t.Choice, text: str) -> str:
    if text not in kind.words:
        if len(kind.words) == 1 and kind.words[0] in ("true", "false"):
            raise Unreadable("MC310", f"is not allowed here: write {kind.words[0]}, or leave the key out")
        close = nearest(text, kind.words)
        raise Unreadable(
            "MC310", f"is not allowed here: write {words(kind.words)}", (close,) if close else ()
        )
    return text


def _selector(kind: t.Selector, text: str) -> str:
    if text in kind.words:
        return text
    prefix, colon, rest = text.partition(":")
    spelled = (*kind.words, *(f"{p}:NAME" for p in kind.prefixes))
    if not colon or prefix not in kind.prefixes:
        close = nearest(text, kind.words)
        raise Unreadable("MC310", f"is not allowed here: write {words(spelled)}", (close,) if close else ())
    if prefix == "header":
        return f"header:{_header_name(t.HeaderName(read=True), rest)}"
    if not _TOKEN.fullmatch(rest):
        raise Unreadable("MC310", f"names no {prefix}: write {prefix}:NAME")
    return text


def _version(_kind: t.Version, text: str) -> int:
    if text == "1":
        return 1
    if text.isdigit() and text != "0":
        raise Unreadable("MC205", "is a newer profile format than this meshctl reads, which is 1", ())
    raise Unreadable("MC205", "is not a version of the profile format", ("1",))


def _any_name(kind: t.Name, text: str) -> Any:
    if not kind.variable:
        return _name(kind, text)
    if not _VARIABLE.fullmatch(text):
        raise Unreadable("MC309", "is not a variable: letters, digits and _, not beginning with a digit")
    return text


def _text(kind: t.Text, text: str) -> str:
    if not text and not kind.empty:
        raise Unreadable("MC319", f"is empty, but must be {kind.what}")
    if "\0" in text:
        raise Unreadable("MC319", "contains a NUL character")
    return text


def _target(_kind: t.Target, text: str) -> str | None:
    if text == "true":
        raise Unreadable("MC310", "is not a place: write stdout, stderr, a path, or false", ("stdout",))
    return None if text == "false" else _text(t.Text("a path"), text)


def _regex(_kind: t.Regex, text: str) -> str:
    if len(text) > MAX_REGEX:
        raise Unreadable("MC311", f"is longer than {MAX_REGEX} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of sets that other dialects read in another way
            re.compile(text.encode())
    except (re.error, OverflowError, RecursionError, FutureWarning, DeprecationWarning) as problem:
        raise Unreadable("MC311", f"is not a regular expression: {_dialect(text) or problem}") from None
    reason = unbounded(text)
    if reason:
        raise Unreadable("MC312", f"can backtrack without bound: {reason}")
    return text


def _dialect(text: str) -> str:
    """Tell of what other dialects write differently."""
    if re.search(r"\[\[:\^?\w+:\]", text):
        return "[[:alpha:]] and the like are not known; write [A-Za-z]"
    if re.search(r"\(\?<(?![=!])", text):
        return "a named group is written (?P<name>...)"
    if re.search(r"\\[zZpPhHRG]", text) or "(?>" in text:
        return "it is read as Python's `re` reads it"
    return ""


def _host(kind: t.Host, text: str) -> str:
    bare, port = text, ""
    if kind.port and re.search(r":\d{1,5}\Z", text):
        bare, _, port = text.rpartition(":")
    if "://" in text:
        stripped = text.split("://", 1)[1].split("/", maxsplit=1)[0]
        raise Unreadable("MC314", "has a scheme, but a host is expected", (stripped,) if stripped else ())
    if not kind.port and re.search(r"[^:]:\d+\Z", text):
        raise Unreadable("MC314", "has a port, but a host is expected", (text.rpartition(":")[0],))
    if bare.startswith("[") and bare.endswith("]"):
        try:
            units.address(f"{bare}:1")
        except units.UnitError:
            raise Unreadable("MC314", "is not an IPv6 address in brackets") from None
        return text.lower()
    labels = bare.removeprefix("*.") if kind.wildcard else bare
    if "*" in labels:
        allowed = (
            "a * stands only for the first labels, as in *.example.com" if kind.wildcard else "no * here"
        )
        raise Unreadable("MC314", f"is not a host: {allowed}")
    labels = labels.removesuffix(".")
    if not _LABELS.fullmatch(labels):
        raise Unreadable("MC314", "is not a host: letters, digits, - and dots")
    return (
        ("*." if bare != labels and bare.startswith("*.") else "") + labels + (f":{port}" if port else "")
    ).lower()


def _path(_kind: t.UrlPath, text: str) -> str:
    if not text.startswith("/"):
        raise Unreadable("MC315", "is not a path: it must begin with /", (f"/{text}",) if text else ("/",))
    if "?" in text or "#" in text:
        raise Unreadable(
            "MC315", f"is more than a path: nothing from the {'?' if '?' in text else '#'} on counts"
        )
    try:
        normalise(written(text))
    except BadPath as problem:
        raise Unreadable("MC315", f"cannot be a path: {str(problem).rstrip('.').lower()}") from None
    return text


def _method(_kind: t.Method, text: str) -> str:
    if not _TOKEN.fullmatch(text) or text.upper() != text:
        instead = (text.upper(),) if _TOKEN.fullmatch(text) else ()
        raise Unreadable("MC318", "is not a method: methods are upper-case tokens", instead)
    if text == "CONNECT":
        raise Unreadable("MC318", "cannot be routed: this proxy makes no tunnels by CONNECT")
    return text


def _header_name(kind: t.HeaderName, text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise Unreadable("MC313", "is not a header name: letters, digits and -")
    if kind.edit and text.lower() in FRAMING:
        raise Unreadable(
            "MC313", "cannot be edited: it belongs to one connection, and the proxy writes it anew"
        )
    if kind.edit and text.lower() == "host":
        raise Unreadable("MC313", "cannot be edited as a header: write it as `rewrite: {host: ...}`")
    if kind.read and text.lower() in UNSEEN:
        raise Unreadable(
            "MC313", "cannot be looked at: it belongs to one connection, and is taken off on arrival"
        )
    if kind.read and text.lower() == "host":
        raise Unreadable("MC313", "cannot be looked at as a header: a match has `hosts`, a key `host`")
    return text.lower()


def _header_value(kind: t.HeaderValue, text: str) -> str:
    if any((ord(c) < 0x20 and c != "\t") or ord(c) == 0x7F for c in text):
        raise Unreadable("MC313", "cannot be a header value: it contains a line break or control character")
    if text != text.strip(" \t"):
        raise Unreadable(
            "MC313", "cannot be a header value: it begins or ends with a space", (text.strip(" \t"),)
        )
    for word in WORD.findall(text) if kind.words else ():
        if word not in WORDS:
            raise Unreadable(
                "MC313",
                f"names %{word}%, but the words known here are {', '.join(f'%{each}%' for each in WORDS)}",
                tuple(
                    text.replace(f"%{word}%", f"%{each}%") for each in [nearest(word, list(WORDS))] if each
                ),
            )
    return text


def _network(_kind: t.Network, text: str) -> Any:
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        wider = ip_network(text, strict=False)
    except ValueError:
        raise Unreadable("MC316", "is not a network: write 10.0.0.0/8, fd00::/8 or one address") from None
    raise Unreadable("MC316", "has bits set behind its prefix", (str(wider), text.partition("/")[0]))


def _url(_kind: t.Url, text: str) -> str:
    if not _URL.fullmatch(text):
        raise Unreadable("MC317", "is not a URL: write http://host/path or https://host/path")
    return text


def _address(kind: t.AddressOf, text: str) -> Any:
    return _unit("MC307", lambda given: units.address(given, kind.kinds, bind=kind.bind))(kind, text)


_READERS: Final[dict[type, Callable[[Any, str], Any]]] = {
    t.Boolean: _boolean,
    t.Integer: _integer,
    t.Duration: _duration_in,
    t.Size: _size_in,
    t.Rate: _rate_in,
    t.Share: _unit("MC306", units.share),
    t.Status: _status_in,
    t.Statuses: _status_set,
    t.Choice: _choice,
    t.Selector: _selector,
    t.Version: _version,
    t.Name: _any_name,
    t.Text: _text,
    t.Target: _target,
    t.Regex: _regex,
    t.Host: _host,
    t.UrlPath: _path,
    t.Method: _method,
    t.HeaderName: _header_name,
    t.HeaderValue: _header_value,
    t.Network: _network,
    t.Url: _url,
    t.AddressOf: _address,
}
