"""Each scalar type of the profile as a JSON Schema: what ``read_scalar`` takes, as patterns and ranges.

Our reader takes the text of a scalar and reads it by the type expected; an editor sees what YAML 1.2
makes of it, a number or a boolean where the text looks like one. So a type allows every JSON type in
which one of its texts may arrive. Where YAML has lost the spelling (`1e-3`, `TRUE`) the schema errs on
the side of the operator: it never refuses what the reader takes. (But for a log file named `TRUE`, as
`to: true` is a mistake that people make.)

The patterns are exact, ranges of numbers within a text included, so that an editor tells of a port
65536 or a size 64K at once. What stays out of reach: whether a regular expression compiles and is
safe, the sum of the parts of a duration, bits behind the prefix of a network, and the bytes of a
socket path that is not ASCII. They are written in what Python and ECMAScript (with the `u` flag)
read alike: ASCII classes, no named groups, nothing that looks behind.

``errorMessage`` is no keyword of JSON Schema; editors show it in place of the pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from appliance.model import units
from appliance.model.words import WORDS

from . import schema_types as t
from .describe import rule, sample
from .read_scalar import FRAMING, MAX_REGEX, UNSEEN

Schema = dict[str, Any]

SUBSTITUTES: Final[Schema] = {"type": "string", "pattern": r"(?:^|[^$])\$\{"}
"""A text in which something is substituted; `$${` is not."""

SUBSTITUTION: Final[Schema] = {
    "pattern": (
        r"^(?:(?!\$?\$\{)[^\x00]|\$\$\{[^{}]*(?![^{}])"
        r"|\$\{(?:file:[^{}]*|[A-Za-z_][A-Za-z0-9_]*(?::[-?][^{}]*)?)\})*$"
    ),
    "errorMessage": (
        "Write ${NAME}, ${NAME:-fallback}, ${NAME:?message} or ${file:PATH}; $${ stands for the text itself."
    ),
}
"""The spellings of a substitution; applies to texts only."""

_SCALAR: Final = ["string", "number", "boolean"]
_VISIBLE: Final = "!#$%&'*+.^_`|~0-9A-Z-"
_FIELD_NAME: Final = f"[a-z{_VISIBLE}]{{1,256}}"
_NOT_ZERO: Final = "(?=[^1-9]*[1-9])"
_YEAR: Final = int(units.MAX_DURATION)


def scalar_schema(kind: t.Leaf, advice: str = "") -> Schema:
    """Give the schema of a scalar in which nothing is substituted; ``advice`` replaces its message."""
    schema = {**_LEAVES[type(kind)](kind), "errorMessage": advice or rule(kind)}
    zero = (isinstance(kind, t.Duration) and kind.zero) or (isinstance(kind, t.Size) and not kind.low)
    return {"if": {"const": 0}, "else": schema} if zero else schema


def key_schema(kind: t.Leaf) -> Schema:
    """Give the schema of the name of a map's entry, which is text to everybody."""
    return {name: value for name, value in scalar_schema(kind).items() if name not in ("type", "minimum")}


def examples(kind: t.Leaf) -> list[Any]:
    """Give spellings that an editor may offer, where the schema does not list them itself."""
    if isinstance(kind, (t.Boolean, t.Choice, t.Version)):
        return []
    if isinstance(kind, t.Target):
        return ["stdout", "stderr", False]
    return [native(kind, sample(kind))]


def native(kind: t.Type, text: str) -> Any:
    """Give a word as YAML reads it unquoted, where its type lets it stand so."""
    if isinstance(kind, (t.Boolean, t.Integer, t.Status, t.Statuses, t.Choice, t.Version)):
        return _native(text)
    return text


def between(low: int, high: int) -> str:
    """Give an expression for the whole numbers of a range, written without leading zeros."""
    blocks: dict[str, list[int]] = {}  # leading digits, to how many digits may follow them
    while low <= high:
        free = 0
        while low >= 10 ** (free + 1) and low % 10 ** (free + 1) == 0 and low + 10 ** (free + 1) - 1 <= high:
            free += 1
        above, first = divmod(low // 10**free, 10)
        last = min(9, first + (high - low + 1) // 10**free - 1)
        blocks.setdefault(f"{above or ''}{_digit(first, last)}", []).append(free)
        low += (last - first + 1) * 10**free
    parts = (head + _any_digits(frees[0], frees[-1]) for head, frees in blocks.items())
    return f"(?:{'|'.join(parts)})"


def _digit(first: int, last: int) -> str:
    return str(first) if first == last else f"[{first}-{last}]"


def _any_digits(least: int, most: int) -> str:
    if most < 2 and least == most:
        return "[0-9]" * most
    return f"[0-9]{{{least}}}" if least == most else f"[0-9]{{{least},{most}}}"


def _pattern(*patterns: str, also: tuple[str, ...] = (), **more: Any) -> Schema:
    """Give the schema of texts that one of the patterns matches as a whole, or of ``also``."""
    return {"type": ["string", *also] if also else "string", "pattern": f"^(?:{'|'.join(patterns)})$", **more}


def _native(word: str) -> Any:
    if word in ("true", "false"):
        return word == "true"
    if word.isdigit():
        return int(word)
    return float(word) if word.replace(".", "", 1).isdigit() else word


def _words(words: tuple[str, ...]) -> Schema:
    """Give the words as YAML reads them, and as text where that is something else."""
    read = [_native(word) for word in words]
    return {"enum": [*read, *(word for word in words if word not in read)]}


def _none_of(names: frozenset[str]) -> str:
    """Give a look ahead that refuses these names, in either case."""
    either = ("".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in name) for name in sorted(names))
    return f"(?!(?:{'|'.join(either)})$)"


def _ipv4() -> str:
    octet = between(0, 255)
    return rf"(?:{octet}\.){{3}}{octet}"


def _ipv6() -> str:
    """Give RFC 3986's IPv6address, with a zone as Python reads it."""
    h = "[0-9A-Fa-f]{1,4}"
    before = "|".join(
        [
            f"(?:{h}:){{6}}",
            f"::(?:{h}:){{5}}",
            *(f"(?:(?:{h}:){{0,{n}}}{h})?::(?:{h}:){{{4 - n}}}" for n in range(5)),
        ]
    )
    last = rf"(?:{h}:{h}|{_ipv4()})"
    shorter = f"(?:(?:{h}:){{0,5}}{h})?::{h}|(?:(?:{h}:){{0,6}}{h})?::"
    return f"(?:(?:{before}){last}|{shorter})(?:%[^%/]+)?"


_LABEL: Final = "[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
_HOST_NAME: Final = rf"{_LABEL}(?:\.{_LABEL})*\.?"


def _host(kind: t.Host) -> Schema:
    wild = r"(?:\*\.)?" if kind.wildcard else ""
    port = "(?::[0-9]{1,5})?" if kind.port else ""
    names = rf"{wild}(?=[A-Za-z0-9_.-]{{1,253}}\.?(?:$|:)){_HOST_NAME}"
    return _pattern(rf"(?:{names}|\[{_ipv6()}\]){port}", also=("number", "boolean"), minimum=0)


def _address(kind: t.AddressOf) -> Schema:
    hosts = rf"(?:(?![0-9.]+:)(?=[A-Za-z0-9_.-]{{1,253}}:){_HOST_NAME}|{_ipv4()}|\[{_ipv6()}\])"
    port = f"(?=[0-9]{{1,6}}$)0*{between(0 if kind.bind else 1, 65535)}"
    spelled = {
        "tcp": f"(?!(?:unix|fd|dns):){hosts}{'?' if kind.bind else ''}:{port}",
        "unix": r"unix:/[^\x00]{0,106}",
        "fd": r"fd:[^\x00]+",
        "dns": f"dns:{hosts}:{port}",
    }
    return _pattern(*(spelled[name] for name in kind.kinds))


def _duration(kind: t.Duration) -> Schema:
    units_of = (("h", 3600, 9, ""), ("m", 60, 9, "(?!s)"), ("s", 1, 9, ""))
    parts = [
        f"(?:(?=[0-9]{{1,{digits}}}{unit})0*{between(0, _YEAR // seconds)}{unit}{behind})?"
        for unit, seconds, digits, behind in units_of
    ]
    parts.append(f"(?:(?=[0-9]{{1,12}}ms)0*{between(0, _YEAR * 1000)}ms)?")
    written = f"(?=.){''.join(parts)}"
    return _pattern("0", written) if kind.zero else _pattern(_NOT_ZERO + written)


def _size(kind: t.Size) -> Schema:
    sizes = (
        f"0*{between(-(-kind.low // octets), kind.high // octets)}{unit}"
        for unit, octets in units.SIZES.items()
    )
    written = f"(?=[0-9]{{1,16}}[A-Z])(?:{'|'.join(sizes)})"
    return _pattern(written) if kind.low else _pattern("0", written)


def _integer(kind: t.Integer) -> Schema:
    return _pattern(
        between(kind.low, kind.high), *kind.words, also=("integer",), minimum=kind.low, maximum=kind.high
    )


def _status(kind: t.Status) -> Schema:
    return _pattern(between(kind.low, kind.high), also=("integer",), minimum=kind.low, maximum=kind.high)


def _statuses(kind: t.Statuses) -> Schema:
    rising = [f"{n}[0-9]{{2}}-{_digit(n + 1, 5)}[0-9]{{2}}" for n in range(1, 5)]
    same = "|".join(f"{n}[0-9]-(?:\\1){_digit(n + 1, 9)}[0-9]" for n in range(9))
    both = "|".join(f"{n}-(?:\\2){_digit(n, 9)}" for n in range(10))
    ranges = (*rising, f"([1-5])(?:{same})", f"([1-5][0-9])(?:{both})")
    return _pattern("[1-5](?:[0-9]{2}|xx)", *ranges, *kind.words, also=("integer",), minimum=100, maximum=599)


def _selector(kind: t.Selector) -> Schema:
    named = {"header": _field_name(t.HeaderName(read=True))}
    return _pattern(*kind.words, *(f"{prefix}:{named.get(prefix, _FIELD_NAME)}" for prefix in kind.prefixes))


def _name(kind: t.Name) -> Schema:
    if kind.variable:
        return _pattern("[A-Za-z_][A-Za-z0-9_]{0,127}")
    return _pattern("[a-z0-9][a-z0-9-]{0,62}", also=("number", "boolean"), minimum=0)


def _text(kind: t.Text) -> Schema:
    null = ["null"] if kind.empty else []
    return {"type": [*_SCALAR, *null], "pattern": rf"^[^\x00]{'*' if kind.empty else '+'}$"}


def _header_name(kind: t.HeaderName) -> Schema:
    return _pattern(_field_name(kind), also=("number", "boolean"))


def _field_name(kind: t.HeaderName) -> str:
    refused = (FRAMING if kind.edit else frozenset()) | (UNSEEN if kind.read else frozenset())
    return (_none_of(refused | {"host"}) if refused else "") + _FIELD_NAME


def _header_value(kind: t.HeaderValue) -> Schema:
    known = f"(?!.*%(?!(?:{'|'.join(WORDS)})%)[A-Z][A-Z0-9_]*(?:\\([^)%]*\\))?%)" if kind.words else ""
    text = rf"(?:{_VALUE}(?:[^\x00-\x08\x0a-\x1f\x7f]*{_VALUE})?)?"
    return _pattern(known + text, also=("number", "boolean"))


def _network(_kind: t.Network) -> Schema:
    v4 = f"{_ipv4()}(?:/(?:0*{between(0, 32)}|{_ipv4()}))?"
    return _pattern(v4, f"{_ipv6()}(?:/0*{between(0, 128)})?")


_VALUE: Final = r"[^\x00-\x1f\x7f ]"
_SPACE: Final = r" \t\n\r\f\v"

_LEAVES: Final[dict[type, Callable[[Any], Schema]]] = {
    t.Boolean: lambda _: _pattern("true|false", also=("boolean",)),
    t.Integer: _integer,
    t.Duration: _duration,
    t.Size: _size,
    t.Rate: lambda kind: _pattern(("" if kind.zero else _NOT_ZERO) + "[0-9]{1,9}/[smh]"),
    t.Share: lambda _: _pattern(r"100(?:\.0{1,6})?%", r"0?[0-9]{1,2}(?:\.[0-9]{1,6})?%"),
    t.Status: _status,
    t.Statuses: _statuses,
    t.Choice: lambda kind: _words(kind.words),
    t.Selector: _selector,
    t.Version: lambda _: _words(("1",)),
    t.Name: _name,
    t.Text: _text,
    t.Target: lambda _: {"type": _SCALAR, "pattern": r"^(?!true$)[^\x00]+$", "not": {"const": True}},
    t.Regex: lambda _: {"type": _SCALAR, "maxLength": MAX_REGEX},
    t.Host: _host,
    t.UrlPath: lambda _: _pattern(r"/(?:[^?#%\\\x00]|%(?!00|2[Ff]|5[Cc])[0-9A-Fa-f]{2})*"),
    t.Method: lambda _: _pattern(f"(?!CONNECT$)[{_VISIBLE}]{{1,256}}", also=("number", "boolean")),
    t.HeaderName: _header_name,
    t.HeaderValue: _header_value,
    t.Network: _network,
    t.Url: lambda _: _pattern(f"[Hh][Tt][Tt][Pp][Ss]?://[^/?#{_SPACE}@]+(?:[/?#][^{_SPACE}]*)?"),
    t.AddressOf: _address,
}
