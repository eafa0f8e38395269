"""The types of the profile format in words, with a value of each: what explanations are made of.

One row for each type of ``schema_types``: what it is called, one of it and several; what may be
written, in a sentence; and a sample. Whatever is told to people about a type is told by this table,
so that a page, an explanation and an example cannot disagree. Samples are plain data, spelled as an
operator would write them; ``as_yaml`` writes them down.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from appliance.model.units import format_size
from appliance.model.words import WORDS

from . import schema_types as t
from .read_scalar import MAX_REGEX, words

_PLAIN = re.compile(r"[A-Za-z0-9./$][A-Za-z0-9_./%:+-]*(?<!:)")
_WIDTH = 76
_FILES = "Relative paths begin at the directory of the profile."


class _Row(NamedTuple):
    one: Callable[[Any], str]
    many: Callable[[Any], str]
    rule: Callable[[Any], str]
    sample: Callable[[Any], Any]


def alternatives(kind: t.Type) -> tuple[t.Type, ...]:
    """Give the types that may stand at a place: several where the shape decides."""
    if not isinstance(kind, t.ByShape):
        return (kind,)
    return tuple(each for each in (kind.scalar, kind.listing, kind.mapping) if each is not None)


def brief(kind: t.Type) -> str:
    """Name a type in a few words, for tables: ``duration``, ``list of statuses``."""
    if isinstance(kind, t.ByShape):
        return " or ".join(brief(each) for each in alternatives(kind))
    if isinstance(kind, t.Object):
        return "block"
    if isinstance(kind, t.ListOf):
        return f"list of {_many(kind.item)}"
    if isinstance(kind, t.MapOf):
        return f"map of {kind.entry or 'name'}s to {_many(kind.value)}"
    return _ROWS[type(kind)].one(kind)


def _many(kind: t.Type) -> str:
    if isinstance(kind, t.ByShape):
        return " or ".join(dict.fromkeys(_many(each) for each in alternatives(kind)))
    if isinstance(kind, t.Object):
        return "blocks"
    return f"{brief(kind)}s" if isinstance(kind, (t.ListOf, t.MapOf)) else _ROWS[type(kind)].many(kind)


def rule(kind: t.Type) -> str:
    """Say in sentences what may be written where this type stands."""
    if isinstance(kind, t.ByShape):
        shapes = ((kind.scalar, "a single value"), (kind.listing, "a list"), (kind.mapping, "a map"))
        parts = [f"As {shape}: {_lower(rule(each))}" for each, shape in shapes if each is not None]
        return " ".join(parts)
    if isinstance(kind, t.Object):
        return f"A block of keys.{_groups(kind)}"
    if isinstance(kind, t.ListOf):
        least = ", at least one" if kind.low else ""
        named = " Each has a name, by which it is told apart." if kind.named else ""
        return f"A list of {_many(kind.item)}{least}.{named}{_each(kind.item)}"
    if isinstance(kind, t.MapOf):
        least = ", at least one" if kind.low else ""
        key = _ROWS[type(kind.key)] if isinstance(kind.key, t.Leaf) else None
        keys = f" {key.rule(kind.key)}" if key else ""
        return f"A map of names that you choose{least}.{keys} Below each: {_lower(rule(kind.value))}"
    return _ROWS[type(kind)].rule(kind)


def _each(item: t.Type) -> str:
    return "" if isinstance(item, t.Object) else f" Each entry: {_lower(rule(item))}"


def _groups(kind: t.Object) -> str:
    exactly = [f" Exactly one of {quoted(group)} must stand." for group in kind.one_of]
    return "".join([*exactly, *(f" At most one of {quoted(group)} may stand." for group in kind.exclusive)])


def quoted(names: tuple[str, ...], last: str = "and") -> str:
    """Give ``a, b and c`` with each word in back quotes."""
    return words(tuple(f"`{name}`" for name in names)).replace(" or ", f" {last} ")


def _lower(text: str) -> str:
    """Let a sentence go on: its first word in lower case, unless that is a name."""
    return text if text[:2].isupper() and text[:2].isalpha() else text[0].lower() + text[1:]


def sample(kind: t.Type) -> Any:
    """Give plain data that reads as this type: text, lists and dicts."""
    if isinstance(kind, t.ByShape):
        return sample(kind.mapping or kind.listing or alternatives(kind)[0])
    if isinstance(kind, t.ListOf):
        return [sample(kind.item)]
    if isinstance(kind, t.MapOf):
        return {sample(kind.key): sample(kind.value)}
    if isinstance(kind, t.Object):
        first = [group[0] for group in kind.one_of]
        chosen = [name for name, key in kind.keys.items() if key.required or name in first]
        chosen = chosen or [name for name, key in kind.keys.items() if isinstance(key.default, str)][:3]
        return {name: sample_of(kind.keys[name]) for name in chosen or list(kind.keys)[:1]}
    return _ROWS[type(kind)].sample(kind)


def sample_of(key: t.Key) -> Any:
    """Give what may be written at a key: its default, else a sample of its type."""
    return sample(key.type) if key.default is None else key.default


def as_yaml(data: Any, indent: int = 0) -> str:
    """Write plain data as the lines of a profile; what is small stands on one line."""
    pad = "  " * indent
    if isinstance(data, dict):
        lines = []
        for name, value in data.items():
            flow = _flow(value)
            short = len(pad) + len(name) + len(flow) + 2 <= _WIDTH and _depth(value) < 2
            lines.append(f"{pad}{name}: {flow}\n" if short else f"{pad}{name}:\n{as_yaml(value, indent + 1)}")
        return "".join(lines)
    if isinstance(data, list):
        return "".join(f"{pad}- {as_yaml(item, indent + 1).lstrip(' ')}" for item in data)
    return f"{pad}{_flow(data)}\n"


def _depth(data: Any) -> int:
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def _flow(data: Any) -> str:
    if isinstance(data, dict):
        return "{" + ", ".join(f"{name}: {_flow(value)}" for name, value in data.items()) + "}"
    if isinstance(data, list):
        return f"[{', '.join(map(_flow, data))}]"
    text = str(data)
    return text if _PLAIN.fullmatch(text) else f"'{text}'" if "\\" in text else f'"{text}"'


def _integer(kind: t.Integer) -> str:
    return f"A whole number from {kind.low} to {kind.high}{_or(kind.words)}."


def _number(kind: t.Integer) -> str:
    low = f" from {kind.low}" if kind.low else ""
    span = f" {kind.low} to {kind.high}" if kind.high < t.Integer().high else low
    return f"number{span}{_or(kind.words)}"


def _or(choices: tuple[str, ...]) -> str:
    return f", or {quoted(choices, 'or')}" if choices else ""


def _choice(kind: t.Choice) -> str:
    return f"{quoted(kind.words, 'or')}."


def _spelled(kind: t.Selector) -> tuple[str, ...]:
    return (*kind.words, *(f"{prefix}:NAME" for prefix in kind.prefixes))


def _size(kind: t.Size) -> str:
    ends = f" from {format_size(kind.low)} to {format_size(kind.high)}" if kind.high < t.Size().high else ""
    units = "B, KiB, MiB or GiB (in 1024s) or KB, MB or GB (in 1000s)"
    return f"A size{ends}: a whole number with {units}, such as 64KiB."


def _text(kind: t.Text) -> str:
    what = f"Any {kind.what}" if kind.what == "text" else f"{kind.what[0].upper()}{kind.what[1:]}"
    files = f" {_FILES}" if "file" in kind.what or kind.what == "a path" else ""
    return f"{what}{', which may be empty' if kind.empty else ''}.{files}"


_SAMPLE_TEXTS: Final = {
    "a file": "shop.pem",
    "a path": "/run/meshctl/edge.sock",
    "a group": "ops",
    "a file or pattern": "routes.d/*.yaml",
    "a parameter": "version",
    "a format": "json",
    "a body": "ok",
    "a value": "gold",
}
_ADDRESSES: Final = {"tcp": "host:port", "unix": "unix:/path", "fd": "fd:NAME", "dns": "dns:host:port"}


def _address(kind: t.AddressOf) -> str:
    spelled = tuple(_ADDRESSES[each] for each in kind.kinds)
    own = " :port listens on every address, and port 0 lets the system choose." if kind.bind else ""
    ipv6 = ' IPv6 addresses stand in brackets and quotes: "[::1]:8080".'
    return f"An address: {quoted(spelled, 'or')}.{own}{ipv6}"


def _host(kind: t.Host) -> str:
    wildcard = ", or *.example.com in quotes for all names below it" if kind.wildcard else ""
    return f"A host name or IP address{wildcard}{', with or without a port' if kind.port else ''}."


def _header_name(kind: t.HeaderName) -> str:
    edit = " Host, and headers that frame messages, cannot be edited." if kind.edit else ""
    read = " Host, and headers that belong to one connection, cannot be looked at." if kind.read else ""
    return f"A header name; upper and lower case are the same.{edit}{read}"


def _header_value(kind: t.HeaderValue) -> str:
    if not kind.words:
        return "A header value without line breaks."
    known = words(tuple(f"%{word}%" for word in WORDS))
    return (
        f"A header value without line breaks; {known} stands for what is known of the request, and a field "
        "with one that says nothing is left out."
    )


def _name(kind: t.Name) -> str:
    if kind.variable:
        return "A variable: letters, digits and underscores, not beginning with a digit."
    return "A name: lower-case letters, digits and dashes, at most 63, beginning with a letter or digit."


def _said(text: str) -> Callable[[Any], str]:
    return lambda _kind: text


def _row(one: str, many: str, rule: str | Callable[[Any], str], sample: Any) -> _Row:
    return _Row(
        _said(one),
        _said(many),
        rule if callable(rule) else _said(rule),
        sample if callable(sample) else lambda _kind: sample,
    )


_DURATION = "A duration: whole numbers with h, m, s or ms, largest first, such as 250ms, 5s or 1m30s"
_STATUSES = "A status (503), a class (5xx) or a range (500-504)"
_TARGET = "`stdout`, `stderr`, `false` for nowhere, or the path of a file."
_REGEX = (
    f"A regular expression in Python's syntax, at most {MAX_REGEX} characters. It has to match the whole "
    "text. One that can backtrack without bound is refused."
)
_NETWORK = "An IP network such as 10.0.0.0/8 or fd00::/8, or one address."

_ROWS: Final[dict[type, _Row]] = {
    t.Boolean: _row("`true` or `false`", "`true` or `false`", "`true` or `false`.", "true"),
    t.Integer: _Row(
        _number,
        _said("numbers"),
        _integer,
        lambda k: str(max(k.low, min(100, k.high))),
    ),
    t.Duration: _Row(
        lambda k: "duration" if k.zero else "duration above 0",
        _said("durations"),
        lambda k: f"{_DURATION}; {'a bare 0 is fine' if k.zero else 'more than 0'}.",
        _said("5s"),
    ),
    t.Size: _row("size", "sizes", _size, lambda k: format_size(max(k.low, 64 << 10))),
    t.Rate: _row(
        "rate",
        "rates",
        lambda k: (
            f"A rate: a whole number per s, m or h, such as 100/s or 600/m; "
            f"{'0/s is fine' if k.zero else 'more than 0'}."
        ),
        "100/s",
    ),
    t.Share: _row("share", "shares", "A share of the whole: 0% to 100%, such as 50% or 0.1%.", "5%"),
    t.Status: _Row(
        lambda k: f"status {k.low} to {k.high}",
        _said("statuses"),
        lambda k: f"An HTTP status from {k.low} to {k.high}.",
        lambda k: "503" if k.low == 400 else "200",
    ),
    t.Statuses: _Row(
        lambda k: words(("status", "class", "range", *(f"`{word}`" for word in k.words))),
        lambda k: words(("statuses", *(f"`{word}`" for word in k.words))),
        lambda k: f"{_STATUSES}{_or(k.words)}.",
        lambda k: "5xx" if k.words else "200-399",
    ),
    t.Choice: _Row(
        lambda k: quoted(k.words, "or"), lambda k: quoted(k.words, "or"), _choice, lambda k: k.words[0]
    ),
    t.Selector: _Row(
        lambda k: quoted(_spelled(k), "or"),
        lambda k: quoted(_spelled(k), "or"),
        lambda k: f"{quoted(_spelled(k), 'or')}.",
        lambda k: f"{k.prefixes[0]}:x-user",
    ),
    t.Version: _row("`1`", "`1`", "The number `1`.", "1"),
    t.Name: _Row(
        lambda k: "variable" if k.variable else "name",
        lambda k: "variables" if k.variable else "names",
        _name,
        lambda k: "PORT" if k.variable else "app",
    ),
    t.Text: _Row(
        lambda k: k.what.removeprefix("a "),
        lambda k: "patterns of files" if "pattern" in k.what else f"{k.what.removeprefix('a ')}s",
        _text,
        lambda k: _SAMPLE_TEXTS.get(k.what, "8080"),
    ),
    t.Target: _row("`stdout`, `stderr`, `false` or path", "targets", _TARGET, "stdout"),
    t.Regex: _row("regular expression", "regular expressions", _REGEX, r"/v\d+/.*"),
    t.Host: _row("host", "hosts", _host, "shop.example.com"),
    t.UrlPath: _row("path", "paths", "A path that begins with a slash, without ? and #.", "/pay/"),
    t.Method: _row("method", "methods", "An HTTP method in upper case, such as GET.", "GET"),
    t.HeaderName: _row("header name", "header names", _header_name, "x-tier"),
    t.HeaderValue: _row("header value", "header values", _header_value, "gold"),
    t.Network: _row("network", "networks", _NETWORK, "10.0.0.0/8"),
    t.Url: _row("URL", "URLs", "A URL that begins with http:// or https://.", "http://shop.example.com/"),
    t.AddressOf: _row("address", "addresses", _address, lambda k: ":8080" if k.bind else "127.0.0.1:9001"),
}
