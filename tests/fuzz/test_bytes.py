"""Any bytes at the front door: told what is wrong with them, at a place that they have."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.strategies import examined, lines_of, parsed_alike

GOOD = 'meshctl: 1\nlisteners: {web: {bind: ":8080"}}\nroutes: [{name: "größe", to: app}]\nupstreams: {}\n'
PIECES = (
    *(
        "meshctl: 1\n",
        "listeners:",
        "routes:\n",
        "upstreams: ",
        "name: ",
        "web",
        "bind",
        "vars: ",
        "include: ",
    ),
    *(
        "- ",
        "  ",
        "\n",
        "\n\n",
        " ",
        "\t",
        ": ",
        ":",
        "? ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&a ",
        "*a ",
        "*a",
        "<<: ",
    ),
    *(
        "'",
        '"',
        "''",
        "\\",
        "\\x",
        "\\ud800",
        "\\U00110000",
        "\\U0001d54f",
        "\\/",
        "\\N",
        "\\\n",
        "|\n",
        ">-\n",
    ),
    *(
        "|2\n",
        "|9\n",
        ">+",
        "#",
        " #",
        "!",
        "!!str ",
        "!<x> ",
        "%YAML 1.2\n",
        "%TAG ! x\n",
        "---\n",
        "...\n",
        "--- ",
    ),
    *(
        "${",
        "}",
        "$${",
        "${V}",
        "${V:-",
        "${file:",
        "é",
        "\U0001d54f",
        "a",
        "1",
        "0",
        "~",
        "@",
        "`",
        "%",
        "*",
        "&",
    ),
    *("\0", "\x07", "\x1b[31m", "\x7f", "\x85", "\xa0", "\u2028", "\u202e", "\ufeff", "\ufffe", "\r", "\r\n"),
    *("token: ", "password: s3", "http://u:p@h", "a: b: c", "[::1]:80", "*.x", "a?b", "\x00\x00"),
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)

bounded = settings(deadline=None, print_blob=True)


@settings(bounded, max_examples=100)
@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b"a\0")
@example(b"\xef\xbb\xbf")
@example(b"\xef\xbb\xbf\xef\xbb\xbfa: b")
@example("é: \udcff".encode("utf-8", "surrogateescape"))
@example(b"\xef\xbb\xbfa: \xff")
def test_any_bytes_are_told_what_is_wrong_with_them(data: bytes) -> None:
    """A plan by accident would be a surprise; an exception is a bug."""
    assert examined(data).plan is None


@settings(bounded, max_examples=250)
@given(TEXTS)
@example("meshctl: 1\n{")
@example("a\n\n\n: b: c\n\n\n")
@example('{"\\e[31m": 1, "\\u202e": 2}')
def test_any_text_of_yaml_marks_ends_in_words(text: str) -> None:
    """Both parsers come to the same end, which lies inside the text."""
    data = text.encode()
    examined(data)
    parsed_alike(data)


@settings(bounded, max_examples=100)
@given(
    TEXTS, st.sampled_from(("utf-16-le", "utf-16-be", "utf-16", "utf-32", "utf-8-sig", "latin-1", "cp1252"))
)
def test_other_encodings_are_named_or_refused(text: str, encoding: str) -> None:
    """Whatever an editor may save, in either order of bytes, with or without a mark."""
    examined(text.encode(encoding, "replace"))


@settings(bounded, max_examples=100)
@given(st.integers(0, len(GOOD.encode())), st.binary(max_size=4), st.booleans())
def test_text_that_is_cut_or_pierced_is_no_surprise(at: int, between: bytes, cut: bool) -> None:
    """Also in the middle of a character."""
    data = GOOD.encode()
    examined(data[:at] + between + (b"" if cut else data[at:]))


@settings(bounded, max_examples=100)
@given(
    st.text("01289abcdefABCDEF", min_size=8, max_size=8),
    st.sampled_from("xuU"),
    st.sampled_from(("", "\\ud83d")),
)
@example("00110000", "U", "")
@example("ffffffff", "U", "")
@example("0000d800", "U", "")
@example("d83dde00", "u", "\\ud83d")
def test_any_escape_gives_a_character_or_a_reason(digits: str, kind: str, before: str) -> None:
    """Numbers beyond Unicode and halves of characters are refused, not raised."""
    data = GOOD.replace("größe", f"{before}\\{kind}{digits}").encode()
    examined(data)
    parsed_alike(data)


@pytest.mark.parametrize("before", ["a: ", "é: ", "# 語語\nb: ", "\ufeffé: "])
def test_a_broken_character_is_pointed_at_exactly(before: str) -> None:
    """Columns count characters, also on a line that is no text in the end."""
    data = before.encode() + b"\xe9x\n"
    (told,) = (each for each in examined(data).diagnostics if each.code == "MC101")
    assert lines_of(data)[told.span.line - 1][told.span.column - 1] == "\udce9"
