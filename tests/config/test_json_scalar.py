"""Each scalar of the JSON Schema takes what the reader takes, and nothing else that a schema can tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import schema_types as t
from appliance.config.describe import sample
from appliance.config.json_scalar import (
    SUBSTITUTES,
    SUBSTITUTION,
    between,
    examples,
    key_schema,
    native,
    scalar_schema,
)
from appliance.config.read_scalar import Unreadable, read_scalar
from appliance.config.schema import PROFILE
from tests.kit.editor import Editor, core, keeps_spelling


def leaves(kind: t.Type | None) -> Iterator[t.Leaf]:
    """Give every scalar type below one."""
    if isinstance(kind, t.Object):
        for key in kind.keys.values():
            yield from leaves(key.type)
    elif isinstance(kind, t.ByShape):
        for each in (kind.scalar, kind.listing, kind.mapping):
            yield from leaves(each)
    elif isinstance(kind, t.ListOf):
        yield from leaves(kind.item)
    elif isinstance(kind, t.MapOf):
        yield from leaves(kind.key)
        yield from leaves(kind.value)
    elif kind is not None:
        yield kind


LEAVES = list(dict.fromkeys(leaves(PROFILE)))

# What a schema cannot tell, by what the reader says of it.
BEYOND = (
    ("MC303", "longer than a year"),  # the sum of parts each of which is not
    ("MC307", "too long for a socket path"),  # bytes, where a pattern counts characters
    ("MC309", "is not a name"),  # `1.5`; but `1e-3` is one, and to YAML both are numbers
    ("MC311", ""),  # whether it compiles
    ("MC312", ""),  # whether it is safe
    ("MC316", "bits set behind its prefix"),
    ("MC316", "is not a network"),  # a netmask with a hole in it
    ("MC314", "is not a host"),  # `1e+3`, for which see names
    ("MC318", "methods are upper-case"),  # `true`, which YAML does not tell from `TRUE`
)
NUMBERS_ONLY = {"MC309", "MC314", "MC318"}

SEEDS = """
0 1 2 5 6 7 01 007 -1 +1 1.0 1.5 1e3 1e-3 0x1f 0o17 .5 .inf true false True TRUE yes on null ~ 1.2 1.3 100
101 199 200 301 399 400 404 500 503 599 600 999 1000 1001 1023 1024 10000 10001 65535 65536 1000000 1000001
auto Auto 0s 1s 5s 250ms 1m30s 2h 30s1m 1d 5 min 00s 000000000s 0000000001s 8784h 8785h 8784h1s 527040m
31622401s 31622400000ms 0B 00B 0KiB 1B 512B 64KiB 64K 64kib 10MB 1024B 1023B 1048577B 1MiB 1025KiB 64MiB
65MiB 1024GiB 1025GiB 1099511627776B 0/s 100/s 600/m 1/h 100 100rps 000/s 010/s 0% 50% 0.1% 100% 100.0%
100.1% 101% 099% 0.1234567% .5% 5xx 5XX 6xx 0xx 500-504 504-500 500-500 100-599 199-200 529-530 connect
reset timeout grpc-unavailable a app a-b -a A a_b a.b PORT _x 1a x-user X-Tier host Host connection
Transfer-Encoding te via %20 a:b header:x-user header: header:Host cookie:a query:a client_ip client-ip path
route host / /a /a/ /a?b /a#b /%61 /%2f /%2F /%5c /%00 /% /%4 /%zz /a\\b /é a/b GET get POST CONNECT PATCH
M-SEARCH localhost localhost:80 :80 :0 :8080 h:0 h:1 h:65535 h:65536 h:000080 h:0000080 10.0.0.1:80
10.0.0.256:80 1.2.3:80 [::1]:80 [::1] ::1 [::]:0 [1:2:3:4:5:6:7:8]:1 [1::2:3:4:5:6:7:8]:1
[1:2:3:4:5:6:7::]:1 [::1.2.3.4]:1 [::1.2.3.400]:1 [fe80::1%eth0]:1 [::g]:1 unix: unix:/a unix:80 fd: fd:web
fd:3 dns:a:1 dns:a dns::1 *:80 a:b:80 http://a:80 a_b:80 a.:80 .a:80 a..b:80 -a:80 shop.example.com
*.example.com *example.com a.*.com *. * a. . 10.0.0.0/8 10.0.0.1/8 10.0.0.1 0.0.0.0/0 10.0.0.0/33
10.0.0.0/08 10.0.0.0/255.0.0.0 10.0.0.0/0.255.0.255 fd00::/8 ::/0 ::1/128 ::1/129 fe80::%1/64 1 1.2
300.1.1.1 http://a https://a/b HTTP://a:80/?q ftp://a http:// http://a@b http://a/b#c stdout stderr true
false a{1} $ $$ ${ } stdout. w3c b3 http https http1 operator present 308 a\tb
"""
POOL = [
    *SEEDS.split(),
    *(
        "",
        " ",
        "a b",
        " a",
        "a ",
        "a\n",
        "\n",
        "a\tb",
        "a\x00b",
        "unix:/a\x00",
        "é",
        "5s\n",
        "GET\n",
        "http://a\u2028b",
    ),
    *("x" * 63, "x" * 64, "x" * 1000, "x" * 1001, "-" * 256, "-" * 257),
    *(
        "a." * 126 + "a",
        "a." * 126 + "a.",
        "a." * 127 + "a",
        "unix:/" + "x" * 106,
        "unix:/" + "x" * 107,
        "unix:/" + "é" * 60,
    ),
]

TEXTS = st.one_of(
    st.sampled_from(POOL),
    st.text(alphabet="0123456789abfhmsxKMGiB%/:.-[]*{}$ \nA_", max_size=12),
    st.builds(
        lambda text, at, char: text[: at % (len(text) + 1)] + char + text[at % (len(text) + 1) + 1 :],
        st.sampled_from(POOL),
        st.integers(0, 40),
        st.sampled_from([*"019aAxX%/:.-[]*$ \n", ""]),
    ),
    st.builds(str, st.integers(-10, 2_000_000)),
)


def beyond(kind: t.Leaf, text: str, quoted: bool) -> bool:
    """Whether a schema cannot tell why the reader refuses this."""
    try:
        read_scalar(kind, text)
    except Unreadable as problem:
        number = not quoted and not isinstance(core(text), str)
        return any(
            problem.code == code and words in problem.problem and (number or code not in NUMBERS_ONLY)
            for code, words in BEYOND
        )
    return False


def reads(kind: t.Leaf, text: str) -> bool:
    """Whether the reader takes a text."""
    try:
        read_scalar(kind, text)
    except Unreadable:
        return False
    return True


def agree(kind: t.Leaf, text: str, quoted: bool) -> None:
    """Fail if reader and schema differ where both can know."""
    if kind == t.Name(variable=True):
        quoted = True  # it is the type of a key only
    if isinstance(kind, t.Target) and not quoted and core(text) is True and text != "true":
        return
    empty = not quoted and core(text) is None
    taken = isinstance(kind, t.Text) and kind.empty if empty else reads(kind, text)
    accepted = Editor(scalar_schema(kind)).is_valid(text if quoted else core(text))
    if taken:
        assert accepted
    elif quoted or keeps_spelling(text):
        assert not accepted or beyond(kind, text, quoted)


@pytest.mark.parametrize("kind", LEAVES, ids=str)
def test_the_schema_takes_what_the_reader_takes(kind: t.Leaf) -> None:
    """Every type with every kind of text, quoted and not."""
    for text in (*POOL, str(sample(kind))):
        agree(kind, text, quoted=True)
        agree(kind, text, quoted=False)


@given(kind=st.sampled_from(LEAVES), text=TEXTS, quoted=st.booleans())
def test_both_agree_on_any_text(kind: t.Leaf, text: str, quoted: bool) -> None:
    """Also where a text is nearly right."""
    agree(kind, text, quoted)


@given(low=st.integers(0, 3000), more=st.integers(0, 3000), number=st.integers(0, 9000))
def test_a_range_is_exactly_its_numbers(low: int, more: int, number: int) -> None:
    """At both ends, and without leading zeros."""
    expression = re.compile(between(low, low + more))
    for each in (number, low - 1, low, low + more, low + more + 1):
        if each >= 0:
            assert bool(expression.fullmatch(str(each))) == (low <= each <= low + more)
    assert not expression.fullmatch(f"0{number}")


@pytest.mark.parametrize("kind", LEAVES, ids=str)
def test_what_is_offered_is_right(kind: t.Leaf) -> None:
    """Examples are taken by their own schema."""
    for offered in examples(kind):
        assert Editor(scalar_schema(kind)).is_valid(offered)


@pytest.mark.parametrize(
    ("text", "substitutes", "right"),
    [
        ("${A}", True, True),
        ("a${A:-b}c${file:/x y}", True, True),
        ("${A:?must be set}", True, True),
        ("$${A}", False, True),
        ("$$${A}", False, True),
        ("${A}$${B}", True, True),
        ("${A", True, False),
        ("${}", True, False),
        ("${1A}", True, False),
        ("${A:b}", True, False),
        ("${A${B}}", True, False),
        ("a $ b", False, True),
    ],
)
def test_substitutions_are_told_from_other_text(text: str, substitutes: bool, right: bool) -> None:
    """By the same rules as when they are substituted."""
    assert Editor(SUBSTITUTES).is_valid(text) == substitutes
    assert Editor(SUBSTITUTION).is_valid(text) == right


def test_names_of_entries_are_always_text() -> None:
    """The key `1` of a map is the text "1" to everybody."""
    assert "type" not in key_schema(t.Name())
    assert Editor(key_schema(t.Name())).is_valid("1")
    assert not Editor(key_schema(t.HeaderName(edit=True))).is_valid("Content-Length")


def test_defaults_are_written_as_yaml_reads_them() -> None:
    """So that an editor inserts 5 and not "5"; but text stays text."""
    assert native(t.Integer(), "5") == 5
    assert native(t.Boolean(), "false") is False
    assert native(t.Duration(), "0") == "0"
    assert native(t.Choice(("1.2",)), "1.2") == 1.2


@pytest.mark.parametrize("kind", LEAVES, ids=str)
def test_patterns_are_those_that_ecmascript_reads(kind: t.Leaf) -> None:
    """No named groups, no looking behind, no flags, no \\A, \\Z or \\d."""
    for pattern in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(scalar_schema(kind))):
        assert not re.search(r"\(\?(?![:=!])|\\[AZzdswDSW]", json.loads(pattern))
