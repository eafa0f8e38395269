"""Profiles at random: trees by the schema, written out as YAML in every style, and texts with accidents.

A tree follows the declaration of the format, as text that breaks its outermost shape would never be
read deeply. How far it strays is drawn once for each: a tame tree has only right values and is mostly
a profile without errors, so that what consumes a plan is reached; a wild one mixes in values that are
nearly right, shapes that do not fit, keys with a letter changed.

The writer of YAML here is our own, so that it can write what no library would: all the styles of a
scalar side by side, flow in block, anchors with aliases to them, and a plain scalar that is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Protocol

from appliance.config import schema_types as t
from appliance.config.schema import PROFILE, ROUTE
from appliance.config.schema_listener import LISTENER


class Dice(Protocol):
    """Where the choices come from."""

    def below(self, end: int) -> int:
        """Give a number from 0 up to ``end``, exclusive."""

    def one(self, choices: Any) -> Any:
        """Give one of them."""


@dataclass
class Text:
    """A scalar with the style it is written in: plain, single, double or block."""

    text: str
    style: str = "plain"
    anchor: str = ""


@dataclass
class Group:
    """A map or, with keys of None, a list."""

    entries: list[tuple[Text | None, Node]]
    flow: bool = False
    anchor: str = ""
    listing: bool = False


@dataclass
class Alias:
    """A place where an anchored node stands again."""

    name: str


Node = Text | Group | Alias

NAMES: Final = ("app", "web", "pay")
RIGHT: Final[dict[type, tuple[str, ...]]] = {
    t.Boolean: ("true", "false"),
    t.Duration: ("250ms", "5s", "1m30s", "2h", "1ms"),
    t.Size: ("64KiB", "1MiB", "4KB", "2048B"),
    t.Rate: ("100/s", "600/m", "1/h"),
    t.Share: ("50%", "0.1%", "100%", "0%"),
    t.Status: ("503", "404", "429"),
    t.Statuses: ("503", "5xx", "500-504"),
    t.Version: ("1",),
    t.Text: ("text", "/run/x", "x.pem", "größe 語", "a b", "${V}", "json", "%h and %s"),
    t.Target: ("stdout", "false", "/var/log/x", "stderr"),
    t.Regex: ("/a/[^/]+", "x|y", "[a-z]+", "(?i)curl/.*", r"\d{1,3}", "/v[12](/[^/]+)*"),
    t.Host: ("example.com", "a.example.com", "[::1]", "b.test"),
    t.UrlPath: ("/", "/a", "/a/", "/a/b", "/%41", "/a/../b", "//", *(f"/p/{n}" for n in range(40))),
    t.Method: ("GET", "POST", "PURGE"),
    t.HeaderName: ("x-a", "X-Token", "authorization", "accept"),
    t.HeaderValue: ("v", "%CLIENT_SUBJECT%", "a b", "é", "${V:-w}"),
    t.Network: ("10.0.0.0/8", "::/0", "0.0.0.0/0", "192.0.2.7"),
    t.Url: ("https://example.com/a?token=1", "http://a.example.com:81/a", "https://[::1]/", "http://b.test"),
}
ADDRESSES: Final = {
    "tcp": ("127.0.0.1:9001", ":8080", "[::1]:8443", "localhost:80"),
    "unix": ("unix:/run/x.sock",),
    "fd": ("fd:web",),
    "dns": ("dns:app.internal:8080",),
}
_WORDS: Final = r"""
~ null on no True 0 -1 0600 1.10 0.5 12:01:03 1e3 1_000 99999 ² ٣ ٣s 5 5S 64K 100rps 5sec 6xx 504-500
${V} ${NONE} ${NONE:-5s} ${ ${} ${file:missing} ${file:} $${V} ${V}${V} x${V }
*.example.com a.*.b [::1]:80 http://h:1/ h:99999 h:0 user:pw@h //user:pw@h/ h..b
é.example xn--é fd: unix: dns: dns:h : ::
/a?b /%zz /%2f /é a/b /\ get CONNECT host connection x-é header: header:é cookie:
10.0.0.1/8 ::1/129 1.2.3.4/33 fe80::1%eth0 ftp://h https:// http://h:p/ http://[::1 http://[x]/ //h
%a @a `a !x &x *x | > { ] , " ' << --- - ? # \ {method} {nothing} %X% stdin true {0} {a.b}
{:>9999999999} {a!r} {}
"""
EXPRESSIONS: Final = r"""
(a+)+ ( [[a] (?<n>a) a{3,1} a{99999999999} (?i .*.*= (?=a*) \1 [a&&b] [a--b] [a||b] [a~~b] a(?i)b (?#x)
(?L)a (?u)a é [é] \N{BULLET} \ud800 (?P<a>b)(?P=a) (?(1)a|b) [z-a] a**  a*+ (?>a+)b \Z \A^$ [] [^]
(?s).* (?x)# a{0,9}{0,9} x{,3}
"""
_LINES: Final = """1 s|50 %|x y|a: b|a #b|- a|? a|%(h|  | a |${NONE:?say it}|${a b}|5 ms|G T"""
NEARLY: Final = (
    *_WORDS.split(),
    *EXPRESSIONS.split(),
    *_LINES.split("|"),
    *"\x07\x7f\x85\u2028\u202e\ufeff\U0001d54f\0",
    *(
        "${file:\0}",
        "${file:a\ud7ffb}",
        "\x1b[31m",
        "a\tb",
        "",
        "a\nb",
        "9" * 20,
        "9" * 400,
        "a" * 64,
        "a" * 300 + ".b",
        "(" * 400 + ")" * 400,
    ),
)
"""Values that are nearly right somewhere."""

NEAR: Final[dict[type, tuple[str, ...]]] = {
    t.Regex: (*EXPRESSIONS.split(), "(" * 400 + ")" * 400),
    t.UrlPath: ("/a?b", "/%zz", "/%2f", "/é", "a/b", "/\\", "/..", "/./a//", "/%"),
    t.Duration: ("5", "5S", "1 s", "1m30", "5sec", "1.5s", "0", "1ms1s", "99999h"),
}
"""Those that are nearly right for one type, to be met there more often."""

TAME: Final = 0
_PLAIN: Final = re.compile(r"[A-Za-z0-9/$.][\w/.{}$%+@-]*(?::[\w/.-]+)*", re.ASCII)


class Grower:
    """Draws one tree. ``wild``, 0 to 3, is how often something is not as it should be."""

    def __init__(self, dice: Dice, wild: int) -> None:
        self._dice = dice
        self._wild = wild
        self._left = 120
        self._anchored: dict[int, list[str]] = {}

    def profile(self) -> Node:
        """Give a whole profile."""
        return self._node(PROFILE, "profile")

    def _odd(self) -> bool:
        return self._wild > TAME and self._dice.below(60) < self._wild

    def _node(self, kind: t.Type | None, key: str, flow: bool = False) -> Node:
        self._left -= 1
        known = self._anchored.get(id(kind))
        if known and self._dice.below(6) == 0:
            return Alias(self._dice.one(known))
        if self._odd():
            near = NEAR.get(type(kind)) if self._dice.below(2) else None
            return self._oddity(flow) if near is None else self._scalar(self._dice.one(near), flow)
        if isinstance(kind, t.ByShape):
            shapes = [each for each in (kind.scalar, kind.listing, kind.mapping) if each is not None]
            return self._node(self._dice.one(shapes), key, flow)
        flow = flow or self._dice.below(4) == 0
        if isinstance(kind, t.Object):
            node: Node = self._object(kind, flow)
        elif isinstance(kind, t.MapOf):
            many = 3 if key == "upstreams" else max(kind.low, self._many())
            names = (
                NAMES[:many] if isinstance(kind.key, t.Name) else [self._right(kind.key) for _ in range(many)]
            )
            node = Group(
                [(self._key(name), self._node(kind.value, key, flow)) for name in dict.fromkeys(names)], flow
            )
        elif isinstance(kind, t.ListOf):
            many = max(kind.low, self._many())
            node = Group([(None, self._node(kind.item, key, flow)) for _ in range(many)], flow, listing=True)
        elif isinstance(kind, t.Name) and key == "name":
            node = self._scalar(f"n{self._left % 1000}", flow)
        elif isinstance(kind, t.AddressOf) and key == "bind":
            node = self._scalar(f":{8000 + self._left}", flow)
        else:
            node = self._scalar(self._right(kind), flow)
        if self._wild and self._dice.below(12) == 0:
            node.anchor = f"n{self._left + 200}"
            self._anchored.setdefault(id(kind), []).append(node.anchor)
        return node

    def _many(self) -> int:
        return 1 if self._left < 0 else self._dice.one((1, 1, 1, 2, 3)) - (self._wild > 2)

    def _object(self, kind: t.Object, flow: bool) -> Group:
        chosen = {self._dice.one(group) for group in kind.one_of}
        exclusive = {name for group in (*kind.exclusive, *kind.one_of) for name in group}
        chosen |= {self._dice.one(group) for group in kind.exclusive if not self._dice.below(2)} - {
            name for group in kind.one_of for name in group if name not in chosen
        }
        secure = kind is LISTENER and self._dice.below(4) == 0
        optional = 12 if len(kind.keys) < 12 else 5
        entries: list[tuple[Text | None, Node]] = []
        for name, key in kind.keys.items():
            wanted = key.required or name in chosen
            if not wanted and (name not in exclusive or self._odd()):
                wanted = self._left > 0 and self._dice.below(40) < optional and name != "include"
            if kind is LISTENER and not self._wild and name in ("protocol", "tls"):
                wanted = secure
            if kind is ROUTE and name == "match":
                wanted = self._dice.below(12) > 0
            if kind is PROFILE and name == "upstreams":
                wanted = True
            if wanted != self._odd():
                entries.append((self._key(name), self._node(key.type, name, flow)))
        if self._odd():
            entries.append((self._key(self._dice.one((*NEARLY, "x", "include"))), self._oddity(flow)))
        if secure and not self._wild:
            entries = [
                (k, Text("https") if k is not None and k.text == "protocol" else v) for k, v in entries
            ]
        return Group(entries, flow)

    def _key(self, name: str) -> Text:
        if name and self._odd():
            at = self._dice.below(len(name))
            name = name[:at] + self._dice.one("aX_- 9") + name[at + self._dice.below(2) :]
        return Text(name, "plain" if _PLAIN.fullmatch(name) else "double")

    def _oddity(self, flow: bool) -> Node:
        which = self._dice.below(8)
        if which < 5:
            return self._scalar(self._dice.one(NEARLY), flow)
        if which == 5:
            return Group([], flow=True, listing=bool(self._dice.below(2)))
        inner = self._scalar(self._dice.one(NEARLY), flow=True)
        key = None if which == 6 else self._key(self._dice.one(("a", "x-y", "name", "to", "${V}")))
        return Group([(key, inner)], flow=True, listing=key is None)

    def _scalar(self, text: str, flow: bool) -> Text:
        fits = _PLAIN.fullmatch(text) is not None and not (flow and re.search(r"[{}]", text))
        styles = ["double", "single"] if _writable(text) and "\n" not in text else ["double"]
        if fits:
            styles += ["plain"] * 6
        if not flow and _writable(text) and text.strip() == text != "" and "\n" not in text:
            styles.append("block")
        if self._wild > 2 and _writable(text) and "\n" not in text and self._dice.below(8) == 0:
            styles = ["plain"]
        return Text(text, self._dice.one(styles))

    def _right(self, kind: t.Type) -> str:
        dice = self._dice
        if isinstance(kind, t.Integer):
            return str(dice.one((*kind.words, kind.low, kind.high, min(kind.low + 2, kind.high))))
        if isinstance(kind, (t.Choice, t.Statuses)) and kind.words:
            return str(dice.one(kind.words))
        if isinstance(kind, t.Selector):
            return str(dice.one((*kind.words, *(f"{prefix}:x-user" for prefix in kind.prefixes))))
        if isinstance(kind, t.Name):
            return "V" if kind.variable else str(dice.one(NAMES))
        if isinstance(kind, t.AddressOf):
            found = [text for each in kind.kinds for text in ADDRESSES[each]]
            return str(dice.one([text for text in found if kind.bind or text != ":8080"]))
        if isinstance(kind, t.Host) and kind.wildcard and dice.below(3) == 0:
            return "*.example.com"
        return str(dice.one(RIGHT[type(kind)]))


def _writable(text: str) -> bool:
    return not re.search(
        "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]", text
    )


def quoted(text: str) -> str:
    """Give a text in double quotes, with what cannot stand in a profile as escapes."""
    parts = []
    for c in text:
        if c in '"\\':
            parts.append("\\" + c)
        elif _writable(c) and c not in "\t\n":
            parts.append(c)
        else:
            parts.append(f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}")
    return f'"{"".join(parts)}"'


def emitted(node: Node) -> str:
    """Give the YAML of a tree."""
    return _inline(node, "").lstrip() + "\n" if _flat(node) else _block(node, "").lstrip("\n") + "\n"


def _flat(node: Node) -> bool:
    return not isinstance(node, Group) or node.flow or not node.entries


def _inline(node: Node, indent: str) -> str:
    """Give what stands behind a `:` or `-` on the same line."""
    if isinstance(node, Alias):
        return f" *{node.name}"
    anchor = f" &{node.anchor}" if node.anchor else ""
    if isinstance(node, Text):
        if node.style == "block":
            return f"{anchor} |-\n{indent}  {node.text}"
        return f"{anchor} {_scalar(node)}"
    parts = [
        _inline(value, indent).lstrip() if key is None else f"{_scalar(key)}:{_inline(value, indent)}"
        for key, value in node.entries
    ]
    return f"{anchor} " + ("[{}]" if node.listing else "{{{}}}").format(", ".join(parts))


def _scalar(node: Text) -> str:
    if node.style == "single":
        return "'" + node.text.replace("'", "''") + "'"
    return node.text if node.style == "plain" else quoted(node.text)


def _block(node: Group, indent: str) -> str:
    """Give the lines of a collection in block style, each begun by a line break."""
    lines = []
    for key, value in node.entries:
        head = f"\n{indent}" + ("-" if key is None else f"{_scalar(key)}:")
        if _flat(value):
            lines.append(head + _inline(value, indent))
            continue
        assert isinstance(value, Group)
        lines.append(head + (f" &{value.anchor}" if value.anchor else "") + _block(value, indent + "  "))
    return "".join(lines)


MUTATIONS: Final = (
    "delete",
    "double",
    "swap",
    "indent",
    "scalar",
    "insert",
    "letter",
    "unquote",
    "join",
    "tail",
)


FIXABLE: Final = ("scalar", "letter", "letter", "unquote")
"""Those that a fix can be offered for."""


def mutated(text: str, dice: Dice, kinds: tuple[str, ...] = MUTATIONS) -> str:
    """Give a text of lines with one accident."""
    lines = text.split("\n")
    at = dice.below(len(lines))
    line = lines[at]
    kind = dice.one(kinds)
    if kind == "delete":
        del lines[at]
    elif kind == "double":
        lines.insert(dice.below(len(lines)), line)
    elif kind == "swap":
        other = dice.below(len(lines))
        lines[at], lines[other] = lines[other], line
    elif kind == "indent":
        lines[at] = dice.one(("", " ", "  ", "    ", "\t")) + (line.lstrip() if dice.below(2) else line)
    elif kind == "scalar":
        values = list(re.finditer(r"(?<=[:\[,-] )[^\s,\]}{\[]+", line))
        if values:
            found = dice.one(values)
            lines[at] = line[: found.start()] + dice.one(NEARLY).split("\n")[0] + line[found.end() :]
    elif kind == "unquote":
        lines[at] = re.sub(r'"([^"]*)"', r"\1", line)
    elif kind == "letter":
        keys = list(re.finditer(r"[a-z_0-9]+(?=:)", line))
        if keys:
            found = dice.one(keys)
            place = found.start() + dice.below(len(found[0]))
            lines[at] = line[:place] + dice.one(("", "x", "_", "S")) + line[place + dice.below(2) :]
    elif kind == "join" and at + 1 < len(lines):
        lines[at : at + 2] = [line + lines[at + 1]]
    elif kind == "tail":
        lines[at] = line[: dice.below(len(line) + 1)]
    else:
        place = dice.below(len(line) + 1)
        lines[at] = (
            line[:place] + dice.one("{}[]:,#&*!|>'\"%@`?-\t é\0\ufeff\u2028\x07\U0001d54f") + line[place:]
        )
    return "\n".join(lines)
